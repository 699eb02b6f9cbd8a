"""Responses as JSON and as HTML pages, safe for any file name."""

import re
import time
from typing import Any, TypeAlias

from starlette.responses import HTMLResponse, Response

from shoal.producer.components import load_templates
from shoal.producer.export.models import export_json
from shoal.shared.errors import PARAMETER, REMARK
from shoal.shared.palette import colour_number
from shoal.shared.text import show_bytes, show_duration

# A method of a job or of the client, outside of a remark.
CALL = re.compile(r"`client\.(?:job\('\w+'\)\.)?(\w+)\(([^`]*)\)`")
# What does the same on the page: a button's label, or a place.
DEEDS = {
    "coordinates": "coordinates.npy",
    "failures": "the page of failures",
    "features": "features.npy",
    "jobs": "the list of jobs",
    "labels": "labels.csv",
    "retry": "“Continue with what is missing”",
    "status": "the job's page",
    "wait": "waiting",
}
RETRY_FAILED = "“Try the failed images again”"
# Parameters whose names alone say too little, as the form has them and as the API calls them.
FIELDS = {
    "force=True": "“Run again” (force)",
    "keep_model=True": "“Keep the clusters” (keep_model)",
}

# The ``responses`` of a FastAPI route.
OpenApiResponses: TypeAlias = dict[int | str, dict[str, Any]]


class Json(Response):
    """JSON of Shoal's models, the same as the command line prints."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Encode the body; names that are not UTF-8 are escaped, as in files."""
        return export_json(content)


class Page(HTMLResponse):
    """An HTML page, made from a template and its values."""

    def __init__(self, template: str, status_code: int = 200, **values: Any) -> None:
        super().__init__(TEMPLATES.get_template(template).render(values), status_code)

    def render(self, content: str) -> bytes:
        """Encode the body; in names that are not UTF-8, invalid bytes become question marks."""
        return content.encode(errors="replace")


def in_page_words(message: str) -> str:
    """Return a message of Shoal's in the words of the page: without calls and code.

    Remarks that name a method are left out: the page has a button or a link for it.
    """
    words = CALL.sub(_name_deed, REMARK.sub("", message))
    return PARAMETER.sub(_name_field, words)


def _name_deed(call: re.Match[str]) -> str:
    return RETRY_FAILED if "failed_only" in call[2] else DEEDS.get(call[1], call[1])


def _name_field(parameter: re.Match[str]) -> str:
    name, _, value = parameter[1].partition("=")
    words = " ".join([name.replace("_", " "), value.strip("'")]).strip()
    return FIELDS.get(parameter[1], words)


def _show_time(seconds: float) -> str:
    """Format a time, in seconds since 1970, as a date in this machine's time zone."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


TEMPLATES = load_templates(
    "shoal.producer.web",
    time=_show_time,
    bytes=show_bytes,
    colour=lambda label: str(colour_number(label)),
    duration=show_duration,
    message=in_page_words,
)
