"""Files of this machine, of which parts are read: archives."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shoal.shared.errors import SourceError, UnreadableImageError
from shoal.shared.findings import FailureReason
from shoal.shared.images.files import ImageLimits, open_file, read_file
from shoal.shared.sources.paths import join
from shoal.shared.sources.store import Listed, make_version


class FileImages:
    """Files below a folder.

    Args:
        url: Absolute path of the folder, or of one file, whose path is "".
        roots: Resolved directories to read under; empty is anywhere.
    """

    def __init__(self, url: str, roots: tuple[Path, ...] = ()) -> None:
        self.url = url
        self._roots = roots

    def list(self) -> Iterator[Listed]:
        """Raise SourceError: folders are listed where jobs are submitted, with their links."""
        raise SourceError(f"{self.url} is a folder: submit it as such.")

    def stat(self, path: str) -> Listed:
        """Return size and version of a file."""
        with self._opened(path) as descriptor:
            return _describe(descriptor, path)

    def get(self, path: str, most_bytes: int) -> tuple[bytes, Listed]:
        """Return the content of a file of at most so many bytes."""
        found = self.stat(path)
        return read_file(self._find(path), ImageLimits(most_bytes, 0, self._roots)), found

    def get_range(self, path: str, offset: int, length: int) -> tuple[bytes, Listed]:
        """Return a part of a file, fewer bytes if it ends before."""
        with self._opened(path) as descriptor:
            parts, left = [], length
            while left > 0 and (part := os.pread(descriptor, left, offset + length - left)):
                parts.append(part)
                left -= len(part)
            return b"".join(parts), _describe(descriptor, path)

    def _find(self, path: str) -> str:
        return join(self.url, path) if path else self.url

    @contextmanager
    def _opened(self, path: str) -> Iterator[int]:
        """Yield the descriptor of a regular file."""
        descriptor = open_file(self._find(path), self._roots)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UnreadableImageError(FailureReason.NOT_A_FILE, "not a regular file")
            yield descriptor
        except OSError as error:
            raise UnreadableImageError(FailureReason.DAMAGED, f"reading failed: {error}") from error
        finally:
            os.close(descriptor)


def _describe(descriptor: int, path: str) -> Listed:
    """Describe a file by what is the same on all machines that mount it, however they do.

    Each file system numbers inodes in its own way, and some, such as that of sshfs, keep whole
    seconds only.
    """
    status = os.fstat(descriptor)
    seconds = status.st_mtime_ns // 10**9
    return Listed(path, status.st_size, make_version(seconds, status.st_size))
