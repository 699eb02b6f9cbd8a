"""Which rows the model is fitted on: all, or a fixed random sample of them."""

import numpy as np
from numpy.typing import NDArray


def choose_rows(n_rows: int, most: int, random_state: int) -> NDArray[np.int64]:
    """Return the sorted numbers of at most ``most`` rows, the same at every call.

    Returns:
        Row numbers of shape (min(n_rows, most),).
    """
    if n_rows <= most:
        return np.arange(n_rows)
    generator = np.random.default_rng(random_state)
    return np.sort(generator.choice(n_rows, most, replace=False, shuffle=False))


def split_rows(chosen: NDArray[np.int64], rows_by_batch: list[int]) -> list[NDArray[np.int64]]:
    """Return, for each batch, the positions within it of the ``chosen`` rows."""
    ends = np.cumsum(rows_by_batch)
    parts = np.split(chosen, np.searchsorted(chosen, ends[:-1]))
    return [part - start for part, start in zip(parts, [0, *ends[:-1]], strict=True)]
