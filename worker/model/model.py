"""A fitted model: turns features into labels. Imports only numpy, so that labelling starts fast."""

from collections.abc import Iterator
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from io import BytesIO
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from shoal.worker.clustering.centroids import nearest
from shoal.worker.clustering.references import References, no_coordinates, no_labels, no_radii
from shoal.worker.model.map import Map, no_landmarks

BLOCK_VALUES = 2**19  # 2 MB of float32: a block stays in the processor's cache
PROJECTED_ROWS = 64
# How a .npz file begins.
ZIP = b"PK\x03\x04"


@dataclass(frozen=True)
class Labels:
    """The cluster of each row, and where the row lies.

    Attributes:
        labels: Cluster of each row, -1 for noise; int32 of shape (n_samples,).
        distances: Euclidean distance to the centroid of the row's cluster, for noise to the nearest
            centroid; float32 of shape (n_samples,).
        coordinates: First two components, float32 of shape (n_samples, 2); if the model has only
            one, the second column is 0.
        projected: All components, float32 of shape (n_samples, n_components).
        row_distances: Distance of the whole scaled row to the centroid, of which ``distances`` is
            the part within the components; float32 of shape (n_samples,), empty if only the
            components are known.
        far: Whether that is beyond the limit of the cluster (for noise, of the nearest one); shape
            (n_samples,), empty if the model has no limits.
    """

    labels: NDArray[np.int32]
    distances: NDArray[np.float32]
    coordinates: NDArray[np.float32]
    projected: NDArray[np.float32]
    row_distances: NDArray[np.float32] = field(default_factory=no_radii)
    far: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))


@dataclass(frozen=True, kw_only=True)
class FittedModel:
    """StandardScaler, PCA and clusters as arrays; labels any row of the same features.

    Attributes:
        mean: Mean of each feature over all rows of the job; shape (n_features,).
        scale: Standard deviation of each feature, 1 where it is constant; shape (n_features,).
        components: Principal axes by falling variance; shape (n_components, n_features).
        centroids: Centres of the clusters, by number; shape (n_clusters, n_components).
        explained_variance: Variance along each component; shape (n_components,).
        explained_variance_ratio: The same as a share of the scaled rows' total variance.
        inertia: Sum of squared distances of the fitted rows to their centroids.
        rows_fitted: Number of rows that the model was fitted on.
        features: The extractors that made the rows, as in a job's request.
        image_size: Width and height of the images before extraction, in pixels; 0 if unknown.
        reference_coordinates: As in ``References``; empty if each row belongs to its nearest
            centroid.
        reference_labels: As in ``References``.
        reference_radii: As in ``References``.
        provenance: How the rows were made, as text of ``Provenance``; "" if unknown.
        distance_limits: Distance of a whole scaled row to the centroid of each cluster beyond which
            the row is far; shape (n_clusters,), empty if there are none.
        map_landmarks: As in ``Map``; empty if the map is the first two components.
        map_positions: As in ``Map``.
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    components: NDArray[np.float32]
    centroids: NDArray[np.float64]
    explained_variance: NDArray[np.float64]
    explained_variance_ratio: NDArray[np.float64]
    inertia: float
    rows_fitted: int
    features: str = "pixels"
    image_size: int = 0
    reference_coordinates: NDArray[np.float32] = field(default_factory=no_coordinates)
    reference_labels: NDArray[np.int32] = field(default_factory=no_labels)
    reference_radii: NDArray[np.float32] = field(default_factory=no_radii)
    provenance: str = ""
    distance_limits: NDArray[np.float32] = field(default_factory=no_radii)
    map_landmarks: NDArray[np.float32] = field(default_factory=no_landmarks)
    map_positions: NDArray[np.float32] = field(default_factory=no_landmarks)

    def project(self, features: NDArray[Any]) -> NDArray[np.float32]:
        """Project ``features`` on the principal components; no row's bits depend on the others.

        Args:
            features: uint8 or float, of shape (n_samples, n_features).

        Returns:
            Coordinates of shape (n_samples, n_components).

        Raises:
            ValueError: The rows are not as long as those that the model was fitted on.
        """
        return self._project(features, None)

    def _project(
        self, features: NDArray[Any], squares: NDArray[np.float64] | None
    ) -> NDArray[np.float32]:
        """Project as ``project`` does; ``squares`` takes the squared norms of the scaled rows."""
        if features.ndim != 2 or features.shape[1] != len(self.mean):
            raise ValueError(f"shape {features.shape} is not (n_samples, {len(self.mean)})")
        projected = np.empty((len(features), len(self.components)), np.float32)
        axes = np.ascontiguousarray((self.components / self.scale).T)
        weights = self.scale**-2.0
        # Products of float64, all of one shape: BLAS adds up in another order where there are more
        # or fewer rows, and rounding to float32 hides what that changes.
        block = np.zeros((max(8, min(PROJECTED_ROWS, BLOCK_VALUES // len(axes))), len(axes)))
        for start in range(0, len(features), len(block)):
            rows = features[start : start + len(block)]
            end = start + len(rows)
            np.subtract(rows, self.mean, out=block[: len(rows)])
            block[len(rows) :] = 0
            projected[start:end] = (block @ axes)[: len(rows)]
            if squares is not None:
                squares[start:end] = (np.square(block, out=block) @ weights)[: len(rows)]
        return projected

    def label(self, features: NDArray[Any]) -> Labels:
        """Assign each row to its nearest centroid; of two equally near, to the lower label.

        If the model has references, a row belongs to the cluster of the nearest one, or is noise.

        Args:
            features: uint8 or float, of shape (n_samples, n_features).

        Raises:
            ValueError: The rows are not as long as those that the model was fitted on.
        """
        squares = np.empty(len(features))
        labelled = self.label_projected(self._project(features, squares))
        distances = _measure_rows(labelled, squares)
        if not len(self.distance_limits):
            return replace(labelled, row_distances=distances)
        own = labelled.labels
        if (own < 0).any():
            own = np.where(own < 0, nearest(labelled.projected, self.centroids), own)
        far = distances > self.distance_limits[own]
        return replace(labelled, row_distances=distances, far=far)

    def label_projected(self, projected: NDArray[np.float32]) -> Labels:
        """Assign rows as ``label`` does, whose coordinates are known.

        Args:
            projected: Shape (n_samples, n_components).
        """
        labels = own = nearest(projected, self.centroids)
        if len(self.reference_labels):
            labels = self._references().label(projected)
            own = np.where(labels < 0, own, labels)
        distances = np.linalg.norm(projected - self.centroids[own], axis=1)
        coordinates = np.zeros((len(projected), 2), np.float32)
        coordinates[:, : projected.shape[1]] = projected[:, :2]
        return Labels(labels, distances.astype(np.float32), coordinates, projected)

    def place(self, coordinates: NDArray[Any]) -> NDArray[np.float32]:
        """Return where rows stand on the map, shape (n_samples, 2), as ``Map.place`` does.

        Args:
            coordinates: As ``project`` returns them.
        """
        return Map(self.map_landmarks, self.map_positions).place(coordinates)

    def _references(self) -> References:
        return References(self.reference_coordinates, self.reference_labels, self.reference_radii)

    def to_bytes(self) -> bytes:
        """Write the model as an ``npz`` file."""
        file = BytesIO()
        np.savez(file, **{f.name: getattr(self, f.name) for f in fields(self)})
        return file.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read a model that ``to_bytes`` wrote, also with an earlier version that had fewer arrays.

        Raises:
            ValueError: The bytes are not such a file, or it is incomplete.
        """
        # NumPy would say of anything else how to load it unsafely.
        if not content.startswith(ZIP):
            raise ValueError("these bytes are not a model: they do not begin as a .npz file does")
        try:
            with np.load(BytesIO(content), allow_pickle=False) as arrays:
                names = [f.name for f in fields(cls) if f.name in arrays or _is_needed(f)]
                values = {name: _plain(arrays[name]) for name in names}
        # zipfile and numpy raise nearly anything for damaged bytes: BadZipFile, KeyError,
        # NotImplementedError, RuntimeError, MemoryError ...
        except Exception as error:
            raise ValueError(f"these bytes are not a model: {error}") from error
        return cls(**values)


def _measure_rows(labels: Labels, squares: NDArray[np.float64]) -> NDArray[np.float32]:
    """Measure how far whole scaled rows are from their centroids, also across the components.

    What shows something new lies where the components of the images fitted do not reach, and its
    projection may be near a centroid. ``squares`` are the squared norms of the scaled rows.
    """
    within = (labels.projected.astype(np.float64) ** 2).sum(axis=1)
    across = np.maximum(squares - within, 0)  # less than 0 by rounding only
    distances: NDArray[np.float32]
    distances = np.sqrt(labels.distances.astype(np.float64) ** 2 + across).astype(np.float32)
    return distances


def centred_blocks(
    features: NDArray[Any], mean: NDArray[np.float64]
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Yield ``features - mean``, a few rows at a time, each with the slice of its rows.

    The blocks share one buffer: the next one overwrites it.

    Args:
        features: uint8 or float, shape (n_samples, n_features).
        mean: Shape (n_features,).
    """
    n_rows = max(8, BLOCK_VALUES // features.shape[1])
    buffer = np.empty((min(n_rows, len(features)), features.shape[1]), np.float32)
    # For uint8, float32 is exact and three times as fast; others may need float64 to subtract.
    subtracted = mean.astype(np.float32) if features.dtype == np.uint8 else mean
    for start in range(0, len(features), n_rows):
        rows = features[start : start + n_rows]
        block = buffer[: len(rows)]
        if rows.dtype == np.uint8:
            np.copyto(block, rows)
            block -= subtracted
        else:
            np.subtract(rows, subtracted, out=block, casting="same_kind")
        yield slice(start, start + len(rows)), block


def _is_needed(of_model: "Field[Any]") -> bool:
    return of_model.default is MISSING and of_model.default_factory is MISSING


def _plain(array: NDArray[Any]) -> Any:
    """Turn an array without dimensions, as ``npz`` stores numbers and text, back into its value."""
    return array if array.ndim else array.item()
