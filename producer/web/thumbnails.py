"""Thumbnails of images, made on request and kept in memory while there is room."""

from collections import OrderedDict
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from threading import BoundedSemaphore, Lock
from typing import TYPE_CHECKING, Any

from shoal.shared.errors import UnreadableImageError
from shoal.shared.findings import FailureReason
from shoal.shared.images.depth import read_depth
from shoal.shared.images.files import FORMATS, ImageLimits, read_file
from shoal.shared.settings import Settings

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE_PIXELS = 240
QUALITY = 80
KEPT_BYTES = 64 * 2**20
# A large image takes hundreds of megabytes while it is decoded.
DECODED_AT_ONCE = 2
# Modes of up to sixteen bits, which Pillow would clip to eight instead of scaling them.
WIDE_MODES = {"I;16", "I;16L", "I;16B", "I;16N"}


class Thumbnails:
    """Makes thumbnails of images within the workers' limits, and keeps those used last."""

    def __init__(self, settings: Settings) -> None:
        self.limits = ImageLimits(
            settings.max_image_bytes, settings.max_image_pixels, settings.image_roots
        )
        self.kept: OrderedDict[str, bytes] = OrderedDict()
        self.kept_bytes = 0
        self.lock = Lock()
        self.decoding = BoundedSemaphore(DECODED_AT_ONCE)

    def find(self, file: Path) -> tuple[bytes, str]:
        """Find the thumbnail of an image, or make it.

        Returns:
            The thumbnail as JPEG, and its name, which changes with the file.

        Raises:
            UnreadableImageError: The image does not exist any more, or cannot be read here.
        """
        name = _name_version(file)
        with self.lock:
            if found := self.kept.get(name):
                self.kept.move_to_end(name)
                return found, name
        with self.decoding:
            made = _make_thumbnail(file, self.limits)
        self._keep(name, made)
        return made, name

    def _keep(self, name: str, thumbnail: bytes) -> None:
        with self.lock:
            self.kept_bytes += len(thumbnail) - len(self.kept.pop(name, b""))
            self.kept[name] = thumbnail
            while self.kept_bytes > KEPT_BYTES:
                self.kept_bytes -= len(self.kept.popitem(last=False)[1])


def _name_version(file: Path) -> str:
    """Make a name for the present version of a file.

    Raises:
        UnreadableImageError: There is no such file.
    """
    try:
        stat = file.stat()
    except (OSError, ValueError) as error:
        raise UnreadableImageError(FailureReason.MISSING, "not on this machine") from error
    version = f"{file}\0{stat.st_mtime_ns}\0{stat.st_size}\0{stat.st_ino}"
    return sha256(version.encode(errors="surrogateescape")).hexdigest()[:32]


def _make_thumbnail(file: Path, limits: ImageLimits) -> bytes:
    """Make an image's thumbnail as JPEG.

    Raises:
        UnreadableImageError: The image is beyond the limits, or cannot be decoded here.
    """
    content = read_file(file, limits)
    try:
        return _shrink(content, limits.max_pixels)
    except UnreadableImageError:
        raise
    except Exception as error:  # decoders raise nearly anything
        raise UnreadableImageError(FailureReason.DAMAGED, "no thumbnail of it here") from error


def _shrink(content: bytes, max_pixels: int) -> bytes:
    """Shrink an encoded image to a small JPEG; raises whatever its decoder raises."""
    # Most commands need no images, and Pillow takes a while to import.
    from PIL import Image, ImageOps

    # This applies while a file is opened, too: some plugins decode the whole picture then.
    Image.MAX_IMAGE_PIXELS = max_pixels
    with Image.open(BytesIO(content), formats=FORMATS) as picture:
        if picture.width * picture.height > max_pixels:
            raise UnreadableImageError(FailureReason.TOO_MANY_PIXELS, "too large for a thumbnail")
        picture.draft("RGB", (SIDE_PIXELS, SIDE_PIXELS))
        small = ImageOps.exif_transpose(_make_eight_bits(picture))
        small.thumbnail((SIDE_PIXELS, SIDE_PIXELS))
        output = BytesIO()
        _flatten(small).save(output, "JPEG", quality=QUALITY)
    return output.getvalue()


def _make_eight_bits(picture: "Image") -> "Image":
    """Scale a picture of more than eight bits per channel to eight."""
    if picture.mode in WIDE_MODES:
        step = 2 ** (read_depth(picture) - 8)
        return picture.convert("I").point(lambda value: value / step).convert("L")
    if picture.mode == "I":
        return _stretch(picture)
    return picture


def _stretch(picture: "Image") -> "Image":
    """Scale 32 bits to eight as the workers do: from sixteen bits, or from the values' range."""
    extrema: Any = picture.getextrema()
    low, high = extrema
    if low >= 0 and high <= 0xFFFF:
        low, high = 0, 0xFFFF
    scale = 255 / max(high - low, 1)
    return picture.point(lambda value: value * scale - low * scale).convert("L")


def _flatten(picture: "Image") -> "Image":
    """Convert a picture to RGB, on a white background if it is transparent."""
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    from PIL import Image

    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture.convert("RGBA")).convert("RGB")
