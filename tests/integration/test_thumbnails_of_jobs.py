"""The thumbnails of a job's images are in row order, whatever becomes of the images."""

import numpy as np
import pytest
from PIL import Image

from shoal.shared.images.thumbnails import SQUARE, encode_ratio, read_ratios, sample_positions
from shoal.shared.store import Commit, Kind
from shoal.worker.images.loading import load_image
from shoal.worker.images.thumbnails import cut_sheet, shrink
from shoal.worker.stages.loading.loading import load_batch

SMALL = {"image_size": 8, "clusters": 3}
# Of 255, on average: what JPEG takes from the digits is below 10.
CLOSE = 16


@pytest.fixture
def check_tiles(context):
    """Checks that each tile of a batch resembles the image of its row; returns how many."""

    def check(ledger, batch, source):
        results = context.results(ledger.job_id)
        paths = results.loaded_paths(batch)
        images = np.stack([load_image(source / path, 8, context.limits) for path in paths])
        tiles = cut_sheet(list(results.thumbnails())[batch], len(paths))["pixels"]
        apart = np.abs(tiles.astype(int)[:, None] - shrink(images)).mean(axis=(2, 3, 4))
        assert apart.argmin(axis=1).tolist() == list(range(len(paths)))
        assert apart.diagonal().max() < CLOSE
        return len(tiles)

    return check


def test_each_row_has_a_tile_that_resembles_its_image(submit, load, mixed, check_tiles):
    ledger = submit(mixed, batch_size=22, **SMALL)
    load(ledger)
    assert [check_tiles(ledger, batch, mixed) for batch in (0, 1)] == [20, 20]


def test_after_a_retry_of_what_failed_tiles_are_in_row_order(
    context, submit, load, mixed, check_tiles, tmp_path
):
    for path in mixed.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    ledger = submit(tmp_path, batch_size=22, **SMALL)
    load(ledger)
    ledger.cancel()
    # Turned, so that neither is another's twin.
    for name, other in (("000-empty.png", "169.png"), ("150-broken.png", "140.png")):
        Image.open(mixed / other).rotate(90).resize((24, 8)).save(tmp_path / name)
    assert ledger.retry(failed_only=True) == [0, 1]
    assert load_batch(context, ledger.job_id, 0, False) is Commit.COMMITTED
    assert check_tiles(ledger, 0, tmp_path) == 22
    ratios = read_ratios(next(context.results(ledger.job_id).thumbnails()), 22)
    paths = context.results(ledger.job_id).loaded_paths(0)
    assert ratios[paths.index("000-empty.png")] == encode_ratio(3, 1)
    assert sorted(ratios)[:20] == [SQUARE] * 20


def test_a_batch_loaded_before_there_were_thumbnails_still_goes_on(context, submit, load, mixed):
    ledger = submit(mixed, batch_size=22, **SMALL)
    load(ledger)
    ledger.cancel()
    ledger.client.delete(ledger.keys.shards(Kind.THUMBNAILS))
    ledger.retry(failed_only=True)
    assert load_batch(context, ledger.job_id, 0, False) is Commit.COMMITTED
    assert list(context.results(ledger.job_id).thumbnails()) == [b"", b""]


def test_a_huge_job_has_a_tile_for_its_sample_alone(context, submit, load, mixed, monkeypatch):
    monkeypatch.setattr("shoal.shared.images.thumbnails.MOST_POINTS", 20)
    ledger = submit(mixed, batch_size=43, **SMALL)
    load(ledger)
    results = context.results(ledger.job_id)
    shown = [results.paths(0)[position] for position in sample_positions(0, 43, 43)]
    loaded = [path for path in results.loaded_paths(0) if path in shown]
    tiles = cut_sheet(next(results.thumbnails()), len(loaded))["pixels"]
    images = [load_image(mixed / path, 8, context.limits) for path in loaded]
    assert len(loaded) < len(shown) == 20
    assert np.abs(tiles.astype(int) - shrink(np.stack(images))).mean() < CLOSE
