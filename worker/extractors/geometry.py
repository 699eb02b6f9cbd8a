"""Geometry: rows of a length of one, whose distances compare their patterns and not their sums."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def scale_to_length_one(rows: NDArray[Any], *, square_root: bool) -> NDArray[np.float32]:
    """Scale each row to the Euclidean length 1; a row of zeros stays one.

    With the square root, the distance of two rows that are not negative is Hellinger's
    (R. Arandjelović and A. Zisserman, Three things everyone should know to improve object
    retrieval, CVPR 2012): a few large values do not decide alone.

    Args:
        rows: Shape (n_samples, n_features).
        square_root: Take the square root of each value first; of a negative one, that of its
            amount, with its sign.

    Returns:
        Of the same shape; a row does not depend on the others.
    """
    values = np.asarray(rows, np.float32)
    if square_root:
        values = np.copysign(np.sqrt(np.abs(values)), values)
    # In float64, so that the order in which a processor adds up does not show.
    lengths = np.sqrt(np.einsum("ij,ij->i", values, values, dtype=np.float64))
    scaled: NDArray[np.float64] = (
        values / np.maximum(lengths, np.finfo(np.float32).tiny)[:, np.newaxis]
    )
    return scaled.astype(np.float32)
