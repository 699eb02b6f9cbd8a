"""Rendering: what the server answers as JSON and as pages, whatever a file is called."""

import time
from typing import Any, TypeAlias

from starlette.responses import HTMLResponse, Response

from shoal.producer.templates import load_templates
from shoal.shared.text import show_count, show_number
from shoal.shared.wire import encode

# As the description of the API takes them.
OpenApiResponses: TypeAlias = dict[int | str, dict[str, Any]]


class Json(Response):
    """A job's models as JSON, as the command line prints them."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return the body; names that are not UTF-8 survive, as escaped surrogates."""
        return encode(content)


class Page(HTMLResponse):
    """A template with its values as HTML."""

    def __init__(self, template: str, status_code: int = 200, **values: Any) -> None:
        super().__init__(TEMPLATES.get_template(template).render(values), status_code)

    def render(self, content: str) -> bytes:
        """Return the body; of names that are not UTF-8, what cannot be shown is a question mark."""
        return content.encode(errors="replace")


def _show_time(seconds: float) -> str:
    """Return a time, in seconds since 1970, as a date of this machine's clock."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


TEMPLATES = load_templates(
    "shoal.producer.web", time=_show_time, number=show_number, count=show_count
)
