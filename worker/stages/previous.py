"""The job before: what a job takes over from it, so that clusters keep their numbers.

What is taken over is stored with the job: a retry then gives the same numbers, whatever has become
of the job before. Images are counted again as long as that is there.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Self

import numpy as np
from numpy.typing import NDArray
from redis import RedisError

from shoal.shared.errors import JobFailedError, NotFinishedError, StoreUnavailableError, show_call
from shoal.shared.jobs import Previous, State
from shoal.shared.store import ClusterNames, Results
from shoal.shared.wire import decode, encode
from shoal.worker import Checkpoint
from shoal.worker.clustering.matching import match_clusters
from shoal.worker.clustering.sampling import choose_rows
from shoal.worker.model.model import FittedModel
from shoal.worker.model.numbering import LABELLED_ROWS, renumber
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.runtime.heartbeat import WorkLostError
from shoal.worker.stages.callback import HeldLease
from shoal.worker.stages.copies import read_hashes
from shoal.worker.stages.feature_rows import FeatureRows
from shoal.worker.stages.labelling import LABEL_DTYPE

# Clusters are matched by at most so many images: 400 KB, and a second of labelling.
MATCHED_IMAGES = 2**15
# By fewer, if their features are large: 512 × 512 pixels take 0.8 MB. They are read in parts.
MATCHED_BYTES, PART_BYTES = 2**28, 2**26
LEAST_MATCHED = 1024

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Known:
    """What a job takes over from the job before.

    Attributes:
        previous: That job, with the counts of images.
        contents: Digests of images that both have, ascending, each once; shape (n_images,).
        labels: The cluster of each of these there, -1 for noise; shape (n_images,).
    """

    previous: Previous
    contents: NDArray[np.uint64]
    labels: NDArray[np.int32]

    def describe(self, n_matched: int) -> Previous:
        """Return the comparison with the job before, for the status."""
        values = {**vars(self.previous), "n_matched": n_matched}
        return Previous(**values)

    def to_bytes(self) -> bytes:
        """Write this for the store."""
        file = BytesIO()
        np.savez(
            file,
            previous=np.frombuffer(encode(self.previous), np.uint8),
            contents=self.contents,
            labels=self.labels,
        )
        return file.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read what ``to_bytes`` wrote."""
        with np.load(BytesIO(content), allow_pickle=False) as arrays:
            return cls(
                previous=decode(arrays["previous"].tobytes(), Previous),
                contents=arrays["contents"],
                labels=arrays["labels"],
            )


def take_over(context: WorkerContext, held: HeldLease) -> Known | None:
    """Take over what the job needs of the job before, or what it took over before a retry.

    Returns:
        None if there is no job before, or if its labels have expired: the log says so then.

    Raises:
        WorkLostError: The job was cancelled or taken over meanwhile.
    """
    ledger = held.ledger
    results, request = context.results(ledger.job_id), ledger.request
    if stored := results.known():
        return _count_again(Known.from_bytes(stored), context, held)
    job_id = ledger.fields().get("previous")
    if not job_id:
        return None
    try:
        known = _compare(results, context.results(job_id), request.random_state, held.checkpoint)
    except (WorkLostError, RedisError, StoreUnavailableError):
        raise
    except Exception as error:
        event = {"job": ledger.job_id, "stage": State.FITTING}
        # It has expired, or is retried; anything else is a defect, of which the log must tell.
        cause = None if isinstance(error, NotFinishedError) else error
        logger.warning("nothing taken over from job %s", job_id, exc_info=cause, extra=event)
        return None
    results.put_known(known.to_bytes())
    return known


def _count_again(known: Known, context: WorkerContext, held: HeldLease) -> Known:
    """Count again which images both jobs have: a retry may have loaded others than before.

    As they were, if the job before is gone.
    """
    ledger, earlier = held.ledger, context.results(known.previous.job_id)
    results, random_state = context.results(ledger.job_id), ledger.request.random_state
    try:
        found = _compare(results, earlier, random_state, held.checkpoint)
    except (NotFinishedError, ValueError):  # parts of it may be left
        return known
    return replace(known, previous=found.previous)


def _compare(
    results: Results, earlier: Results, random_state: int, checkpoint: Checkpoint
) -> Known:
    """Compare the images of two jobs by the digests of their files.

    An image's cluster depends on its content alone, so paths need no comparison: a file that was
    moved is the same image.

    Raises:
        NotFinishedError: The earlier one has expired, or is at work again.
    """
    token = earlier.model_token()
    theirs, _ = read_hashes(earlier)
    checkpoint()
    labels = np.concatenate(
        [np.frombuffer(raw, LABEL_DTYPE)["label"].copy() for raw in earlier.labels()]
    )
    if earlier.model_token() != token or len(labels) != len(theirs):
        raise NotFinishedError(f"Job {earlier.job_id} was retried meanwhile.")
    checkpoint()
    mine, _ = read_hashes(results)
    distinct, counts = np.unique(mine, return_counts=True)
    known, firsts, earlier_counts = np.unique(theirs, return_index=True, return_counts=True)
    shared, here, there = np.intersect1d(distinct, known, assume_unique=True, return_indices=True)
    n_shared = int(np.minimum(counts[here], earlier_counts[there]).sum())
    previous = Previous(
        job_id=earlier.job_id,
        n_new=len(mine) - n_shared,
        n_gone=len(theirs) - n_shared,
        n_shared=n_shared,
    )
    chosen = choose_rows(len(shared), MATCHED_IMAGES, random_state)
    return Known(previous=previous, contents=shared[chosen], labels=labels[firsts[there[chosen]]])


def take_model(results: Results) -> FittedModel:
    """Return the model of another job, with which this one labels its images.

    Raises:
        JobFailedError: There is none, or it does not go together with the features of this job.
    """
    given = results.given_model()
    if given is None:
        raise JobFailedError("The model that labels the images is gone: submit them again.")
    model = FittedModel.from_bytes(given)
    shapes = [shape for shape in results.shapes() if shape.rows]
    if not shapes:
        failures = show_call(results.job_id, "failures")
        raise JobFailedError(f"No image could be read ({failures} lists each with its cause).")
    if any(shape.columns != len(model.mean) for shape in shapes):
        raise JobFailedError(
            f"The model is for {len(model.mean)} features, and the images have"
            f" {shapes[0].columns}: submit the folder as a new job, with a model of its own."
        )
    return model


def number_as_before(
    model: FittedModel, known: Known, results: Results, checkpoint: Checkpoint
) -> tuple[FittedModel, int]:
    """Give the clusters of a model the numbers that the same images had in the job before.

    With its number, a cluster takes over its name.

    Returns:
        The model, and how many clusters have the number of their counterpart.

    Raises:
        WorkLostError: The job was cancelled or taken over meanwhile.
    """
    n_clusters = len(model.centroids)
    contents, _ = read_hashes(results)
    distinct, firsts = np.unique(contents, return_index=True)
    _, here, there = np.intersect1d(
        distinct, known.contents, assume_unique=True, return_indices=True
    )
    features = FeatureRows(results, results.shapes(), checkpoint)
    most = max(LEAST_MATCHED, MATCHED_BYTES // features.row_bytes)
    chosen = choose_rows(len(here), most, 0)
    rows, labels_before = firsts[here[chosen]], known.labels[there[chosen]]
    order = np.argsort(rows)  # they are read in the order in which they are stored
    labels = _label_rows(model, features, rows[order])
    matching = match_clusters(labels, labels_before[order], n_clusters)
    take_names(results, known.previous.job_id, matching.kept.tolist())
    return renumber(model, matching.numbers), matching.n_matched


def take_names(results: Results, job_id: str, labels: Collection[int]) -> None:
    """Take over the names that clusters have in another job, as far as it has any."""
    names, theirs = (ClusterNames(results.client, each) for each in (results.job_id, job_id))
    names.take_over(theirs, labels)


def _label_rows(
    model: FittedModel, features: FeatureRows, rows: NDArray[np.int64]
) -> NDArray[np.int32]:
    parts = [np.empty(0, np.int32)]
    n_rows = max(1, min(LABELLED_ROWS, PART_BYTES // features.row_bytes))
    for start in range(0, len(rows), n_rows):
        read = features.read(rows[start : start + n_rows])
        parts.append(model.label(read).labels)
    return np.concatenate(parts)
