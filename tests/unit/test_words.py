import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from shoal.producer.cli.words import in_commands
from shoal.producer.web.rendering import in_page_words
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
        ("use `clusters=118` or less", "use clusters 118 or less"),
        (
            "use `algorithm='kmeans'` or other `image_size`",
            "use algorithm kmeans or other image size",
        ),
        ("submit it again with `force=True`.", "submit it again with “Run again” (force)."),
        (describe_unknown("1a2b"), "No job 1a2b."),
        (f"None ({show_call('1a2b', 'wait')} waits). But (see `shoal worker`)", "None. But"),
        (
            f"lost: {show_call('1a2b', 'retry')} loads",
            "lost: “Continue with what is missing” loads",
        ),
        ("No image in /a (b)/c`d e", "No image in /a (b)/c`d e"),
    ],
)
def test_the_page_names_its_buttons_and_fields_instead_of_calls(message, expected):
    assert in_page_words(message) == expected


def test_a_notebook_leaves_out_remarks_about_calls():
    assert (
        leave_out_calls(f"{describe_unknown('1a2b')} Or `clusters=2`.")
        == "No job 1a2b. Or clusters=2."
    )


# What only commands and programs on this machine meet, or what is no message.
NOT_ON_PAGES = (
    *OF_COMMANDS,
    *("producer/client.py", "producer/evaluation.py", "producer/export", "producer/organizing"),
    *("producer/job.py", "producer/report", "shared/settings.py", "worker/prediction.py"),
    *("producer/submission/fingerprint.py", "worker/extractors", "producer/search/sheet.py"),
    *("producer/web/access/gate.py", "producer/web/site.py"),
)


def find_messages(tree: ast.Module) -> Iterator[str]:
    """The texts of a module that name code, with a call's words and some value for all else."""
    inner = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in node.values
    }
    documented = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if id(node) in inner | documented:
            continue
        if isinstance(node, ast.JoinedStr):
            yield "".join(map(show_part, node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def show_part(part: ast.expr) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    assert isinstance(part, ast.FormattedValue)
    call = part.value
    if isinstance(call, ast.Call) and ast.unparse(call.func) == "show_call":
        options = {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
        return show_call("1a2b", ast.literal_eval(call.args[1]), **options)
    # What is put into a variable first, to be shown in a remark.
    return show_call("1a2b", "failures") if ast.unparse(call) == "failures" else "7"


def test_no_message_that_reaches_the_page_has_calls_code_or_options():
    found: dict[str, list[str]] = {}
    for part in ("producer", "shared", "worker"):
        for path in (ROOT / part).rglob("*.py"):
            name = path.relative_to(ROOT).as_posix()
            if not name.startswith(NOT_ON_PAGES):
                texts = find_messages(ast.parse(path.read_text()))
                shown = [in_page_words(text) for text in texts if "`" in text and "\\" not in text]
                told = [text for text in shown if re.search(r"`|client\.|=True|\s--[a-z]", text)]
                found |= {name: told} if told else {}
    assert found == {}


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
