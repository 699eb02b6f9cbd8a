"""Submits and watches: the command line and the Python client."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from producer.client import Client as Client
    from producer.job import Job as Job


def __getattr__(name: str) -> Any:
    """Import ``Client`` and ``Job`` on first use: ``shoal --help`` needs neither."""
    if name == "Client":
        from producer.client import Client

        return Client
    if name == "Job":
        from producer.job import Job

        return Job
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
