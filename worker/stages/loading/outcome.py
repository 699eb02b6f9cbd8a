"""What a loaded batch leaves in the store: features, failures and a sheet of thumbnails."""

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
    """Commit the rows of a batch together with those loaded before a retry.

    Args:
        context: Of this worker.
        ledger: Of the job.
        part: What was to be loaded.
        rows: Of the images that were loaded.
        images: The same images, and the failures.
        seconds: Time that it took; None leaves it out of the metrics.
    """
    sheet = _make_batch_sheet(part, images, ledger.total)
    rows, failures = part.merge(rows, images.failures)
    features = rows.features
    shape = Shape(len(features), features.shape[1], features.dtype.str, rows.widths)
    statistics = FeatureStatistics.of(features).to_bytes()
    values = context.results(ledger.job_id).loading_values(
        shape, failures, statistics, rows.hashes.tobytes(), sheet
    )
    counts = (len(features), len(failures))
    return ledger.batches.commit_loading(part.batch, features.tobytes(), counts, values, seconds)


def _make_batch_sheet(part: Remainder, images: LoadedImages, total: int) -> bytes:
    """Make one sheet of the thumbnails of a whole batch, in row order.

    It stays empty for a batch that an older version loaded without thumbnails.
    """
    shown = set(sample_positions(part.batch, part.n_images, total))
    before = sorted(shown.difference(part.positions))
    loaded = part.loaded_positions(images.failures)
    now = [position in shown for position in loaded]
    tiles = make_tiles(images.pixels[now])
    if before and not part.sheet:
        return b""
    if before:
        order = np.argsort([*before, *compress(loaded, now)])
        tiles = np.concatenate([cut_page(part.sheet, len(before)), tiles])[order]
    return make_page(tiles, total)
