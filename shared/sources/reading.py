"""Reading one image of a job, wherever it is: a file, an object, or a member of an archive."""

from shoal.shared.errors import UnreadableImageError
from shoal.shared.findings import FailureReason
from shoal.shared.images.files import ReadFile, StrPath
from shoal.shared.settings import Settings
from shoal.shared.sources.archives import find_packed, read_member
from shoal.shared.sources.locations import Location
from shoal.shared.sources.open import open_store
from shoal.shared.sources.paths import is_url, join
from shoal.shared.sources.policy import UrlPolicy
from shoal.shared.sources.store import Listed, check_size


class SourceReader:
    """Reads images of a source as they were when they were listed; many threads may do so at once.

    Args:
        source: Of the job.
        settings: What may be read, and how much.

    Raises:
        SourceError: Nothing of the source may be read here, or what is needed is not installed.
    """

    def __init__(self, source: str, settings: Settings) -> None:
        self.source = source
        self.most_bytes = settings.max_image_bytes
        self._policy = UrlPolicy.of(settings)
        self._is_url = is_url(source)
        if self._is_url and not any(p.startswith(source) for p in self._policy.prefixes):
            self._policy.check([source])
        self._store = open_store(source, settings)

    def allows(self, path: str) -> bool:
        """Return whether an image may be read here."""
        return not self._is_url or self._policy.allows(join(self.source, path))

    def read(self, path: str, location: Location, most_bytes: int | None = None) -> bytes:
        """Read an image.

        Args:
            path: Relative to the source.
            location: As it was when it was listed.
            most_bytes: If fewer than of any image.

        Raises:
            UnreadableImageError: It cannot be used, or has changed since.
            SourceError: Nothing can be read in the source; the message says what helps.
            SourceUnavailableError: Nothing can be read there for now.
        """
        most = min(most_bytes or self.most_bytes, self.most_bytes)
        if location.archive:
            return read_member(find_packed(self.source, path, location), most, self.read_part)
        if location.size is not None:
            check_size(location.size, most)
        self._check(path)
        content, listed = self._store.get(path, most)
        _check_unchanged(listed, location.size, location.version)
        return content

    def read_part(self, archive: str, version: bytes, offset: int, length: int) -> bytes:
        """Read a part of an archive, whose whole path or URL is given; raises as ``read`` does."""
        path = "" if archive == self.source else archive[len(join(self.source, "")) :]
        self._check(path)
        part, listed = self._store.get_range(path, offset, length)
        _check_unchanged(listed, None, version)
        return part

    def find(self, path: str) -> Listed:
        """Look an image up that is in no archive, without reading it; raises as ``read`` does."""
        self._check(path)
        return self._store.stat(path)

    def _check(self, path: str) -> None:
        if not self.allows(path):
            detail = "not below a URL of SHOAL_IMAGE_URLS"
            raise UnreadableImageError(FailureReason.OUTSIDE_ROOTS, detail)


def read_image(source: str, path: str, location: Location | None, settings: Settings) -> StrPath:
    """Return what decoders read of an image: its path, or its content if it is in no folder here.

    Args:
        source: Of the job.
        path: Relative to that.
        location: Of the image; None for a file in a folder.
        settings: What may be read, and how much.

    Raises:
        UnreadableImageError: It cannot be used, or has changed since it was listed.
        SourceError: Nothing can be read in the source; the message says what helps.
        SourceUnavailableError: Nothing can be read there for now.
    """
    whole = join(source, path)
    if location is None:
        return whole
    return ReadFile(whole, SourceReader(source, settings).read(path, location))


def _check_unchanged(listed: Listed, size: int | None, version: bytes) -> None:
    """Check that what was read is what was listed, as far as its place says.

    Raises:
        UnreadableImageError: It is not.
    """
    is_other_size = size is not None and listed.size is not None and listed.size != size
    if is_other_size or (version and listed.version and listed.version != version):
        detail = "its content is another one than when the job was submitted"
        raise UnreadableImageError(FailureReason.CHANGED, detail)
