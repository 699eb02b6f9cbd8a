import logging

import pytest

from shoal.worker.runtime.log import LogLine


@pytest.fixture
def line(monkeypatch):
    """Formats an event of a worker."""
    monkeypatch.setattr(LogLine, "worker", "one@host")

    def format_event(message, **about):
        event = logging.makeLogRecord({"levelname": "INFO", "msg": message, **about})
        return LogLine().format(event)

    return format_event


def test_an_event_names_its_worker_and_what_it_is_about(line):
    logged = line("batch", job="1a2b", batch=3)
    assert " level=INFO worker=one@host process=" in logged
    assert logged.endswith(" msg=batch job=1a2b batch=3")


def test_a_terminal_that_shows_the_log_has_nothing_to_obey(line):
    logged = line("odd", error="\x1b[2J\u202e two\nlines \udce9")
    assert logged.endswith(r' error="\u001b[2J\u202e two\nlines \xe9"')
