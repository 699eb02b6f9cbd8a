"""Names of any bytes as valid text, which can be turned into the name again."""

import json
import os
import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from names import unescape_name

from shoal.producer.export.models import export_json
from shoal.shared.encoding import NOT_UTF8, escape_name
from shoal.shared.findings import Duplicate, Failure, FailureReason

# Python decodes file names as ASCII then.
NO_UTF8 = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@given(st.binary(max_size=50))
@example(b"\\xe9")
@example(b"\\\xe9 \\x\xe9 \\xa\xe9")
@example(b"\\\\x5c\\x5cxe9")
def test_a_name_of_any_bytes_becomes_valid_text_and_comes_back(raw: bytes) -> None:
    text = escape_name(os.fsdecode(raw))
    assert unescape_name(text) == raw


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("日本/🐟 é.png".encode(), "日本/🐟 é.png"),
        (b"caf\xe9.png", "caf\\xe9.png"),
        (b"back\\slash\\xE9.png", "back\\slash\\xE9.png"),
        (b"caf\\xe9.png", "caf\\x5cxe9.png"),
    ],
)
def test_only_what_is_not_utf8_or_looks_like_it_is_escaped(raw: bytes, text: str) -> None:
    assert escape_name(os.fsdecode(raw)) == text


@given(st.binary(max_size=50).map(os.fsdecode))
def test_json_for_other_programs_has_no_surrogates(name: str) -> None:
    failure = Failure(name, FailureReason.DAMAGED, name)
    raw = export_json({"rows": [failure], "pair": (Duplicate(0, name, 0, name, 1),)})
    rows = json.loads(raw)
    for text in (rows["rows"][0]["path"], rows["rows"][0]["detail"], rows["pair"][0]["like"]):
        assert unescape_name(text) == os.fsencode(name)
    assert raw.isascii()


def run_without_utf8(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *command],
        env=os.environ | NO_UTF8,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_command_starts_again_with_its_arguments_where_names_are_not_decoded_as_utf8() -> None:
    code = (
        "import sys; from shoal.shared.encoding import restart_in_utf8; restart_in_utf8();"
        "print(sys.getfilesystemencoding(), ascii(sys.argv[1:]))"
    )
    assert run_without_utf8("-c", code, "a", "é").stdout == "utf-8 ['a', '\\xe9']\n"


def test_a_program_whose_names_are_not_decoded_as_utf8_is_told_how_to_have_them() -> None:
    done = run_without_utf8("-c", "from shoal import Client; Client()")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("shoal.shared.errors.UsageError: ")
    assert "as ascii here" in done.stderr
    assert NOT_UTF8.endswith("set PYTHONUTF8=1.")
    assert "set PYTHONUTF8=1." in done.stderr
