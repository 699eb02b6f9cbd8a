"""Images in places of other schemes, such as ``sftp://``, through fsspec where it is installed."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from fsspec import AbstractFileSystem, url_to_fs

from shoal.shared.buckets.replies import shorten
from shoal.shared.errors import SourceError, SourceUnavailableError, UnreadableImageError
from shoal.shared.findings import FailureReason
from shoal.shared.sources.paths import join
from shoal.shared.sources.store import Listed, check_size, make_version

# What tells of a file whether it has changed, by the names that packages of fsspec give it.
TAGS = ("ETag", "etag", "checksum", "md5Hash", "mtime", "LastModified", "last_modified", "created")


class SchemeImages:
    """Images below a URL whose scheme fsspec knows.

    Args:
        url: Such as ``sftp://HOST/FOLDER``. Whatever else is needed to connect is in the files and
            variables that its package reads.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._opened: tuple[AbstractFileSystem, str] | None = None

    def list(self) -> Iterator[Listed]:
        """Yield all files below the URL, folder by folder, each sorted."""
        with self._explained():
            system, root = self._open()
            for folder, _, files in system.walk(root, detail=True, on_error="raise"):
                below = str(folder)[len(root) :].strip("/")
                for name in sorted(files):
                    yield _describe(files[name], f"{below}/{name}" if below else name)

    def stat(self, path: str) -> Listed:
        """Return what is known of a file."""
        with self._explained(path):
            system, root = self._open()
            return _describe(system.info(_find(root, path)), path)

    def get(self, path: str, most_bytes: int) -> tuple[bytes, Listed]:
        """Return the content of a file of at most so many bytes."""
        found = self.stat(path)
        if found.size is not None:
            check_size(found.size, most_bytes)
        with self._explained(path):
            system, root = self._open()
            content: bytes = system.cat_file(_find(root, path))
        check_size(len(content), most_bytes)
        return content, found

    def get_range(self, path: str, offset: int, length: int) -> tuple[bytes, Listed]:
        """Return a part of a file, fewer bytes if it ends before."""
        found = self.stat(path)
        with self._explained(path):
            system, root = self._open()
            end = offset + length if found.size is None else min(offset + length, found.size)
            part = (
                system.cat_file(_find(root, path), start=offset, end=end) if end > offset else b""
            )
        return part, found

    def _open(self) -> tuple[AbstractFileSystem, str]:
        """Return the file system of the URL, and where in it the URL leads.

        Raises:
            SourceError: No package for this scheme is installed; the message names it.
        """
        if self._opened is None:
            try:
                system, root = url_to_fs(self.url)
            except (ImportError, ValueError) as error:
                raise SourceError(f"{self.url} cannot be read: {error}") from None
            self._opened = system, root.rstrip("/")
        return self._opened

    @contextmanager
    def _explained(self, path: str = "") -> Iterator[None]:
        """Raise errors of Shoal's own in place of those of the file system."""
        try:
            yield
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            if not path:
                raise SourceError(f"{self.url} does not exist.") from None
            raise UnreadableImageError(FailureReason.MISSING, "there is no such file") from None
        except PermissionError:
            if not path:
                raise SourceError(f"{self.url} may not be read.") from None
            reason = FailureReason.NO_PERMISSION
            raise UnreadableImageError(reason, "its server refuses it") from None
        except (UnreadableImageError, SourceError):
            raise
        # Packages raise what their libraries do, such as paramiko's SSHException.
        except Exception as error:
            # Without the cause, and without addresses: they can have a token in them.
            why = f"{type(error).__name__}: {shorten(str(error))}"
            raise SourceUnavailableError(f"{self.url} cannot be read for now: {why}") from None


def _find(root: str, path: str) -> str:
    return join(root, path) if path else root


def _describe(info: Mapping[str, Any], path: str) -> Listed:
    size = info.get("size")
    tags = [str(info[name]) for name in TAGS if info.get(name) is not None]
    return Listed(path, size, make_version(json.dumps(tags), size) if tags else b"")
