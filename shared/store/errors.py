"""Errors of Redis that pass: it cannot be reached, is full, or cannot write its file."""

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import OutOfMemoryError, ReadOnlyError, ResponseError

from shoal.shared.errors import ConnectionLostError, StoreFullError
from shoal.shared.redis.connection import LOST

# Work that ends in one of these is done again later, and the attempt does not count.
PASSING = (*LOST, OutOfMemoryError, ReadOnlyError, ConnectionLostError, StoreFullError)

# How the message begins where Redis refuses writes because it cannot write its file.
UNWRITABLE = "MISCONF"


@contextmanager
def full_is_ours() -> Iterator[None]:
    """Raise StoreFullError where Redis has no memory left, or no room on its disk."""
    try:
        yield
    except OutOfMemoryError as error:
        raise StoreFullError(
            "Redis is full: raise its maxmemory, or shorten SHOAL_FEATURES_SECONDS for the jobs"
            " to come. Waiting work then continues by itself."
        ) from error
    except ResponseError as error:
        # A pipeline puts the command before what Redis says.
        _, is_unwritable, cause = str(error).partition(UNWRITABLE)
        if not is_unwritable:
            raise
        raise StoreFullError(
            f"Redis cannot write its file: make room on its disk ({cause.strip()})."
            " Waiting work then continues by itself."
        ) from error
