"""Images in buckets: S3 and what speaks its protocol, Google Cloud, Azure."""

import threading
from collections.abc import Iterator
from typing import Any

import obstore
from obstore.store import ObjectStore

from shoal.shared.buckets.connections import PATIENCE_SECONDS, check_process, open_bucket
from shoal.shared.sources.answers import explained, explained_settings
from shoal.shared.sources.paths import join
from shoal.shared.sources.store import Listed, check_size, make_version


class ObjectImages:
    """Images in a bucket, such as ``s3://BUCKET/PREFIX``, or in several: ``s3://``.

    Nothing is sent before the first call. A process that was forked from one that has used a bucket
    cannot use any.

    Args:
        url: Scheme, bucket and prefix, of which keys are taken as they are written. Credentials,
            region and endpoint are in the variables that each cloud's own programs read, such as
            ``AWS_ACCESS_KEY_ID``.
        patience_seconds: How long a request is tried again.
    """

    def __init__(self, url: str, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self.url = url
        self._patience = patience_seconds
        self._buckets: dict[str, ObjectStore] = {}
        self._opening = threading.Lock()

    def list(self) -> Iterator[Listed]:
        """Yield all objects below the URL, a thousand a request."""
        bucket, key = self._split("")
        store = self._open(bucket)
        with explained(self.url):
            for found in obstore.list(store, key or None):
                yield from (
                    _describe(meta, meta["path"][len(key) :].lstrip("/"))
                    for meta in found
                    if not _is_folder(meta)
                )

    def stat(self, path: str) -> Listed:
        """Return what is known of an object, without its content."""
        bucket, key = self._split(path)
        store = self._open(bucket)
        with explained(bucket, key):
            return _describe(obstore.head(store, key), path)

    def get(self, path: str, most_bytes: int) -> tuple[bytes, Listed]:
        """Return an object of at most so many bytes; of a larger one, nothing is read."""
        bucket, key = self._split(path)
        store = self._open(bucket)
        with explained(bucket, key):
            answer = obstore.get(store, key)
            check_size(answer.meta["size"], most_bytes)
            return answer.bytes().to_bytes(), _describe(answer.meta, path)

    def get_range(self, path: str, offset: int, length: int) -> tuple[bytes, Listed]:
        """Return a part of an object, fewer bytes if it ends before."""
        bucket, key = self._split(path)
        store = self._open(bucket)
        with explained(bucket, key):
            if length <= 0:
                return b"", _describe(obstore.head(store, key), path)
            answer = obstore.get(store, key, options={"range": (offset, offset + length)})
            return answer.bytes().to_bytes(), _describe(answer.meta, path)

    def _split(self, path: str) -> tuple[str, str]:
        """Return the URL of the bucket in which a path is, and its key there."""
        whole = join(self.url, path) if path else self.url
        scheme, _, rest = whole.partition("://")
        bucket, _, key = rest.partition("/")
        return f"{scheme}://{bucket}", key if path else key.rstrip("/")

    def _open(self, bucket: str) -> ObjectStore:
        """Open a bucket once in each process; keys are not part of it, as it would decode them.

        Raises:
            RuntimeError: This process was forked from one that has used a bucket.
            SourceError: A variable of the cloud is missing or cannot be used.
        """
        check_process(bucket)
        with self._opening:
            if bucket not in self._buckets:
                with explained_settings(bucket):
                    self._buckets[bucket] = open_bucket(bucket, self._patience)
            return self._buckets[bucket]


def _is_folder(meta: Any) -> bool:
    """Return whether an object stands for a folder: it has no byte, and no ending."""
    return not meta["size"] and "." not in meta["path"].rpartition("/")[2]


def _describe(meta: Any, path: str) -> Listed:
    size = meta["size"]
    tag = meta["e_tag"] or meta["last_modified"].isoformat()
    return Listed(path, size, make_version(tag, size))
