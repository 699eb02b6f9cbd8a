"""Responses as JSON and as HTML pages, safe for any file name."""

import time
from typing import Any, TypeAlias

from starlette.responses import HTMLResponse, Response

from shoal.producer.export.models import export_json
from shoal.producer.templates import load_templates
from shoal.shared.errors import leave_out_calls
from shoal.shared.text import show_bytes, show_count, show_number, show_share

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


def _show_time(seconds: float) -> str:
    """Format a time, in seconds since 1970, as a date in this machine's time zone."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


TEMPLATES = load_templates(
    "shoal.producer.web",
    time=_show_time,
    number=show_number,
    count=show_count,
    share=show_share,
    message=leave_out_calls,
    bytes=show_bytes,
)
