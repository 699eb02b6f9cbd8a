"""Small pictures of images, made on request and kept in memory while there is room.

For thumbnails and for larger previews, a process each decodes for the whole page, the same as
decodes for workers, one image after the other: nothing that an image does to its decoder reaches
the server, and a preview does not wait for a gallery of thumbnails.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path

from shoal.producer.web.problems import OverloadedError
from shoal.shared.errors import UnreadableImageError
from shoal.shared.findings import FailureReason
from shoal.shared.images.files import StrPath
from shoal.shared.images.isolation import IsolatedDecoder, make_order
from shoal.shared.images.values import UNKNOWN, ValueRanges
from shoal.shared.settings import Settings
from shoal.shared.sources.paths import join
from shoal.shared.store.images import JobImages

DECODE = "shoal.worker.images.preview:load_preview"
# Of the longer side, of thumbnails and of previews.
SIDE_PIXELS = 240
PREVIEW_PIXELS = 1024
# For each of the two: some 2,500 thumbnails, or 250 previews.
KEPT_BYTES = 32 * 2**20
# Images that may wait for the decoder, and how long a request waits for one of them.
MOST_WAITING = 64
WAIT_SECONDS = 10.0
# For so long, an image that could not be decoded is not tried again.
FAILED_SECONDS = 60.0
# Then an idle decoder ends, and gives back its memory.
IDLE_SECONDS = 60.0


@dataclass(frozen=True)
class ImageVersion:
    """An image file as it is now.

    Attributes:
        file: Where it is.
        name: A name that changes with the file, and with what is made of it.
        ranges: Which values its job shows as black and white, if it has more than eight bits.
        fetch: Returns what is decoded in place of the file, if that is not on this machine.
    """

    file: StrPath
    name: str
    ranges: ValueRanges = UNKNOWN
    fetch: Callable[[], StrPath] | None = None


class Thumbnails:
    """Makes small pictures of images within the workers' limits, and keeps those used last.

    Its coroutines are for one event loop.
    """

    def __init__(
        self, settings: Settings, decode: str = DECODE, side_pixels: int = SIDE_PIXELS
    ) -> None:
        """Prepare; the decoder starts with the first image.

        Args:
            settings: The limits.
            decode: Called by the decoder, as "module:name".
            side_pixels: The longer side has at most so many.
        """
        self.kept: OrderedDict[str, bytes] = OrderedDict()
        self.kept_bytes = 0
        self.making: dict[str, asyncio.Task[bytes]] = {}
        self.is_closed = False
        self._decoder = IsolatedDecoder(make_order(settings, decode, side_pixels), self._check_open)
        self._thread = ThreadPoolExecutor(1, "thumbnails")
        self._rest: asyncio.TimerHandle | None = None

    async def find(self, image: ImageVersion) -> bytes:
        """Find the small picture of an image, or make it.

        Returns:
            The picture as JPEG.

        Raises:
            UnreadableImageError: The image cannot be read here.
            OverloadedError: Too many other images are waiting, or this one takes long.
        """
        if found := self.kept.get(image.name):
            self.kept.move_to_end(image.name)
            return found
        making = self.making.get(image.name) or self._begin(image)
        try:
            # Shielded: whoever asks next finds it made.
            return await asyncio.wait_for(asyncio.shield(making), WAIT_SECONDS)
        except TimeoutError:
            raise OverloadedError("This image takes long to decode") from None
        except asyncio.CancelledError:
            self._check_open()
            raise

    def _begin(self, image: ImageVersion) -> asyncio.Task[bytes]:
        self._check_open()
        if sum(not task.done() for task in self.making.values()) >= MOST_WAITING:
            raise OverloadedError("Many images are waiting to be decoded")
        task = asyncio.create_task(self._make(image))
        self.making[image.name] = task
        return task

    async def _make(self, image: ImageVersion) -> bytes:
        loop = asyncio.get_running_loop()
        seconds = 0.0
        try:
            # Not in the decoder's thread: a network is slow, and others need not wait for it.
            file = await loop.run_in_executor(None, image.fetch) if image.fetch else image.file
            made = await loop.run_in_executor(
                self._thread, self._decoder.decode, file, image.ranges
            )
            self._keep(image.name, made)
            return made
        except UnreadableImageError:
            seconds = FAILED_SECONDS
            raise
        finally:
            loop.call_later(seconds, self.making.pop, image.name, None)
            self._rest_later(loop)

    def _keep(self, name: str, picture: bytes) -> None:
        self.kept_bytes += len(picture) - len(self.kept.pop(name, b""))
        self.kept[name] = picture
        while self.kept_bytes > KEPT_BYTES:
            self.kept_bytes -= len(self.kept.popitem(last=False)[1])

    def _rest_later(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._rest:
            self._rest.cancel()
        if not self.is_closed:
            self._rest = loop.call_later(IDLE_SECONDS, self._stop_decoder)

    def _stop_decoder(self) -> None:
        # In its own thread, where it decodes nothing meanwhile.
        self._thread.submit(self._decoder.stop)

    def _check_open(self) -> None:
        if self.is_closed:
            raise OverloadedError("The server is stopping")

    def close(self) -> None:
        """Give up what waits, and end the decoder."""
        if self.is_closed:
            return
        self.is_closed = True
        if self._rest:
            self._rest.cancel()
        for task in self.making.values():
            task.cancel()
        self._stop_decoder()
        self._thread.shutdown(wait=False)


def find_version(file: Path, ranges: ValueRanges = UNKNOWN) -> ImageVersion:
    """Find the present version of a file, whose job has agreed on ``ranges``.

    Raises:
        UnreadableImageError: There is no such file.
    """
    try:
        stat = file.stat()
    except (OSError, ValueError) as error:
        raise UnreadableImageError(FailureReason.MISSING, "not on this machine") from error
    state = (stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino)
    return ImageVersion(file, _name_version(file, *state, ranges), ranges)


def find_located_version(
    images: JobImages, source: str, path: str, ranges: ValueRanges = UNKNOWN
) -> ImageVersion:
    """Find the version of an image of a job that is in no folder here: the one that was listed.

    Raises:
        UnreadableImageError: The job has no such image.
    """
    whole = join(source, path)
    name = _name_version(whole, images.locate(path), ranges)
    return ImageVersion(whole, name, ranges, partial(images.read, path))


def _name_version(*facts: object) -> str:
    version = "\0".join(map(str, facts))
    return sha256(version.encode(errors="surrogateescape")).hexdigest()[:32]
