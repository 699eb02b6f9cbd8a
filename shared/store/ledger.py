"""The ledger of one job: the truth about what is done, whatever messages say."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from shared.connection import Client
from shared.errors import UnknownJobError
from shared.jobs import JobRequest, Stage, State, Status
from shared.status import make_status
from shared.store import scripts
from shared.store.keys import JobKeys

# The state in which a stage's callback is at work.
CALLBACK_STATE = {Stage.LOADING: State.FITTING, Stage.LABELLING: State.FINISHING}

# The holder of a batch that is delivered again is alive if it was heard of within this time.
SILENT_SECONDS = 5.0


class Commit(StrEnum):
    """What became of a batch's output."""

    COMMITTED = "committed"
    LAST = "last"  # the stage is complete, and its chord cannot be counted upon
    DUPLICATE = "duplicate"
    STALE = "stale"


@dataclass(frozen=True)
class Lease:
    """The right to fit or finish a job; ``token`` fences off whoever had it before."""

    state: State
    token: int
    attempt: int


class Ledger:
    """What is done, running and failed in one job.

    Every method is one step in Redis: safe to call again, whatever happened to the first call.
    """

    def __init__(self, client: Client, job_id: str, lease_seconds: float) -> None:
        self.client = client
        self.job_id = job_id
        self.keys = JobKeys(job_id)
        self.lease_seconds = lease_seconds

    def fields(self) -> dict[str, str]:
        """Return all that the ledger notes of the job.

        Raises:
            UnknownJobError: No job has this id, or it has expired.
        """
        return self._known(self.client.hgetall(self.keys.job))

    def _known(self, raw: Mapping[bytes, bytes]) -> dict[str, str]:
        if not raw:
            raise UnknownJobError(f"No job {self.job_id}: see `shoal jobs` for those there are.")
        return {key.decode(): value.decode() for key, value in raw.items()}

    def status(self) -> Status:
        """Return where the job stands, in one round trip.

        Raises:
            UnknownJobError: No job has this id, or it has expired.
        """
        with self.client.pipeline(transaction=False) as pipe:
            raw, (seconds, microseconds) = pipe.hgetall(self.keys.job).time().execute()
        return make_status(self.job_id, self._known(raw), seconds + microseconds / 1e6)

    def state(self) -> State | None:
        """Return the job's state, or None if there is no such job."""
        state = self.client.hget(self.keys.job, "state")
        return State(state.decode()) if state else None

    @cached_property
    def request(self) -> JobRequest:
        """What was asked for; it never changes.

        Raises:
            UnknownJobError: No job has this id, or it has expired.
        """
        return self.status().request

    def start_batch(self, stage: Stage, batch: int, redelivered: bool) -> int | None:
        """Begin a batch; return the number of the attempt, or None if it is not to be done.

        Args:
            stage: Stage that the batch belongs to.
            batch: Number of the batch.
            redelivered: Whether the broker lost its connection to the batch's holder.
        """
        reply = scripts.run(
            self.client,
            "start_batch",
            [self.keys.job, *self.stage_keys(stage), self.keys.attempts(stage)],
            *(stage, batch, self.lease_seconds, int(redelivered), SILENT_SECONDS),
        )
        return reply if isinstance(reply, int) else None

    def stage_keys(self, stage: Stage) -> list[str]:
        """Return the keys that say what is done and running."""
        return [self.keys.done(stage), self.keys.running(stage)]

    def beat_batch(self, stage: Stage, batch: int) -> bool:
        """Give a sign of life for a batch; return whether it is still wanted."""
        keys = [self.keys.job, self.keys.running(stage)]
        return bool(scripts.run(self.client, "beat_batch", keys, stage, batch, self.lease_seconds))

    def end_attempt(self, stage: Stage, batch: int, error: str | None) -> None:
        """Note why an attempt at a batch failed.

        Args:
            stage: Stage that the batch belongs to.
            batch: Number of the batch.
            error: What the work raised; None if Redis was to blame, which does not count.
        """
        of_stage = (self.keys.running, self.keys.attempts, self.keys.errors)
        keys = [self.keys.job, *(key(stage) for key in of_stage)]
        scripts.run(self.client, "end_attempt", keys, stage, batch, error or "")

    def last_error(self, stage: Stage, batch: int) -> str | None:
        """Return what an attempt at a batch raised last; None if it only lost processes."""
        raw = self.client.hget(self.keys.errors(stage), str(batch))
        return raw.decode() if raw else None

    def fail_stage(self, stage: Stage, error: str) -> bool:
        """End the job in the middle of ``stage``; return False if it is not there any more."""
        return bool(scripts.run(self.client, "fail_stage", [self.keys.job], stage, error))

    def commit_loading(
        self, batch: int, features: bytes, counts: tuple[int, int], notes: Mapping[str, bytes]
    ) -> Commit:
        """Store a loaded batch.

        Args:
            batch: Number of the batch.
            features: Raw rows of the images loaded.
            counts: Images loaded and images failed.
            notes: Value of the batch by key: shape, failures, statistics.
        """
        output = (self.keys.features(batch), features)
        return self._commit(Stage.LOADING, batch, counts, output, notes)

    def commit_labelling(self, batch: int, labels: bytes) -> Commit:
        """Store the label rows of a batch."""
        output = (self.keys.labels(batch), labels)
        return self._commit(Stage.LABELLING, batch, (0, 0), output, {})

    def _commit(
        self,
        stage: Stage,
        batch: int,
        counts: tuple[int, int],
        output: tuple[str, bytes],
        notes: Mapping[str, bytes],
    ) -> Commit:
        keys = [self.keys.job, *self.stage_keys(stage), output[0], *notes]
        values = (stage, batch, *counts, output[1], *notes.values())
        return Commit(scripts.run(self.client, "commit_batch", keys, *values).decode())

    def missing_batches(self, stage: Stage) -> list[int]:
        """Return the batches that are neither committed nor running."""
        total = int(self.client.hget(self.keys.job, "batches") or 0)
        done = self.client.smembers(self.keys.done(stage))
        running = self.client.zrange(self.keys.running(stage), 0, -1)
        return sorted(set(range(total)) - {int(batch) for batch in [*done, *running]})

    def take_lost_batches(self, stage: Stage) -> list[int]:
        """Return the batches whose process gave no sign of life; each is returned once."""
        keys = [self.keys.job, self.keys.running(stage)]
        return [int(b) for b in scripts.run(self.client, "take_lost", keys)]

    def has_running(self, stage: Stage) -> bool:
        """Return whether any process works on a batch of the stage."""
        return bool(self.client.zcard(self.keys.running(stage)))

    def distrust_chord(self) -> None:
        """Note that the stage's chord cannot be counted upon: batches are sent beside it."""
        self.client.hset(self.keys.job, "chord_broken", 1)

    def acquire_lease(self, stage: Stage) -> Lease | None:
        """Take the right to work on what follows ``stage``, if it is complete and unheld."""
        state = CALLBACK_STATE[stage]
        keys = [self.keys.job, self.keys.lease]
        reply = scripts.run(
            self.client, "acquire_lease", keys, stage, state, self._lease_milliseconds()
        )
        return Lease(state, *reply) if isinstance(reply, list) else None

    def renew_lease(self, lease: Lease) -> bool:
        """Renew a lease; return whether its holder's work still counts."""
        keys = [self.keys.job, self.keys.lease]
        arguments = (lease.token, lease.state, self._lease_milliseconds())
        return bool(scripts.run(self.client, "renew_lease", keys, *arguments))

    def return_attempt(self, lease: Lease) -> None:
        """Do not count the attempt of ``lease``: Redis was to blame for its end."""
        scripts.run(self.client, "return_attempt", [self.keys.job], lease.token, lease.state)

    def has_lease(self) -> bool:
        """Return whether somebody fits or finishes now."""
        return bool(self.client.exists(self.keys.lease))

    def _lease_milliseconds(self) -> int:
        return int(self.lease_seconds * 1000)

    def advance(self, lease: Lease, state: State, fields: Mapping[str, str | int]) -> bool:
        """Leave the lease's state for the next one; return False if the lease was lost."""
        flat: Iterable[str | int] = (x for pair in fields.items() for x in pair)
        keys = [self.keys.job, self.keys.lease]
        return bool(
            scripts.run(self.client, "advance", keys, lease.token, lease.state, state, *flat)
        )

    def cancel(self) -> State:
        """Cancel the job unless it has ended; return its state.

        Raises:
            UnknownJobError: No job has this id, or it has expired.
        """
        reply = scripts.run(self.client, "cancel", [self.keys.job, self.keys.lease])
        if reply is None:
            raise UnknownJobError(f"No job {self.job_id}: see `shoal jobs` for those there are.")
        return State(reply.decode())
