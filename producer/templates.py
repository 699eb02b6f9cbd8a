"""Jinja templates of reports and web pages; every value is escaped."""

from collections.abc import Callable

from jinja2 import Environment, PackageLoader, StrictUndefined


def load_templates(package: str, **filters: Callable[..., str]) -> Environment:
    """Load the templates of a package; they escape every value and fail on a missing one.

    Args:
        package: Name of the package with the directory ``templates``.
        **filters: Functions that format a value, by the name that templates use.
    """
    templates = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= filters
    return templates
