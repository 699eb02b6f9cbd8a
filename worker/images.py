"""Loading: from a path to square RGB, or to the reason why not.

A folder holds anything: every way in which a file can be wrong ends as one
UnreadableImageError with a reason, so that it costs one image and not the batch.
"""

import errno
import os
import re
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from shared.errors import UnreadableImageError
from shared.jobs import FailureReason
from worker.pixels import check_pixels, make_square
from worker.tiff import TIFF_MAGICS, read_scientific_tiff

if sys.platform == "darwin":
    import fcntl

# A fixed list in a fixed order: what a file is must not depend on which plugins earlier
# files made Pillow import, and Pillow's TGA plugin claims files that are not its own.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "PPM")
MAGICS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", *TIFF_MAGICS)

# O_NONBLOCK: opening a FIFO without a writer would wait for ever.
OPEN_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

OPEN_REASONS = {
    errno.ENOENT: FailureReason.MISSING,
    errno.ENOTDIR: FailureReason.MISSING,
    errno.ELOOP: FailureReason.MISSING,
    errno.ENAMETOOLONG: FailureReason.MISSING,
    errno.EACCES: FailureReason.NO_PERMISSION,
    errno.EPERM: FailureReason.NO_PERMISSION,
    errno.ENXIO: FailureReason.NOT_A_FILE,  # a socket
    errno.EOPNOTSUPP: FailureReason.NOT_A_FILE,  # a socket on macOS
    errno.ENODEV: FailureReason.NOT_A_FILE,
}

BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)
NO_MEMORY = "decoding needs too much memory"

StrPath = str | os.PathLike[str]


@dataclass(frozen=True)
class ImageLimits:
    """What may be read.

    Attributes:
        max_bytes: A larger file is not read.
        max_pixels: An image of more pixels is not decoded.
        roots: Resolved directories to read under; empty is anywhere.
    """

    max_bytes: int
    max_pixels: int
    roots: tuple[Path, ...] = ()


def load_image(path: StrPath, image_size: int, limits: ImageLimits) -> NDArray[np.uint8]:
    """Load one image as square RGB, so that any two files can be compared.

    The first frame of an animation, upright as its EXIF says, on white where it is
    transparent.

    Returns:
        Pixels of shape (image_size, image_size, 3), read-only.

    Raises:
        UnreadableImageError: The file cannot be used; ``reason`` says why.
    """
    content = read_file(path, limits)
    try:
        return decode_image(content, image_size, limits.max_pixels)
    except UnreadableImageError:
        raise
    # Decoders answer a damaged file with nearly any exception: OSError, SyntaxError,
    # ValueError, IndexError, NotImplementedError, struct.error, zlib.error, MemoryError ...
    except Exception as error:
        raise explain_decoding(error, content) from error


def read_file(path: StrPath, limits: ImageLimits) -> bytes:
    """Return the bytes of a regular file within the limits.

    Raises:
        UnreadableImageError: It is missing, not readable, no file, outside the roots,
            empty or too large.
    """
    try:
        descriptor = os.open(path, OPEN_FLAGS)
    except (OSError, ValueError) as error:
        raise explain_opening(error, path, limits.roots) from error
    try:
        # What was opened is checked, not its name: a link changed in between leads nowhere.
        if limits.roots:
            check_roots(opened_path(descriptor), limits.roots)
        return read_bytes(descriptor, check_file(os.fstat(descriptor), limits.max_bytes))
    except OSError as error:
        raise UnreadableImageError(FailureReason.DAMAGED, f"reading failed: {error}") from error
    finally:
        os.close(descriptor)


def opened_path(descriptor: int) -> str:
    """Return the path, free of links, of an open file."""
    if sys.platform == "darwin":
        return os.fsdecode(fcntl.fcntl(descriptor, fcntl.F_GETPATH, bytes(1024)).rstrip(b"\0"))
    # pathlib would take as long as all the rest of opening a file.
    return os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115


def check_roots(resolved: str, roots: tuple[Path, ...]) -> None:
    """Refuse a path, free of links, that is under none of the roots."""
    # On text: pathlib's is_relative_to takes 7 µs for each root and image.
    if not resolved.startswith(tuple(f"{str(root).rstrip('/')}/" for root in roots)):
        raise UnreadableImageError(
            FailureReason.OUTSIDE_ROOTS, "not under a directory of SHOAL_IMAGE_ROOTS"
        )


def check_file(status: os.stat_result, max_bytes: int) -> int:
    """Return the size in bytes of a file that may be read."""
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableImageError(FailureReason.NOT_A_FILE, "not a regular file")
    if status.st_size == 0:
        raise UnreadableImageError(FailureReason.EMPTY, "0 bytes")
    if status.st_size > max_bytes:
        detail = f"{status.st_size:,} bytes, of {max_bytes:,} allowed"
        raise UnreadableImageError(FailureReason.TOO_MANY_BYTES, detail)
    return status.st_size


def read_bytes(descriptor: int, size: int) -> bytes:
    """Return ``size`` bytes of a file, fewer if it ends before."""
    content = os.read(descriptor, size)
    # One read is the rule; the kernel stops at 2 GiB and network file systems where they like.
    while len(content) < size and (more := os.read(descriptor, size - len(content))):
        content += more
    return content


def decode_image(content: bytes, image_size: int, max_pixels: int) -> NDArray[np.uint8]:
    """Return the square RGB pixels of an encoded image; raises whatever its decoder raises."""
    try:
        with guard(max_pixels), Image.open(BytesIO(content), formats=FORMATS) as picture:
            check_pixels(picture.width * picture.height, max_pixels)
            if picture.format == "JPEG":
                # Hands libjpeg all at once; Pillow copies the rest after each of its 64 KiB.
                picture.decodermaxblock = len(content)
            return make_square(picture, image_size)
    except BOMBS as error:
        detail = f"more pixels than the {max_pixels:,} allowed"
        raise UnreadableImageError(FailureReason.TOO_MANY_PIXELS, detail) from error
    except UnidentifiedImageError:
        if not content.startswith(TIFF_MAGICS):
            raise
        return make_square(read_scientific_tiff(content, max_pixels), image_size)


@contextmanager
def guard(max_pixels: int) -> Iterator[None]:
    """Let Pillow itself refuse what is twice too large, in the meantime.

    Some plugins make the whole picture while they open the file: a GIF of 44 bytes took 1.3 GB.
    """
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = max_pixels
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def explain_opening(
    error: OSError | ValueError, path: StrPath, roots: tuple[Path, ...]
) -> UnreadableImageError:
    """Return why a path could not be opened, without telling what lies outside the roots."""
    if not isinstance(error, OSError):
        return UnreadableImageError(FailureReason.MISSING, str(error))  # a NUL in the name
    if roots:
        check_roots(os.path.realpath(path), roots)
    reason = OPEN_REASONS.get(error.errno or 0, FailureReason.DAMAGED)
    return UnreadableImageError(reason, error.strerror or str(error))


def explain_decoding(error: Exception, content: bytes) -> UnreadableImageError:
    """Return why the bytes of a file could not be decoded."""
    if isinstance(error, MemoryError):
        return UnreadableImageError(FailureReason.TOO_MUCH_MEMORY, NO_MEMORY)
    if isinstance(error, UnidentifiedImageError):
        if not content.startswith(MAGICS):
            return UnreadableImageError(FailureReason.NOT_AN_IMAGE, f"not {', '.join(FORMATS)}")
        return UnreadableImageError(FailureReason.DAMAGED, "its header is damaged or cut off")
    detail = str(error) or type(error).__name__
    is_truncated = isinstance(error, EOFError) or re.search(r"truncated|\bEOF\b", detail, re.I)
    reason = FailureReason.TRUNCATED if is_truncated else FailureReason.DAMAGED
    return UnreadableImageError(reason, detail)
