"""What can go wrong, as one tree.

ShoalError
├── UsageError              the request cannot work as it is (exit code 2)
│   ├── SettingsError       an environment variable does not parse
│   ├── SourceError         the folder is missing, unreadable, or has no images
│   └── UnknownJobError     no such job (any more)
├── DamagedJobError         what Redis has of the job is damaged, or of another version
├── ConnectionLostError     Redis does not answer
├── StoreFullError          Redis has no memory or disk left; the work goes on once it has
├── JobFailedError          the job ended without a result; the message is the job's own
├── JobCancelledError       the job was cancelled
├── NotFinishedError        the result does not exist yet
├── WaitTimeoutError        the job did not end in the time given
└── UnreadableImageError    one image cannot be used; it becomes a failure, never a failed job
"""

from shoal.shared.findings import FailureReason


class ShoalError(Exception):
    """Anything that Shoal raises on purpose."""


class UsageError(ShoalError):
    """The request cannot work as it is; the message names the remedy."""


class SettingsError(UsageError):
    """An environment variable does not parse."""


class SourceError(UsageError):
    """The folder is missing, unreadable, or has no images."""


class UnknownJobError(UsageError):
    """No job has this id, or it has expired."""


class DamagedJobError(ShoalError):
    """What Redis has of the job is damaged, or of another version of Shoal."""


class ConnectionLostError(ShoalError):
    """Redis does not answer."""


class StoreFullError(ShoalError):
    """Redis has no memory left, or no room on its disk; the work goes on once it has."""


class JobFailedError(ShoalError):
    """The job ended without a result."""


class JobCancelledError(ShoalError):
    """The job was cancelled."""


class NotFinishedError(ShoalError):
    """The result does not exist yet."""


class WaitTimeoutError(ShoalError):
    """The job did not end in the time given."""


class UnreadableImageError(ShoalError):
    """One image cannot be used.

    Attributes:
        reason: The class of the cause, for counting.
        detail: The cause in words, for a person.
    """

    def __init__(self, reason: FailureReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
