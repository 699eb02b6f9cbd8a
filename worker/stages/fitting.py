"""Fitting: the model of a job, once every batch is loaded."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from shoal.shared.cores import count_cores
from shoal.shared.errors import JobFailedError
from shoal.shared.findings import ClusterChoice
from shoal.shared.jobs import AUTO, JobRequest, State, Wave
from shoal.shared.store import Results
from shoal.shared.store.rows import Shape
from shoal.shared.wire import encode
from shoal.worker.checkpoint import Checkpoint
from shoal.worker.clustering.sampling import choose_rows, split_rows
from shoal.worker.model.model import Model
from shoal.worker.model.statistics import FeatureStatistics
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.stages.callback import hold_lease

DEFAULT_COMPONENTS = 50
# Below this share of a batch's rows, single rows are read.
SPARSE = 0.25
# Below this share of its mean square, the variance of a float32 feature is rounding.
ROUNDING = {"float32": 1e-10}
# Of KMeans, the best of which counts. The recipe of the origin has one; an embedding's few far
# images led one of five astray.
STARTS = 10
# What the fit holds for each row and component: its coordinate, twice.
COORDINATE_BYTES = 16


def fit_job(context: WorkerContext, job_id: str) -> None:
    """Fit the job's model and start labelling, or fail the job with a reason."""
    with hold_lease(context, job_id, Wave.LOADING) as held:
        if held is None:
            return
        results, request = context.results(job_id), held.ledger.request
        model, choice = make_model(results, request, context.settings.fit_memory, held.checkpoint)
        results.put_model(held.token, model.to_bytes())
        chosen = {"choice": encode(choice).decode()} if choice else {}
        held.advance(State.LABELLING, model_token=held.token, **chosen)
        context.messages.send_wave(job_id, Wave.LABELLING, results.n_batches())


def make_model(
    results: Results, request: JobRequest, fit_memory: int, checkpoint: Checkpoint
) -> tuple[Model, ClusterChoice | None]:
    """Return the model of all rows, or of a fixed sample where they exceed ``fit_memory`` bytes.

    With it comes how the number of clusters was chosen, if it was.

    Raises:
        JobFailedError: The images are too few for what was asked, or HDBSCAN found no cluster.
        WorkLostError: The job was cancelled or taken over meanwhile.
    """
    # scikit-learn takes 2 s to import, and most processes never fit.
    from shoal.worker.clustering.clustering import Clustering
    from shoal.worker.model.blocks import weigh_blocks
    from shoal.worker.model.fitting import fit_model

    shapes = results.shapes()
    n_rows = sum(shape.rows for shape in shapes)
    _check_enough(n_rows, request, results.job_id)
    n_features = max(shape.columns for shape in shapes)
    n_components = _count_components(request, n_rows, n_features)
    form = next(shape for shape in shapes if shape.rows)
    row_bytes = n_features * np.dtype(form.dtype).itemsize + COORDINATE_BYTES * n_components
    most = max(fit_memory // row_bytes, _least_rows(request), n_components)
    rows = _read_rows(results, shapes, choose_rows(n_rows, most, request.random_state), checkpoint)
    statistics = _sum_statistics(results)
    mean, scale = statistics.mean(), statistics.scale(ROUNDING.get(rows.dtype.name, 0.0))
    clustering = Clustering(
        algorithm=request.algorithm,
        n_clusters=request.clusters,
        random_state=request.random_state,
        n_init=1 if request.features == "pixels" and request.clusters != AUTO else STARTS,
        checkpoint=checkpoint,
    )
    scale = weigh_blocks(rows, mean, scale, form.widths)
    model, choice = fit_model(rows, mean, scale, clustering, n_components)
    return replace(model, features=request.features, image_size=request.image_size), choice


def _least_rows(request: JobRequest) -> int:
    """Return how many images a job's clusters need at least."""
    return 1 if request.clusters == AUTO else request.clusters


def _check_enough(n_rows: int, request: JobRequest, job_id: str) -> None:
    """Raise JobFailedError unless there are as many images as clusters."""
    failures = f"`shoal failures {job_id}`"
    if not n_rows:
        raise JobFailedError(f"No image could be read: {failures} lists each with its cause.")
    if n_rows < _least_rows(request):
        raise JobFailedError(
            f"{request.clusters} clusters need as many images, and {n_rows} could be read:"
            f" use --clusters {n_rows} or less, or mend those that {failures} lists."
        )


def _count_components(request: JobRequest, n_rows: int, n_features: int) -> int:
    """Return how many principal components to keep.

    Raises:
        JobFailedError: More were asked for than the images have.
    """
    most = min(n_rows, n_features)
    if request.components is None:
        return min(DEFAULT_COMPONENTS, most)
    if request.components > most:
        raise JobFailedError(
            f"{n_rows} images of {n_features} features have {most} principal components,"
            f" not {request.components}: use --components {most} or less."
        )
    return request.components


def _read_rows(
    results: Results, shapes: list[Shape], chosen: NDArray[np.int64], checkpoint: Checkpoint
) -> NDArray[np.generic]:
    """Return the ``chosen`` rows of the features of all batches, in manifest order."""
    form = next(shape for shape in shapes if shape.rows)
    rows = np.empty((len(chosen), form.columns), form.dtype)
    parts = split_rows(chosen, [shape.rows for shape in shapes])
    ends = np.cumsum([len(part) for part in parts])

    def read(batch: int) -> None:
        checkpoint()
        if n_rows := len(parts[batch]):
            part = _read_batch(results, batch, shapes[batch], parts[batch])
            rows[ends[batch] - n_rows : ends[batch]] = part

    # In threads: half of the time is the system's, which hands out fresh memory page by page.
    with ThreadPoolExecutor(count_cores()) as pool:
        list(pool.map(read, range(len(parts))))  # raises what one of them raised
    return rows


def _read_batch(
    results: Results, batch: int, shape: Shape, positions: NDArray[np.int64]
) -> NDArray[np.generic]:
    """Return the rows of a batch at ``positions``, reading no more than pays."""
    dtype = np.dtype(shape.dtype)
    if len(positions) < SPARSE * shape.rows:
        raw = results.feature_rows(batch, positions.tolist(), shape.columns * dtype.itemsize)
        return np.frombuffer(raw, dtype).reshape(len(positions), shape.columns)
    every = np.frombuffer(results.features(batch), dtype).reshape(shape.rows, shape.columns)
    return every if len(positions) == shape.rows else every[positions]


def _sum_statistics(results: Results) -> FeatureStatistics:
    """Return the statistics of all rows; exact sums, so that no order of batches shows."""
    parts = (FeatureStatistics.from_bytes(raw) for raw in results.statistics())
    total = None
    for part in parts:
        if part.n_samples:
            total = part if total is None else total + part
    if total is None:
        raise JobFailedError("No image could be read.")
    return total
