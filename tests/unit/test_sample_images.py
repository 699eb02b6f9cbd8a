from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.sample_images import cut_tiles, make_samples
from shoal.producer.submission.folder import read_folder


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("samples")
    make_samples(directory)
    return directory


def test_photographs_are_enough_to_try_shoal_on(samples: Path) -> None:
    photographs = read_folder(samples / "photographs")
    assert {Path(path).suffix for path in photographs.paths} == {".png", ".jpg"}
    n_pictures = len({path.split("/")[0] for path in photographs.paths})
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    assert f"clusters {len(photographs.paths):,} tiles of {n_pictures} pictures" in readme


def test_every_digit_is_in_the_folder_of_its_label(samples: Path) -> None:
    digits = read_folder(samples / "digits").paths
    assert len(digits) == 1_797
    assert {path.split("/")[0] for path in digits} == set("0123456789")


def test_every_sample_can_be_decoded(samples: Path) -> None:
    folder = read_folder(samples)
    for path in folder.paths[::20]:
        with Image.open(folder.source / path) as image:
            image.load()


def test_tiles_are_square_and_in_reading_order() -> None:
    pixels = np.arange(16, dtype=np.uint8).repeat(8, axis=0)[None].repeat(16, axis=0)
    tiles = [np.asarray(tile) for tile in cut_tiles(Image.fromarray(pixels))]
    assert {tile.shape for tile in tiles} == {(2, 2)}
    assert len(tiles) == 8 * 64
    assert [int(tile[0, 0]) for tile in tiles[:8]] == [0, 0, 0, 0, 1, 1, 1, 1]
