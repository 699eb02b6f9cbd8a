"""Jinja templates of reports and pages; every value is escaped."""

import re
from collections.abc import Callable
from pathlib import Path

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from shoal.shared.text import cut_middle, cut_path, show_count, show_number, show_share

# Longest name below a picture: two lines.
NAME_CHARACTERS = 32
BREAKS = re.compile(r"(?<=[/_…-])|(?<=.)(?=\.[^.]*\.)")
STATIC = Path(__file__).parent / "static"


def load_templates(package: str, **filters: Callable[..., str]) -> Environment:
    """Load the templates of a package; they escape every value and fail on a missing one.

    They can also use those of the components, whatever is in ``STATIC``, and the filters
    ``breakable``, ``count``, ``cut`` for paths, ``cut_words``, ``number`` and ``share``.

    Args:
        package: Name of the package with the directory ``templates``.
        **filters: Further functions that format a value, by the name that templates use.
    """
    components = [
        PackageLoader("shoal.producer.components", name) for name in ("templates", "static")
    ]
    templates = Environment(
        loader=ChoiceLoader([PackageLoader(package), *components]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {
        "count": show_count,
        "breakable": _allow_breaks,
        "cut": _cut_name,
        "cut_words": cut_middle,
        "number": show_number,
        "share": show_share,
    }
    templates.filters |= filters
    return templates


def _allow_breaks(name: str) -> Markup:
    """Let a browser break a name between its words, not within them."""
    return Markup("<wbr>").join(escape(part) for part in BREAKS.split(name))


def _cut_name(name: str, most: int = NAME_CHARACTERS) -> str:
    return cut_path(name, most)
