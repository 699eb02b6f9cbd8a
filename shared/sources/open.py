"""Opening the place of images that a source names, by its scheme."""

from functools import lru_cache

from shoal.shared.buckets.replies import BUCKETS
from shoal.shared.errors import SourceError
from shoal.shared.settings import Settings
from shoal.shared.sources.files import FileImages
from shoal.shared.sources.paths import scheme_of
from shoal.shared.sources.policy import WEB, UrlPolicy, check_secrets
from shoal.shared.sources.store import ImageStore

# Those of fsspec that lead to another machine: others would open any file of this one.
OTHERS = frozenset(
    {
        *("abfs", "abfss", "adl", "box", "dropbox", "ftp", "gdrive", "hdfs", "hf", "oci"),
        *("oss", "sftp", "smb", "ssh", "tos", "webdav", "webhdfs"),
    }
)


@lru_cache(maxsize=16)
def open_store(url: str, settings: Settings) -> ImageStore:
    """Open a source: an absolute path, or a URL; nothing is sent yet.

    Raises:
        SourceError: The URL has a secret in it, its scheme is not one of those that are read, or
            what is needed for that is not installed.
    """
    scheme = scheme_of(url)
    if not scheme:
        return FileImages(url, settings.image_roots)
    check_secrets(url)
    if scheme in BUCKETS:
        return _open_bucket(scheme, url)
    if scheme in WEB:
        from shoal.shared.sources.web import WebImages

        return WebImages(url, UrlPolicy.of(settings))
    return _open_scheme(scheme, url)


def _open_bucket(scheme: str, url: str) -> ImageStore:
    try:
        from shoal.shared.sources.objects import ObjectImages
    except ImportError:
        raise SourceError(
            f"Images of {scheme}://… need obstore: pip install obstore, on every worker and where"
            " jobs are submitted and shown."
        ) from None
    return ObjectImages(url)


def _open_scheme(scheme: str, url: str) -> ImageStore:
    if scheme not in OTHERS or "::" in url:  # fsspec would open what follows, too
        known = ", ".join(f"{each}://" for each in (*BUCKETS, *WEB, *sorted(OTHERS)))
        raise SourceError(f"Images of {scheme}://… cannot be read; the schemes are {known}.")
    try:
        from shoal.shared.sources.schemes import SchemeImages
    except ImportError:
        raise SourceError(
            f"Images of {scheme}://… need fsspec and its package for that: pip install fsspec, on"
            " every worker and where jobs are submitted and shown. Without it, Shoal reads s3://,"
            " gs://, az://, http:// and https://."
        ) from None
    return SchemeImages(url)
