"""One job: its status, what it found, and how to wait for it, cancel or retry it."""

import logging
import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from redis import ResponseError

from shoal.producer.progress_line import ProgressLine
from shoal.producer.results import check_finished
from shoal.producer.submission.derived import derive_request
from shoal.producer.submission.fingerprint import Notify
from shoal.producer.submission.listing import Listing
from shoal.producer.uses import JobUses
from shoal.shared.errors import (
    StoreFullError,
    StoreUnavailableError,
    UsageError,
    WaitTimeoutError,
    show_call,
)
from shoal.shared.jobs import JobRequest, State, Status, Wave
from shoal.shared.server.places import check_place
from shoal.shared.store import Expiry, Kind, Ledger
from shoal.shared.sweeper import Sweeper

logger = logging.getLogger(__name__)

# Time between two looks at a job: of one that has just begun shorter, as it may end soon.
POLL_SECONDS = 0.2
FIRST_POLL_SECONDS = 0.02
# Share of the time waited so far.
POLL_SHARE = 0.02

StatusCallback = Callable[[Status | None], None]


class RunningWorkers(Protocol):
    """The workers that a client knows of."""

    def describe_lack(self, status: Status) -> str:
        """Say what a job lacks that has work to do; "" if workers run that take it."""
        ...


class Submitter(Protocol):
    """What submits a job that builds on another one: a ``Client``."""

    @property
    def workers(self) -> RunningWorkers:
        """The workers that would do it."""
        ...

    def list_images(
        self,
        source: str | Path | Sequence[str | Path],
        *,
        exclude: Sequence[str] = (),
        column: str | None = None,
    ) -> Listing:
        """List the images of a source."""
        ...

    def submit_request(
        self,
        listing: Listing,
        request: JobRequest,
        *,
        force: bool = False,
        notify: Notify | None = None,
    ) -> "Job":
        """Submit what was checked already, without starting workers."""
        ...


class Job(JobUses):
    """A submitted folder: its progress and, once it has finished, its results.

    ``Client.submit`` and ``Client.job`` make jobs.

    Example::

        job = client.submit("photographs", clusters="auto")
        job.wait()
        for cluster in job.summary().clusters:
            print(cluster.label, cluster.size, cluster.representatives)
        for failure in job.failures():
            print(failure.path, failure.reason)

    All methods raise UnknownJobError if the job does not exist or has expired. Those that read
    results raise NotFinishedError before the job has finished, JobFailedError if it failed and
    JobCancelledError if it was cancelled.

    Attributes:
        id: The job's id, which all commands accept.
        is_found: Whether the job existed already when its folder was submitted.
        submitter: Submits jobs that build on this one; None if no client made it.
    """

    is_found = False
    submitter: Submitter | None = None

    def __init__(
        self,
        ledger: Ledger,
        sweeper: Sweeper,
        keep_running: Callable[[Status], None] | None = None,
        ensure_running: Callable[[], bool] | None = None,
        watched: Ledger | None = None,
    ) -> None:
        """Set the job up without asking Redis. Use ``Client.submit`` or ``Client.job`` instead.

        Args:
            ledger: The job's ledger.
            sweeper: Sends lost work again.
            keep_running: Called with each status during ``wait``; raises if the workers that this
                client started have ended.
            ensure_running: Called by ``retry``; starts workers if none are running.
            watched: The same ledger on a connection that gives up soon: ``wait`` says then that
                Redis does not answer. None uses ``ledger``.
        """
        super().__init__(ledger, sweeper.place)
        self._keep_running = keep_running
        self.ensure_running = ensure_running
        self._watched = watched or ledger
        self.sweeper = sweeper

    def __repr__(self) -> str:
        return f"<Job {self.id}>"

    def wait(
        self,
        timeout_seconds: float | None = None,
        on_status: StatusCallback | None = None,
        *,
        progress: bool = False,
    ) -> Status:
        """Wait until the job has finished.

        If Redis does not answer in the meantime, the wait goes on until it does.

        Args:
            timeout_seconds: Longest time to wait; None waits as long as it takes.
            on_status: Called several times a second with the job's status, and with None while
                Redis does not answer.
            progress: Whether to print the progress as text, in a notebook or on standard error.

        Returns:
            The job's last status.

        Raises:
            JobFailedError: The job failed; the message says why.
            JobCancelledError: The job was cancelled.
            WaitTimeoutError: The job has not ended in time; it goes on.
            ShoalError: A worker that this client started has ended, so the job would never end.
        """
        if progress:
            with ProgressLine() as line:

                def show(status: Status | None) -> None:
                    line.show(status, self._describe_lack(status) if status else "")

                return self.wait(timeout_seconds, _call_both(show, on_status))
        started, swept = time.monotonic(), -math.inf
        deadline = started + timeout_seconds if timeout_seconds is not None else None
        while True:
            status = self._look()
            if status and time.monotonic() - swept >= POLL_SECONDS:
                self._sweep()
                swept = time.monotonic()
            if on_status:
                on_status(status)
            if status and status.state.is_final:
                return check_finished(status)
            if status and self._keep_running:
                self._keep_running(status)
            if deadline is not None and time.monotonic() > deadline:
                lack = self._describe_lack(status)
                raise WaitTimeoutError(
                    f"Job {self.id} has not ended in {timeout_seconds:g} s{lack and f'; {lack}'}."
                )
            time.sleep(choose_pause(time.monotonic() - started))

    def _look(self) -> Status | None:
        try:
            return self._watched.status()
        except StoreUnavailableError:
            return None

    def _describe_lack(self, status: Status | None) -> str:
        with suppress(StoreUnavailableError):
            if self.submitter and status:
                lack = self.submitter.workers.describe_lack(status)
                return lack and f"{lack}: start one"
        return ""

    def _sweep(self) -> None:
        # What cannot be sent again now is sent later.
        with suppress(ResponseError, StoreUnavailableError):
            self.sweeper.sweep()

    def cancel(self) -> State:
        """Cancel the job, unless it has ended already.

        What was loaded so far is kept for ``retry``, unless Redis is full.

        Returns:
            The job's state afterwards.
        """
        fields = self.ledger.fields()
        if "expires_at" in fields:  # it has ended, and its expiry is set
            return State(fields["state"])
        state = self.ledger.cancel()
        try:
            self.sweeper.sweep_job(self.id)
        except StoreFullError:
            Expiry(self.ledger.client, self.id).drop_features()
            # What cannot be written even now, the next sweep writes.
            with suppress(StoreUnavailableError):
                self.sweeper.sweep_job(self.id)
        return state

    def retry(self, *, failed_only: bool = False) -> Status:
        """Let a failed or cancelled job go on with what is missing; return its status.

        What was loaded is kept, as far as its features have not expired.

        Args:
            failed_only: Whether to try those images again that failed, also of a finished job.
                It has no result then until it has finished anew.

        Raises:
            UsageError: The job has not ended, nothing is left to do, this client has another place
                for shards than the job, or its images are those of another job.
            StoreUnavailableError: Redis or the place of shards refuses for now.
        """
        before, shards = self.status(), self.results.shards
        wants_failed = failed_only or before.state is State.FINISHED
        if wants_failed and (other := before.request.coordinates_of):
            raise UsageError(
                f"Job {self.id} loads no images, it has those of job {other}: retry that one"
                f" ({show_call(other, 'retry', failed_only=True)}), then cluster it again."
            )
        # What lies elsewhere would seem to be lost, and would be loaded anew.
        check_place(self.ledger.client, self.id, shards.place)
        have_expired = before.images.loaded > 0 and not shards.names(Kind.FEATURES)
        lost = shards.find_lost(Kind.FEATURES)
        missing = self.ledger.retry(failed_only=failed_only, lost=lost)
        if have_expired:
            logger.warning("The features of this job have expired: all images are loaded again.")
        elif lost:
            n_batches = self.results.n_batches()
            logger.warning(
                "%d of %d batches are lost: they are loaded again.", len(lost), n_batches
            )
        # What is not sent now, the sweeper sends.
        with suppress(StoreUnavailableError):
            messages = self.sweeper.messages
            if missing:
                messages.send_batches(self.id, Wave.LOADING, missing)
            else:
                messages.send_callback(self.id, Wave.LOADING)
        if self.ensure_running:
            self.ensure_running()
        return self.status()

    def assign(
        self,
        source: str | Path | Sequence[str | Path],
        *,
        force: bool = False,
        exclude: Sequence[str] = (),
        column: str | None = None,
    ) -> "Job":
        """Assign other images to this job's clusters, without a new fit.

        With the embedded server, this also starts workers if none are running.

        Args:
            source: As for ``Client.submit``; it may have images of this job, too.
            force: Whether to run again even if these images were already assigned.
            exclude: As for ``Client.submit``.
            column: As for ``Client.submit``.

        Returns:
            A job of its own. It labels the images with this job's model, as this job labels its
            own, and needs nothing else of it.

        Raises:
            SourceError: The folder is missing, unreadable, or has no images.
            UsageError: This job's model is of another version of Shoal.
        """
        listing = self._find_submitter().list_images(source, exclude=exclude, column=column)
        job = self.assign_listing(listing, force=force)
        if self.ensure_running:
            self.ensure_running()
        return job

    def assign_listing(
        self, listing: Listing, *, force: bool = False, notify: Notify | None = None
    ) -> "Job":
        """Assign the images of a folder that was already listed, without starting workers.

        Args:
            listing: The images.
            force: As for ``assign``.
            notify: Called with each message for the user; None logs them.
        """
        request = derive_request(self._check_finished().request, listing, model_of=self.id)
        return self._find_submitter().submit_request(listing, request, force=force, notify=notify)

    def recluster(
        self, *, force: bool = False, notify: Notify | None = None, **options: Any
    ) -> "Job":
        """Find other clusters among this job's images, or among those of one cluster.

        They are found among the coordinates that this job has of its images: no image is loaded.
        With the embedded server, this also starts workers if none are running.

        Args:
            force: Whether to run again even if there is a job with these clusters.
            notify: Called with each message for the user; None logs them.
            **options: What is not given is as for ``Client.submit``, ``components`` and
                ``random_state`` as for this job.

                ``cluster``: Number of a cluster of this job: only its images are clustered. -1 are
                the images that are in none.
                ``clusters``, ``algorithm``, ``level``, ``random_state``: As for ``Client.submit``.
                ``components``: Number of principal components, at most as many as this job has.

        Returns:
            A job of its own.

        Raises:
            UsageError: An option is unknown or cannot work with these coordinates, or they have
                expired.
        """
        from shoal.producer.submission.reclustering import list_images, make_recluster_request

        status, summary = self._check_finished(), self.summary()
        listing = list_images(self.results, status.request, summary, options.get("cluster"))
        request = make_recluster_request(status, summary, listing, options)
        job = self._find_submitter().submit_request(listing, request, force=force, notify=notify)
        if self.ensure_running:
            self.ensure_running()
        return job

    def _find_submitter(self) -> Submitter:
        """Return what submits a job that builds on this one; raises UsageError without a client."""
        if self.submitter is None:
            raise UsageError("Only a job of a client can submit another one: use `client.job`.")
        return self.submitter


def _call_both(first: StatusCallback, second: StatusCallback | None) -> StatusCallback:
    def call(status: Status | None) -> None:
        first(status)
        if second:
            second(status)

    return call


def choose_pause(waited_seconds: float) -> float:
    """Return how many seconds to wait for the next look at a job."""
    return min(max(FIRST_POLL_SECONDS, POLL_SHARE * waited_seconds), POLL_SECONDS)
