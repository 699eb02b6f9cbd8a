"""Uploaded pictures: those that somebody searched by last, in memory."""

from collections import OrderedDict
from hashlib import sha256
from http import HTTPStatus
from threading import Lock
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from shoal.producer.web.api.search import PictureDep
from shoal.producer.web.rendering import Json
from shoal.producer.web.site import SiteDep, StatusDep, enforce

MOST_BYTES = 32 * 2**20
TOKEN_LENGTH = 32

router = APIRouter(include_in_schema=False)


class Uploads:
    """Keeps the pictures that were uploaded last, by a name that only who has them can know."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        """Begin without any; keep at most so many bytes."""
        self._most_bytes = most_bytes
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._lock = Lock()

    def keep(self, content: bytes) -> str:
        """Keep a picture; return its name, the same for the same content."""
        name = sha256(content).hexdigest()[:TOKEN_LENGTH]
        with self._lock:
            self._kept[name] = content
            self._kept.move_to_end(name)
            while sum(map(len, self._kept.values())) > self._most_bytes:
                self._kept.popitem(last=False)
        return name

    def find(self, name: str) -> bytes | None:
        """Find a picture by its name; None if it is not kept any more."""
        with self._lock:
            if name in self._kept:
                self._kept.move_to_end(name)
            return self._kept.get(name)


def kind_of_picture(content: bytes) -> str | None:
    """Return the media type of a picture that a browser shows; None if it is of another kind."""
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    return None


# Of no other use than for pages: not kept in the site.
async def _find_uploads(request: Request) -> Uploads:
    """Return the pictures that were uploaded to a request's application."""
    uploads: Uploads = request.app.state.uploads
    return uploads


UploadsDep = Annotated[Uploads, Depends(_find_uploads)]


@router.post("/jobs/{job_id}/similar")
def upload_picture(
    site: SiteDep, uploads: UploadsDep, status: StatusDep, content: PictureDep
) -> Response:
    """Keep a picture to search by; answer with the address of the page that does."""
    enforce(site.estimate_limit)
    address = f"/jobs/{status.job_id}/similar?picture={uploads.keep(content)}"
    return Json({"address": address}, HTTPStatus.CREATED)


@router.get("/jobs/{job_id}/pictures/{name}")
def show_picture(uploads: UploadsDep, name: str) -> Response:
    """A picture that was uploaded to search by."""
    content = uploads.find(name)
    kind = kind_of_picture(content) if content else None
    return Response(content, 200, media_type=kind) if kind else Response(None, 404)
