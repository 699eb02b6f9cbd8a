"""The lines of a log: the same fields in both forms."""

import json
import logging
import sys
from datetime import datetime, timedelta

import pytest

from shoal.shared.output.log import ACCESS, JsonLine, LogLine, format_message, make_formatter
from shoal.shared.settings import LogFormat

TIME = 1_764_432_311.1239


@pytest.fixture(params=LogFormat)
def log_format(request, monkeypatch):
    monkeypatch.setattr(LogLine, "worker", "one@host")
    return request.param


def show(formatter, message, **about):
    event = {"levelname": "INFO", "msg": message, "created": TIME, **about}
    return formatter.format(logging.makeLogRecord(event))


def read(line):
    """Read the fields of a line that has no blanks in its values, in either form."""
    return json.loads(line) if line.startswith("{") else dict(p.split("=", 1) for p in line.split())


def test_an_event_names_its_worker_and_what_it_is_about(log_format):
    fields = read(show(make_formatter(log_format), "batch", job="1a2b", batch="3"))
    assert list(fields) == ["at", "level", "worker", "process", "msg", "job", "batch"]
    assert fields["worker"] == "one@host"
    assert [fields[name] for name in ("level", "msg", "job", "batch")] == [
        *("INFO", "batch", "1a2b", "3")
    ]


def test_a_time_has_zone_and_milliseconds(log_format):
    at = read(show(make_formatter(log_format), "batch"))["at"]
    assert at == "2025-11-29T16:05:11.123+00:00"
    assert datetime.fromisoformat(at).utcoffset() == timedelta(0)


def test_a_terminal_that_shows_the_log_has_nothing_to_obey():
    logged = show(LogLine(), "odd", error="\x1b[2J\u202e two\nlines \udce9")
    assert logged.endswith(r' error="\u001b[2J\u202e two\nlines \xe9"')


def test_an_object_keeps_numbers_and_shows_any_text_and_any_thing():
    logged = show(
        JsonLine(), "odd", n=3, error="\x1b\x9b\u202e Fjälla\n\udce9", kind=int, share=float("nan")
    )
    assert "\x9b" not in logged
    assert "\u202e" not in logged
    assert "Fjälla" in logged
    fields = json.loads(logged)
    assert fields["n"] == 3
    assert fields["error"] == "\x1b\x9b\u202e Fjälla\n\\xe9"
    assert fields["kind"] == "<class 'int'>"
    assert fields["share"] is None


def test_an_exception_is_in_the_same_line(log_format):
    try:
        raise ValueError("two\nlines")
    except ValueError:
        line = show(make_formatter(log_format), "failed", exc_info=sys.exc_info())
    assert "\n" not in line
    assert "Traceback" in line
    assert line.endswith((r'ValueError: two\nlines"', r'ValueError: two\nlines"}'))


def test_a_request_has_its_parts_as_fields(log_format):
    arguments = ("127.0.0.1:5", "GET", "/jobs/a%20b", "1.1", 200)
    about = {"name": ACCESS, "args": arguments, "color_message": "\x1b[1m"}
    fields = read(show(make_formatter(log_format), '%s - "%s %s HTTP/%s" %d', **about))
    assert {name: str(fields[name]) for name in list(fields)[4:]} == {
        "msg": "request",
        "client": "127.0.0.1:5",
        "method": "GET",
        "path": "/jobs/a%20b",
        "http": "1.1",
        "status": "200",
    }


def test_a_message_for_people_is_itself_and_an_object_for_programs():
    assert format_message(LogFormat.LOGFMT, "INFO", "Shoal is here") == "Shoal is here"
    fields = json.loads(format_message(LogFormat.JSON, "INFO", "Shoal is here"))
    assert (fields["level"], fields["msg"]) == ("INFO", "Shoal is here")
