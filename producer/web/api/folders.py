"""The API's folders: those that a person may choose on the page."""

import os
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from shoal.producer.submission.folder import resolve_source
from shoal.producer.submission.subfolders import FolderContents, list_subfolders
from shoal.producer.web.rendering import Json
from shoal.producer.web.site import Site, SiteDep, only_some

FolderPath = Annotated[
    str,
    Query(max_length=4096, description="Absolute path of a folder; none is where one can begin."),
]

router = APIRouter()


@router.get("/folders", response_model=FolderContents)
def list_folders(site: SiteDep, path: FolderPath = "") -> Response:
    """The folders in a folder, below `SHOAL_IMAGE_ROOTS` or the server's home directory."""
    with only_some(site.browsings, "Other folders are being listed"):
        return Json(list_subfolders(path, _find_roots(site)))


def _find_roots(site: Site) -> tuple[Path, ...]:
    """Find where folders are listed: without a setting, not where others keep theirs."""
    if roots := site.client.settings.image_roots:
        return roots
    home = os.path.expanduser("~")  # noqa: PTH111  Path.home raises where there is none
    return (resolve_source(Path(home)),) if os.path.isabs(home) else ()  # noqa: PTH117
