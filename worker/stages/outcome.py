"""What a batch leaves when it is loaded: features, failures, and a page of thumbnails."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.store import Commit, Ledger
from shared.store.results import FailedImage, Shape
from shared.thumbnails import sample_positions
from worker.extractors import Features
from worker.features import FeatureStatistics
from worker.stages.remainder import Remainder
from worker.thumbnails import cut_page, make_page, make_tiles
from worker.workplace import Workplace


@dataclass(frozen=True)
class Images:
    """What became of some paths.

    Attributes:
        pixels: Of those that were loaded, in their order: (n_loaded, size, size, 3).
        failures: Of the others; each position is a place among the paths.
    """

    pixels: NDArray[np.uint8]
    failures: list[FailedImage]


def commit_features(
    workplace: Workplace,
    ledger: Ledger,
    part: Remainder,
    images: Images,
    features: Features,
    widths: tuple[int, ...],
) -> Commit:
    """Commit the features of a batch, with those loaded before."""
    page = make_batch_page(part, images, ledger.total)
    features, failures = part.merge(features, images.failures)
    shape = Shape(len(features), features.shape[1], features.dtype.str, widths)
    statistics = FeatureStatistics.of(features).to_bytes()
    notes = workplace.results(ledger.job_id).loading_notes(shape, failures, statistics, page)
    counts = (len(features), len(failures))
    return ledger.commit_loading(part.batch, features.tobytes(), counts, notes)


def make_batch_page(part: Remainder, images: Images, total: int) -> bytes:
    """Return the thumbnails of a whole batch as one page, in row order.

    A batch that was loaded before there were thumbnails has none.
    """
    shown = sample_positions(part.batch, part.n_images, total)
    loaded = part.loaded_positions(images.failures)
    before = np.setdiff1d(shown, part.positions)
    now = np.isin(loaded, shown)
    tiles = make_tiles(images.pixels[now])
    if len(before) and not part.page:
        return b""
    if len(before):
        order = np.argsort([*before, *np.extract(now, loaded)])
        tiles = np.concatenate([cut_page(part.page, len(before)), tiles])[order]
    return make_page(tiles, total)
