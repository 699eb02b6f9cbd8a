"""Sort large image folders into clusters, on one laptop or on as many machines as you have.

Submit a folder with a Client, wait for its Job, and read what it found::

    from shoal import Client

    with Client() as client:
        job = client.submit("photographs", clusters=8)
        job.wait()
        for image in job.labels():
            print(image.label, image.path)

A Model labels other images as the job did, without any server.

All errors that Shoal raises on purpose are subclasses of ShoalError.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shoal.producer.client import Client
    from shoal.producer.job import Job
    from shoal.producer.organizing import undo
    from shoal.shared.errors import (
        ConnectionLostError,
        DamagedJobError,
        JobCancelledError,
        JobFailedError,
        NotFinishedError,
        OptionError,
        SettingsError,
        ShardLostError,
        ShardsUnavailableError,
        ShoalError,
        SourceError,
        SourceUnavailableError,
        StoreFullError,
        StoreUnavailableError,
        TooLargeError,
        UnknownJobError,
        UnreadableImageError,
        UsageError,
        VersionError,
        WaitTimeoutError,
    )
    from shoal.worker.prediction import Model

__all__ = [
    "Client",
    "ConnectionLostError",
    "DamagedJobError",
    "Job",
    "JobCancelledError",
    "JobFailedError",
    "Model",
    "NotFinishedError",
    "OptionError",
    "SettingsError",
    "ShardLostError",
    "ShardsUnavailableError",
    "ShoalError",
    "SourceError",
    "SourceUnavailableError",
    "StoreFullError",
    "StoreUnavailableError",
    "TooLargeError",
    "UnknownJobError",
    "UnreadableImageError",
    "UsageError",
    "VersionError",
    "WaitTimeoutError",
    "undo",
]

_MODULES = {
    "Client": "shoal.producer.client",
    "Job": "shoal.producer.job",
    "Model": "shoal.worker.prediction",
    "undo": "shoal.producer.organizing",
}


def __getattr__(name: str) -> Any:
    """Import a name on first use: ``shoal --help`` must not wait for redis-py."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES.get(name, "shoal.shared.errors")), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
