"""The templates of reports and pages, which take every value for text."""

from collections.abc import Callable

from jinja2 import Environment, PackageLoader, StrictUndefined


def load_templates(package: str, **filters: Callable[..., str]) -> Environment:
    """Return the templates of a package: what they are given is escaped, and must be given.

    Args:
        package: Its directory ``templates`` has them.
        filters: How they show a value, by name.
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
