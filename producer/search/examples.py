"""Examples: the images that a search is given, of the job or new ones."""

import os
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from numbers import Integral

from shoal.producer.results import Catalogue, JobResults
from shoal.producer.search.groups import PLACES_OF_A_BATCH
from shoal.shared.errors import UnreadableImageError, UsageError, show_call
from shoal.shared.findings import FailureReason
from shoal.shared.images.files import ImageLimits, read_file
from shoal.shared.images.kinds import kind_of
from shoal.shared.settings import Settings
from shoal.shared.sources.locations import Location
from shoal.shared.sources.paths import is_url, join
from shoal.shared.store.projections import NewImage

# An image of the job by its path or its number, a file by its path, or the content of a file.
Given = str | os.PathLike[str] | int | bytes


@dataclass(frozen=True)
class Example:
    """An image that was given: its place in the job, or what reads a new one.

    Attributes:
        name: As it was given.
        place: In the job.
        read: Reads a new image, which may be large; raises UsageError if it cannot be used.
    """

    name: str
    place: int | None = None
    read: Callable[[], NewImage] | None = None


class Examples:
    """Looks up the images that a search is given."""

    def __init__(self, job: JobResults, settings: Settings) -> None:
        """Set up for a finished job; new files are read within the limits of ``settings``."""
        self._job = job
        self._settings = settings
        self._limits = ImageLimits(settings.max_image_bytes, 1)
        self._source = job.status().request.source
        self._catalogue = Catalogue(job.results)

    def find(self, given: Sequence[Given]) -> list[Example]:
        """Find what was given.

        Raises:
            UsageError: Nothing was given, or something that is neither an image of the job nor a
                file, or is both, or cannot be used.
        """
        if not given:
            raise UsageError("Give at least one image.")
        return [self._find(image) for image in given]

    def _find(self, given: Given) -> Example:
        if isinstance(given, bytes):
            return Example("The image", read=lambda: self._take_new(given))
        if isinstance(given, Integral):  # those of NumPy, too
            numbered = self._catalogue.path(int(given))
            return Example(numbered, self._place_of(numbered))
        if not isinstance(given, (str, os.PathLike)):
            kind = type(given).__name__
            raise UsageError(f"An image is a path, a number or bytes, and not a {kind}.")
        name = os.fspath(given)
        is_in_job = is_plain(name) and self._has(name)
        within = next(filter(self._has, self._paths_below_source(name)), None)
        if is_in_job and within != name and os.path.exists(name):  # noqa: PTH110  as it was given
            other = os.path.join(self._source, name)  # noqa: PTH118
            raise UsageError(
                f"{name!r} is an image of job {self._job.id}, and another file in the current"
                f" directory: write {f'./{name}'!r} for the file, or {other!r} for the image."
            )
        if path := name if is_in_job else within:
            return Example(name, self._place_of(path))
        if is_url(name):
            return Example(name, read=lambda: self._read_url(name))
        if not os.path.exists(name):  # noqa: PTH110
            raise UsageError(
                f"Job {self._job.id} has no image {name!r}, and there is no such file"
                f" ({show_call(self._job.id, 'labels')} lists its images)."
            )
        return Example(name, read=lambda: self._read_new(name))

    def _has(self, path: str) -> bool:
        with suppress(UsageError):
            self._catalogue.find(path)
            return True
        return False

    def _paths_below_source(self, name: str) -> Iterator[str]:
        """Yield the path relative to the source of a file on this machine, if it is below that."""
        if is_url(self._source):
            prefix = join(self._source, "")
            yield from [name.removeprefix(prefix)] * name.startswith(prefix)
            return
        for absolute in dict.fromkeys([os.path.abspath(name), os.path.realpath(name)]):  # noqa: PTH100
            if absolute.startswith(f"{self._source.rstrip('/')}/"):
                yield os.path.relpath(absolute, self._source)

    def _place_of(self, path: str) -> int:
        batch, position = self._catalogue.find(path)
        failed = {image.position: image for image in self._job.results.failed_images(batch)}
        if failure := failed.get(position):
            raise UsageError(
                f"{path} of job {self._job.id} could not be used ({failure.reason}:"
                f" {failure.detail}), so it has no coordinates."
            )
        return batch * PLACES_OF_A_BATCH + position - bisect_left(sorted(failed), position)

    def _take_new(self, content: bytes) -> NewImage:
        if len(content) > (most := self._limits.max_bytes):
            size = f"{len(content):,} bytes, of {most:,} allowed"
            raise UsageError(f"The image cannot be used: {FailureReason.TOO_MANY_BYTES}, {size}.")
        return NewImage(content)

    def _read_new(self, name: str) -> NewImage:
        try:
            content = read_file(name, self._limits)
        except UnreadableImageError as error:
            raise UsageError(f"{name} cannot be used: {error.reason}, {error.detail}.") from error
        return NewImage(content, kind_of(name))

    def _read_url(self, url: str) -> NewImage:
        from shoal.shared.sources.reading import SourceReader  # of no use to who gives files

        base, _, path = url.rpartition("/")
        try:
            content = SourceReader(base, self._settings).read(path, Location())
        except UnreadableImageError as error:
            raise UsageError(f"{url} cannot be used: {error.reason}, {error.detail}.") from error
        return NewImage(content, kind_of(url))


def is_plain(name: str) -> bool:
    """Return whether a name may be a path in a job, and not one that begins somewhere on disk."""
    return not name.startswith(("/", "./", "../", "~")) and name not in {"", ".", ".."}
