"""Fetching the images of a batch that are in no folder here: many at once, ahead of the decoder."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cache, partial
from socket import gethostname
from threading import Barrier
from typing import TypeVar

from shoal.shared.errors import SourceError, UnreadableImageError
from shoal.shared.findings import FailureReason
from shoal.shared.images.files import ReadFile
from shoal.shared.settings import Settings
from shoal.shared.sources.archives import find_packed, read_members
from shoal.shared.sources.locations import Location
from shoal.shared.sources.paths import join
from shoal.shared.sources.reading import SourceReader
from shoal.worker import Checkpoint
from shoal.worker.stages.cache.keys import describe_location

# At 50 ms each, these are 1,280 images a second, several times what a process decodes.
MOST_REQUESTS = 64
# Of images that are being read or wait for the decoder, in one process.
READ_AHEAD_BYTES = 2**27
# Of an image whose size nobody has said, so much is read ahead, and a larger one is read again.
UNKNOWN_BYTES = 2**21
# Between two looks whether the batch is still wanted.
LOOK_SECONDS = 1.0

Made = TypeVar("Made")
Fetched = ReadFile | UnreadableImageError


class LocatedImages:
    """Images of a batch whose locations are known.

    Attributes:
        paths: Relative to the source.
        locations: Of the same images.
    """

    def __init__(
        self, source: str, paths: Sequence[str], locations: Sequence[Location], settings: Settings
    ) -> None:
        """Prepare; nothing is read yet.

        Raises:
            SourceError: This worker may not or cannot read the source; the message names it.
        """
        self.paths = paths
        self.locations = locations
        self._reader = _naming_host(partial(SourceReader, source, settings))()
        self._pool = _start_threads(os.getpid())

    def states(self) -> list[bytes | None]:
        """Return a key for each image that changes with its content; None if nobody can know."""
        return [
            describe_location(self._whole(place), location)
            if self._reader.allows(self.paths[place])
            else None
            for place, location in enumerate(self.locations)
        ]

    def fetch(self, places: Sequence[int], checkpoint: Checkpoint) -> Iterator[Fetched]:
        """Fetch some of the images, in the order of ``places``.

        Args:
            places: Numbers of the images.
            checkpoint: Called about once a second while one is awaited; may raise to stop.

        Raises:
            SourceError: Nothing can be read in the source; the message says where and what helps.
            SourceUnavailableError: Nothing can be read there for now.
        """
        objects = self._fetch_objects([n for n in places if not self._is_packed(n)], checkpoint)
        members = self._fetch_members([n for n in places if self._is_packed(n)], checkpoint)
        for place in places:
            content = next(members if self._is_packed(place) else objects)
            if isinstance(content, UnreadableImageError):
                yield content
            else:
                yield ReadFile(self._whole(place), content)

    def _is_packed(self, place: int) -> bool:
        return bool(self.locations[place].archive)

    def _whole(self, place: int) -> str:
        return join(self._reader.source, self.paths[place])

    def _fetch_members(
        self, places: Sequence[int], checkpoint: Checkpoint
    ) -> Iterator[bytes | UnreadableImageError]:
        source = self._reader.source
        members = [find_packed(source, self.paths[n], self.locations[n]) for n in places]
        most, read = self._reader.most_bytes, self._reader.read_part
        return read_members(members, most, read, partial(self._begin, checkpoint))

    def _begin(self, checkpoint: Checkpoint, read: Callable[[], bytes]) -> Callable[[], bytes]:
        return partial(_await, self._pool.submit(_naming_host(read)), checkpoint)

    def _fetch_objects(
        self, places: Sequence[int], checkpoint: Checkpoint
    ) -> Iterator[bytes | UnreadableImageError]:
        left, pending = deque(places), deque[tuple[int, int, Future[bytes]]]()
        ahead_bytes = 0
        try:
            while left or pending:
                while left and _has_room(len(pending), ahead_bytes, self._cost(left[0])):
                    place = left.popleft()
                    cost = self._cost(place)
                    pending.append((place, cost, self._submit(place, cost)))
                    ahead_bytes += cost
                place, cost, future = pending.popleft()
                yield self._finish(place, future, checkpoint)
                ahead_bytes -= cost
        finally:
            for _, _, future in pending:
                future.cancel()

    def _cost(self, place: int) -> int:
        """Return the bytes that an image takes at most while it is read ahead."""
        size = self.locations[place].size
        return min(UNKNOWN_BYTES if size is None else size, self._reader.most_bytes)

    def _submit(self, place: int, most_bytes: int) -> "Future[bytes]":
        is_known = self.locations[place].size is not None
        read = partial(self._reader.read, self.paths[place], self.locations[place])
        return self._pool.submit(_naming_host(read), None if is_known else most_bytes)

    def _finish(
        self, place: int, future: "Future[bytes]", checkpoint: Checkpoint
    ) -> bytes | UnreadableImageError:
        """Wait for an image that is being read; of one that is larger than thought, read all."""
        try:
            return _await(future, checkpoint)
        except MemoryError:  # another image took it meanwhile
            return self._read_alone(place, checkpoint)
        except UnreadableImageError as error:
            is_unknown = self.locations[place].size is None
            if error.reason is FailureReason.TOO_MANY_BYTES and is_unknown:
                return self._read_alone(place, checkpoint)
            return error

    def _read_alone(self, place: int, checkpoint: Checkpoint) -> bytes | UnreadableImageError:
        try:
            return _await(self._submit(place, self._reader.most_bytes), checkpoint)
        except UnreadableImageError as error:
            return error
        except MemoryError:
            detail = "more memory than there is for it"
            return UnreadableImageError(FailureReason.TOO_MUCH_MEMORY, detail)


def _has_room(n_pending: int, ahead_bytes: int, cost: int) -> bool:
    """Return whether one more may be read ahead; one alone always may."""
    fits = n_pending < MOST_REQUESTS and ahead_bytes + cost <= READ_AHEAD_BYTES
    return fits or n_pending == 0


def _await(future: "Future[Made]", checkpoint: Checkpoint) -> Made:
    while not future.done():
        wait([future], LOOK_SECONDS)
        checkpoint()
    return future.result()


def _naming_host(read: Callable[..., Made]) -> Callable[..., Made]:
    """Return what does the same, and names this machine in errors about the whole source."""

    def read_here(*arguments: int | None) -> Made:
        try:
            return read(*arguments)
        except SourceError as error:
            raise SourceError(f"On {gethostname()}, {error}") from None

    return read_here


@cache
def _start_threads(_process: int) -> ThreadPoolExecutor:
    """Start the threads of this process, all of them now: images' memory is limited later."""
    pool = ThreadPoolExecutor(MOST_REQUESTS, "fetching")
    all_started = Barrier(MOST_REQUESTS)
    wait([pool.submit(all_started.wait) for _ in range(MOST_REQUESTS)])
    return pool
