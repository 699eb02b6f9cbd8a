"""What Redis refuses for a while, and what passes by itself."""

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import OutOfMemoryError, ReadOnlyError

from shared.connection import LOST
from shared.errors import ConnectionLostError, StoreFullError

# Work that meets one of these is done again later; it was not to blame.
PASSING = (*LOST, OutOfMemoryError, ReadOnlyError, ConnectionLostError, StoreFullError)


@contextmanager
def full_is_ours() -> Iterator[None]:
    """Raise StoreFullError where Redis has no memory left."""
    try:
        yield
    except OutOfMemoryError as error:
        raise StoreFullError(
            "Redis is full: raise its maxmemory, or shorten SHOAL_FEATURES_SECONDS for the jobs"
            " to come. What waits then goes on by itself."
        ) from error
