"""The place that ``SHOAL_SHARDS_URL`` names: a directory or a bucket."""

import re
from pathlib import Path
from urllib.parse import unquote

from shoal.shared.buckets.replies import BUCKETS
from shoal.shared.errors import SettingsError
from shoal.shared.shards.files import FileShards
from shoal.shared.shards.place import Shards

EXPECTED = (
    "expected file:///DIRECTORY, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX"
)
# Of buckets and containers, in any cloud; and of what can follow.
BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
PREFIX = re.compile(r"([\w=+-][\w.=+-]*(/[\w=+-][\w.=+-]*)*)?", re.ASCII)


def open_place(url: str) -> Shards:
    """Open the place of a URL; nothing is sent or written yet.

    Raises:
        SettingsError: The URL is of another form, or what a bucket needs is not installed.
    """
    scheme, separator, rest = url.partition("://")
    if not separator and url.startswith("/"):
        raise SettingsError(f"SHOAL_SHARDS_URL is a path; write file://{url}.")
    if not separator or scheme not in ("file", *BUCKETS):
        raise SettingsError(f"SHOAL_SHARDS_URL is of another kind; {EXPECTED}.")
    if scheme == "file":
        return FileShards(_read_directory(rest))
    return _open_bucket(scheme, rest)


def _read_directory(rest: str) -> Path:
    """Return the directory of a ``file://`` URL.

    Raises:
        SettingsError: It is not absolute.
    """
    path = Path(unquote(rest.removeprefix("localhost")))
    if not path.is_absolute() or re.search(r"[?#]", rest) or "\0" in str(path):
        raise SettingsError(
            f"SHOAL_SHARDS_URL=file://{rest} is not the path of a directory from the root; write"
            " three slashes: file:///DIRECTORY."
        )
    return path


def _open_bucket(scheme: str, rest: str) -> Shards:
    """Open a bucket, with what is installed only where it is asked for.

    Raises:
        SettingsError: No bucket is named, there are credentials, or the extra is not installed.
    """
    if "@" in rest or "?" in rest:  # which may be a secret, and is never shown
        raise SettingsError(
            f"SHOAL_SHARDS_URL={scheme}://… has more than a bucket and a prefix; credentials do not"
            " belong there, but into the variables of the cloud, such as AWS_ACCESS_KEY_ID."
        )
    bucket, _, prefix = rest.partition("/")
    prefix = prefix.strip("/")
    if not BUCKET.fullmatch(bucket) or not PREFIX.fullmatch(prefix):
        raise SettingsError(f"SHOAL_SHARDS_URL={scheme}://{rest} names no bucket; {EXPECTED}.")
    try:
        from shoal.shared.shards.objects import ObjectShards
    except ImportError:
        raise SettingsError(
            f"SHOAL_SHARDS_URL={scheme}://… needs obstore: pip install obstore, on every"
            " worker and where jobs are submitted and read."
        ) from None
    return ObjectShards(f"{scheme}://{bucket}/{prefix}".rstrip("/"))
