"""Small pictures in formats that Pillow alone does not write."""

import struct
from pathlib import Path

import imagecodecs
import numpy as np
import pillow_heif
from PIL import Image
from raw_file import write_raw

RED, GREEN, BLUE, YELLOW = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)
QUARTERS = [RED, GREEN, BLUE, YELLOW]
FORMS = ("jp2", "j2k", "psd", "qoi", "ico", "tga", "mpo", "heic", "jxl", "nef")


def four_colours(edge: int = 64) -> Image.Image:
    small = Image.new("RGB", (2, 2))
    small.putdata(QUARTERS)
    return small.resize((edge, edge), Image.Resampling.NEAREST)


def write_picture(path: Path, picture: Image.Image) -> Path:
    """Write a picture in the format that the name of the file says, with the format's encoder."""
    pixels = np.asarray(picture)
    match path.suffix:
        case ".psd":
            path.write_bytes(make_psd(pixels))
        case ".heic":
            pillow_heif.from_pillow(picture).save(path, quality=95)
        case ".jxl":
            path.write_bytes(imagecodecs.jpegxl_encode(pixels, lossless=True))
        case ".nef":
            sensor = np.zeros(pixels.shape[:2], np.uint16)
            preview = picture.resize((256, 256), Image.Resampling.NEAREST)
            write_raw(path, sensor, np.asarray(preview))
        case ".ico":
            picture.save(path, sizes=[picture.size])
        case _:
            picture.save(path)
    return path


def make_psd(pixels: np.ndarray) -> bytes:
    """Return a PSD of the flat picture alone, without layers."""
    height, width, channels = pixels.shape
    depth = 8 * pixels.itemsize
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, channels, height, width, depth, 3)
    return head + bytes(12) + struct.pack(">H", 0) + pixels.transpose(2, 0, 1).tobytes()
