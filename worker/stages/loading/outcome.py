"""What a batch leaves when it is loaded: features, failures, and a page of thumbnails."""

from itertools import compress

import numpy as np

from shoal.shared.images.thumbnails import sample_positions
from shoal.shared.store import Commit, Ledger
from shoal.shared.store.rows import Shape
from shoal.worker.images.thumbnails import cut_page, make_page, make_tiles
from shoal.worker.model.statistics import FeatureStatistics
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.stages.loading.reading import LoadedImages
from shoal.worker.stages.loading.remainder import BatchRows, Remainder


def commit_rows(
    context: WorkerContext,
    ledger: Ledger,
    part: Remainder,
    rows: BatchRows,
    images: LoadedImages,
    seconds: float | None = None,
) -> Commit:
    """Commit the rows of a batch, with those loaded before, and the time that it took."""
    page = _make_batch_page(part, images, ledger.total)
    rows, failures = part.merge(rows, images.failures)
    features = rows.features
    shape = Shape(len(features), features.shape[1], features.dtype.str, rows.widths)
    statistics = FeatureStatistics.of(features).to_bytes()
    notes = context.results(ledger.job_id).loading_notes(
        shape, failures, statistics, rows.hashes.tobytes(), page
    )
    counts = (len(features), len(failures))
    return ledger.commit_loading(part.batch, features.tobytes(), counts, notes, seconds)


def _make_batch_page(part: Remainder, images: LoadedImages, total: int) -> bytes:
    """Return the thumbnails of a whole batch as one page, in row order.

    A batch that was loaded before there were thumbnails has none.
    """
    shown = set(sample_positions(part.batch, part.n_images, total))
    before = sorted(shown.difference(part.positions))
    loaded = part.loaded_positions(images.failures)
    now = [place in shown for place in loaded]
    tiles = make_tiles(images.pixels[now])
    if before and not part.page:
        return b""
    if before:
        order = np.argsort([*before, *compress(loaded, now)])
        tiles = np.concatenate([cut_page(part.page, len(before)), tiles])[order]
    return make_page(tiles, total)
