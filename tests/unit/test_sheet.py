"""What stands under the pictures of a sheet."""

import pytest

from shoal.producer.search.sheet import SIDE_PIXELS, load_font, shorten

MISSING = "\uffff"


@pytest.mark.parametrize("letter", "äöüÄÖÜßéñçåøłžșıΩЖ…")
def test_letters_of_names_are_drawn(letter: str) -> None:
    font = load_font()
    assert bytes(font.getmask(letter)) != bytes(font.getmask(MISSING))


@pytest.mark.parametrize(
    "path", ["W" * 60 + ".jpg", "Sommer in Österreich/" * 5 + "i.jpg", "Ü" * 40]
)
def test_a_long_name_is_no_wider_than_its_picture_and_keeps_both_ends(path: str) -> None:
    font = load_font()
    name = shorten(path, font)
    assert font.getlength(name) <= SIDE_PIXELS < font.getlength(path)
    head, tail = name.split("…")
    assert path.startswith(head)
    assert path.endswith(tail)
    assert len(head) <= len(tail) > 4


def test_a_short_name_stays_as_it_is() -> None:
    assert shorten("Küche/größe 1.jpg", load_font()) == "Küche/größe 1.jpg"
