from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.sample_images import PHOTOGRAPHS, VIEWS, make_samples
from shoal.producer.submission.folder import read_folder
from shoal.shared.images.files import ImageLimits
from shoal.shared.settings import Settings
from shoal.worker.findings.duplicates import group_duplicates
from shoal.worker.images.hashes import perceptual_hash
from shoal.worker.images.loading import load_image

ROOT = Path(__file__).parents[2]
LIMITS = ImageLimits(Settings().max_image_bytes, Settings().max_image_pixels)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("samples")
    make_samples(directory)
    return directory


def test_photographs_are_enough_to_try_shoal_on(samples: Path) -> None:
    photographs = read_folder(samples / "photographs")
    sizes = Counter(path.split("/")[0] for path in photographs.paths)
    assert sizes == {photograph.stem: VIEWS for photograph in PHOTOGRAPHS}
    for page in ("README.md", "docs/tutorial.md"):
        words = f"{len(photographs.paths):,} views of {len(sizes)} pictures"
        assert words in (ROOT / page).read_text()


def test_few_views_are_taken_for_copies(samples: Path) -> None:
    folder = samples / "photographs"
    paths = read_folder(folder).paths
    hashes = perceptual_hash(np.stack([load_image(folder / path, 32, LIMITS) for path in paths]))
    contents = np.arange(len(paths), dtype=np.uint64)
    assert len(group_duplicates(contents, hashes).rows) < len(paths) / 6


def test_every_digit_is_in_the_folder_of_its_label(samples: Path) -> None:
    digits = read_folder(samples / "digits").paths
    assert len(digits) == 1_797
    assert {path.split("/")[0] for path in digits} == set("0123456789")


def test_every_sample_can_be_decoded(samples: Path) -> None:
    folder = read_folder(samples)
    for path in folder.paths[::20]:
        with Image.open(samples / path) as image:
            image.load()
