"""A PNG or JPEG whose pixels are whole is an image, whatever else its file has."""

import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shoal.shared.errors import UnreadableImageError
from shoal.shared.findings import FailureReason
from shoal.shared.images.files import ImageLimits
from shoal.worker.images.loading import load_image, measure_image
from shoal.worker.images.preview import load_preview

LIMITS = ImageLimits(max_bytes=100_000_000, max_pixels=1_000_000)
LONG = b"a" * 3_000_000
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r tiff:Orientation="3"/></x:xmpmeta>'
EXIF = struct.pack(">2sHIHHHIHxxI", b"MM", 42, 8, 1, 0x0112, 3, 1, 3, 0)


def make_chunk(kind: bytes, data: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + checksum


def break_checksum(chunk: bytes) -> bytes:
    return chunk[:-1] + bytes([chunk[-1] ^ 1])


TEXT = make_chunk(b"tEXt", b"Comment\0a")
COMPRESSED = make_chunk(b"zTXt", b"workflow\0\0" + zlib.compress(LONG))
REFUSED = {
    "compressed text": COMPRESSED,
    "compressed international text": make_chunk(
        b"iTXt", b"workflow\0\1\0\0\0" + zlib.compress(LONG)
    ),
    "plain text in many chunks": b"".join(
        make_chunk(b"tEXt", b"prompt %d\0" % n + LONG) for n in range(23)
    ),
    "profile": make_chunk(b"iCCP", b"printer\0\0" + zlib.compress(LONG)),
    "wrong checksum": break_checksum(TEXT),
    "too short": make_chunk(b"gAMA", b"\0"),
}


def write_png(path: Path, values: object, chunks: bytes, before: bytes = b"IDAT") -> Path:
    stream = BytesIO()
    Image.fromarray(np.asarray(values)).save(stream, "png")
    head, found, tail = stream.getvalue().partition(before)
    path.write_bytes(head[:-4] + chunks + head[-4:] + found + tail)
    return path


def picture(depth: type[np.unsignedinteger] = np.uint8) -> object:
    return np.arange(0, 256, 4).astype(depth).reshape(8, 8)


@pytest.mark.parametrize("before", [b"IDAT", b"IEND"])
@pytest.mark.parametrize("chunks", REFUSED.values(), ids=REFUSED)
def test_what_a_png_has_beside_its_pixels_does_not_cost_it(
    tmp_path: Path, chunks: bytes, before: bytes
) -> None:
    path = write_png(tmp_path / "a.png", picture(), chunks, before)
    assert load_image(path, 8, LIMITS)[..., 0].tolist() == np.asarray(picture()).tolist()
    assert Image.open(BytesIO(load_preview(path, 8, LIMITS))).size == (8, 8)


def test_a_deep_png_is_measured_in_spite_of_long_text(tmp_path: Path) -> None:
    plain = write_png(tmp_path / "a.png", picture(np.uint16), b"")
    wordy = write_png(tmp_path / "b.png", picture(np.uint16), COMPRESSED)
    assert measure_image(wordy, 8, LIMITS) == measure_image(plain, 8, LIMITS) != b""


@pytest.mark.parametrize(
    "orientation",
    [make_chunk(b"eXIf", EXIF), make_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP)],
)
def test_a_png_with_long_text_is_turned_upright(tmp_path: Path, orientation: bytes) -> None:
    path = write_png(tmp_path / "a.png", picture(), orientation + COMPRESSED)
    assert load_image(path, 8, LIMITS)[::-1, ::-1, 0].tolist() == np.asarray(picture()).tolist()


def test_a_png_with_long_text_stays_transparent(tmp_path: Path) -> None:
    transparency = make_chunk(b"tRNS", b"\0\0")
    path = write_png(tmp_path / "a.png", np.zeros((4, 4), np.uint8), transparency + COMPRESSED)
    assert load_image(path, 4, LIMITS).min() == 255


@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_a_png_with_long_text_that_is_cut_off_is_truncated(tmp_path: Path, kept: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    path = write_png(tmp_path / "a.png", noise, TEXT)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(UnreadableImageError) as caught:
        load_image(path, 8, LIMITS)
    assert caught.value.reason is FailureReason.TRUNCATED


def test_a_wrong_checksum_of_what_pixels_need_is_damage(tmp_path: Path) -> None:
    path = write_png(tmp_path / "a.png", picture(), break_checksum(make_chunk(b"tRNS", b"\0\0")))
    with pytest.raises(UnreadableImageError) as caught:
        load_image(path, 8, LIMITS)
    assert caught.value.reason is FailureReason.DAMAGED


def make_segment(kind: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, kind, len(data) + 2) + data


CUT_SEGMENTS = {
    "resources of Photoshop": make_segment(0xED, b"Photoshop 3.0\x008BIM\x07\xdb"),
    "JFIF": make_segment(0xE0, b"JFIF\0"),
    "Adobe": make_segment(0xEE, b"Adobe"),
}


def write_jpeg(path: Path, picture: Image.Image, segments: bytes) -> Path:
    stream = BytesIO()
    picture.save(stream, "jpeg", quality=95)
    path.write_bytes(stream.getvalue()[:2] + segments + stream.getvalue()[2:])
    return path


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("segments", CUT_SEGMENTS.values(), ids=CUT_SEGMENTS)
def test_what_a_jpeg_has_beside_its_pixels_does_not_cost_it(
    tmp_path: Path, segments: bytes, mode: str
) -> None:
    colours = Image.effect_noise((16, 16), 90).convert("RGB").convert(mode)
    plain = write_jpeg(tmp_path / "a.jpg", colours, b"")
    odd = write_jpeg(tmp_path / "b.jpg", colours, segments)
    assert load_image(odd, 8, LIMITS).tolist() == load_image(plain, 8, LIMITS).tolist()


def test_a_jpeg_with_a_cut_segment_is_turned_upright(tmp_path: Path) -> None:
    halves = Image.new("L", (16, 16))
    halves.paste(255, (0, 0, 16, 8))
    exif = make_segment(0xE1, b"Exif\0\0" + EXIF)
    path = write_jpeg(tmp_path / "a.jpg", halves, exif + CUT_SEGMENTS["JFIF"])
    assert load_image(path, 2, LIMITS)[:, 0, 0].tolist() == [0, 255]


def test_a_jpeg_with_a_cut_segment_and_cut_pixels_is_damaged(tmp_path: Path) -> None:
    colours = Image.effect_noise((64, 64), 90)
    path = write_jpeg(tmp_path / "a.jpg", colours, CUT_SEGMENTS["JFIF"])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UnreadableImageError) as caught:
        load_image(path, 8, LIMITS)
    assert caught.value.reason is FailureReason.DAMAGED
