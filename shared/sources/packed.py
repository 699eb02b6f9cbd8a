"""The images of a batch that are in archives, read one after the other."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from shoal.shared.errors import UnreadableImageError
from shoal.shared.images.files import ReadFile
from shoal.shared.settings import Settings
from shoal.shared.sources.archives import find_packed, read_members, read_part
from shoal.shared.sources.locations import Location
from shoal.shared.sources.open import open_store
from shoal.shared.sources.paths import is_url, join

# Ranges of an archive in a bucket that are asked for at once; a batch of a sorted tar has two.
REQUESTS = 64


def read_packed(
    source: str, paths: Sequence[str], locations: Sequence[Location], settings: Settings
) -> Iterator[ReadFile | UnreadableImageError]:
    """Read images that are in archives, in the order of their paths.

    From a bucket, they are read ahead: about 64 MB of them are in memory. Whoever stops before
    the end closes the iterator.

    Args:
        source: Of the job.
        paths: Of the images, relative to that.
        locations: Of the images, all in archives.
        settings: Which places may be read, and how large an image may be.

    Yields:
        Each image, or why it cannot be used.

    Raises:
        SourceError: The place of the archives cannot be used.
        SourceUnavailableError: It refuses for now.
    """
    members = list(map(partial(find_packed, source), paths, locations))
    read = partial(read_part, lambda parent: open_store(parent, settings))
    read_all = partial(read_members, members, settings.max_image_bytes, read)
    if not is_url(source):  # the system reads files ahead by itself
        yield from map(partial(_as_read, source), paths, read_all())
        return
    pool = ThreadPoolExecutor(REQUESTS, "archives")
    try:
        yield from map(partial(_as_read, source), paths, read_all(partial(_begin, pool)))
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(pool: ThreadPoolExecutor, call: Callable[[], bytes]) -> Callable[[], bytes]:
    return pool.submit(call).result


def _as_read(
    source: str, path: str, content: bytes | UnreadableImageError
) -> ReadFile | UnreadableImageError:
    if isinstance(content, UnreadableImageError):
        return content
    return ReadFile(join(source, path), content)
