"""The Python client: submit a folder, and get its job."""

import logging
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import finalize

from redis import ResponseError

from shoal.producer.job import Job
from shoal.producer.local import LocalWorkers
from shoal.producer.submission.fingerprint import Notify, find_same_job, make_fingerprint
from shoal.producer.submission.folder import Folder, read_folder
from shoal.producer.submission.plan import Plan, make_plan
from shoal.producer.submission.request import make_request
from shoal.shared.connection import QUICK_RETRIES, check_server, connect
from shoal.shared.errors import (
    ConnectionLostError,
    DamagedJobError,
    SourceError,
    StoreFullError,
    UnknownJobError,
)
from shoal.shared.jobs import JobRequest, Status, Wave
from shoal.shared.server.embedded import hold_server
from shoal.shared.settings import Settings, read_settings
from shoal.shared.store import Ledger, Lifetimes, Registry
from shoal.shared.sweeper import Sweeper

if TYPE_CHECKING:
    from shoal.shared.messaging.messages import Messages

JOB_ID = re.compile(r"[0-9a-f]{12}")

logger = logging.getLogger(__name__)


class Client:
    """Submits jobs to one Redis and finds those it has.

    With neither ``redis_url`` nor ``SHOAL_REDIS_URL``, the embedded server is used, and kept
    running until ``close`` or the end of the program; ``submit`` and ``Job.retry`` start workers
    for it, unless ``start_workers`` is False.

    Raises:
        SettingsError: A ``SHOAL_`` variable does not parse.
        ConnectionLostError: The embedded server does not start.
    """

    def __init__(
        self,
        redis_url: str | None = None,
        *,
        settings: Settings | None = None,
        start_workers: bool = True,
    ) -> None:
        self.settings = settings or read_settings()
        self._held = ExitStack()
        url = redis_url or self.settings.redis_url
        self.is_embedded = url is None
        self._url = url or self._held.enter_context(hold_server(self.settings))
        self.redis = connect(self._url, QUICK_RETRIES)
        self.registry = Registry(self.redis)
        may_start = self.is_embedded and start_workers
        self.workers = LocalWorkers(self.registry, self.settings, may_start=may_start)
        self._held.callback(self.workers.close)
        self.sweeper = Sweeper(self.registry, self.settings, lambda: self.messages)
        # Who forgets ``close`` leaves no process behind either.
        finalize(self, self._held.close)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of Redis and of the embedded server, and end workers of its own."""
        self.redis.close()
        self._held.close()

    def check_connection(self) -> "Client":
        """Return this client if its Redis answers and is new enough, and close it if not.

        Raises:
            ConnectionLostError: It does not answer, or wants another password.
            UsageError: It is too old.
        """
        try:
            check_server(self._url)
        except BaseException:
            self.close()
            raise
        return self

    @cached_property
    def messages(self) -> "Messages":
        """Sends work to the workers."""
        # Celery takes 0.3 s to import, and most commands only read.
        from shoal.shared.messaging.broker import make_app
        from shoal.shared.messaging.messages import Messages

        return Messages(make_app(self._url))

    def submit(self, source: str | Path, *, force: bool = False, **options: Any) -> Job:
        """Submit the images beneath the folder ``source``; return their job.

        On the embedded server, where nobody works yet, the client starts workers of its own.

        Args:
            source: Folder, at the same path on every worker.
            force: Whether to make a new job though there is one of these images and options.
            options: Fields of ``shoal.shared.jobs.JobRequest``: ``features``, ``image_size``,
                ``components``, ``clusters``, ``random_state``, ``batch_size``.

        Raises:
            SourceError: The folder is missing, unreadable, or has no images.
            ConnectionLostError: Redis does not answer, or wants another password.
            UsageError: An option is unknown or cannot work with this folder, the job would not
                fit into Redis, or Redis is too old.
        """
        if not os.fspath(source):
            raise SourceError("No folder is named: '' would be the current one, which is '.'.")
        if not self.is_embedded:
            check_server(self._url)
        job = self.submit_folder(read_folder(Path(source)), force=force, **options)
        self.workers.ensure_running()
        return job

    def submit_folder(
        self, folder: Folder, *, force: bool = False, notify: Notify = logger.info, **options: Any
    ) -> Job:
        """Submit as ``submit`` does, but a folder that was listed before, and start no workers.

        Args:
            folder: The images.
            force: As of ``submit``.
            notify: Called with what a person should know: the memory needed, a job found.
            options: As of ``submit``.
        """
        request, settings = make_request(folder, options), self.settings
        fingerprint = make_fingerprint(request, folder, settings)
        if not force and (found := self._find_job(folder, fingerprint, notify)):
            return found
        plan = self.plan(folder, request)
        notify(plan.message)
        # Of the submitter, whoever ends the job.
        lifetimes = Lifetimes(settings.features_seconds, settings.results_seconds)
        job_id = secrets.token_hex(6)
        # The ledger first: from here on, the sweeper can send whatever is not sent.
        self.registry.register(job_id, request, plan.batches, lifetimes, fingerprint)
        with suppress(ConnectionLostError, StoreFullError):
            self.messages.send_wave(job_id, Wave.LOADING, len(plan.batches))
        return self.job(job_id)

    def plan(self, folder: Folder, request: JobRequest) -> Plan:
        """Return what a new job would come to; nothing is made.

        Raises:
            UsageError: The job would not fit into Redis, or its batches into one message.
        """
        fit_memory, memory = self.settings.fit_memory, self.registry.memory()
        return make_plan(folder, request, fit_memory, memory, self.is_embedded)

    def _find_job(self, folder: Folder, fingerprint: str, notify: Notify) -> Job | None:
        statuses = self._statuses(self.registry.find(fingerprint))
        found = find_same_job(statuses, folder, self.registry.now(), notify)
        if found is None:
            return None
        job = self.job(found.job_id)
        job.is_found = True
        with suppress(ResponseError):  # a Redis that cannot note it has more to say later
            job.ledger.share()
        return job

    def job(self, job_id: str) -> Job:
        """Return the job with this id, whether it exists or not.

        Raises:
            UnknownJobError: No job can have this id.
        """
        if not JOB_ID.fullmatch(job_id):
            raise UnknownJobError(f"No job {job_id}: see `shoal jobs` for those there are.")
        ledger = Ledger(self.redis, job_id, self.settings.lease_seconds)
        return Job(ledger, self.sweeper, self.workers.keep_running, self.workers.ensure_running)

    def jobs(self, start: int = 0, count: int | None = None) -> Iterator[Status]:
        """Yield the status of each job that has not expired, newest first.

        A job whose notes are damaged is left out, with a warning in the log.

        Args:
            start: How many of the newest to leave out.
            count: How many to look at; None is all.
        """
        return self._statuses(self.registry.jobs()[start:][:count])

    def _statuses(self, job_ids: Iterable[str]) -> Iterator[Status]:
        for job_id in job_ids:
            try:
                yield self.job(job_id).status()
            except (DamagedJobError, ResponseError) as error:
                logger.warning("Left out job %s, which is damaged: %r", job_id, error)
            except UnknownJobError:
                continue  # it has expired since
