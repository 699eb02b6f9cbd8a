"""Paths of images: joined to the source that they are relative to, a folder or a URL."""

import re

# As in RFC 3986. A scheme alone is a source too, of images in several buckets: "s3://".
URL = re.compile(r"([a-z][a-z0-9+.-]*)://", re.ASCII | re.IGNORECASE)


def is_url(source: str) -> bool:
    """Return whether a source or an image is named by a URL, and not by a path."""
    return URL.match(source) is not None


def scheme_of(source: str) -> str:
    """Return the scheme of a URL in lower case, such as "s3"; "" of a path."""
    match = URL.match(source)
    return match[1].lower() if match else ""


def join(source: str, path: str) -> str:
    """Return where an image is: its path joined to the source of its job.

    Args:
        source: Absolute path of a folder or of an archive, or a URL.
        path: Of the image, relative to that.
    """
    return f"{source}{path}" if source.endswith("/") else f"{source}/{path}"


def split(whole: str) -> tuple[str, str]:
    """Split a path or URL into what ``join`` makes it of: where a file is, and its name."""
    folder, _, name = whole.rpartition("/")
    # Of "https://host" the name is that of the server.
    return (f"{folder}/" if URL.fullmatch(f"{folder}/") else folder), name
