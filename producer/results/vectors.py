"""A row of numbers for each loaded image, its features or coordinates, read a batch at a time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shoal.shared.errors import NotFinishedError, ShardLostError, show_call
from shoal.shared.store import Kind, Results

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Vectors:
    """Rows of numbers in the order of the job's labels; they can be read once.

    Attributes:
        kind: What they are, which names a column.
        shape: Number of images, and of numbers an image.
        dtype: Of the numbers, as NumPy writes it.
        parts: The raw rows of each batch, row-major; empty where it has none.
    """

    kind: Kind
    shape: tuple[int, int]
    dtype: str
    parts: Iterable[Any]

    def arrays(self) -> "Iterator[NDArray[Any]]":
        """Yield the rows of each batch, of shape (n_images of the batch, n_columns)."""
        import numpy as np  # slow to import

        for part in self.parts:
            yield np.frombuffer(part, self.dtype).reshape(-1, self.shape[1])

    def to_array(self) -> "NDArray[Any]":
        """Return all rows in one array of ``shape``."""
        import numpy as np

        rows, filled = np.empty(self.shape, self.dtype), 0
        for part in self.arrays():
            rows[filled : filled + len(part)] = part
            filled += len(part)
        return rows


def read_coordinates(results: Results, n_images: int, n_components: int) -> Vectors:
    """Read the principal components of each image; raises as ``Results.coordinates`` does."""
    return Vectors(Kind.COORDINATES, (n_images, n_components), "<f4", results.coordinates())


def read_features(results: Results) -> Vectors:
    """Read the features of each image.

    Raises:
        NotFinishedError: They have expired.
        ShardLostError: They are missing or damaged, as is told once they are read.
    """
    job_id = results.job_id
    remedy = f"its coordinates stay as long as its results ({show_call(job_id, 'coordinates')})"
    if not results.shards.names(Kind.FEATURES):
        raise NotFinishedError(
            f"The features of job {job_id} have expired: they are kept for a while"
            f" after its end (SHOAL_FEATURES_SECONDS), but {remedy}."
        )
    shapes = results.shapes()
    form = next((shape for shape in shapes if shape.rows), shapes[0])

    def read() -> Iterator[Any]:
        for batch, shape in enumerate(shapes):
            try:
                yield results.features(batch, shape) if shape.rows else b""
            except (NotFinishedError, ShardLostError) as error:
                raise ShardLostError(f"{str(error).rstrip('.')}; {remedy}.") from error

    n_images = sum(shape.rows for shape in shapes)
    return Vectors(Kind.FEATURES, (n_images, form.columns), form.dtype, read())
