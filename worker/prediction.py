"""Prediction: the clusters of image files by the model of a job, without any server."""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from shoal.shared.cores import count_cores
from shoal.shared.errors import UnreadableImageError, UsageError
from shoal.shared.findings import Failure
from shoal.shared.images.files import ImageLimits, StrPath
from shoal.shared.recipe.features import RESULTS_VERSION
from shoal.shared.settings import Settings, read_settings
from shoal.worker.extractors import Extractor, extract_blocks, find_extractors
from shoal.worker.images.loading import load_image
from shoal.worker.model.model import FittedModel, Labels
from shoal.worker.model.provenance import Provenance

# As many as a worker extracts at once: 64 of 512 × 512 pixels take 50 MB.
CHUNK_IMAGES = 64


@dataclass(frozen=True, kw_only=True)
class Assigned:
    """The clusters of image files; row n of each array is of the image ``paths[n]``.

    Attributes:
        paths: The images that could be read, in the order in which they were given.
        labels: Number of each one's cluster, -1 for none; int32 of shape (n_images,).
        distances: Distance to the centroid of its cluster, without a cluster to the nearest one;
            float32 of shape (n_images,).
        coordinates: Principal components, float32 of shape (n_images, n_components).
        far: Whether it is farther from its cluster than that reaches; shape (n_images,), empty if
            the model does not say how far that is.
        failures: The images that could not be read, each with the cause.
    """

    paths: list[str]
    labels: NDArray[np.int32]
    distances: NDArray[np.float32]
    coordinates: NDArray[np.float32]
    far: NDArray[np.bool_]
    failures: list[Failure]


class Model:
    """The model of a job, which finds the clusters of image files without any server.

        from shoal import Model

        model = Model.load("results/model.npz")
        labels = model.predict(["new/1.jpg", "new/2.jpg"])

    On the machine and with the versions of the job, an image that the job has gets the label, the
    distance and the coordinates that it has there, to the last bit.

    Attributes:
        features: What is compared, as in the job's request.
        image_size: Width and height that images are resized to, in pixels.
        centroids: Centres of the clusters, float64 of shape (n_clusters, n_components).
    """

    def __init__(self, fitted: FittedModel, settings: Settings) -> None:
        self._fitted = fitted
        self._settings = settings
        self._provenance = _read_provenance(fitted)
        self._extractors = find_extractors(fitted.features, settings.embedding_model)
        for extractor in self._extractors:
            _check_extractor(extractor, self._provenance)
        self.features = fitted.features
        self.image_size = fitted.image_size
        self.centroids = fitted.centroids

    @classmethod
    def load(cls, path: StrPath, *, embedding_model: StrPath | None = None) -> Self:
        """Load the ``model.npz`` of a job.

        Args:
            path: The file.
            embedding_model: ONNX file of the features ``embedding``; None takes
                ``SHOAL_EMBEDDING_MODEL``, or the model that Shoal ships.

        Raises:
            UsageError: It is no such file, or what the job extracted its features with is missing
                here or differs.
            OSError: It cannot be read.
        """
        return cls.from_bytes(Path(path).read_bytes(), embedding_model=embedding_model)

    @classmethod
    def from_bytes(cls, content: bytes, *, embedding_model: StrPath | None = None) -> Self:
        """Load what ``Job.model`` returns; the arguments and errors are those of ``load``."""
        try:
            fitted = FittedModel.from_bytes(content)
        except ValueError as error:
            raise UsageError(f"This is not the model.npz of a job: {error}.") from error
        settings = read_settings()
        if embedding_model is not None:
            settings = replace(settings, embedding_model=Path(embedding_model).absolute())
        return cls(fitted, settings)

    def __repr__(self) -> str:
        return (
            f"Model(features={self.features!r}, image_size={self.image_size},"
            f" n_clusters={self.n_clusters}, n_components={self.n_components})"
        )

    @property
    def n_clusters(self) -> int:
        """Number of clusters."""
        return int(self.centroids.shape[0])

    @property
    def n_components(self) -> int:
        """Number of principal components."""
        return int(self.centroids.shape[1])

    def predict(self, paths: Iterable[StrPath], *, n_jobs: int = -1) -> NDArray[np.int32]:
        """Find the cluster of each image file.

        Args:
            paths: The files. JPEG, PNG and whatever else a job reads.
            n_jobs: Threads that decode and extract; -1 is one for each core.

        Returns:
            The number of each one's cluster, -1 for none; shape (n_images,).

        Raises:
            UnreadableImageError: A file cannot be used (``assign`` goes on without it).
        """
        return self._assign_all(paths, n_jobs).labels

    def transform(self, paths: Iterable[StrPath], *, n_jobs: int = -1) -> NDArray[np.float32]:
        """Project each image file on the principal components; arguments as for ``predict``.

        Returns:
            Coordinates of shape (n_images, n_components).

        Raises:
            UnreadableImageError: A file cannot be used (``assign`` goes on without it).
        """
        return self._assign_all(paths, n_jobs).coordinates

    def assign(self, paths: Iterable[StrPath], *, n_jobs: int = -1) -> Assigned:
        """Find clusters, distances and coordinates; arguments as for ``predict``.

        Returns:
            Those of the files that can be used, and why the others cannot.
        """
        if isinstance(paths, (str, bytes, os.PathLike)):
            raise UsageError(f"Several paths are expected: use [{paths!r}], or list the folder.")
        files = [os.fsdecode(path) for path in paths]
        n_threads = count_cores() if n_jobs == -1 else n_jobs
        if n_threads < 1:
            raise UsageError(f"`n_jobs={n_jobs}` is neither a number of threads nor -1.")
        length = max(1, min(CHUNK_IMAGES, -(-len(files) // n_threads)))
        chunks = [files[start : start + length] for start in range(0, len(files), length)]
        # BLAS with one thread, as in workers: with more, sums may have other bits.
        with threadpool_limits(1), ThreadPoolExecutor(n_threads) as pool:
            try:
                parts = list(pool.map(self._assign_chunk, chunks or [[]]))
            finally:
                pool.shutdown(cancel_futures=True)
        return _join(parts)

    def _assign_all(self, paths: Iterable[StrPath], n_jobs: int) -> Assigned:
        assigned = self.assign(paths, n_jobs=n_jobs)
        for failure in assigned.failures:
            detail = f"{failure.path}: {failure.detail} (`assign` goes on without such files)"
            raise UnreadableImageError(failure.reason, detail)
        return assigned

    def _assign_chunk(self, paths: Sequence[str]) -> Assigned:
        loaded, failures = list[str](), list[Failure]()
        pixels = np.empty((len(paths), self.image_size, self.image_size, 3), np.uint8)
        for path in paths:
            try:
                pixels[len(loaded)] = load_image(path, self.image_size, self._limits())
                loaded.append(path)
            except UnreadableImageError as error:
                failures.append(Failure(path, error.reason, error.detail))
        labels = self._label(pixels[: len(loaded)])
        return Assigned(
            paths=loaded,
            labels=labels.labels,
            distances=labels.distances,
            coordinates=labels.projected,
            far=labels.far,
            failures=failures,
        )

    def _limits(self) -> ImageLimits:
        settings = self._settings
        sizes = (settings.max_image_bytes, settings.max_image_pixels)
        return ImageLimits(*sizes, find_ranges=lambda: self._provenance.value_ranges)

    def _label(self, pixels: NDArray[np.uint8]) -> Labels:
        features, _ = extract_blocks(self._extractors, pixels)
        try:
            return self._fitted.label(features)
        except ValueError as error:  # a model of an earlier version, which notes no digests
            raise UsageError(f"The features {self.features!r} differ here: {error}.") from error


def _read_provenance(fitted: FittedModel) -> Provenance:
    """Read how the rows of a model were made.

    Raises:
        UsageError: In a way that this Shoal does not know.
    """
    try:
        provenance = Provenance.from_text(fitted.provenance)
    except ValueError as error:
        raise UsageError(f"This model.npz is damaged: {error}.") from error
    if not provenance.results_version or not fitted.image_size:
        raise UsageError(
            "This model.npz does not say how its features were extracted, as it is of an earlier"
            " version of Shoal: submit the folder again, with `force=True`."
        )
    if provenance.results_version != RESULTS_VERSION:
        raise UsageError(
            "This model.npz is of a version of Shoal that extracts other features from the same"
            " images: use that version, or submit the folder again with this one."
        )
    return provenance


def _check_extractor(extractor: Extractor, provenance: Provenance) -> None:
    """Check that an extractor is the one of the job.

    Raises:
        UsageError: It gives other features.
    """
    name = extractor.name
    if extractor.digest != provenance.digests.get(name, ""):
        remedy = " give the job's ONNX file as `embedding_model`, or" if name == "embedding" else ""
        raise UsageError(
            f"The model for the features {name!r} is another one here than in the job:{remedy}"
            " submit the folder again."
        )
    if extractor.code != provenance.codes.get(name, ""):
        raise UsageError(
            f"The code of the features {name!r} is another one here than in the job: install that"
            " version of its package, or submit the folder again."
        )


def _join(parts: Sequence[Assigned]) -> Assigned:
    return Assigned(
        paths=list(chain.from_iterable(part.paths for part in parts)),
        labels=np.concatenate([part.labels for part in parts]),
        distances=np.concatenate([part.distances for part in parts]),
        coordinates=np.concatenate([part.coordinates for part in parts]),
        far=np.concatenate([part.far for part in parts]),
        failures=list(chain.from_iterable(part.failures for part in parts)),
    )
