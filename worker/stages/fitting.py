"""Fitting: the model of a job, once all batches are loaded."""

from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shoal.shared.errors import JobFailedError
from shoal.shared.findings import ClusterChoice
from shoal.shared.jobs import JobRequest, State, Wave
from shoal.shared.recipe.features import RESULTS_VERSION
from shoal.shared.recipe.fit import count_landmarks, follows_tutorial, plan_fit
from shoal.shared.store import Ledger, Results
from shoal.shared.wire import encode
from shoal.worker import Checkpoint
from shoal.worker.clustering.rows import Rows
from shoal.worker.clustering.sampling import choose_rows
from shoal.worker.model.model import FittedModel
from shoal.worker.model.numbering import number_by_size
from shoal.worker.model.provenance import Provenance
from shoal.worker.model.statistics import FeatureStatistics
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.stages.callback import hold_lease
from shoal.worker.stages.clusterings import LEAST_DISTINCT, check_enough, make_clustering
from shoal.worker.stages.copies import find_copies
from shoal.worker.stages.feature_rows import FeatureRows
from shoal.worker.stages.previous import number_as_before, take_model, take_names, take_over
from shoal.worker.stages.reclustering import cluster_coordinates

if TYPE_CHECKING:
    from shoal.worker.clustering.clustering import Clustering

# Fixed, so that sums of floats have the same bits in every process.
STATISTICS_ROWS = 1024
# Fewer rows, if they are long: squares of bytes take twice the memory of the rows.
STATISTICS_VALUES = 2**24
# Before the name of what a job's workers have agreed on.
AGREED = "digest:"


def fit_job(context: WorkerContext, job_id: str) -> None:
    """Fit the job's model and start labelling, or fail the job with a reason."""
    with hold_lease(context, job_id, Wave.LOADING) as held:
        if held is None:
            return
        results, request = context.results(job_id), held.ledger.request
        fit_memory = context.settings.fit_memory
        known = take_over(context, held)
        if request.takes_model:
            model, choice = take_model(results), results.choice()
            n_matched = len(model.centroids)
            model_of = request.model_of or (known.previous.job_id if known else "")
            take_names(results, model_of, range(n_matched))
        elif request.coordinates_of:
            earlier = context.results(request.coordinates_of)
            model, choice = cluster_coordinates(
                results, earlier, request, fit_memory, held.checkpoint
            )
        else:
            model, choice = make_model(results, request, fit_memory, held.checkpoint)
            if known:
                model, n_matched = number_as_before(model, known, results, held.checkpoint)
        compared = {"compared": encode(known.describe(n_matched)).decode()} if known else {}
        results.put_model(held.token, _note_provenance(model, held.ledger).to_bytes())
        chosen = {"choice": encode(choice).decode()} if choice else {}
        # Of coordinates, that of the job that loaded the images.
        versions = {} if request.coordinates_of else {"results_version": RESULTS_VERSION}
        held.advance(State.LABELLING, model_token=held.token, **versions, **chosen, **compared)
        context.messages.send_wave(job_id, Wave.LABELLING, results.n_batches())


def _note_provenance(model: FittedModel, ledger: Ledger) -> FittedModel:
    """Note in the model how the job's rows were made, for whoever labels other images by it."""
    fields = ledger.fields_of_model().items()
    agreed = {k.removeprefix(AGREED): v for k, v in fields if k.startswith(AGREED)}
    known = Provenance.from_text(model.provenance)
    provenance = known.note(ledger.request.algorithm, agreed)
    if ledger.request.coordinates_of:  # the job that loaded the images made the rows
        provenance = replace(provenance, results_version=known.results_version)
    return replace(model, provenance=provenance.to_text())


def make_model(
    results: Results, request: JobRequest, fit_memory: int, checkpoint: Checkpoint
) -> tuple[FittedModel, ClusterChoice | None]:
    """Fit the model on all rows, or on a fixed sample if they exceed ``fit_memory`` bytes.

    The second value tells how the number of clusters was chosen, if it was.

    Raises:
        JobFailedError: The images are too few for what was asked, or HDBSCAN found no cluster.
        WorkLostError: The job was cancelled or taken over meanwhile.
    """
    shapes = results.shapes()
    n_rows = sum(shape.rows for shape in shapes)
    check_enough(n_rows, request, results.job_id)
    n_features = max(shape.columns for shape in shapes)
    _check_components(n_rows, n_features, request)
    form = next(shape for shape in shapes if shape.rows)
    size = plan_fit(request, n_rows, n_features, np.dtype(form.dtype).itemsize, fit_memory)
    chosen = choose_rows(n_rows, size.n_rows, request.random_state)
    features = FeatureRows(results, shapes, checkpoint)
    clustering = make_clustering(request, checkpoint)
    fit = _Fit(features, request, clustering, size.n_components, _sum_statistics(results))
    copies = np.empty(0, np.intp)
    if not follows_tutorial(request):  # it is fitted on all images, as scikit-learn's models are
        found = find_copies(features, chosen, fit.statistics, request.features)
        results.put_near_copies(found.near.tobytes())
        copies = found.positions
    model, choice = fit.fit_without(chosen, copies)
    return replace(model, features=request.features, image_size=request.image_size), choice


@dataclass(frozen=True)
class _Fit:
    """The fit of a job: ``statistics`` are those of all images."""

    features: FeatureRows
    request: JobRequest
    clustering: "Clustering"
    n_components: int
    statistics: FeatureStatistics

    def fit_without(
        self, chosen: NDArray[np.int64], copies: NDArray[np.intp]
    ) -> tuple[FittedModel, ClusterChoice | None]:
        """Fit the ``chosen`` rows without those at ``copies``, if that leaves enough of them.

        The clusters are numbered by all of ``chosen``.
        """
        least = max(LEAST_DISTINCT, self.request.components or 0)
        if len(chosen) - len(copies) < least:
            return self._fit_rows(self.features.open(chosen), self.statistics)
        rows = self.features.open(np.delete(chosen, copies))
        if not len(copies):
            return self._fit_rows(rows, self.statistics)
        try:
            model, choice = self._fit_rows(rows, add_up(rows))
        except JobFailedError:
            # Where HDBSCAN finds no cluster among different images, groups of copies are clusters.
            return self._fit_rows(self.features.open(chosen), self.statistics)
        parts = (rows, self.features.open(chosen[copies]))
        return number_by_size(model, parts, self.clustering.checkpoint), choice

    def _fit_rows(
        self, rows: Rows, statistics: FeatureStatistics
    ) -> tuple[FittedModel, ClusterChoice | None]:
        from shoal.worker.model.blocks import choose_scale
        from shoal.worker.model.fitting import fit_model
        from shoal.worker.model.limits import set_limits

        widths = self.features.form.widths
        scale = choose_scale(rows, statistics, self.request.features, widths)
        model, choice = fit_model(
            *(rows, statistics.mean(), scale, self.clustering, self.n_components),
            n_landmarks=count_landmarks(self.request, self.statistics.n_samples),
        )
        return set_limits(model, rows, self.clustering.checkpoint), choice


def _check_components(n_rows: int, n_features: int, request: JobRequest) -> None:
    """Raise JobFailedError if more components are asked for than the images have."""
    most = min(n_rows, n_features)
    if request.components is not None and request.components > most:
        raise JobFailedError(
            f"{n_rows} images of {n_features} features have {most} principal components,"
            f" not {request.components}: use `components={most}` or less."
        )


def add_up(rows: Rows) -> FeatureStatistics:
    """Add up the statistics of rows, a few at a time.

    Args:
        rows: Shape (n_rows, n_features), at least one.
    """
    n_rows = min(STATISTICS_ROWS, max(1, STATISTICS_VALUES // rows.shape[1]))
    starts = range(0, len(rows), n_rows)
    parts = (FeatureStatistics.of(rows[start : start + n_rows]) for start in starts)
    return reduce(add, parts)


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
