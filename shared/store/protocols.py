"""The protocols of the jobs of one Redis: who may read, and touch, which of them."""

import importlib.metadata
from collections.abc import Iterable, Mapping
from functools import cache

from shoal.shared.errors import VersionError
from shoal.shared.redis.connection import RedisClient
from shoal.shared.store.keys import JobKeys
from shoal.shared.tasks import FIRST, KNOWN, PROTOCOL

# Field of a job's request. That of protocol 1 is another: its programs, which know no numbers, say
# of such a job that it is of another version, and neither read nor retry it.
REQUEST = "job_request"
FIRST_REQUEST = "request"


@cache
def find_version() -> str:
    """Return the version of Shoal that is installed; "" if none is, as in a bare checkout."""
    try:
        return importlib.metadata.version("shoal")
    except importlib.metadata.PackageNotFoundError:
        return ""


def describe_origin(version: str, protocol: int) -> str:
    """Describe the version that a job was submitted by, as ``Shoal 0.2.0 (protocol 2)``."""
    return f"{f'Shoal {version}' if version else 'an earlier Shoal'} (protocol {protocol})"


def note_protocol() -> dict[str, str | int]:
    """Return the fields of a new job that say who can read it."""
    return {"protocol": PROTOCOL, "version": find_version()}


def read_protocol(client: RedisClient, job_id: str) -> int:
    """Return the protocol of a job; of one that is gone, this version's."""
    state, protocol = client.hmget(JobKeys(job_id).job, ["state", "protocol"])
    return int(protocol or FIRST) if state else PROTOCOL


def protocol_of(fields: Mapping[str, str]) -> int:
    """Return the protocol of a job, given its fields."""
    return int(fields.get("protocol", FIRST))


def check_protocol(job_id: str, fields: Mapping[str, str]) -> None:
    """Check that this version reads a job, given its fields.

    Raises:
        VersionError: It does not; the message says which version does.
    """
    protocol = protocol_of(fields)
    if protocol not in KNOWN:
        raise VersionError(
            f"Job {job_id} is of {describe_origin(fields.get('version', ''), protocol)}, and this"
            f" is {describe_origin(find_version(), PROTOCOL)}: use that version, or submit the"
            " folder again with `force=True`."
        )


def read_request(fields: Mapping[str, str]) -> str:
    """Return the request of a job as JSON, given its fields.

    Raises:
        KeyError: It has none.
    """
    return fields[REQUEST] if REQUEST in fields else fields[FIRST_REQUEST]


def mark(value: str, protocol: int) -> str:
    """Mark what names the images and options of a job with its protocol.

    Programs of protocol 1 must not take a job of a later one for their own.
    """
    return value if protocol == FIRST or not value else f"{protocol}:{value}"


def list_marks(value: str, protocols: Iterable[int] = KNOWN) -> set[bytes]:
    """List what ``value`` is in the jobs that this version reads."""
    return {mark(value, protocol).encode() for protocol in protocols}
