"""Batches whose images are in a bucket: fetched, compared with what was listed, known again."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from socket import gethostname
from threading import Event, Thread
from typing import Any

import pytest
from buckets import BucketServer, make_variables, refusing
from polling import wait_until
from tcp_proxy import TcpProxy

from shoal import Client
from shoal.producer.web.thumbnails import Thumbnails, find_located_version
from shoal.shared.errors import SourceError, SourceUnavailableError, UnreadableImageError
from shoal.shared.findings import FailureReason
from shoal.shared.images.files import ReadFile
from shoal.shared.jobs import State, Wave
from shoal.shared.settings import Settings
from shoal.shared.sources.locations import Location
from shoal.shared.sources.objects import ObjectImages
from shoal.shared.sources.open import open_store
from shoal.shared.sources.reading import SourceReader
from shoal.shared.sources.store import Listed
from shoal.shared.store import Commit, Ledger
from shoal.shared.store.images import JobImages
from shoal.shared.store.rows import FailedImage
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.stages.loading import fetching, measuring
from shoal.worker.stages.loading.fetching import LocatedImages
from shoal.worker.stages.loading.loading import load_batch
from shoal.worker.stages.loading.reading import LoadedImages, load_images

IMPATIENCE_SECONDS = 2.0
SMALL = {"image_size": 8, "clusters": 3}


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Stores of one test alone, which do not ask a bucket that is gone again and again."""
    monkeypatch.setattr(ObjectImages.__init__, "__defaults__", (IMPATIENCE_SECONDS,))
    open_store.cache_clear()
    yield
    open_store.cache_clear()


@pytest.fixture
def in_bucket(
    bucket_server: BucketServer, bucket_url: str, register: Callable[..., Ledger]
) -> Callable[..., Ledger]:
    """Puts the images of a folder into the bucket, and registers them; returns the ledger."""

    def in_bucket(directory: Path, **options: object) -> Ledger:
        for path in directory.iterdir():
            bucket_server.put(bucket_url, path.name, path.read_bytes())
        listed = list(ObjectImages(bucket_url).list())
        paths = [each.path for each in listed]
        rows = [Location(each.size, each.version) for each in listed]
        given = {**SMALL, "source": bucket_url, **options}
        return register([paths[:22], paths[22:]], locations=[rows[:22], rows[22:]], **given)

    return in_bucket


def read_job(context: WorkerContext, ledger: Ledger) -> tuple[list[bytes], list[list[FailedImage]]]:
    results = context.results(ledger.job_id)
    values = [ledger.client.hgetall(results.keys.hashes)[str(n).encode()] for n in range(2)]
    return values, [results.failed_images(batch) for batch in range(2)]


def read_error(context: WorkerContext, ledger: Ledger) -> str:
    return context.ledger(ledger.job_id).status().error or ""


def test_a_bucket_gives_the_rows_and_failures_of_a_folder(
    context: WorkerContext, submit: Callable[..., Ledger], in_bucket, load, mixed: Path
) -> None:
    of_folder, of_bucket = submit(mixed, batch_size=22, **SMALL), in_bucket(mixed)
    load(of_folder)
    load(of_bucket)
    assert read_job(context, of_bucket) == read_job(context, of_folder)


def test_an_object_that_has_changed_is_a_failure_that_says_so(
    context: WorkerContext, in_bucket, load, mixed: Path, bucket_server: BucketServer
) -> None:
    ledger = in_bucket(mixed)
    bucket_server.put(ledger.request.source, "130.png", (mixed / "131.png").read_bytes())
    load(ledger)
    failures = context.results(ledger.job_id).failed_images(0)
    (changed,) = [each for each in failures if each.reason is FailureReason.CHANGED]
    assert changed.position == 1
    assert "when the job was submitted" in changed.detail


def test_images_that_are_known_are_not_asked_for(
    context: WorkerContext, in_bucket, load, mixed: Path, tmp_path: Path, monkeypatch
) -> None:
    settings = replace(context.settings, home=tmp_path / "home", cache_bytes=2**30)
    caching, asked = replace(context, settings=settings), list[str]()
    read = SourceReader.read

    def note_and_read(reader: SourceReader, path: str, *arguments: object) -> bytes:
        asked.append(path)
        return read(reader, path, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(SourceReader, "read", note_and_read)
    ledgers = []
    for _ in range(2):
        asked.clear()
        ledgers.append(in_bucket(mixed))
        for batch in range(2):
            load_batch(caching, ledgers[-1].job_id, batch, False)
    # What is empty is not of the content: it may have one the next time.
    assert asked == ["000-empty.png"]
    assert read_job(context, ledgers[0]) == read_job(context, ledgers[1])


def test_a_batch_is_decoded_elsewhere_after_lost_processes(
    context: WorkerContext, in_bucket, mixed: Path
) -> None:
    ledger = in_bucket(mixed)
    results = context.results(ledger.job_id)
    for _ in range(2):
        ledger.batches.start(Wave.LOADING, 0, True, results.batch_hashes)
    assert load_batch(context, ledger.job_id, 0, True) is Commit.COMMITTED
    assert len(results.failed_images(0)) == 2


def test_a_bucket_that_refuses_for_now_defers_the_batch(
    context: WorkerContext, in_bucket, mixed: Path, bucket_server, monkeypatch, redis
) -> None:
    ledger, proxy = in_bucket(mixed), TcpProxy(bucket_server.port)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{proxy.port}")
    open_store.cache_clear()
    proxy.cut("reset")
    with pytest.raises(SourceUnavailableError, match="does not answer"):
        load_batch(context, ledger.job_id, 0, False)
    assert context.client.hget(ledger.keys.attempts(Wave.LOADING), "0") == b"0"
    assert "does not answer" in ledger.refusal()
    proxy.mend()
    redis.delete(ledger.keys.running(Wave.LOADING))  # which expires by itself
    assert load_batch(context, ledger.job_id, 0, False) is Commit.COMMITTED
    proxy.close()


@pytest.mark.parametrize("code", ["InvalidAccessKeyId", "AccessDenied"])
def test_a_worker_that_may_not_read_fails_no_image_and_names_itself(
    context: WorkerContext, in_bucket, mixed: Path, monkeypatch, code: str
) -> None:
    ledger = in_bucket(mixed)
    with refusing(403, code) as port:
        for variable, value in make_variables(port).items():
            monkeypatch.setenv(variable, value)
        open_store.cache_clear()
        assert load_batch(context, ledger.job_id, 0, False) is Commit.STALE
    assert ledger.state() is State.FAILED
    assert "credentials" in (error := read_error(context, ledger))
    assert gethostname() in error


def test_a_worker_whose_policy_is_another_says_so(
    context: WorkerContext, in_bucket, mixed: Path
) -> None:
    ledger = in_bucket(mixed)
    other = replace(context.settings, image_urls=("s3://elsewhere",))
    assert load_batch(replace(context, settings=other), ledger.job_id, 0, False) is Commit.STALE
    assert "SHOAL_IMAGE_URLS" in read_error(context, ledger)


def test_a_finished_job_shows_its_pictures_and_leaves_the_bucket_as_it_is(
    context: WorkerContext,
    in_bucket,
    run,
    mixed: Path,
    python_client: Client,
    bucket_server: BucketServer,
    tmp_path: Path,
) -> None:
    ledger = run(in_bucket(mixed))
    job, source = python_client.job(ledger.job_id), ledger.request.source
    assert len(job.results.pictures()) > 3
    images = JobImages(job.results, source, context.settings)
    picture = find_located_version(images, source, "135.png")
    thumbnails = Thumbnails(context.settings)
    assert asyncio.run(thumbnails.find(picture)).startswith(b"\xff\xd8")
    thumbnails.close()
    found = job.search("135.png", count=3)
    assert job.draw_sheet(found).startswith(b"\x89PNG")
    assert job.search(f"{source}/135.png", count=3) == found
    for refused in (lambda: job.organize(tmp_path / "x"), lambda: list(job.decide_duplicates())):
        with pytest.raises(SourceError, match="no files in a folder"):
            refused()
    assert not (tmp_path / "x").exists()
    bucket_server.put(source, "135.png", b"another")
    with pytest.raises(UnreadableImageError, match="changed"):
        images.read("135.png")


def test_the_time_of_images_in_a_bucket_is_measured_by_reading_them(
    in_bucket, context: WorkerContext, mixed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, loaded = in_bucket(mixed), list[int]()
    results, load = context.results(ledger.job_id), load_images

    def note_and_load(*arguments: Any) -> LoadedImages:
        found = load(*arguments)
        loaded.append(len(found.pixels))
        return found

    monkeypatch.setattr(measuring, "load_images", note_and_load)
    given = (ledger.request, results.paths(0), 60.0, context.settings, results.locations(0))
    assert measuring.measure_seconds(*given) > 0
    assert sum(loaded) == 20  # the first one, which is empty, is tried before the time counts


class CountingStore:
    """Objects that come when the test says so.

    Attributes:
        asked: Paths that were asked for.
    """

    url = "s3://counted"

    def __init__(self, size: int) -> None:
        self.size = size
        self.asked: list[str] = []
        self.released = Event()

    def get(self, path: str, most_bytes: int) -> tuple[bytes, Listed]:
        self.asked.append(path)
        self.released.wait(20)
        if self.size > most_bytes:
            raise UnreadableImageError(FailureReason.TOO_MANY_BYTES, f"{self.size} bytes")
        return path.encode().ljust(self.size, b" "), Listed(path, self.size)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[CountingStore, LocatedImages]]:
    def make(n: int, size: int, *, is_known: bool = True, most: int = 2**30):
        store = CountingStore(size)
        monkeypatch.setattr("shoal.shared.sources.reading.open_store", lambda *_: store)
        locations = [Location(size if is_known else None)] * n
        settings = Settings(max_image_bytes=most)
        return store, LocatedImages(store.url, [f"{k}.jpg" for k in range(n)], locations, settings)

    return make


def wait_for(store: CountingStore, n: int) -> None:
    wait_until(lambda: len(store.asked) >= n, what=f"{n} requests")


def test_many_are_asked_for_at_once_and_come_in_their_order(counted) -> None:
    store, images = counted(100, 10)
    found = list[bytes]()
    reader = Thread(
        target=lambda: found.extend(each.content for each in images.fetch(range(100), int))
    )
    reader.start()
    wait_for(store, fetching.MOST_REQUESTS)
    assert len(store.asked) == fetching.MOST_REQUESTS
    store.released.set()
    reader.join(20)
    assert [content.strip() for content in found] == [b"%d.jpg" % n for n in range(100)]


def test_no_more_bytes_are_read_ahead_than_there_is_room_for(counted, monkeypatch) -> None:
    monkeypatch.setattr(fetching, "READ_AHEAD_BYTES", 1000)
    store, images = counted(20, 300)
    Thread(target=lambda: list(images.fetch(range(20), int))).start()
    wait_for(store, 3)
    assert len(store.asked) == 3
    store.released.set()
    wait_for(store, 20)


def test_what_is_larger_than_all_room_is_read_alone_and_what_is_too_large_never(counted) -> None:
    store, images = counted(2, 50 * 10**9)
    store.released.set()
    found = list(images.fetch([0, 1], int))
    assert [each.reason for each in found] == [FailureReason.TOO_MANY_BYTES] * 2
    assert store.asked == []


def test_an_image_of_unknown_size_is_read_whole(counted, monkeypatch) -> None:
    monkeypatch.setattr(fetching, "UNKNOWN_BYTES", 100)
    store, images = counted(3, 300, is_known=False)
    store.released.set()
    assert all(isinstance(each, ReadFile) for each in images.fetch(range(3), int))
    store, images = counted(1, 300, is_known=False, most=200)
    store.released.set()
    (failure,) = images.fetch([0], int)
    assert failure.reason is FailureReason.TOO_MANY_BYTES


def test_whoever_waits_is_asked_whether_the_work_is_still_wanted(counted) -> None:
    store, images = counted(70, 10)

    class NotWantedError(Exception):
        pass

    def stop() -> None:
        raise NotWantedError

    with pytest.raises(NotWantedError):
        list(images.fetch(range(70), stop))
    store.released.set()
