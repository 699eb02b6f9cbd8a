"""Pictures: a file opened by the decoder of its kind, which may be another package's."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from io import BytesIO
from typing import Any

from PIL import Image

from shoal.shared.errors import UnreadableImageError
from shoal.shared.findings import FailureReason
from shoal.shared.images.files import FORMATS
from shoal.shared.images.kinds import HEIC, JXL, RAW, TGA, Extra
from shoal.worker.images.essentials import JPEG_MAGIC, PNG_MAGIC
from shoal.worker.images.jpeg_xl import CODESTREAM, CONTAINER, decode_jpeg_xl
from shoal.worker.images.pixels import check_pixels, make_upright

PSD_MAGIC = b"8BPS"
PSD_DEPTH = slice(22, 24)
# Brands of an image file in the HEIF container that is coded as HEVC, and of AVIF.
HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
# Some ten are usual; a file may claim that all of it is brands.
BRANDS_END = 1024
AVIF_BRANDS = {b"avif", b"avis"}
# Of LibRaw's flips, the EXIF orientations.
ORIENTATIONS = {3: 3, 5: 8, 6: 6}
# A smaller preview does not show enough; the raw picture itself is then developed.
LEAST_PREVIEW_PIXELS = 256


def open_picture(content: bytes, kind: str, max_pixels: int) -> Image.Image:
    """Open a picture, which need not be loaded yet.

    Args:
        content: Of the file.
        kind: Its lower-case extension. It decides only where the content cannot: raw files of
            cameras are TIFF files, among others, and TGA has no signature.
        max_pixels: A decoder that loads at once refuses more.

    Raises:
        UnreadableImageError: It needs a package that is missing, or has too many pixels.
        Exception: Whatever a decoder raises.
    """
    for decoder in _DECODERS:
        if decoder.takes(content, kind):
            return decoder.open(content, max_pixels)
    if content.startswith(PSD_MAGIC) and content[PSD_DEPTH] not in {b"\0\1", b"\0\x08"}:
        detail = "a PSD of more than 8 bits per channel: save it with 8"
        raise UnreadableImageError(FailureReason.UNSUPPORTED, detail)
    # Pillow takes for TGA whatever has a sensible number in each place.
    formats = (*FORMATS, "TGA") if kind in TGA else FORMATS
    return Image.open(BytesIO(content), formats=formats)


@dataclass(frozen=True)
class _Decoder:
    """Opens pictures by a package that may be missing.

    Attributes:
        extra: The package.
        takes: From the content and the kind of a file, whether it is one for this decoder.
        decode: From the module, the content and the most pixels, the picture.
    """

    extra: Extra
    takes: Callable[[bytes, str], bool]
    decode: Callable[[Any, bytes, int], Image.Image]

    def open(self, content: bytes, max_pixels: int) -> Image.Image:
        try:
            module = import_module(self.extra.module)
        except ImportError as error:
            detail = f"needs another package on the workers: pip install {self.extra.package}"
            raise UnreadableImageError(FailureReason.UNSUPPORTED, detail) from error
        return self.decode(module, content, max_pixels)


def _is_heic(content: bytes, _kind: str = "") -> bool:
    """Return whether a file says that it is coded as HEVC, in the HEIF container."""
    if content[4:8] != b"ftyp":
        return False
    box = content[8 : min(int.from_bytes(content[:4], "big"), BRANDS_END)]
    brands = {box[start : start + 4] for start in range(0, len(box), 4)}
    return not HEIC_BRANDS.isdisjoint(brands) and AVIF_BRANDS.isdisjoint(brands)


def _is_jpeg_xl(content: bytes, _kind: str) -> bool:
    return content.startswith((CODESTREAM, CONTAINER))


def _is_raw(content: bytes, kind: str) -> bool:
    return kind in RAW.kinds and not content.startswith((JPEG_MAGIC, PNG_MAGIC))


def _open_heic(module: Any, content: bytes, _max_pixels: int) -> Image.Image:
    _register_heic(module)
    # It is upright: libheif turns it, and the plugin takes the orientation out of the EXIF.
    return Image.open(BytesIO(content), formats=["HEIF"])


@cache
def _register_heic(module: Any) -> None:
    module.register_heif_opener(thumbnails=False, depth_images=False, decode_threads=1)


def _open_jpeg_xl(_module: Any, content: bytes, max_pixels: int) -> Image.Image:
    return decode_jpeg_xl(content, max_pixels)


def _open_raw(module: Any, content: bytes, max_pixels: int) -> Image.Image:
    try:
        return _open_preview(module, content, max_pixels)
    except module.LibRawError as error:
        is_foreign = isinstance(error, module.LibRawFileUnsupportedError)
        reason = FailureReason.NOT_AN_IMAGE if is_foreign else FailureReason.DAMAGED
        raise UnreadableImageError(reason, f"LibRaw: {error.args[0].decode()}") from error


def _open_preview(module: Any, content: bytes, max_pixels: int) -> Image.Image:
    """Open the preview that the camera has made, or develop a raw file that has none."""
    with module.imread(BytesIO(content)) as raw:
        check_pixels(raw.sizes.raw_width * raw.sizes.raw_height, max_pixels)
        preview = _find_preview(module, raw)
        if preview and min(preview.size) >= LEAST_PREVIEW_PIXELS:
            return preview
        try:
            return Image.fromarray(raw.postprocess(half_size=True, use_camera_wb=True))
        except module.LibRawError:
            if preview:
                return preview
            raise


def _find_preview(module: Any, raw: Any) -> Image.Image | None:
    try:
        preview = raw.extract_thumb()
    except module.LibRawError:
        return None
    if preview.format == module.ThumbFormat.JPEG:
        # LibRaw sees to it that it has an EXIF orientation.
        return Image.open(BytesIO(preview.data), formats=["JPEG"])
    return make_upright(Image.fromarray(preview.data), ORIENTATIONS.get(raw.sizes.flip, 1))


_DECODERS = (
    _Decoder(HEIC, _is_heic, _open_heic),
    _Decoder(JXL, _is_jpeg_xl, _open_jpeg_xl),
    _Decoder(RAW, _is_raw, _open_raw),
)
