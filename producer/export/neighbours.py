"""The nearest other images of every image, as arrays and as a column of Parquet."""

from typing import TYPE_CHECKING, Any, NamedTuple

from shoal.producer.export.tables import import_pyarrow
from shoal.shared.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Neighbors(NamedTuple):
    """The nearest other images of every image, nearest first; equally near ones by row.

    Attributes:
        ids: Rows of the neighbours, from 0, of shape (n_images, n_neighbors).
        distances: Between principal components, float32 of the same shape.
    """

    ids: "NDArray[np.int64]"
    distances: "NDArray[np.float32]"


def find_neighbors(points: "NDArray[np.float32]", count: int) -> Neighbors:
    """Find the exact nearest neighbours among points of shape (n_images, n_components).

    All pairs are compared, in parts and on all cores: the time grows with the square of the images.

    Args:
        points: Coordinates of each image.
        count: Neighbours an image; fewer where there are fewer images.

    Raises:
        UsageError: ``count`` is less than 1.
    """
    import numpy as np  # slow to import, and so is the next
    from sklearn.neighbors import NearestNeighbors

    if count < 1:
        raise UsageError(f"`count` is {count}: give 1 or more.")
    n_neighbors = min(count, len(points) - 1)
    if n_neighbors < 1:
        none = np.empty((len(points), 0))
        return Neighbors(none.astype(np.int64), none.astype(np.float32))
    nearest = NearestNeighbors(n_neighbors=n_neighbors, algorithm="brute").fit(points)
    distances, ids = nearest.kneighbors()  # of the points themselves, none its own neighbour
    distances = distances.astype(np.float32)
    order = np.lexsort((ids, distances))
    ids, distances = (np.take_along_axis(found, order, axis=1) for found in (ids, distances))
    return Neighbors(ids.astype(np.int64), distances)


def make_column(neighbors: Neighbors, start: int, n_rows: int) -> Any:
    """Make the rows of a column of Parquet, as viewers of embeddings read it.

    Each is ``{"ids": [...], "distances": [...]}`` and begins with the image itself, at distance 0,
    as umap-learn's neighbours do.
    """
    import numpy as np

    pyarrow, _ = import_pyarrow()
    own = np.arange(start, start + n_rows)[:, np.newaxis]
    rows = slice(start, start + n_rows)
    parts = {
        "ids": np.hstack([own, neighbors.ids[rows]]),
        "distances": np.hstack([np.zeros_like(own, np.float32), neighbors.distances[rows]]),
    }
    columns = []
    for values in parts.values():
        ends = np.arange(n_rows + 1, dtype=np.int32) * values.shape[1]
        columns.append(pyarrow.ListArray.from_arrays(ends, values.ravel()))
    return pyarrow.StructArray.from_arrays(columns, names=list(parts))
