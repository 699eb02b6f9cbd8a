import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from shoal.producer.cli.words import in_commands
from shoal.shared.errors import describe_unknown, leave_out_calls, show_call
from shoal.shared.text import show_controls, show_count

ROOT = Path(__file__).parents[2]
# What only commands say, and what starts the commands that have no other name.
OF_COMMANDS = (
    *("producer/cli", "producer/local", "producer/web/server.py"),
    "shared/server/faults.py",
)


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
        ("caf\udce9", r"caf\xe9"),
    ],
)
def test_what_a_terminal_would_obey_is_shown_and_all_else_stays(name, shown):
    assert show_controls(name) == shown
    assert show_controls(shown) == shown


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("use `clusters=118` or less", "use `--clusters 118` or less"),
        ("a smaller `image_size`", "a smaller `--image-size`"),
        ("use `algorithm='kmeans'`", "use `--algorithm kmeans`"),
        ("submit with `force=True`", "submit with `--force`"),
        (f"see {show_call('1a2b', 'retry')}", "see `shoal retry 1a2b`"),
        (show_call("1a2b", "retry", failed_only=True), "`shoal retry 1a2b --failed-only`"),
        (show_call("1a2b", "labels"), "`shoal result 1a2b`"),
        ("see `shoal.undo('/home/me')`", "see `shoal undo /home/me`"),
        ('see `shoal.undo("it\'s here")`', "see `shoal undo 'it'\"'\"'s here'`"),
        (show_call("1a2b", "coordinates"), "`shoal features --coordinates 1a2b`"),
        (describe_unknown("1a2b"), "No job 1a2b (see `shoal jobs` for the jobs there are)."),
        ("start one with `shoal worker`: `wrong` is no `str`", None),
    ],
)
def test_commands_have_their_own_words_for_parameters_and_methods(message, expected):
    assert in_commands(message) == (expected or message)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("use `clusters=118` or less", "use clusters=118 or less"),
        (describe_unknown("1a2b"), "No job 1a2b."),
        (f"None ({show_call('1a2b', 'wait')} waits). But (see `shoal worker`)", None),
        ("No image in /a (b)/c`d e", "No image in /a (b)/c`d e"),
    ],
)
def test_the_web_names_parameters_and_leaves_out_what_calls_methods(message, expected):
    assert leave_out_calls(message) == (expected or "None. But")


def find_texts(tree: ast.Module) -> Iterator[str]:
    """The strings of a module that are no docstrings."""
    documented = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in documented:
            yield str(node.value)


def test_what_a_program_is_told_names_no_options_and_commands():
    found: dict[str, list[str]] = {}
    for part in ("producer", "shared", "worker"):
        for path in (ROOT / part).rglob("*.py"):
            name = path.relative_to(ROOT).as_posix()
            if not name.startswith(OF_COMMANDS):
                texts = find_texts(ast.parse(path.read_text()))
                told = [text for text in texts if re.search(r"\s--[a-z]|`shoal (?!serve`)", text)]
                found |= {name: told} if told else {}
    assert found == {}
