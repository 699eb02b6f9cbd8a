"""The plots of one job that are to be drawn again, because its clusters have other names now."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from shoal.shared.redis.connection import RedisClient
from shoal.shared.store import scripts
from shoal.shared.store.keys import JobKeys, outdated
from shoal.shared.store.protocols import read_protocol

# Plots whose drawing ended so many processes stay as they are.
MOST_ATTEMPTS = 3


@dataclass(frozen=True)
class Drawing:
    """Plots that are being drawn: those of these findings, with these names or later ones."""

    findings_token: str
    revision: int


class OutdatedPlots:
    """Whether one job's plots are to be drawn again; ``ClusterNames`` notes that they are."""

    def __init__(self, client: RedisClient, job_id: str) -> None:
        self.client = client
        self.keys = JobKeys(job_id)

    @cached_property
    def _outdated(self) -> str:
        return outdated(read_protocol(self.client, self.keys.job_id))

    def are_outdated(self) -> bool:
        """Return whether the plots are still to be drawn again."""
        return bool(self.client.sismember(self._outdated, self.keys.job_id))

    def begin(self) -> Drawing | None:
        """Begin to draw the plots; None if there is nothing to do, or it ended processes before."""
        names = [self.keys.job, self._outdated]
        reply = scripts.run(self.client, "begin_plots", names, self.keys.job_id, MOST_ATTEMPTS)
        return Drawing(reply[0].decode(), int(reply[1])) if reply else None

    def put(self, drawing: Drawing, plots: Mapping[str, bytes]) -> bool:
        """Replace plots, PNG by name, all in one step; those that are not among them stay.

        Returns:
            Whether they count: not if the job has other findings meanwhile, or somebody has drawn
            them with later names.
        """
        names = [self.keys.job, self._outdated, self.keys.plots(drawing.findings_token)]
        flat = (value for pair in plots.items() for value in pair)
        told = (self.keys.job_id, drawing.findings_token, drawing.revision)
        return bool(scripts.run(self.client, "put_plots", names, *told, *flat))
