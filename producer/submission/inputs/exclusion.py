"""Patterns of what is left out, as in a .gitignore."""

from collections.abc import Callable, Sequence

from shoal.shared.errors import OptionError

Excludes = Callable[[str], bool]


def make_exclusion(patterns: Sequence[str]) -> Excludes | None:
    """Return what tells whether a path is left out; None where there are no patterns.

    Paths are relative to what was given, those of folders end in a slash.

    Raises:
        OptionError: A pattern cannot be read.
    """
    if not patterns:
        return None
    import pathspec  # only where there are patterns

    try:
        return pathspec.GitIgnoreSpec.from_lines(patterns).match_file
    except ValueError as error:
        message = f"`exclude`: {error}; expected patterns as in .gitignore."
        raise OptionError("exclude", message) from None
