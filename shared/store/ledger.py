"""The ledger of one job: the truth about what is done, whatever messages say."""

import logging
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from shoal.shared.errors import (
    DamagedJobError,
    UnknownJobError,
    UsageError,
    describe_unknown,
    show_call,
)
from shoal.shared.jobs import JobRequest, State, Status, Wave
from shoal.shared.redis.connection import RedisClient
from shoal.shared.store import scripts
from shoal.shared.store.batches import LEASES_DIFFER_SECONDS, BatchLedger
from shoal.shared.store.counts import CALLBACK_SECONDS, count_seconds, pack_counts
from shoal.shared.store.keys import COUNTS, JobKeys, active
from shoal.shared.store.protocols import (
    FIRST_REQUEST,
    REQUEST,
    check_protocol,
    protocol_of,
)
from shoal.shared.store.shards import Kind, key_prefix
from shoal.shared.store.status import make_status
from shoal.shared.tasks import PROTOCOL
from shoal.shared.wire import decode

logger = logging.getLogger(__name__)

# Field of a job that clusters coordinates: the token of the model that made them.
COORDINATES_TOKEN = "coordinates_token"  # noqa: S105  not a password
# The state in which a wave's callback is at work.
# What is refused is tried again sooner, while anybody waits.
REFUSAL_SECONDS = 60
CALLBACK_STATE = {Wave.LOADING: State.FITTING, Wave.LABELLING: State.FINISHING}


@dataclass(frozen=True)
class Lease:
    """The right to fit or finish a job; ``token`` fences off whoever had it before."""

    state: State
    token: str
    attempt: int


@dataclass(frozen=True)
class _Registered:
    """What never changes in a job: what was asked for, and how many images it has."""

    request: JobRequest
    total: int


class Ledger:
    """What is done, running and failed in one job.

    Every method is one step in Redis: safe to call again, whatever happened to the first call.

    Attributes:
        batches: The same for its batches.
        lease_seconds: Without a heartbeat for this long, work counts as lost.
    """

    def __init__(self, client: RedisClient, job_id: str, lease_seconds: float) -> None:
        self.client = client
        self.job_id = job_id
        self.keys = JobKeys(job_id)
        self.lease_seconds = lease_seconds
        self.batches = BatchLedger(client, job_id, lease_seconds)

    def fields(self) -> dict[str, str]:
        """Return all fields of the job.

        Raises:
            UnknownJobError: No job has this id, or it has expired.
            VersionError: It is of another version of Shoal, which the message names.
        """
        fields = self._known(self.client.hgetall(self.keys.job))
        check_protocol(self.job_id, fields)
        return fields

    def _known(self, raw: Mapping[bytes, bytes]) -> dict[str, str]:
        if not raw:
            raise self._unknown()
        return {key.decode(): value.decode() for key, value in raw.items()}

    def _unknown(self) -> UnknownJobError:
        return UnknownJobError(describe_unknown(self.job_id))

    def status(self) -> Status:
        """Return where the job stands, in one round trip.

        Raises:
            UnknownJobError: No job has this id, or it has expired.
            DamagedJobError: What Redis has of it cannot be read.
        """
        with self.client.pipeline(transaction=False) as pipe:
            raw, (seconds, microseconds) = pipe.hgetall(self.keys.job).time().execute()
        try:
            return make_status(self.job_id, self._known(raw), seconds + microseconds / 1e6)
        except UnknownJobError:  # a ValueError, too
            raise
        except ValueError as error:
            raise self._damaged(error) from error

    def _damaged(self, error: ValueError) -> DamagedJobError:
        return DamagedJobError(
            f"Job {self.job_id} is damaged or of another version ({error}): submit its folder"
            " again with `force=True`."
        )

    def state(self) -> State | None:
        """Return the job's state, or None if there is no such job."""
        state = self.client.hget(self.keys.job, "state")
        return State(state.decode()) if state else None

    def place(self) -> tuple[str, str]:
        """Return the id of the place where the job's shards are kept, "" for Redis, and its URL."""
        place, url = self.client.hmget(self.keys.job, ["place", "place_url"])
        return (place or b"").decode(), (url or b"Redis").decode()

    @cached_property
    def _registered(self) -> _Registered:
        names = ["protocol", "version", REQUEST, FIRST_REQUEST, "total"]
        found = zip(names, self.client.hmget(self.keys.job, names), strict=True)
        fields = {name: raw.decode() for name, raw in found if raw is not None}
        check_protocol(self.job_id, fields)
        request, total = fields.get(REQUEST, fields.get(FIRST_REQUEST)), fields.get("total")
        if request is None or total is None:
            raise self._unknown()
        try:
            return _Registered(decode(request, JobRequest), int(total))
        except ValueError as error:
            raise self._damaged(error) from error

    @property
    def request(self) -> JobRequest:
        """What was asked for; it never changes.

        Raises:
            UnknownJobError: No job has this id, or it has expired.
            DamagedJobError: What Redis has of it cannot be read.
        """
        return self._registered.request

    @property
    def total(self) -> int:
        """How many images the job has; it never changes.

        Raises:
            UnknownJobError: No job has this id, or it has expired.
        """
        return self._registered.total

    def fail_wave(self, wave: Wave, error: str) -> bool:
        """End the job in the middle of ``wave``; return False if it is not there any more."""
        return bool(scripts.run(self.client, "fail_wave", [self.keys.job, COUNTS], wave, error))

    def distrust_chord(self) -> None:
        """Note that the chord may not fire: batches are sent outside of it."""
        self.client.hset(self.keys.job, "chord_broken", 1)

    def acquire_lease(self, wave: Wave) -> Lease | None:
        """Take the right to run a complete wave's callback; None if it is not to be run."""
        state = CALLBACK_STATE[wave]
        keys = [self.keys.job, self.keys.lease]
        # Random: a Redis that was put back from a backup would count the same numbers again.
        token = secrets.token_hex(8)
        arguments = (wave, state, self._lease_milliseconds(), token, PROTOCOL)
        reply = scripts.run(self.client, "acquire_lease", keys, *arguments)
        if reply == b"unknown":
            logger.warning("no such job", extra={"job": self.job_id, "stage": wave})
        return Lease(state, token, reply) if isinstance(reply, int) else None

    def renew_lease(self, lease: Lease) -> bool:
        """Renew a lease; return whether the work under it still counts."""
        keys = [self.keys.job, self.keys.lease]
        arguments = (lease.token, lease.state, self._lease_milliseconds())
        return bool(scripts.run(self.client, "renew_lease", keys, *arguments))

    def return_attempt(self, lease: Lease) -> None:
        """Do not count the attempt of ``lease``: Redis was the cause of its end."""
        scripts.run(self.client, "return_attempt", [self.keys.job], lease.token, lease.state)

    def note_refusal(self, why: str) -> None:
        """Note for a while why a worker cannot go on, for whoever waits for the job."""
        self.client.set(self.keys.refusal, why, ex=REFUSAL_SECONDS)

    def refusal(self) -> str:
        """Return why a worker could not go on a while ago; "" if none was refused anything."""
        return (self.client.get(self.keys.refusal) or b"").decode()

    def agree(self, name: str, digest: str) -> str:
        """Note what the first worker of the job uses as ``name``; return what that was."""
        # By a script: a job that has expired must not come back as this one field.
        reply = scripts.run(self.client, "agree", [self.keys.job], f"digest:{name}", digest)
        return str(reply.decode()) if reply else digest

    def agreed(self, name: str) -> str | None:
        """Return what was noted for ``name``; None if no worker needed it yet."""
        reply = self.client.hget(self.keys.job, f"digest:{name}")
        return reply.decode() if reply else None

    def fields_of_model(self) -> dict[str, str]:
        """Return the fields that go with the job's model, for a job that uses it.

        These are what its workers agreed on, how the number of clusters was chosen, and the version
        of the results.
        """
        others = {"choice", "results_version"}
        return {k: v for k, v in self.fields().items() if k.startswith("digest:") or k in others}

    def fields_of_coordinates(self, token: str) -> dict[str, str]:
        """Return the fields that go with coordinates, for a job that clusters them.

        ``token`` is that of the model that made them.
        """
        given = self.fields_of_model() | {COORDINATES_TOKEN: token}
        return {name: value for name, value in given.items() if name != "choice"}

    def coordinates_token(self) -> str | None:
        """Return the token of the model whose coordinates the job was submitted to cluster."""
        raw = self.client.hget(self.keys.job, COORDINATES_TOKEN)
        return raw.decode() if raw else None

    def share(self) -> None:
        """Note that the job was asked for once more."""
        scripts.run(self.client, "share", [self.keys.job])

    def is_shared(self) -> bool:
        """Return whether the job was asked for more than once."""
        return bool(self.client.hexists(self.keys.job, "shared"))

    def has_lease(self) -> bool:
        """Return whether a process is fitting or finishing the job now."""
        milliseconds = (self._lease_milliseconds(), int(LEASES_DIFFER_SECONDS * 1000))
        return bool(scripts.run(self.client, "has_lease", [self.keys.lease], *milliseconds))

    def _lease_milliseconds(self) -> int:
        return int(self.lease_seconds * 1000)

    def advance(
        self,
        lease: Lease,
        state: State,
        fields: Mapping[str, str | int],
        seconds: float | None = None,
    ) -> bool:
        """Leave the lease's state for the next one; return False if the lease was lost.

        Args:
            lease: Under which the work was done.
            state: The next one.
            fields: What to note of the job in the same step.
            seconds: Time that the work took, for the metrics.
        """
        flat: Iterable[str | int] = (x for pair in fields.items() for x in pair)
        added = {} if seconds is None else count_seconds(CALLBACK_SECONDS, lease.state, seconds)
        keys = [self.keys.job, self.keys.lease, COUNTS]
        arguments = (lease.token, lease.state, state, pack_counts(added), *flat)
        return bool(scripts.run(self.client, "advance", keys, *arguments))

    def cancel(self) -> State:
        """Cancel the job unless it has ended; return its state.

        Raises:
            UnknownJobError: No job has this id, or it has expired.
        """
        reply = scripts.run(self.client, "cancel", [self.keys.job, self.keys.lease, COUNTS])
        if reply is None:
            raise self._unknown()
        return State(reply.decode())

    def retry(
        self, *, failed_only: bool = False, lost: Mapping[int, str] | None = None
    ) -> list[int]:
        """Resume a job that has ended; return the batches to load, none if all are loaded.

        What was loaded is kept unless its features have expired. Model, labels and plots are made
        again.

        Args:
            failed_only: Whether to retry the images that failed, of a finished job too.
            lost: Names of the shards of features that are lost, by batch.

        Raises:
            UnknownJobError: No job has this id, or it has expired.
            UsageError: The job has not ended, or nothing is left to do.
            StoreUnavailableError: Redis refuses for now.
        """
        fields = self.fields()
        arguments = (self.job_id, int(failed_only), fields["batches"], key_prefix(self.keys))
        pairs: Iterable[str | int] = (x for pair in (lost or {}).items() for x in pair)
        reply = scripts.run(self.client, "retry", self._retry_keys(fields), *arguments, *pairs)
        if isinstance(reply, list):
            return reply
        raise self._nothing_to_retry(reply.decode())

    def _retry_keys(self, fields: Mapping[str, str]) -> list[str]:
        job = self.keys
        of_wave = [job.done, job.running, job.attempts, job.errors]
        return [
            *(job.job, active(protocol_of(fields)), job.manifest, job.lease),
            *(job.shapes, job.failures, job.hashes, *map(job.shards, Kind), job.labels),
            *(key(wave) for wave in Wave for key in of_wave),
            job.known,
            job.given_model,
            job.near_copies,
            job.names,
            job.far,
            job.locations,
            COUNTS,
            *job.of_tokens(fields),
        ]

    def _nothing_to_retry(self, why: str) -> UsageError:
        if why == "gone":
            return UnknownJobError(f"Job {self.job_id} has expired: submit its folder again.")
        if why == "nothing":
            return UsageError(f"No image of job {self.job_id} failed: nothing to retry.")
        remedy = (
            f"{show_call(self.job_id, 'retry', failed_only=True)} retries the images that failed"
            if why == State.FINISHED
            else f"{show_call(self.job_id, 'wait')} waits for its end"
        )
        return UsageError(f"Job {self.job_id} is {why}: nothing to retry ({remedy}).")
