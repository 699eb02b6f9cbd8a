"""Sampling: the rows that a model is fitted on, all or a fixed random sample."""

import numpy as np
from numpy.typing import NDArray


def choose_rows(n_rows: int, most: int, random_state: int) -> NDArray[np.int64]:
    """Choose at most ``most`` of ``n_rows`` rows at random, the same at every call.

    Returns:
        Row numbers in ascending order, shape (min(n_rows, most),).
    """
    if n_rows <= most:
        return np.arange(n_rows)
    generator = np.random.default_rng(random_state)
    return np.sort(generator.choice(n_rows, most, replace=False, shuffle=False))


def split_rows(chosen: NDArray[np.int64], rows_by_batch: list[int]) -> list[NDArray[np.int64]]:
    """Split the ``chosen`` rows, in ascending order, by batch.

    Returns:
        For each batch, the positions of its chosen rows within it.
    """
    ends = np.cumsum(rows_by_batch)
    parts = np.split(chosen, np.searchsorted(chosen, ends[:-1]))
    return [part - start for part, start in zip(parts, [0, *ends[:-1]], strict=True)]
