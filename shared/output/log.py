"""The lines of a log: one for each event, as key=value or as JSON, with the same fields."""

import logging
import re
import sys
from datetime import UTC, datetime

import msgspec
from logfmter import Logfmter

from shoal.shared.encoding import escape_name
from shoal.shared.settings import LogFormat
from shoal.shared.text import CONTROLS, show_controls

# What uvicorn says of a request, in the order of the record's arguments.
ACCESS = "uvicorn.access"
ACCESS_KEYS = ("client", "method", "path", "http", "status")
# Not what an event is about: one of our own keys, and uvicorn's message with colours.
LEFT_OUT = {"worker", "color_message"}


class LogLine(Logfmter):
    """One line per event, as key=value; valid UTF-8, in which a terminal has nothing to obey."""

    # The name of the worker whose log it is, once that is known.
    worker = ""

    def format(self, record: logging.LogRecord) -> str:
        """Format an event."""
        return show_controls(escape_name(self.format_params(self._describe(record))))

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802  logging's signature
        """Return the time of an event as RFC 3339 has it; UTC, so that machines agree."""
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")

    def _describe(self, record: logging.LogRecord) -> dict[str, object]:
        """Return the fields of an event, in order."""
        fields = {
            "at": self.formatTime(record),
            "level": record.levelname,
            **({"worker": self.worker} if self.worker else {}),
            "process": record.processName,
            **_describe_message(record),
            **self.get_extra(record),
        }
        if record.exc_info:
            fields["exc_info"] = self.formatException(record.exc_info)
        if record.stack_info:
            fields["stack_info"] = self.formatStack(record.stack_info)
        return fields

    @classmethod
    def get_extra(cls, record: logging.LogRecord) -> dict[str, object]:
        """Return what the event is about."""
        extra = super().get_extra(record)
        return {key: value for key, value in extra.items() if key not in LEFT_OUT}


class JsonLine(LogLine):
    """One line per event, an object of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Format an event."""
        fields = {key: _make_valid(value) for key, value in self._describe(record).items()}
        line = msgspec.json.encode(fields, enc_hook=_show).decode()
        return CONTROLS.sub(_escape_control, line)


def _describe_message(record: logging.LogRecord) -> dict[str, object]:
    """Return the message of an event; a request has its parts as fields of their own."""
    arguments = record.args
    if record.name == ACCESS and isinstance(arguments, tuple):
        return {"msg": "request", **dict(zip(ACCESS_KEYS, arguments, strict=False))}
    return {"msg": record.getMessage()}


def _make_valid(value: object) -> object:
    """Return a value without what no JSON has: bytes of a name that are no text."""
    return escape_name(value) if isinstance(value, str) else value


def _show(value: object) -> str:
    return escape_name(str(value))


def _escape_control(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def make_formatter(log_format: LogFormat) -> LogLine:
    """Return what makes the lines of a log."""
    return JsonLine() if log_format is LogFormat.JSON else LogLine()


def log_to_stderr(log_format: LogFormat) -> None:
    """Log the warnings of this process to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(make_formatter(log_format))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.captureWarnings(capture=True)


def format_message(log_format: LogFormat, level: str, message: str) -> str:
    """Return the line of a message that people read as it is, but programs as an object."""
    if log_format is not LogFormat.JSON:
        return message
    return JsonLine().format(logging.makeLogRecord({"levelname": level, "msg": message}))
