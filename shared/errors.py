"""What can go wrong, as one tree.

ShoalError
├── UsageError              the request cannot work as it is (exit code 2); also a ValueError
│   ├── SettingsError       an environment variable cannot be used
│   ├── SourceError         the source is missing, unreadable, or has no images
│   ├── OptionError         an option of the job cannot be used
│   ├── UnknownJobError     there is no such job, or it has expired; also a LookupError
│   └── TooLargeError       Redis takes nothing of this size
├── DamagedJobError         the job's data in Redis is damaged, or of another version of Shoal
│   └── VersionError            it is of another version, and the message says of which
├── StoreUnavailableError   Redis refuses for now; the same call may work later
│   ├── ConnectionLostError     it does not answer
│   ├── StoreFullError          it is out of memory or disk space
│   ├── ShardsUnavailableError  the place of shards refuses for now
│   └── SourceUnavailableError  the bucket or server of the images refuses for now
├── ShardLostError          what was kept in a shard is missing or damaged
├── JobFailedError          the job ended without a result; the message is the job's own
├── JobCancelledError       the job was cancelled
├── NotFinishedError        the result does not exist yet
├── WaitTimeoutError        the job did not end in the time given; also a TimeoutError
└── UnreadableImageError    one image cannot be used; it is counted, and the job goes on
"""

import re

from shoal.shared.findings import FailureReason

# What a message says in brackets about a method.
REMARK = re.compile(r" \((?:[^()`]*`[^`]*`)+[^()`]*\)")
# A parameter that a message names, with a value or without.
PARAMETER = re.compile(r"`(\w+(?:=[^`\s]+)?)`")


class ShoalError(Exception):
    """The base of all errors that Shoal raises on purpose."""


class UsageError(ShoalError, ValueError):
    """The request cannot work as it is; the message names the remedy."""


class SettingsError(UsageError):
    """An environment variable cannot be used; the message says what is expected."""


class SourceError(UsageError):
    """The source is missing, unreadable, or has no images; the message names the remedy."""


class OptionError(UsageError):
    """An option of a job cannot be used.

    Attributes:
        option: Its name.
    """

    def __init__(self, option: str, message: str) -> None:
        super().__init__(message)
        self.option = option


class UnknownJobError(UsageError, LookupError):
    """No job has this id, or it has expired."""


class TooLargeError(UsageError):
    """Redis closes the connection whenever it is sent this much; the message names the remedy."""


class DamagedJobError(ShoalError):
    """The job's data in Redis is damaged, or of another version of Shoal."""


class VersionError(DamagedJobError):
    """The job is of a version of Shoal that this one cannot read; the message says of which."""


class StoreUnavailableError(ShoalError):
    """Redis refuses for now; the same call may work later, and waiting work goes on by itself."""


class ConnectionLostError(StoreUnavailableError):
    """Redis does not answer."""


class StoreFullError(StoreUnavailableError):
    """Redis is out of memory or disk space; work goes on once it has some."""


class ShardsUnavailableError(StoreUnavailableError):
    """The directory or bucket of shards refuses for now, as a full disk does."""


class SourceUnavailableError(StoreUnavailableError):
    """The bucket or the server of a job's images refuses for now."""


class ShardLostError(ShoalError):
    """What was kept in a shard is missing, incomplete or damaged."""


class JobFailedError(ShoalError):
    """The job ended without a result."""


class JobCancelledError(ShoalError):
    """The job was cancelled."""


class NotFinishedError(ShoalError):
    """The result does not exist yet."""


class WaitTimeoutError(ShoalError, TimeoutError):
    """The job did not end in the time given."""


class UnreadableImageError(ShoalError):
    """One image cannot be used.

    Attributes:
        reason: The class of the cause, for counting.
        detail: The cause in words.
    """

    def __init__(self, reason: FailureReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def show_call(job_id: str, method: str, **options: object) -> str:
    """Show in a message how a program does something about a job.

    Messages speak to a program: they name the parameters and methods of Python, in backticks. The
    command line puts its own words there, and the web leaves calls out, if they stand in brackets.
    """
    given = ", ".join(f"{name}={value!r}" for name, value in options.items())
    return f"`client.job({job_id!r}).{method}({given})`"


def describe_unknown(job_id: str) -> str:
    """Say that there is no job of this id."""
    return f"No job {job_id} (see `client.jobs()` for the jobs there are)."


def leave_out_calls(message: str) -> str:
    """Return a message for those who call no methods: without remarks that do."""
    return PARAMETER.sub(r"\1", REMARK.sub("", message))
