"""The Python client: submit a folder, and get its job."""

import logging
import re
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import finalize

import msgspec
from redis import ResponseError

from producer.folder import Folder, batch_size_for, find_images, split_batches
from producer.job import Job
from producer.local import LocalWorkers
from shared.connection import LOST, QUICK_RETRIES, connect
from shared.cores import count_cores
from shared.embedded import hold_server
from shared.errors import ConnectionLostError, UnknownJobError, UsageError
from shared.jobs import FEATURES, JobRequest, Stage, Status
from shared.settings import Settings, read_settings
from shared.store import Ledger, Lifetimes, Registry
from shared.sweeper import Sweeper

if TYPE_CHECKING:
    from shared.messages import Messages

# A batch's features travel in one command, which Redis limits to 512 MB.
MAX_BATCH_BYTES = 2**26
# So does the model, most of which is its components.
MAX_MODEL_BYTES = 2**28
JOB_ID = re.compile(r"[0-9a-f]{12}")

logger = logging.getLogger(__name__)


class Client:
    """Submits jobs to one Redis and finds those it has.

    With neither ``redis_url`` nor ``SHOAL_REDIS_URL``, the embedded server is used, and kept
    running until ``close`` or the end of the program; ``submit`` starts workers for it.

    Raises:
        SettingsError: A ``SHOAL_`` variable does not parse.
        ConnectionLostError: The embedded server does not start.
    """

    def __init__(self, redis_url: str | None = None, *, settings: Settings | None = None) -> None:
        self.settings = settings or read_settings()
        self.held = ExitStack()
        self.workers: LocalWorkers | None = None
        self.is_employer = False
        url = redis_url or self.settings.redis_url
        self.is_embedded = url is None
        self.url = url or self.held.enter_context(hold_server(self.settings))
        self.redis = connect(self.url, QUICK_RETRIES)
        self.registry = Registry(self.redis)
        self.sweeper = Sweeper(self.registry, self.settings, lambda: self.messages)
        # Who forgets ``close`` leaves no process behind either.
        finalize(self, self.held.close)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def lifetimes(self) -> Lifetimes:
        """How long a job's keys live after its end, whoever ends it."""
        return Lifetimes(self.settings.features_seconds, self.settings.results_seconds)

    def close(self) -> None:
        """Let go of Redis and of the embedded server, and end workers of its own."""
        self.redis.close()
        self.held.close()

    @cached_property
    def messages(self) -> "Messages":
        """Sends work to the workers."""
        # Celery takes 0.3 s to import, and most commands only read.
        from shared.broker import make_app
        from shared.messages import Messages

        return Messages(make_app(self.url))

    def submit(self, source: str | Path, **options: Any) -> Job:
        """Submit the images beneath the folder ``source``; return their job.

        On the embedded server, where nobody works yet, the client starts workers of its own.

        Args:
            source: Folder, at the same path on every worker.
            options: Fields of ``shared.jobs.JobRequest``: ``features``, ``image_size``,
                ``components``, ``clusters``, ``random_state``, ``batch_size``.

        Raises:
            SourceError: The folder is missing, unreadable, or has no images.
            UsageError: An option is unknown or cannot work with this folder.
        """
        job = self.submit_folder(find_images(Path(source)), **options)
        self.is_employer = self.is_embedded
        self._employ()
        return job

    def submit_folder(self, folder: Folder, **options: Any) -> Job:
        """Submit the images of a folder that was listed before; return their job.

        Whether anybody works on it is for the caller to see to.

        Raises:
            UsageError: An option is unknown or cannot work with this folder.
        """
        request = make_request(folder, options)
        batches = split_batches(folder.paths, choose_batch_size(request, len(folder.paths)))
        job_id = secrets.token_hex(6)
        # The ledger first: from here on, the sweeper can send whatever is not sent.
        self.registry.register(job_id, request, batches, self.lifetimes)
        with suppress(ConnectionLostError):
            self.messages.send_stage(job_id, Stage.LOADING, len(batches))
        return self.job(job_id)

    def start_workers(self, concurrency: int | None = None) -> None:
        """Start workers for the embedded server, which end with this client.

        Args:
            concurrency: Processes that load; None is one a core.
        """
        workers = LocalWorkers(self.settings, concurrency or count_cores())
        self.workers = self.held.enter_context(workers)

    def job(self, job_id: str) -> Job:
        """Return the job with this id, whether it exists or not.

        Raises:
            UnknownJobError: No job can have this id.
        """
        if not JOB_ID.fullmatch(job_id):
            raise UnknownJobError(f"No job {job_id}: see `shoal jobs` for those there are.")
        ledger = Ledger(self.redis, job_id, self.settings.lease_seconds)
        return Job(ledger, self.sweeper, self._check_workers)

    def _check_workers(self, status: Status) -> None:
        if self.workers:
            self.workers.check(status)
        self._employ()

    def _employ(self) -> None:
        with suppress(*LOST):  # whoever waits will look again
            if self.is_employer and not self.workers and not self.has_workers():
                self.start_workers()

    def jobs(self) -> Iterator[Status]:
        """Yield the status of each job that has not expired, newest first.

        A job whose notes are damaged is left out, with a warning in the log.
        """
        for job_id in self.registry.jobs():
            try:
                yield self.job(job_id).status()
            except (ArithmeticError, LookupError, ValueError, ResponseError) as error:
                logger.warning("Left out job %s, which is damaged: %r", job_id, error)
            except UnknownJobError:
                continue  # it has expired since

    def has_workers(self) -> bool:
        """Return whether any worker gave a sign of life lately."""
        return bool(self.registry.workers(within_seconds=self.settings.sweep_seconds * 3))


def make_request(folder: Folder, options: dict[str, Any]) -> JobRequest:
    """Return the request for a folder, checked against it.

    Raises:
        UsageError: An option is unknown or cannot work with this folder.
    """
    names = {field.name for field in fields(JobRequest)} - {"source"}
    if unknown := set(options) - names:
        raise UsageError(f"Unknown options: {', '.join(sorted(unknown))}.")
    try:
        request = msgspec.convert({"source": str(folder.source), **options}, JobRequest)
    except msgspec.ValidationError as error:
        message, _, name = str(error).rstrip("`").partition(" - at `$.")
        raise UsageError(f"--{name.replace('_', '-')}: {message}.") from error
    check_request(request, len(folder.paths))
    return request


def check_request(request: JobRequest, n_images: int) -> None:
    """Raise UsageError if ``n_images`` images cannot be enough for ``request``."""
    if request.features not in FEATURES:
        raise UsageError(f"--features {request.features}: there are {', '.join(FEATURES)}.")
    if request.clusters > n_images:
        raise UsageError(
            f"{n_images} images cannot make {request.clusters} clusters:"
            f" use --clusters {n_images} or less."
        )
    most = min(n_images, request.n_features)
    if request.components is not None and request.components > most:
        raise UsageError(
            f"{n_images} images of {request.n_features} features have at most {most} principal"
            f" components, not {request.components}: use --components {most} or less."
        )
    check_model_size(request)


def check_model_size(request: JobRequest) -> None:
    """Raise UsageError if the model would not fit into one command to Redis."""
    most = MAX_MODEL_BYTES // (4 * request.n_features)
    if (request.components or 0) > most:
        raise UsageError(
            f"{request.components} components of {request.n_features} features are too much for"
            f" one model: use --components {most} or less, or a smaller --image-size."
        )


def choose_batch_size(request: JobRequest, n_images: int) -> int:
    """Return the images a task loads, as asked or by the number of images.

    Raises:
        UsageError: A batch of that size would not fit into one command to Redis.
    """
    most = max(1, MAX_BATCH_BYTES // request.n_features)
    if request.batch_size and request.batch_size > most:
        raise UsageError(
            f"--batch-size {request.batch_size} of {request.n_features} features is too much for"
            f" one message: use {most} or less."
        )
    return request.batch_size or min(batch_size_for(n_images), most)
