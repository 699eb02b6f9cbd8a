import pytest

from shoal.shared.text import show_controls, show_count


@pytest.mark.parametrize(
    ("count", "shown"), [(0, "0 images"), (1, "1 image"), (2, "2 images"), (1797, "1,797 images")]
)
def test_a_number_stands_with_its_noun(count, shown):
    assert show_count(count, "image") == shown


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain name.png", "plain name.png"),
        ("日本\u3000é 👩\u200d🎨.png", "日本\u3000é 👩\u200d🎨.png"),
        ("\x1b[2J\a\r\n\t\x7f", r"\x1b[2J\x07\r\n\t\x7f"),
        ("\x85\x9b\u2028\u2029", r"\x85\x9b\u2028\u2029"),
        ("\u202egnp.exe\u2066\u200f", r"\u202egnp.exe\u2066\u200f"),
        ("caf\udce9", r"caf\udce9"),
    ],
)
def test_what_a_terminal_would_obey_is_shown_and_all_else_stays(name, shown):
    assert show_controls(name) == shown
    assert show_controls(shown) == shown
