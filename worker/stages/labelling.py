"""Labelling: the images of one batch are scaled, projected and assigned to clusters."""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shoal.shared.errors import ShardLostError, UsageError, show_call
from shoal.shared.jobs import Wave
from shoal.shared.redis.connection import RedisClient
from shoal.shared.store import Commit, Kind, Ledger, Results
from shoal.shared.store.rows import LABEL_ROW
from shoal.worker.model.model import FittedModel, Labels
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.runtime.heartbeat import BatchHeartbeat
from shoal.worker.stages.attempts import (
    MOST_BATCH_ATTEMPTS,
    describe_hopeless,
    fail_hopeless,
    keep_batch,
    log_batch,
    log_lost,
)

# A label row, as it is stored.
LABEL_DTYPE = np.dtype(
    [("label", "<i4"), *((name, "<f4") for name in ("distance", "pc1", "pc2", "x", "y"))]
)
assert LABEL_DTYPE.itemsize == LABEL_ROW.size  # noqa: S101  both sides of the store agree


def label_batch(context: WorkerContext, job_id: str, batch: int, redelivered: bool) -> Commit:
    """Label one batch and commit its rows."""
    ledger = context.ledger(job_id)
    attempt = ledger.batches.start(Wave.LABELLING, batch, redelivered)
    if attempt is None:
        return Commit.STALE
    if attempt.number > MOST_BATCH_ATTEMPTS:
        detail = describe_hopeless(ledger, Wave.LABELLING, batch)
        return fail_hopeless(context, ledger, Wave.LABELLING, detail)
    if attempt.number > 1:
        log_lost(ledger, Wave.LABELLING, batch, attempt.number)
    try:
        with keep_batch(context, ledger, Wave.LABELLING, batch) as heartbeat:
            context.check_place(job_id)
            commit, seconds = _label(context, ledger, batch, attempt.token, heartbeat)
    except (ShardLostError, UsageError) as error:
        # Another attempt would end the same way; a retry loads what is lost.
        detail = f"{str(error).rstrip('.')} ({show_call(job_id, 'retry')} continues the job)"
        return fail_hopeless(context, ledger, Wave.LABELLING, detail)
    outcome = {"attempt": attempt.number, "commit": commit, "seconds": seconds}
    log_batch(ledger, Wave.LABELLING, batch, **outcome)
    return commit


def _label(
    context: WorkerContext, ledger: Ledger, batch: int, token: str, heartbeat: BatchHeartbeat
) -> tuple[Commit, float]:
    """Label a batch and commit its rows; ``token`` is of the attempt."""
    results = context.results(ledger.job_id)
    model_token = results.model_token()
    are_projected = ledger.request.coordinates_of is not None
    labelled = label_features(results, batch, model_token, are_projected=are_projected)
    coordinates = labelled.coordinates
    seconds = heartbeat.seconds

    def send(shards: Mapping[Kind, str]) -> Commit:
        return ledger.batches.commit_labelling(
            batch, labelled.rows, model_token, seconds, shards, labelled.far
        )

    contents = {Kind.COORDINATES: [coordinates]} if coordinates else {}
    return results.shards.commit(batch, token, contents, send), seconds


class LabelledBatch(NamedTuple):
    """What is stored of a labelled batch.

    Attributes:
        rows: Its label rows.
        coordinates: Of its images, float32 of shape (n_rows, n_components).
        far: A byte for each image, 1 if it is far; empty if the model does not say.
    """

    rows: bytes
    coordinates: bytes
    far: bytes


def label_features(
    results: Results, batch: int, token: str, *, are_projected: bool = False
) -> LabelledBatch:
    """Label the rows of a batch with the model that was written under ``token``.

    ``are_projected`` tells that the rows are coordinates instead of features.

    Raises:
        ShardLostError: Its features are missing or damaged.
    """
    shape = results.shape(batch)
    if not shape.rows:
        return LabelledBatch(b"", b"", b"")
    features = np.frombuffer(results.features(batch, shape), shape.dtype)
    features = features.reshape(shape.rows, shape.columns)
    model = read_model(results.client, results.job_id, token)
    labels = model.label_projected(features) if are_projected else model.label(features)
    rows = _pack_labels(labels, model.place(labels.projected))
    coordinates = labels.projected.astype("<f4", copy=False).tobytes()
    return LabelledBatch(rows, coordinates, labels.far.tobytes())


@lru_cache(maxsize=4)
def read_model(client: RedisClient, job_id: str, token: str) -> FittedModel:
    """Read the model of a job, written under ``token``; a process keeps those it used last."""
    return FittedModel.from_bytes(Results(client, job_id).model(token))


def _pack_labels(labels: Labels, positions: NDArray[np.float32]) -> bytes:
    rows = np.empty(len(labels.labels), LABEL_DTYPE)
    rows["label"] = labels.labels
    rows["distance"] = labels.distances
    rows["pc1"], rows["pc2"] = labels.coordinates.T
    rows["x"], rows["y"] = positions.T
    return rows.tobytes()
