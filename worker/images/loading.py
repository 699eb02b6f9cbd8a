"""Loading: from a path to square RGB, or to the reason why that failed.

A folder can hold anything. Whatever is wrong with a file becomes one UnreadableImageError with a
reason, so that it costs one image and not the batch.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile

from shoal.shared.errors import UnreadableImageError
from shoal.shared.findings import FailureReason
from shoal.shared.images.files import FORMATS, ImageLimits, StrPath, digest_content, read_file
from shoal.shared.images.kinds import kind_of
from shoal.worker.images.deep import WIDE, is_plain, is_planar, needs_samples, read_samples
from shoal.worker.images.essentials import JPEG_MAGIC, PNG_MAGIC, read_tolerantly
from shoal.worker.images.pictures import AVIF_BRANDS, HEIC_BRANDS, PSD_MAGIC, open_picture
from shoal.worker.images.pixels import (
    SquareImage,
    check_pixels,
    make_square,
    make_upright,
    read_orientation,
)
from shoal.worker.images.samples import Samples
from shoal.worker.images.tiff import TIFF_MAGICS, read_scientific_tiff

JPEG_2000_MAGICS = (b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  ")
MAGICS = (
    *(JPEG_MAGIC, PNG_MAGIC, b"GIF8", PSD_MAGIC, b"qoif"),
    *JPEG_2000_MAGICS,
    *TIFF_MAGICS,
)
# Those of HEIC and AVIF, after the size of the box that they are in.
HEIF_MAGICS = tuple(b"ftyp" + brand for brand in (*HEIC_BRANDS, *AVIF_BRANDS, b"mif1", b"msf1"))
# How decoders say that a file ends before its picture.
ENDS_EARLY = re.compile(
    r"truncated|\bEOF\b|end of file|NEED_MORE_INPUT|not enough image data", re.IGNORECASE
)

BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)
NO_MEMORY = "decoding needs too much memory"

Made = TypeVar("Made")

# The limits of pixels that threads have set now, and the one that they found.
_guarding = Lock()
_guarded: list[int] = []
_found: list[int | None] = []


def load_image(path: StrPath, image_size: int, limits: ImageLimits) -> NDArray[np.uint8]:
    """Load one image as square RGB, so that any two files can be compared.

    Of an animation, the first frame. It is turned upright as its EXIF says, and laid on white
    where it is transparent.

    Returns:
        Pixels of shape (image_size, image_size, 3), read-only.

    Raises:
        UnreadableImageError: The file cannot be used; ``reason`` says why.
    """
    return load_square(path, image_size, limits).pixels


def load_square(path: StrPath, image_size: int, limits: ImageLimits) -> SquareImage:
    """Load one image as ``load_image`` does, together with the form that it had."""
    return decode_content(read_file(path, limits), image_size, limits, _kind_of(path))


def load_packed(path: StrPath, image_size: int, limits: ImageLimits) -> bytes:
    """Load one image as ``load_square`` does, in bytes for another process."""
    return load_square(path, image_size, limits).to_bytes()


def load_with_digest(
    path: StrPath, is_known: Callable[[bytes], bool], image_size: int, limits: ImageLimits
) -> tuple[SquareImage, int] | None:
    """Load one image as ``load_square`` does, together with the digest of its file.

    Returns:
        None if ``is_known`` says of the file's content that it need not be decoded.
    """
    content = read_file(path, limits)
    if is_known(content):
        return None
    return decode_content(content, image_size, limits, _kind_of(path)), digest_content(content)


def _kind_of(path: StrPath) -> str:
    return kind_of(os.fspath(path))


def decode_content(content: bytes, image_size: int, limits: ImageLimits, kind: str) -> SquareImage:
    """Decode the content of a file of this kind, as ``load_square`` does that of a path."""
    with explained(content):
        return decode_image(content, image_size, limits, kind)


@contextmanager
def explained(content: bytes) -> Iterator[None]:
    """Raise UnreadableImageError for whatever the decoders of ``content`` raise."""
    try:
        yield
    except UnreadableImageError:
        raise
    # Decoders answer a damaged file with nearly any exception: OSError, SyntaxError,
    # ValueError, IndexError, NotImplementedError, struct.error, zlib.error, MemoryError ...
    except Exception as error:
        raise _explain_decoding(error, content) from error


def decode_image(
    content: bytes, image_size: int, limits: ImageLimits, kind: str = ""
) -> SquareImage:
    """Decode an image to square RGB.

    Raises:
        UnreadableImageError: It has more than ``limits.max_pixels``.
        Exception: Whatever its decoder raises.
    """
    return decode_picture(content, limits, lambda picture: make_square(picture, image_size), kind)


def decode_picture(
    content: bytes, limits: ImageLimits, make: Callable[[Image.Image], Made], kind: str = ""
) -> Made:
    """Decode an image, and return what ``make`` makes of it; raises as ``decode_image`` does."""
    return read_tolerantly(content, lambda content: _decode_picture(content, limits, make, kind))


def _decode_picture(
    content: bytes, limits: ImageLimits, make: Callable[[Image.Image], Made], kind: str
) -> Made:
    def show(picture: Image.Image) -> Made:
        if is_plain(picture) or not needs_samples(picture, limits.find_ranges):
            return make(picture)
        found = _read_samples(picture, content, limits)
        profile = picture.info.get("icc_profile")
        return develop(*found, profile) if found else make(picture)

    def develop(samples: Samples, orientation: int, profile: bytes | None = None) -> Made:
        upright = make_upright(samples.make_picture(limits.find_ranges), orientation)
        upright.info["icc_profile"] = profile
        return make(upright)

    try:
        with _opened(content, limits.max_pixels, kind) as picture:
            return show(picture)
    except UnidentifiedImageError:
        if not content.startswith(TIFF_MAGICS):
            raise
        return develop(*read_scientific_tiff(content, limits.max_pixels))


def measure_image(path: StrPath, _image_size: int, limits: ImageLimits) -> bytes:
    """Measure which values an image of more than eight bits has, as ``Samples.measure`` does.

    Returns:
        Empty for an image of eight bits.

    Raises:
        UnreadableImageError: As in ``load_image``.
    """
    content = read_file(path, limits)
    with explained(content):
        kind = _kind_of(path)
        found = read_tolerantly(content, lambda content: _find_samples(content, limits, kind))
    return found.measure() if found else b""


def _find_samples(content: bytes, limits: ImageLimits, kind: str) -> Samples | None:
    try:
        with _opened(content, limits.max_pixels, kind) as picture:
            found = None if is_plain(picture) else _read_samples(picture, content, limits)
            return found[0] if found else None
    except UnidentifiedImageError:
        if not content.startswith(TIFF_MAGICS):
            raise
        return read_scientific_tiff(content, limits.max_pixels)[0]


def _read_samples(
    picture: Image.Image, content: bytes, limits: ImageLimits
) -> tuple[Samples, int] | None:
    """Read the samples of an open picture, and its orientation; None if Pillow has to do."""
    if picture.format == "TIFF" and (picture.mode not in WIDE or is_planar(picture)):
        # It knows all layouts, but for want of imagecodecs not all compressions.
        with suppress(Exception):
            return read_scientific_tiff(content, limits.max_pixels)
    samples = read_samples(picture, content)
    return (samples, read_orientation(picture)) if samples else None


@contextmanager
def _opened(content: bytes, max_pixels: int, kind: str) -> Iterator[Image.Image]:
    """Open a picture within a limit of pixels, without loading it."""
    try:
        with _guard(max_pixels), open_picture(content, kind, max_pixels) as picture:
            check_pixels(picture.width * picture.height, max_pixels)
            if isinstance(picture, JpegImageFile):
                # Gives libjpeg the file in one piece: Pillow copies the rest after every 64 KiB.
                picture.decodermaxblock = len(content)
            yield picture
    except BOMBS as error:
        detail = f"more pixels than the {max_pixels:,} allowed"
        raise UnreadableImageError(FailureReason.TOO_MANY_PIXELS, detail) from error


@contextmanager
def _guard(max_pixels: int) -> Iterator[None]:
    """Let Pillow itself refuse images of more than twice ``max_pixels`` meanwhile.

    Some of its plugins allocate the whole picture while they open the file, before its size can
    be checked here: a GIF of 44 bytes took 1.3 GB. The limit is one of the whole process: of
    several threads, the first sets it and the last puts it back.
    """
    with _guarding:
        if not _guarded:
            _found.append(Image.MAX_IMAGE_PIXELS)
        _guarded.append(max_pixels)
        Image.MAX_IMAGE_PIXELS = min(_guarded)
    try:
        yield
    finally:
        with _guarding:
            _guarded.remove(max_pixels)
            Image.MAX_IMAGE_PIXELS = min(_guarded) if _guarded else _found.pop()


def _explain_decoding(error: Exception, content: bytes) -> UnreadableImageError:
    if isinstance(error, MemoryError):
        return UnreadableImageError(FailureReason.TOO_MUCH_MEMORY, NO_MEMORY)
    if isinstance(error, UnidentifiedImageError):
        if not content.startswith(MAGICS) and not content.startswith(HEIF_MAGICS, 4):
            return UnreadableImageError(FailureReason.NOT_AN_IMAGE, f"not {', '.join(FORMATS)}")
        return UnreadableImageError(FailureReason.DAMAGED, "its header is damaged or cut off")
    detail = str(error).strip() or type(error).__name__
    if isinstance(error, LookupError):  # its words are a key or an index
        detail = f"a part of it is missing ({type(error).__name__}: {detail})"
    is_truncated = isinstance(error, EOFError) or ENDS_EARLY.search(detail)
    reason = FailureReason.TRUNCATED if is_truncated else FailureReason.DAMAGED
    return UnreadableImageError(reason, detail)
