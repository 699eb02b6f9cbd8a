"""The Python client: submit a folder and get its job."""

import logging
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal
from weakref import finalize

from redis import ConnectionError as RedisConnectionError
from redis import ResponseError

from shoal.producer.job import Job
from shoal.producer.local.models import check_model
from shoal.producer.local.workers import LocalWorkers
from shoal.producer.submission.defaults import describe_lack
from shoal.producer.submission.fingerprint import Notify, find_same_job, make_fingerprint
from shoal.producer.submission.listing import Listing
from shoal.producer.submission.plan import Plan, Room, make_plan
from shoal.producer.submission.previous import (
    check_version,
    find_previous,
    make_series,
    needs_previous,
)
from shoal.producer.submission.request import make_request, uses_default_features
from shoal.shared.encoding import NOT_UTF8, uses_utf8
from shoal.shared.errors import (
    DamagedJobError,
    StoreUnavailableError,
    UnknownJobError,
    UsageError,
    describe_unknown,
)
from shoal.shared.jobs import JobRequest, Status, Wave
from shoal.shared.messaging.messages import Messages
from shoal.shared.redis.connection import QUICK_RETRIES, check_server, connect, describe_faults
from shoal.shared.server.embedded import disk_of, find_disk, hold_server
from shoal.shared.server.places import find_place, identify
from shoal.shared.settings import Settings, read_settings
from shoal.shared.store import Ledger, Lifetimes, Origin, Registry, Strays, WorkerStatus
from shoal.shared.sweeper import Sweeper

JOB_ID = re.compile(r"[0-9a-f]{12}")
ID_PREFIX = re.compile(r"[0-9a-f]{1,11}")
# Stands for the id of the job submitted last.
LAST = "last"
# Ids that a message lists.
IDS_SHOWN = 5

logger = logging.getLogger(__name__)

# Whoever looks on hears after this time that Redis does not answer.
WATCH_SECONDS = 5.0


class Client:
    """Submits folders as jobs, and finds the jobs that were submitted before.

    Without a Redis of your own, the client starts an embedded server and, with the first job,
    worker processes on this machine. They run until ``close``, the end of the ``with`` block or
    the end of the program. With a Redis of your own, start workers with ``shoal worker``.

    Example::

        from shoal import Client

        with Client() as client:
            job = client.submit("photographs")
            job.wait()
            for image in job.labels():
                print(image.label, image.path)

    Attributes:
        settings: All settings, as read from the environment or passed in.
        is_embedded: Whether the embedded server is used.
    """

    def __init__(
        self,
        redis_url: str | None = None,
        *,
        settings: Settings | None = None,
        start_workers: bool = True,
        reply_seconds: float | None = None,
    ) -> None:
        """Connect to a Redis, or start the embedded server.

        Args:
            redis_url: Address of your Redis, such as ``redis://host:6379/0``. None takes
                ``SHOAL_REDIS_URL``, or the embedded server if that is not set either.
            settings: Settings to use; None reads the ``SHOAL_`` environment variables.
            start_workers: Whether ``submit`` and ``Job.retry`` start workers on this machine if
                the embedded server is used and no worker is running.
            reply_seconds: Longest time to wait for a reply of Redis. None waits for a minute, and
                then asks again.

        Raises:
            UsageError: Python does not decode file names as UTF-8.
            SettingsError: A ``SHOAL_`` variable does not parse.
            ConnectionLostError: The embedded server does not start.
        """
        if not uses_utf8():
            raise UsageError(NOT_UTF8)
        self.settings = settings or read_settings()
        self._held = ExitStack()
        url = redis_url or self.settings.redis_url
        self.is_embedded = url is None
        self._url = url or self._held.enter_context(hold_server(self.settings))
        self.redis = (
            connect(self._url, QUICK_RETRIES)
            if reply_seconds is None
            else connect(self._url, QUICK_RETRIES, reply_seconds, (RedisConnectionError,))
        )
        self._hasty = connect(self._url, retries=0, timeout_seconds=WATCH_SECONDS)
        self.place = find_place(self.settings, self.redis, is_embedded=self.is_embedded)
        self.registry = Registry(self.redis)
        may_start = self.is_embedded and start_workers
        self.workers = LocalWorkers(self.registry, self.settings, may_start=may_start)
        self._held.callback(self.workers.close)
        self.sweeper = Sweeper(self.registry, self.settings, self.messages, self.place)
        # A program that forgets ``close`` leaves no process behind either.
        finalize(self, self._held.close)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *error: Any) -> None:
        self.redis.close()
        self._held.__exit__(*error)  # the embedded server's may say more about it

    def close(self) -> None:
        """Close the connection; stop the workers and the server that this client started."""
        self.redis.close()
        self._hasty.close()
        self._held.close()

    def check_connection(self) -> "Client":
        """Check that Redis answers and is new enough; close the client if not.

        Returns:
            This client.

        Raises:
            ConnectionLostError: Redis does not answer, or wants another password.
            UsageError: Redis is too old.
        """
        try:
            check_server(self._url)
        except BaseException:
            self.close()
            raise
        return self

    @cached_property
    def messages(self) -> Messages:
        """Sends work to the workers; Shoal's own, not for users."""
        return Messages(self.redis)

    def submit(
        self,
        source: str | Path | Sequence[str | Path],
        *,
        force: bool = False,
        exclude: Sequence[str] = (),
        column: str | None = None,
        recipe: Literal["tutorial"] | None = None,
        features: str | None = None,
        image_size: int | None = None,
        components: int | None = None,
        clusters: int | Literal["auto"] | None = None,
        level: Literal["coarser", "finer"] | None = None,
        algorithm: Literal["kmeans", "minibatch", "hdbscan"] | None = None,
        random_state: int | None = None,
        batch_size: int | None = None,
        renumber: bool = False,
        keep_model: bool = False,
        cache: bool = True,
    ) -> Job:
        """Submit a folder of images for clustering.

        With the embedded server, this also starts workers if none are running.

        Args:
            source: The folder. Its sub-directories are searched too. Every worker must see it at
                the same path. Or several folders or files, a pattern such as ``photos/*.jpg``, a
                list of paths or URLs (``.txt``, ``.csv``, ``.parquet``), or a URL.
            force: Whether to run again even if this folder was already clustered with these
                options. If not, a job with the same images and options is returned, unless it
                failed or was cancelled.
            exclude: Patterns of what is left out, as in a .gitignore.
            column: Column of a CSV or Parquet file that has the paths; None finds it by its name.
            recipe: Options that belong together, by name. Others given beside it count more.
            features: What to compare images by, such as ``"embedding"``, the default, or
                ``"hog+color"``.
            image_size: Width and height in pixels that images are resized to; None suits the
                features.
            components: Number of principal components; None is 50, or as many as the images allow.
            clusters: Number of clusters; ``"auto"``, the default, chooses it.
            level: Of an automatic number, the coarser or finer one if it is nearly as good.
            algorithm: Clustering algorithm; None is ``"kmeans"``.
            random_state: Seed: the same folder and options give the same labels. None is 0.
            batch_size: Images per task; None suits the images.
            renumber: True numbers clusters by size; if not, they keep the numbers that they had in
                the last finished job of this folder with the same options.
            keep_model: True uses the model of that job instead of a fit: no new clusters.
            cache: Whether to use what earlier jobs have loaded.

        Returns:
            The job: a new one, or the existing one (then ``Job.is_found`` is True).

        Raises:
            SourceError: The folder is missing, unreadable, or has no images.
            ConnectionLostError: Redis does not answer, or wants another password.
            UsageError: An option cannot work with this folder, the job would not fit into memory
                or on the disk, or Redis is too old.
        """
        if not self.is_embedded:
            check_server(self._url)
        job = self.submit_listing(
            self.list_images(source, exclude=exclude, column=column),
            force=force,
            recipe=recipe,
            features=features,
            image_size=image_size,
            components=components,
            clusters=clusters,
            level=level,
            algorithm=algorithm,
            random_state=random_state,
            batch_size=batch_size,
            renumber=renumber,
            keep_model=keep_model,
            cache=cache,
        )
        self.workers.ensure_running()
        return job

    def list_images(
        self,
        source: str | Path | Sequence[str | Path],
        *,
        exclude: Sequence[str] = (),
        column: str | None = None,
    ) -> Listing:
        """List the images of a source, as ``submit`` does.

        Args:
            source: As for ``submit``.
            exclude: As for ``submit``.
            column: As for ``submit``.

        Raises:
            SourceError: It is missing, unreadable, or has no images.
            OptionError: A pattern cannot be read, or there is no such column.
        """
        # Only where images are listed: `shoal status` answers sooner without it.
        from shoal.producer.submission.inputs import Selection, read_sources

        given = [source] if isinstance(source, str | Path) else source
        selection = Selection(tuple(exclude), column)
        return read_sources([os.fspath(each) for each in given], self.settings, selection)

    def submit_listing(
        self, listing: Listing, *, force: bool = False, notify: Notify | None = None, **options: Any
    ) -> Job:
        """Submit a folder that was already listed, without starting workers.

        Args:
            listing: The images.
            force: As for ``submit``.
            notify: Called with each message for the user: what is needed if little is left, the
                job found. None logs them.
            **options: As for ``submit``.
        """
        request = make_request(listing, options)
        if uses_default_features(options) and (lack := describe_lack()):
            (notify or logger.warning)(lack)
        return self.submit_request(listing, request, force=force, notify=notify)

    def submit_request(
        self,
        listing: Listing,
        request: JobRequest,
        *,
        force: bool = False,
        notify: Notify | None = None,
    ) -> Job:
        """Submit what was checked already, without starting workers.

        Args:
            listing: The images.
            request: What to do with them.
            force: As for ``submit``.
            notify: As for ``submit_listing``.
        """
        settings, notify = self.settings, notify or logger.info
        fingerprint = make_fingerprint(request, listing, settings, self._find_token(request))
        known = None if force else self.registry.find(fingerprint)
        if known and (found := self._find_job(known, notify)):
            return found
        self._check_workers(request, notify)
        plan = self.plan(listing, request)
        (notify if plan.is_near else logger.info)(plan.message)
        # The submitter's lifetimes apply, whichever process ends the job.
        lifetimes = Lifetimes(settings.features_seconds, settings.results_seconds)
        Strays(self.redis, self.place).note_owner()
        place, url = identify(self.place), self.place.url
        origin = Origin(fingerprint, known, listing.left_out, place=place, place_url=url)
        origin = self._find_origin(request, origin, notify)
        job_id = secrets.token_hex(6)
        # The ledger first: from here on, the sweeper can send whatever was not sent.
        if self.registry.register(job_id, request, plan.batches, lifetimes, origin, plan.locations):
            # Somebody else has submitted the same meanwhile: that job can be found now.
            return self.submit_request(listing, request, force=force, notify=notify)
        with suppress(StoreUnavailableError):
            self.messages.send_wave(job_id, Wave.LOADING, len(plan.batches))
        return self.job(job_id)

    def _find_token(self, request: JobRequest) -> str:
        """Return what names the model of the job on which one builds; a retry makes another."""
        source = request.coordinates_of or request.model_of
        return self.job(source).results.model_token() if source else ""

    def _find_origin(self, request: JobRequest, origin: Origin, notify: Notify) -> Origin:
        """Return the origin of a new job, with the job before it and the model that it needs.

        Raises:
            UsageError: It needs the model of another job, and there is none that it could use.
        """
        origin = replace(origin, series=make_series(request))
        if needs_previous(request):
            statuses = self._statuses(self.registry.find_series(origin.series))
            previous = find_previous(statuses, request, self.registry.now())
            origin = replace(origin, previous=previous)
        if request.coordinates_of:
            giver, token = self.job(request.coordinates_of), self._find_token(request)
            given = giver.ledger.fields_of_coordinates(token)
            return replace(origin, given=given, model_of=giver.id, model_token=token)
        if not request.takes_model:
            return origin
        giver = self.job(request.model_of or origin.previous)
        notify(f"No new model is fitted: labels come from the model of job {giver.id}.")
        given = giver.ledger.fields_of_model()
        check_version(giver.id, given)
        token = giver.results.model_token()
        return replace(origin, given=given, model_of=giver.id, model_token=token)

    def _check_workers(self, request: JobRequest, notify: Notify) -> None:
        """Say what workers will refuse: this Redis, or the model of the user's own.

        Raises:
            UsageError: The model cannot be used.
        """
        for fault in [] if self.is_embedded else describe_faults(self.redis):
            notify(f"Workers refuse to work with this Redis. {fault}.")
        loads = not request.coordinates_of
        if loads and self.settings.embedding_model and "embedding" in request.features:
            check_model(self.settings.embedding_model)

    def plan(self, listing: Listing, request: JobRequest) -> Plan:
        """Plan a new job, with its batches and the memory it needs, without submitting it.

        Raises:
            UsageError: The job would not fit into memory or on the disk, or its batches into one
                message.
        """
        place_id, directory = identify(self.place), self.place.path("jobs")
        room = Room(
            self.registry.memory(),
            find_disk(self.settings) if self.is_embedded else None,
            disk_of(directory.parent) if directory else None,
            shards_in_redis=not place_id,
        )
        return make_plan(listing, request, self.settings.fit_memory, room)

    def _find_job(self, job_ids: Iterable[str], notify: Notify) -> Job | None:
        statuses = self._statuses(job_ids)
        found = find_same_job(statuses, self.registry.now(), notify)
        if found is None:
            return None
        job = self.job(found.job_id)
        job.is_found = True
        with suppress(ResponseError, StoreUnavailableError):  # later commands say what prevents it
            job.ledger.share()
            self.registry.note_submitted(job.id)
        return job

    def job(self, job_id: str) -> Job:
        """Return the job with this id.

        With a whole id, Redis is not asked yet whether the job exists; its methods raise
        UnknownJobError if it does not.

        Args:
            job_id: The job's id, 12 hexadecimal digits; the beginning of one, if no other job has
                the same; or ``"last"``, the job that was submitted last to this Redis or embedded
                server, by anybody.

        Raises:
            UnknownJobError: There is no such job.
            UsageError: Several ids begin like this; the message lists them.
        """
        whole = job_id if JOB_ID.fullmatch(job_id) else self._complete_id(job_id)
        ledger, watched = (
            Ledger(redis, whole, self.settings.lease_seconds) for redis in (self.redis, self._hasty)
        )
        workers = self.workers
        job = Job(ledger, self.sweeper, workers.keep_running, workers.ensure_running, watched)
        job.submitter = self
        return job

    def _complete_id(self, given: str) -> str:
        """Return the id that begins like this, or that of the last job.

        Raises:
            UnknownJobError: There is none.
            UsageError: There are several.
        """
        found = list[str]()
        if given == LAST:
            found = self.registry.jobs()[:1]
        elif ID_PREFIX.fullmatch(given):
            found = [job_id for job_id in self.registry.jobs() if job_id.startswith(given)]
        if len(found) > 1:
            more = ", …" if len(found) > IDS_SHOWN else ""
            shown = ", ".join(found[:IDS_SHOWN]) + more
            raise UsageError(f"{len(found)} jobs begin with {given}: {shown}. Give more digits.")
        if not found:
            raise UnknownJobError(describe_unknown(given))
        return found[0]

    def jobs(self, start: int = 0, count: int | None = None) -> Iterator[Status]:
        """Yield the status of each job that has not expired, the one submitted last first.

        A job whose data in Redis is damaged is left out, with a warning in the log.

        Args:
            start: How many jobs to skip.
            count: How many jobs to read after those; None reads all.
        """
        return self._statuses(self.registry.jobs()[start:][:count])

    def list_workers(self) -> list[WorkerStatus]:
        """Return the workers of this Redis, on all machines, by name: what each does.

        Workers that ended by themselves are gone; those that were lost are shown for an hour.
        """
        return self.registry.list_workers(self.settings.late_seconds, self.settings.lost_seconds)

    def _statuses(self, job_ids: Iterable[str]) -> Iterator[Status]:
        for job_id in job_ids:
            try:
                yield self.job(job_id).status()
            except (DamagedJobError, ResponseError) as error:
                logger.warning("Left out job %s, which is damaged: %r", job_id, error)
            except UnknownJobError:
                continue  # it has expired since
