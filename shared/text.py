"""Words that commands, reports and pages share."""


def show_number(number: int) -> str:
    """Return a number as a person reads it."""
    return f"{number:,}"


def show_count(count: int, noun: str) -> str:
    """Return a number with its noun, as in "1,797 images"."""
    return f"{show_number(count)} {noun}{'' if count == 1 else 's'}"
