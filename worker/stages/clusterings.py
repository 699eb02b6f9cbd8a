"""What all fits have in common: enough images, and the algorithm that was asked for."""

from typing import TYPE_CHECKING

from shoal.shared.errors import JobFailedError, show_call
from shoal.shared.jobs import JobRequest
from shoal.shared.recipe.fit import count_starts, least_images
from shoal.worker import Checkpoint

if TYPE_CHECKING:
    from shoal.worker.clustering.clustering import Clustering

# With fewer different images, copies count: their groups are then what there is to find. As many
# clusters are tried where their number is to be chosen.
LEAST_DISTINCT = 20


def check_enough(n_rows: int, request: JobRequest, job_id: str) -> None:
    """Raise JobFailedError unless there are as many images as clusters."""
    failures = show_call(job_id, "failures")
    if not n_rows:
        raise JobFailedError(f"No image could be read ({failures} lists each with its cause).")
    if n_rows < least_images(request):
        raise JobFailedError(
            f"{request.clusters} clusters need as many images, and {n_rows} could be read:"
            f" use `clusters={n_rows}` or less, or mend the others ({failures} lists them)."
        )


def make_clustering(request: JobRequest, checkpoint: Checkpoint) -> "Clustering":
    """Make what finds the clusters of a job."""
    # scikit-learn takes 2 s to import, and most processes never fit a model.
    from shoal.worker.clustering.clustering import Clustering

    return Clustering(
        algorithm=request.algorithm,
        n_clusters=request.clusters,
        level=request.level,
        random_state=request.random_state,
        n_init=count_starts(request),
        checkpoint=checkpoint,
    )
