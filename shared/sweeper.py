"""The sweeper: finds work that was lost and sends it again.

It runs in the main process of every worker and in every process that waits for a job; a claim in
Redis lets one of them sweep at a time. A message that is sent twice costs a millisecond, since
the ledger refuses what is done.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from redis import ResponseError

from shoal.shared.errors import DamagedJobError, StoreUnavailableError, UnknownJobError
from shoal.shared.jobs import State, Wave
from shoal.shared.messaging.messages import Messages
from shoal.shared.settings import Settings
from shoal.shared.shards import Shards
from shoal.shared.store import Expiry, Ledger, Lifetimes, Registry, Strays
from shoal.shared.store.protocols import read_protocol
from shoal.shared.tasks import KNOWN, PROTOCOL, QUEUES

logger = logging.getLogger(__name__)

# A wave without any heartbeat for this long is checked: its messages may be lost.
QUIET_SECONDS = 5.0
# Messages may wait behind those of other jobs: they are not sent again sooner than this.
PATIENCE_SECONDS = 60.0
# Messages that one sweep sends at most, so that a worker's main process is not blocked.
MOST_MESSAGES = 1000
# How often the place of shards is searched for those of jobs that no Redis knows.
STRAYS_SECONDS = 3600.0

AT_BATCHES = {
    State.QUEUED: Wave.LOADING,
    State.LOADING: Wave.LOADING,
    State.LABELLING: Wave.LABELLING,
}
AT_CALLBACK = {State.FITTING: Wave.LOADING, State.FINISHING: Wave.LABELLING}


class Sweeper:
    """Checks all active jobs of one Redis, and sends again what was lost."""

    def __init__(
        self,
        registry: Registry,
        settings: Settings,
        messages: Messages,
        place: Shards | None = None,
    ) -> None:
        """Set up without asking Redis.

        Args:
            registry: Of the Redis.
            settings: How often to sweep, and after what time work counts as lost.
            messages: Sends them.
            place: Where shards are kept; None: it is not swept.
        """
        self.registry = registry
        self.place = place
        self.settings = settings
        self.messages = messages
        # Logged already: a process that waits for a job sweeps several times a second.
        self.refusal = ""
        self.damaged: set[str] = set()

    def sweep(self) -> None:
        """Check every active job once, unless another process does so now.

        While Redis refuses, nothing is sent; the next sweep tries again.
        """
        try:
            # Sweepers of other versions, which do not know all of these jobs, have other claims.
            if self.registry.claim(f"{PROTOCOL}:sweep", self.settings.sweep_seconds * 0.8):
                self.registry.forget_expired()
                for protocol in KNOWN:
                    self._sweep_jobs(protocol)
                self._sweep_place()
                self._sweep_plots()
            self.refusal = ""
        except StoreUnavailableError as error:
            if str(error) != self.refusal:
                # In the text: on a terminal, that is all that is seen.
                logger.warning("could not sweep: %s", error)
            self.refusal = str(error)

    def _sweep_jobs(self, protocol: int) -> None:
        if job_ids := self.registry.active_jobs([protocol]):
            # Once for all jobs: what is sent for the first fills the queue for the others.
            is_drained = self._is_drained(protocol)
            for job_id in job_ids:
                self._try_job(job_id, is_drained)

    def _sweep_plots(self) -> None:
        """Ask again for plots with other names, now and then until they are drawn."""
        outdated = self.registry.outdated_plots()
        # Where no worker runs for days, messages do not pile up.
        if outdated and self.registry.waiting(QUEUES["callbacks"].values()):
            return
        for job_id in outdated:
            if self.registry.claim(f"{job_id}:plots", PATIENCE_SECONDS):
                with self._noting_damage(job_id):
                    self.messages.send_plots(job_id)

    def _sweep_place(self) -> None:
        """Delete the shards that do not count any more; what no job knows, once an hour."""
        if self.place:
            strays, now = Strays(self.registry.client, self.place), self.registry.now()
            strays.delete_due(now)
            if self.registry.claim("strays", STRAYS_SECONDS):
                strays.delete_unknown(now)

    def _try_job(self, job_id: str, is_drained: bool) -> None:
        with self._noting_damage(job_id):
            try:
                self.sweep_job(job_id, is_drained)
            except UnknownJobError:
                self.registry.retire(job_id)

    @contextmanager
    def _noting_damage(self, job_id: str) -> Iterator[None]:
        """Log once that a job is damaged or of another version, which keeps no other waiting."""
        try:
            yield
        except (DamagedJobError, KeyError, ValueError, ResponseError):
            if job_id not in self.damaged:
                logger.exception("job cannot be checked", extra={"job": job_id})
            self.damaged.add(job_id)

    def _is_drained(self, protocol: int) -> bool:
        return self.registry.waiting([QUEUES["batches"][protocol]]) == 0

    def sweep_job(self, job_id: str, is_drained: bool | None = None) -> None:
        """Send again what one job has lost.

        Args:
            job_id: Id of the job.
            is_drained: Whether no batch waits in the queue; None looks.
        """
        ledger = Ledger(self.registry.client, job_id, self.settings.lease_seconds)
        state = ledger.state()
        if state is None:
            self.registry.retire(job_id)
        elif state.is_final:
            self.end_job(job_id)
        elif state in AT_BATCHES:
            if is_drained is None:
                is_drained = self._is_drained(read_protocol(ledger.client, job_id))
            self._sweep_batches(ledger, AT_BATCHES[state], is_drained)
        elif not ledger.has_lease():
            self._send_callback(ledger, AT_CALLBACK[state])

    def end_job(self, job_id: str) -> None:
        """Let what an ended job stored expire in time, and take it off the active jobs."""
        lifetimes = Lifetimes(self.settings.features_seconds, self.settings.results_seconds)
        Expiry(self.registry.client, job_id).begin(lifetimes)
        self.registry.retire(job_id)

    def _sweep_batches(self, ledger: Ledger, wave: Wave, is_drained: bool) -> None:
        if lost := ledger.batches.take_lost(wave):
            self._send_batches(ledger, wave, lost)
            return
        fields = ledger.fields()
        quiet_seconds = self.registry.now() - float(fields["active_at"])
        # Less than none: the server's clock was set back.
        if 0 <= quiet_seconds < QUIET_SECONDS:
            return
        if fields.get(f"{wave}_done") == fields["batches"]:
            self._send_callback(ledger, wave)
        # With an empty queue, nothing will start. Otherwise the messages may only be waiting for
        # other jobs or for a worker: the longer they wait, the less often they are sent again.
        elif ledger.batches.has_running(wave):
            return
        # What was sent before the job's last progress says nothing of what is missing now.
        elif is_drained:
            self._send_missing(ledger, wave, f"{fields['active_at']}:drained", QUIET_SECONDS * 2)
        elif quiet_seconds > PATIENCE_SECONDS:
            self._send_missing(ledger, wave, f"{fields['active_at']}:waiting", quiet_seconds)

    def _send_missing(self, ledger: Ledger, wave: Wave, since: str, seconds: float) -> None:
        if self.registry.claim(f"{ledger.job_id}:{wave}:{since}", seconds):
            self._send_batches(ledger, wave, ledger.batches.missing(wave))

    def _send_batches(self, ledger: Ledger, wave: Wave, batches: list[int]) -> None:
        _note_sent_again(ledger.job_id, wave, f"{len(batches)} batches")
        ledger.distrust_chord()
        self.messages.send_batches(ledger.job_id, wave, batches[:MOST_MESSAGES])

    def _send_callback(self, ledger: Ledger, wave: Wave) -> None:
        if self.registry.claim(f"{ledger.job_id}:{wave}:callback", QUIET_SECONDS * 2):
            _note_sent_again(ledger.job_id, wave, "callback")
            self.messages.send_callback(ledger.job_id, wave)


def _note_sent_again(job_id: str, wave: Wave, what: str) -> None:
    """Log what is sent again. It is no warning: those show among the progress of a command."""
    logger.info("sent again", extra={"job": job_id, "stage": wave, "messages": what})
