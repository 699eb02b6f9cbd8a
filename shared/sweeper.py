"""The sweeper: finds work that was lost and sends it again.

It runs in the main process of every worker and wherever somebody waits for a job; a
claim in Redis lets one of them sweep at a time. A second copy of a message costs a
millisecond, since the ledger refuses what is done.
"""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from redis import ResponseError

from shared.errors import StoreFullError, UnknownJobError
from shared.jobs import Stage, State
from shared.settings import Settings
from shared.store import Ledger, Registry, Results
from shared.store.refusals import full_is_ours
from shared.tasks import BATCHES

if TYPE_CHECKING:
    from shared.messages import Messages

logger = logging.getLogger(__name__)

# A stage without a sign of life this long is looked at; its messages may be gone.
QUIET_SECONDS = 5.0
# Messages may wait behind other jobs' batches: they are not sent again sooner than this.
PATIENCE_SECONDS = 60.0
# Messages that one sweep sends at most, so that a worker's main process is not held up.
MOST_MESSAGES = 1000

AT_BATCHES = {
    State.QUEUED: Stage.LOADING,
    State.LOADING: Stage.LOADING,
    State.LABELLING: Stage.LABELLING,
}
AT_CALLBACK = {State.FITTING: Stage.LOADING, State.FINISHING: Stage.LABELLING}


class Sweeper:
    """Looks after all active jobs of one Redis."""

    def __init__(
        self, registry: Registry, settings: Settings, connect_messages: Callable[[], "Messages"]
    ) -> None:
        self.registry = registry
        self.settings = settings
        # Called only when there is something to send: Celery is slow to import.
        self.connect_messages = connect_messages

    def sweep(self) -> None:
        """Look after every active job once, unless somebody else does so now.

        While Redis is full, nothing is sent: there is a next time.
        """
        try:
            with full_is_ours():
                claimed = self.registry.claim("sweep", self.settings.sweep_seconds * 0.8)
            for job_id in self.registry.active_jobs() if claimed else ():
                self._try_job(job_id)
        except StoreFullError as error:
            logger.warning("could not sweep: %s", error)

    def _try_job(self, job_id: str) -> None:
        try:
            with full_is_ours():
                self.sweep_job(job_id)
        except UnknownJobError:
            self.registry.retire(job_id)
        except (KeyError, ValueError, ResponseError):
            # Another version's job, or a damaged one, must not keep the others waiting.
            logger.exception("job=%s cannot be looked after", job_id)

    def sweep_job(self, job_id: str) -> None:
        """Send again what one job has lost."""
        ledger = Ledger(self.registry.client, job_id, self.settings.lease_seconds)
        state = ledger.state()
        if state is None:
            self.registry.retire(job_id)
        elif state.is_final:
            self.end_job(job_id)
        elif state in AT_BATCHES:
            self._sweep_batches(ledger, AT_BATCHES[state])
        elif not ledger.has_lease():
            self._send_callback(ledger, AT_CALLBACK[state])

    def end_job(self, job_id: str) -> None:
        """Give an ended job its time to live."""
        results = Results(self.registry.client, job_id)
        results.expire(self.settings.features_seconds, self.settings.results_seconds)
        self.registry.retire(job_id)

    def _sweep_batches(self, ledger: Ledger, stage: Stage) -> None:
        if lost := ledger.take_lost_batches(stage):
            self._send_batches(ledger, stage, lost)
            return
        fields = ledger.fields()
        quiet_seconds = self.registry.now() - float(fields["active_at"])
        if quiet_seconds < QUIET_SECONDS:
            return
        if fields.get(f"{stage}_done") == fields["batches"]:
            self._send_callback(ledger, stage)
        elif not ledger.has_running(stage) and self._may_send_again(ledger, quiet_seconds):
            self._send_batches(ledger, stage, ledger.missing_batches(stage))

    def _may_send_again(self, ledger: Ledger, quiet_seconds: float) -> bool:
        # With nothing in the queue nothing will begin. Otherwise the messages may only wait,
        # for other jobs or for a worker: the longer they do, the seldomer they are doubled.
        lost = self.registry.waiting([BATCHES]) == 0 or quiet_seconds > PATIENCE_SECONDS
        seconds = max(QUIET_SECONDS * 2, quiet_seconds)
        return lost and self.registry.claim(f"{ledger.job_id}:batches", seconds)

    def _send_batches(self, ledger: Ledger, stage: Stage, batches: list[int]) -> None:
        logger.warning("job=%s stage=%s sent_again=%d", ledger.job_id, stage, len(batches))
        ledger.distrust_chord()
        self.connect_messages().send_batches(ledger.job_id, stage, batches[:MOST_MESSAGES])

    def _send_callback(self, ledger: Ledger, stage: Stage) -> None:
        if self.registry.claim(f"{ledger.job_id}:{stage}:callback", QUIET_SECONDS * 2):
            logger.warning("job=%s stage=%s sent_again=callback", ledger.job_id, stage)
            self.connect_messages().send_callback(ledger.job_id, stage)
