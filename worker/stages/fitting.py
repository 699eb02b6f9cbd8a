"""Fitting: the model of a job, once all batches are loaded."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from shoal.shared.cores import count_cores
from shoal.shared.errors import JobFailedError, show_call
from shoal.shared.findings import ClusterChoice
from shoal.shared.jobs import JobRequest, State, Wave
from shoal.shared.recipe.fit import count_starts, least_images, plan_fit
from shoal.shared.store import Results
from shoal.shared.store.rows import Shape
from shoal.shared.wire import encode
from shoal.worker import Checkpoint
from shoal.worker.clustering.sampling import choose_rows, split_rows
from shoal.worker.model.model import Model
from shoal.worker.model.statistics import FeatureStatistics
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.stages.callback import hold_lease

# If fewer of a batch's rows are needed than this share, they are read one by one.
SPARSE = 0.25


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
    """Fit the model on all rows, or on a fixed sample if they exceed ``fit_memory`` bytes.

    The second value tells how the number of clusters was chosen, if it was.

    Raises:
        JobFailedError: The images are too few for what was asked, or HDBSCAN found no cluster.
        WorkLostError: The job was cancelled or taken over meanwhile.
    """
    # scikit-learn takes 2 s to import, and most processes never fit a model.
    from shoal.worker.clustering.clustering import Clustering
    from shoal.worker.model.blocks import choose_scale
    from shoal.worker.model.fitting import fit_model

    shapes = results.shapes()
    n_rows = sum(shape.rows for shape in shapes)
    _check_enough(n_rows, request, results.job_id)
    n_features = max(shape.columns for shape in shapes)
    _check_components(n_rows, n_features, request)
    form = next(shape for shape in shapes if shape.rows)
    size = plan_fit(request, n_rows, n_features, np.dtype(form.dtype).itemsize, fit_memory)
    chosen = choose_rows(n_rows, size.n_rows, request.random_state)
    rows = _read_rows(results, shapes, chosen, checkpoint)
    statistics = _sum_statistics(results)
    clustering = Clustering(
        algorithm=request.algorithm,
        n_clusters=request.clusters,
        level=request.level,
        random_state=request.random_state,
        n_init=count_starts(request),
        checkpoint=checkpoint,
    )
    scale = choose_scale(rows, statistics, request.features, form.widths)
    model, choice = fit_model(rows, statistics.mean(), scale, clustering, size.n_components)
    return replace(model, features=request.features, image_size=request.image_size), choice


def _check_enough(n_rows: int, request: JobRequest, job_id: str) -> None:
    """Raise JobFailedError unless there are as many images as clusters."""
    failures = show_call(job_id, "failures")
    if not n_rows:
        raise JobFailedError(f"No image could be read ({failures} lists each with its cause).")
    if n_rows < least_images(request):
        raise JobFailedError(
            f"{request.clusters} clusters need as many images, and {n_rows} could be read:"
            f" use `clusters={n_rows}` or less, or mend the others ({failures} lists them)."
        )


def _check_components(n_rows: int, n_features: int, request: JobRequest) -> None:
    """Raise JobFailedError if more components are asked for than the images have."""
    most = min(n_rows, n_features)
    if request.components is not None and request.components > most:
        raise JobFailedError(
            f"{n_rows} images of {n_features} features have {most} principal components,"
            f" not {request.components}: use `components={most}` or less."
        )


def _read_rows(
    results: Results, shapes: list[Shape], chosen: NDArray[np.int64], checkpoint: Checkpoint
) -> NDArray[np.generic]:
    """Read the ``chosen`` rows of the features of all batches, in manifest order."""
    form = next(shape for shape in shapes if shape.rows)
    rows = np.empty((len(chosen), form.columns), form.dtype)
    parts = split_rows(chosen, [shape.rows for shape in shapes])
    ends = np.cumsum([len(part) for part in parts])

    def read(batch: int) -> None:
        checkpoint()
        if n_rows := len(parts[batch]):
            part = _read_batch(results, batch, shapes[batch], parts[batch])
            rows[ends[batch] - n_rows : ends[batch]] = part

    # In threads: half of the time the kernel is giving out fresh memory page by page.
    with ThreadPoolExecutor(count_cores()) as pool:
        list(pool.map(read, range(len(parts))))  # raises what a thread raised
    return rows


def _read_batch(
    results: Results, batch: int, shape: Shape, positions: NDArray[np.int64]
) -> NDArray[np.generic]:
    """Read the rows of a batch at ``positions``: one by one if few, else the whole batch."""
    dtype = np.dtype(shape.dtype)
    if len(positions) < SPARSE * shape.rows:
        raw = results.feature_rows(batch, positions.tolist(), shape.columns * dtype.itemsize)
        return np.frombuffer(raw, dtype).reshape(len(positions), shape.columns)
    every = np.frombuffer(results.features(batch), dtype).reshape(shape.rows, shape.columns)
    return every if len(positions) == shape.rows else every[positions]


def _sum_statistics(results: Results) -> FeatureStatistics:
    """Add up the statistics of all rows; the sums are exact, so that the order does not matter."""
    parts = (FeatureStatistics.from_bytes(raw) for raw in results.statistics())
    total = None
    for part in parts:
        if part.n_samples:
            total = part if total is None else total + part
    if total is None:
        raise JobFailedError("No image could be read.")
    return total
