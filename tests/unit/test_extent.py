"""Extent: width and height as they are seen, from the file alone."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shoal.shared.errors import UnreadableImageError
from shoal.shared.images.files import ImageLimits
from shoal.worker.images.extent import measure_extent

LIMITS = ImageLimits(10**6, 10**5)


@pytest.mark.parametrize(("orientation", "expected"), [(1, b"40 30"), (3, b"40 30"), (6, b"30 40")])
def test_a_photograph_on_its_side_is_measured_upright(
    tmp_path: Path, orientation: int, expected: bytes
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (40, 30)).save(tmp_path / "a.jpg", exif=exif)
    assert measure_extent(tmp_path / "a.jpg", 0, LIMITS) == expected


@pytest.mark.parametrize("kind", ["png", "gif", "webp", "bmp", "tif"])
def test_images_of_any_format_are_measured(tmp_path: Path, kind: str) -> None:
    Image.new("RGB", (21, 7)).save(tmp_path / f"a.{kind}")
    assert measure_extent(tmp_path / f"a.{kind}", 0, LIMITS) == b"21 7"


def test_an_image_of_more_than_eight_bits_is_measured(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((7, 21), np.uint16)).save(tmp_path / "a.png")
    assert measure_extent(tmp_path / "a.png", 0, LIMITS) == b"21 7"


def test_what_is_no_image_or_too_large_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"text")
    Image.new("1", (1000, 1000)).save(tmp_path / "b.png")
    for name, reason in (("a.png", "not-an-image"), ("b.png", "too-many-pixels")):
        with pytest.raises(UnreadableImageError) as caught:
            measure_extent(tmp_path / name, 0, LIMITS)
        assert caught.value.reason == reason
