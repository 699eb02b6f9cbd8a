"""What a finished job found: labels, failures, duplicates, plots, coordinates, the model."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shoal.producer.results.catalogue import Catalogue
from shoal.producer.results.names import check_names, with_names
from shoal.producer.results.vectors import Vectors, read_coordinates, read_features
from shoal.shared.errors import (
    JobCancelledError,
    JobFailedError,
    NotFinishedError,
    UsageError,
    show_call,
)
from shoal.shared.findings import Assignment, Duplicate, Failure, PlotName, Rows, Summary
from shoal.shared.jobs import State, Status
from shoal.shared.shards import Shards
from shoal.shared.store import ClusterNames, Kind, Ledger, Results

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class JobResults:
    """Reads what a job found.

    Attributes:
        id: The job's id, which all commands accept.
        ledger: Its ledger.
        results: What is stored of it.
    """

    def __init__(self, ledger: Ledger, place: Shards | None) -> None:
        """Set up without asking Redis.

        Args:
            ledger: The job's ledger.
            place: Where its shards are kept; None is that Redis.
        """
        self.id = ledger.job_id
        self.ledger = ledger
        self.results = Results(ledger.client, ledger.job_id, place)
        self._names = ClusterNames(ledger.client, ledger.job_id)

    def status(self) -> Status:
        """Return the job's state, progress and counts of images."""
        return self.ledger.status()

    def labels(self) -> Rows[Assignment]:
        """Yield each loaded image with its cluster, sorted by path.

        Of millions, they are read a part at a time; ``parts`` of what is returned has columns.
        """
        self._check_finished()
        return self.results.assignments(self._names.read())

    def failures(self) -> Rows[Failure]:
        """Yield each image that could not be used so far, with the reason, sorted by path."""
        self.status()
        return self.results.failures()

    def duplicates(self) -> Rows[Duplicate]:
        """Yield the images that are copies of each other or look alike, group by group.

        Raises:
            UsageError: The search for duplicates failed.
        """
        if self.summary().duplicates is None:
            raise UsageError(
                f"The search for duplicates of job {self.id} failed: the workers' log says why;"
                " submit the folder with `force=True` to search again."
            )
        return self.results.duplicates()

    def summary(self) -> Summary:
        """Return an overview of the results: clusters, representatives, outliers, names."""
        self._check_finished()
        return with_names(self.results.summary(), self._names.read())

    def names(self) -> dict[int, str]:
        """Return the names of clusters, by label; those that have none are missing."""
        self._check_finished()
        return self._names.read()

    def name_clusters(self, names: Mapping[int, str]) -> dict[int, str]:
        """Give clusters names, all or none of them; return the names of all.

        Clusters of one name, in whatever case, are one group: shown together, and put into one
        folder. Names are shown where clusters are, live as long as the results, and go over to the
        next job of the folder where a cluster keeps its number.

        Args:
            names: By label; "" takes a name away.

        Raises:
            UsageError: There is no such cluster, or a name has more than 100 characters or one that
                cannot be shown.
        """
        self._names.write(check_names(names, self.summary()))
        return self._names.read()

    def plots(self) -> dict[str, bytes]:
        """Return all plots as PNG, by name."""
        self._check_finished()
        return self.results.plots()

    def plot(self, name: str) -> bytes:
        """Return one plot as PNG.

        Args:
            name: ``"scatter"``, ``"contact-sheet"``, ``"sizes"``, ``"variance"`` or
                ``"choice"``.

        Raises:
            UsageError: There is no plot of this name, or it could not be drawn.
        """
        if name not in list(PlotName):
            raise UsageError(f"No plot {name!r}: choose {', '.join(PlotName)}.")
        plots = self.plots()
        if name == PlotName.CHOICE and not self.summary().choice:
            raise UsageError(
                "The number of clusters was given, so there is no choice to plot:"
                " use `clusters='auto'`."
            )
        if name not in plots:
            raise UsageError(f"The plot {name!r} could not be drawn: see the workers' log.")
        return plots[name]

    def coordinates(self) -> "NDArray[np.float32]":
        """Return the principal components of each loaded image, as long as there are results.

        Returns:
            Shape (n_images, n_components), in the order of ``labels``; the first two are its
            ``pc1`` and ``pc2``. 200 bytes an image, with 50 components.

        Raises:
            ShardLostError: They are missing or damaged where shards are kept.
        """
        return read_vectors(self, Kind.COORDINATES).to_array()

    def features(self) -> "NDArray[Any]":
        """Return the features of each loaded image, which are kept for a day after the job's end.

        Returns:
            Shape (n_images, n_features), in the order of ``labels``; of ``pixels`` uint8, of others
            float32. 5 KB an image for ``embedding``.

        Raises:
            NotFinishedError: They have expired; ``coordinates`` stay as long as the results.
            ShardLostError: They are missing or damaged where shards are kept.
        """
        return read_vectors(self, Kind.FEATURES).to_array()

    def catalogue(self) -> Catalogue:
        """Return the job's images for look-up by number, by path and by cluster."""
        self._check_finished()
        return Catalogue(self.results)

    def model(self) -> bytes:
        """Return the fitted model as the bytes of a NumPy ``.npz`` file."""
        self._check_finished()
        return self.results.model()

    def _check_finished(self) -> Status:
        status = self.status()
        if not status.state.is_final:
            lack = self._describe_lack(status)
            raise NotFinishedError(
                f"Job {self.id} is {status.state}, and has no result yet{lack and f'; {lack}'}"
                f" (wait for it with {show_call(self.id, 'wait')})."
            )
        return check_finished(status)

    def _describe_lack(self, status: Status | None) -> str:  # noqa: ARG002  a client's job uses it
        """Say that no worker is running that takes the job; "" if any is, or if nobody knows."""
        return ""


def read_vectors(job: JobResults, kind: Kind) -> Vectors:
    """Read the features or the coordinates of a finished job, a batch at a time.

    Raises:
        NotFinishedError: There are none yet, or not any more.
        UsageError: Its images were loaded by another job.
        ShardLostError: They are missing or damaged, as is told once they are read.
    """
    n_components = job.summary().n_components
    if kind is Kind.FEATURES:
        if other := job.status().request.coordinates_of:
            raise UsageError(
                f"Job {job.id} loads no images: their features are those of job {other}"
                f" ({show_call(other, 'features')})."
            )
        return read_features(job.results)
    return read_coordinates(job.results, job.status().images.loaded, n_components)


def check_finished(status: Status) -> Status:
    """Return ``status`` if the job finished; raise if it failed or was cancelled."""
    if status.state is State.FAILED:
        raise JobFailedError(status.error or "The job failed.")
    if status.state is State.CANCELLED:
        raise JobCancelledError(f"Job {status.job_id} was cancelled.")
    return status
