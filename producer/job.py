"""One job, as whoever submitted it sees it."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from redis import ResponseError

from shoal.producer.catalogue import Catalogue
from shoal.shared.connection import LOST
from shoal.shared.errors import (
    ConnectionLostError,
    JobCancelledError,
    JobFailedError,
    NotFinishedError,
    StoreFullError,
    UsageError,
    WaitTimeoutError,
)
from shoal.shared.findings import CHOICE_PLOT, PLOTS, Assignment, Duplicate, Failure, Summary
from shoal.shared.jobs import State, Status, Wave
from shoal.shared.store import Expiry, Ledger, Results
from shoal.shared.sweeper import Sweeper

POLL_SECONDS = 0.2

StatusCallback = Callable[[Status | None], None]


class Job:
    """A submitted folder: where it stands, and what it found.

    Methods raise UnknownJobError if there is no such job, or none any more, and those that
    read what a later stage writes raise NotFinishedError before it has.

    Attributes:
        id: Names the job in all commands.
        is_found: Whether it was there before it was submitted.
    """

    is_found = False

    def __init__(
        self,
        ledger: Ledger,
        sweeper: Sweeper,
        keep_running: Callable[[Status], None] | None = None,
        ensure_running: Callable[[], None] | None = None,
    ) -> None:
        """Prepare; nothing is asked of Redis.

        Args:
            ledger: Of the job.
            sweeper: Sends the job's work again.
            keep_running: Called while the job is waited for; raises if nobody will do the work.
            ensure_running: Called when there is work again; starts workers if none are running.
        """
        self.id = ledger.job_id
        self._keep_running = keep_running
        self.ensure_running = ensure_running
        self.ledger = ledger
        self.sweeper = sweeper
        self.results = Results(ledger.client, ledger.job_id)

    def status(self) -> Status:
        """Return where the job stands."""
        return self.ledger.status()

    def wait(
        self, timeout_seconds: float | None = None, on_status: StatusCallback | None = None
    ) -> Status:
        """Wait until the job has ended; return its last status.

        A Redis that is away meanwhile is waited for.

        Args:
            timeout_seconds: Longest time to wait; None waits as long as it takes.
            on_status: Called with each status, and with None while Redis does not answer.

        Raises:
            JobFailedError: The job failed; the message says why.
            JobCancelledError: The job was cancelled.
            WaitTimeoutError: The job has not ended in time; it goes on.
            ShoalError: The client's own workers have ended: nobody would end the job.
        """
        deadline = time.monotonic() + timeout_seconds if timeout_seconds is not None else None
        while True:
            status = self._poll()
            if on_status:
                on_status(status)
            if status and status.state.is_final:
                return _check_finished(status)
            if status and self._keep_running:
                self._keep_running(status)
            if deadline is not None and time.monotonic() > deadline:
                raise WaitTimeoutError(f"Job {self.id} has not ended in {timeout_seconds:g} s.")
            time.sleep(POLL_SECONDS)

    def _poll(self) -> Status | None:
        try:
            # What cannot be mended now is mended later; where the job stands is told all the same.
            with suppress(ResponseError, ConnectionLostError):
                self.sweeper.sweep()
            return self.status()
        except (*LOST, ConnectionLostError):
            return None

    def cancel(self) -> State:
        """Cancel the job unless it has ended; return its state.

        What was loaded stays, unless Redis is full.
        """
        fields = self.ledger.fields()
        if "expires_at" in fields:  # it has ended, and has its time to live
            return State(fields["state"])
        state = self.ledger.cancel()
        try:
            self.sweeper.sweep_job(self.id)
        except StoreFullError:
            Expiry(self.ledger.client, self.id).drop_features()
            # What cannot be noted even now, the next sweep notes.
            with suppress(StoreFullError):
                self.sweeper.sweep_job(self.id)
        return state

    def retry(self, *, failed_only: bool = False) -> Status:
        """Let a failed or cancelled job go on with what is missing; return its status.

        What was loaded is kept, as far as its features have not expired.

        Args:
            failed_only: Whether to try those images again that failed, also of a finished job.
                It has no result then until it has finished anew.

        Raises:
            UsageError: The job has not ended, or nothing is left to do.
            StoreFullError: Redis has no memory left.
        """
        missing = self.ledger.retry(failed_only=failed_only)
        # What is not sent now, the sweeper sends.
        with suppress(ConnectionLostError, StoreFullError):
            messages = self.sweeper.connect_messages()
            if missing:
                messages.send_batches(self.id, Wave.LOADING, missing)
            else:
                messages.send_callback(self.id, Wave.LOADING)
        if self.ensure_running:
            self.ensure_running()
        return self.status()

    def labels(self) -> Iterator[Assignment]:
        """Yield each image that was loaded and its cluster, in manifest order."""
        self._check_finished()
        return self.results.assignments()

    def failures(self) -> Iterator[Failure]:
        """Yield each image that could not be used and why, in manifest order, as far as loaded."""
        self.status()
        return self.results.failures()

    def duplicates(self) -> Iterator[Duplicate]:
        """Yield the images that are copies of each other or look alike, group by group.

        Raises:
            UsageError: The search for them failed.
        """
        if self.summary().duplicates is None:
            raise UsageError(
                f"The search for duplicates of job {self.id} failed: the workers' log says why;"
                " the same folder submitted with --force is searched anew."
            )
        return self.results.duplicates()

    def summary(self) -> Summary:
        """Return what the job found: clusters, representatives, outliers."""
        self._check_finished()
        return self.results.summary()

    def plots(self) -> dict[str, bytes]:
        """Return the plots as PNG, by name."""
        self._check_finished()
        return self.results.plots()

    def plot(self, name: str) -> bytes:
        """Return one plot as PNG.

        Raises:
            UsageError: There is no plot of this name, or it could not be drawn.
        """
        if name not in (*PLOTS, CHOICE_PLOT):
            raise UsageError(f"No plot {name!r}: there are {', '.join((*PLOTS, CHOICE_PLOT))}.")
        plots = self.plots()
        if name == CHOICE_PLOT and not self.summary().choice:
            raise UsageError("The number of clusters was given: `--clusters auto` chooses it.")
        if name not in plots:
            raise UsageError(f"The plot {name!r} could not be drawn: see the workers' log.")
        return plots[name]

    def catalogue(self) -> Catalogue:
        """Return the job's images by number and by cluster."""
        self._check_finished()
        return Catalogue(self.results)

    def model(self) -> bytes:
        """Return the model as the bytes of an ``npz`` file."""
        self._check_finished()
        return self.results.model()

    def _check_finished(self) -> None:
        status = self.status()
        if not status.state.is_final:
            raise NotFinishedError(
                f"Job {self.id} is {status.state}: wait for it with `shoal wait {self.id}`."
            )
        _check_finished(status)


def _check_finished(status: Status) -> Status:
    """Return ``status``, or raise what the job's end amounts to."""
    if status.state is State.FAILED:
        raise JobFailedError(status.error or "The job failed.")
    if status.state is State.CANCELLED:
        raise JobCancelledError(f"Job {status.job_id} was cancelled.")
    return status
