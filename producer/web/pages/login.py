"""Login: a person enters the token once, and the browser keeps a session."""

from contextlib import suppress
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from shoal.producer.web.access.sessions import SESSION_COOKIE, SESSION_SECONDS
from shoal.producer.web.rendering import Page
from shoal.producer.web.site import SiteDep, count_guess
from shoal.shared.store.errors import PASSING

router = APIRouter(include_in_schema=False)


@router.get("/login")
def show_login(request: Request) -> Response:
    """The login form."""
    return Page("login.html", next=safe_path(request.query_params.get("next", "/")), error="")


@router.post("/login")
async def log_in(request: Request, site: SiteDep) -> Response:
    """Start a session if the token is right."""
    form = parse_qs((await request.body()).decode(errors="replace"))
    given, onward = form.get("token", [""])[0], safe_path(form.get("next", ["/"])[0])
    if not site.access.is_token(given.strip().encode()):
        count_guess(site)
        return Page("login.html", 403, next=onward, error="The token is wrong.")
    answer = RedirectResponse(onward, 303)
    answer.set_cookie(
        SESSION_COOKIE,
        site.access.make_session(),
        max_age=SESSION_SECONDS,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


@router.post("/logout")
def log_out(request: Request, site: SiteDep) -> Response:
    """End the session, so that copies of its cookie end too, and delete the cookie."""
    if session := site.access.read_session(request):
        site.access.ended.add(session)
        # If Redis does not answer now, the other web servers learn of it later.
        with suppress(*PASSING):
            site.share_ended_sessions()
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(SESSION_COOKIE)
    return answer


def safe_path(path: str) -> str:
    """Return ``path`` if it is one of this site, else ``/``: a link may name another site."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if is_ours else "/"
