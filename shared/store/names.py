"""The names that users give to the clusters of a job."""

from collections.abc import Collection, Mapping
from functools import cached_property

from shoal.shared.errors import NotFinishedError, show_call
from shoal.shared.jobs import State
from shoal.shared.redis.connection import RedisClient
from shoal.shared.store import scripts
from shoal.shared.store.keys import JobKeys, outdated
from shoal.shared.store.protocols import read_protocol


class ClusterNames:
    """The names of one job's clusters; they expire with the job."""

    def __init__(self, client: RedisClient, job_id: str) -> None:
        self.client = client
        self.keys = JobKeys(job_id)

    @cached_property
    def _outdated(self) -> str:
        return outdated(read_protocol(self.client, self.keys.job_id))

    def read(self) -> dict[int, str]:
        """Return the names by label, ascending; clusters that have none are missing."""
        found = self.client.hgetall(self.keys.names)
        return dict(sorted((int(label), name.decode()) for label, name in found.items()))

    def write(self, names: Mapping[int, str]) -> None:
        """Give clusters names, all or none of them; "" takes a name away.

        Raises:
            NotFinishedError: The job has not finished.
        """
        if not self._put(State.FINISHED, names):
            job_id = self.keys.job_id
            raise NotFinishedError(
                f"Job {job_id} has no clusters to name ({show_call(job_id, 'status')} says how it"
                " stands)."
            )

    def take_over(self, earlier: "ClusterNames", labels: Collection[int]) -> None:
        """Take the names of an earlier job's clusters over, for those of ``labels``.

        Nothing is written unless the job is being fitted, or the names would never expire.
        """
        self._put(
            State.FITTING,
            {label: name for label, name in earlier.read().items() if label in labels},
        )

    def _put(self, state: State, names: Mapping[int, str]) -> bool:
        flat = (value for pair in names.items() for value in pair)
        written = [self.keys.job, self.keys.names, self._outdated]
        told = (state, self.keys.job_id)
        return bool(scripts.run(self.client, "put_names", written, *told, *flat))
