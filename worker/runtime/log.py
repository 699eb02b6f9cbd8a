"""The log of a worker."""

import logging

from logfmter import Logfmter

from shoal.shared.encoding import escape_name
from shoal.shared.text import show_controls

LOG_KEYS = {"at": "asctime", "level": "levelname", "worker": "worker", "process": "processName"}


class LogLine(Logfmter):
    """One line per event, as key=value; valid UTF-8, in which a terminal has nothing to obey."""

    # The name of the worker whose log it is, once that is known.
    worker = ""

    def __init__(self) -> None:
        super().__init__(list(LOG_KEYS), mapping=LOG_KEYS)

    def format(self, record: logging.LogRecord) -> str:
        """Format an event."""
        record.worker = self.worker
        return show_controls(escape_name(super().format(record)))

    @classmethod
    def get_extra(cls, record: logging.LogRecord) -> dict[str, object]:
        """Return what the event is about; the worker comes first, as one of the keys."""
        return {key: value for key, value in super().get_extra(record).items() if key != "worker"}
