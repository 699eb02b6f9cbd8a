"""Words that commands and reports share."""


def show_count(count: int, noun: str) -> str:
    """Return a number with its noun, as in "1,797 images"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
