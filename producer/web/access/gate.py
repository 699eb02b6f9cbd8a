"""The gate: middleware that checks every request and adds security headers to every answer."""

import re
from urllib.parse import quote

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shoal.producer.web.access.origins import is_foreign, names_loopback
from shoal.producer.web.access.sessions import SESSION_COOKIE, Access
from shoal.producer.web.problems import (
    GUESSES,
    BusyError,
    make_busy_response,
    make_problem_response,
)

# A page may load our own files only, and have no inline script or style.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
MOST_BODY_BYTES = 64 * 1024
# A picture to search by may be larger: a photograph, which browsers make smaller before.
PICTURE_BYTES = 4 * 2**20
PICTURE_PATH = re.compile(r"/api/v1/jobs/[^/]+/search|/jobs/[^/]+/similar")
OPEN_PATHS = ("/static/", "/login", "/healthz", "/readyz")


class Gate:
    """Passes requests on to ``app``, or refuses them."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app = app
        self.access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        answer = self._refuse(Request(scope)) or self.app
        await answer(scope, receive, send_with_headers)

    def _refuse(self, request: Request) -> Response | None:
        """Return the answer to a request that must not be passed on; None if it may be."""
        # With a token this is not needed: a browser sends no cookie to a rebound name.
        if self.access.token is None and not names_loopback(request):
            error = "This page is for this machine only: open it as 127.0.0.1 or localhost."
            return make_problem_response(request, 421, error)
        if is_foreign(request) and not self.access.has_token(request):
            error = "Refused: another site sent this request."
            return self._slow_down(request) or make_problem_response(request, 403, error)
        if _body_bytes(request) > (most := _most_bytes(request)):
            return make_problem_response(request, 413, f"Send at most {most:,} bytes.")
        # Not `request.url`, which is made of the header that says the host.
        if request.scope["path"].startswith(OPEN_PATHS) or self.access.admits(request):
            return None
        refusal = self._slow_down(request) or _ask_for_token(request)
        # A browser with a cookie of another token sends it once, not with each picture of a page.
        if SESSION_COOKIE in request.cookies:
            refusal.delete_cookie(SESSION_COOKIE)
        return refusal

    def _slow_down(self, request: Request) -> Response | None:
        """Count a wrong token; return the answer if there were too many."""
        if self.access.is_guess(request) and (wait := self.access.guesses.take()):
            return make_busy_response(request, BusyError(wait, GUESSES))
        return None


def _most_bytes(request: Request) -> int:
    """Return how many bytes a request's body may have; the application counts them again."""
    is_picture = PICTURE_PATH.fullmatch(request.scope["path"])
    return PICTURE_BYTES if is_picture else MOST_BODY_BYTES


def _body_bytes(request: Request) -> int:
    """Return the size in a request's header; without one, the application counts the bytes."""
    length = request.headers.get("content-length", "")
    return int(length) if length.isdecimal() else 0


def _ask_for_token(request: Request) -> Response:
    """Redirect a person to the login, or tell a program what to send."""
    path = request.scope["path"]
    if path.startswith(("/api/", "/metrics")):
        error = "Send the server's SHOAL_WEB_TOKEN as `Authorization: Bearer …`."
        refusal = make_problem_response(request, 401, error)
        refusal.headers["WWW-Authenticate"] = "Bearer"
        return refusal
    return RedirectResponse(f"/login?next={quote(path)}", 303)
