import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

from shoal.worker.findings.copies import no_copies
from shoal.worker.findings.duplicates import group_duplicates
from shoal.worker.findings.representatives import choose_representatives
from shoal.worker.plots.scatter import make_scatter_figure

# Enough that what each image takes is most of it.
N_IMAGES = 250_000
GENERATOR = np.random.default_rng(0)
HASHES = GENERATOR.integers(1, 2**63, N_IMAGES, dtype=np.uint64)
LABELS = GENERATOR.integers(0, 20, N_IMAGES).astype(np.int32)
DISTANCES = GENERATOR.random(N_IMAGES, np.float32)
SIZES = np.bincount(LABELS)
PLANE = GENERATOR.normal(size=(N_IMAGES, 2)).astype(np.float32)


@pytest.mark.parametrize(
    ("find", "most_bytes"),
    [
        (lambda: group_duplicates(HASHES, HASHES[::-1]), 80),
        (lambda: choose_representatives(LABELS, DISTANCES, 20, 8), 40),
        (lambda: no_copies().list_shown(LABELS, DISTANCES), 24),
        (lambda: make_scatter_figure(PLANE, LABELS, SIZES, [0.5, 0.5]), 60),
    ],
)
def test_what_looks_at_all_images_takes_few_bytes_for_each(
    find: Callable[[], object], most_bytes: int
) -> None:
    tracemalloc.start()
    try:
        find()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # However many images there are, a figure takes a megabyte or two.
    assert peak < N_IMAGES * most_bytes + 2_000_000
