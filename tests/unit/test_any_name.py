"""Streams that take any name."""

import io

import pytest

from shoal.shared.output.streams import take_any_name


@pytest.mark.parametrize(
    ("encoding", "text", "expected"),
    [
        ("latin-1", "ü 写 \udce9", b"\xfc \\u5199 \xe9"),
        ("utf-8", "ü 写 \udce9", "ü 写 ".encode() + b"\xe9"),
        ("ascii", "ü 写 \udce9", "ü 写 ".encode() + b"\xe9"),
        ("cp1252", "… 写", b"\x85 \\u5199"),
        ("utf-8", "\ud800", b"\\ud800"),
    ],
)
def test_what_an_encoding_lacks_is_escaped_and_bytes_stay_bytes(encoding, text, expected):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding, "strict")
    take_any_name(stream)
    stream.write(text)
    stream.flush()
    assert raw.getvalue() == expected


def test_what_is_no_stream_of_python_stays_as_it_is():
    take_any_name(None)
    take_any_name(io.BytesIO())
