"""Real servers, one of each kind for the whole run, and an empty database for each test."""

import shoal.worker.blas  # noqa: F401, I001  before numpy: one thread, as in workers

import secrets
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from buckets import BucketServer, make_variables
from celery import Celery
from hypothesis import HealthCheck, settings
from quick import make_quick_request
from servers import KINDS, Server, open_redis
from shards import PLACES, open_shards

from shoal.shared.messaging.broker import make_app
from shoal.shared.redis.connection import QUICK_RETRIES
from shoal.shared.server.places import identify
from shoal.shared.settings import Settings
from shoal.shared.shards import Shards
from shoal.shared.sources.locations import Location
from shoal.shared.store import Ledger, Origin, Registry
from shoal.shared.tasks import BATCHES, CALLBACKS
from shoal.worker.runtime.context import WorkerContext

LEASE_SECONDS = 15.0

# Busy cores make an example slow, and no fault.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

# A shell that is not interactive lets what runs in its background ignore Ctrl-C, and so would
# every command that a test starts to interrupt it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def server_directory() -> Iterator[Path]:
    # Not pytest's own: its path can be too long for a socket.
    directory = Path(tempfile.mkdtemp(prefix="shoal-"))
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def servers(server_directory: Path) -> Iterator[Callable[[str], Server]]:
    """Starts a server of a kind, once."""
    running: dict[str, Server] = {}

    def find(kind: str) -> Server:
        if kind not in running:
            directory = server_directory / kind
            directory.mkdir(exist_ok=True)  # a server that is missing skips a test each time
            running[kind] = Server(kind, directory)
            running[kind].start()
        return running[kind]

    yield find
    for server in running.values():
        server.stop()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Try what is about a server or a place on each kind; the rest on one, and in a soak on all."""
    for fixture, kinds, marker in (
        ("server_kind", KINDS, "each_server"),
        ("place_kind", PLACES, "each_place"),
    ):
        if fixture in metafunc.fixturenames:
            first, *others = kinds
            is_on_each = metafunc.definition.get_closest_marker(marker)
            marks = () if is_on_each else (pytest.mark.soak,)
            rest = [pytest.param(kind, marks=marks) for kind in others]
            metafunc.parametrize(fixture, [first, *rest], indirect=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave other places on other servers to a soak: each is tried with the first of the other."""
    for item in items:
        kinds = item.callspec.params if hasattr(item, "callspec") else {}
        server, place = kinds.get("server_kind", KINDS[0]), kinds.get("place_kind", PLACES[0])
        if server != KINDS[0] and place != PLACES[0]:
            item.add_marker("soak")


@pytest.fixture
def server_kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture
def place_kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture(scope="session")
def bucket_server() -> Iterator[BucketServer]:
    """A server that speaks S3."""
    server = BucketServer()
    yield server
    server.stop()


@pytest.fixture
def bucket_url(bucket_server: BucketServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty bucket, which processes that the test starts find, too."""
    for variable, value in make_variables(bucket_server.port).items():
        monkeypatch.setenv(variable, value)
    url = f"s3://bucket-{secrets.token_hex(4)}/of/jobs"
    bucket_server.make_bucket(url)
    return url


@pytest.fixture
def shards_url(
    place_kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> str | None:
    """What SHOAL_SHARDS_URL says of the kind of place; None is Redis."""
    if place_kind == "objects":
        url: str = request.getfixturevalue("bucket_url")
        return url
    return tmp_path_factory.mktemp("place").as_uri() if place_kind == "files" else None


@pytest.fixture
def place(redis: Any, shards_url: str | None) -> Shards:
    """Where shards are kept."""
    return open_shards(redis, shards_url)


@pytest.fixture
def server_url(server_kind: str, servers: Callable[[str], Server]) -> str:
    return servers(server_kind).url


@pytest.fixture
def own_server(server_directory: Path) -> Iterator[Server]:
    """A server that a test may stop and start; it is not running yet."""
    server = Server("redis-server", Path(tempfile.mkdtemp(dir=server_directory)))
    yield server
    server.stop()


@pytest.fixture
def redis(server_url: str) -> Iterator[Any]:
    redis = open_redis(server_url, QUICK_RETRIES)
    redis.flushall()
    yield redis
    redis.close()


@pytest.fixture
def registry(redis: Any) -> Registry:
    return Registry(redis)


@pytest.fixture
def app(server_url: str) -> Iterator[Celery]:
    app = make_app(server_url)
    yield app
    app.close()


@pytest.fixture
def context(redis: Any, server_url: str, place: Shards) -> WorkerContext:
    # What one test has loaded must not be known in another.
    settings = Settings(redis_url=server_url, cache_bytes=0)
    return WorkerContext(settings, redis, place)


@pytest.fixture
def register(registry: Registry, place: Shards) -> Callable[..., Ledger]:
    """Registers a job of ``batches`` (or so many batches of one image); returns its ledger."""

    def register(
        batches: list[list[str]] | int = 2,
        locations: list[list[Location]] | None = None,
        **options: Any,
    ) -> Ledger:
        if isinstance(batches, int):
            batches = [[f"{number}.png"] for number in range(batches)]
        # Ids never come again: a process keeps the models of the jobs it labelled last.
        job_id = secrets.token_hex(6)
        origin = Origin(place=identify(place), place_url=place.url)
        request = make_quick_request(**options)
        registry.register(job_id, request, batches, origin=origin, locations=locations)
        return Ledger(registry.client, job_id, LEASE_SECONDS)

    return register


@pytest.fixture
def queued(registry: Registry) -> Callable[[], tuple[int, int]]:
    """Returns how many messages wait for batches and for callbacks."""
    return lambda: (registry.waiting([BATCHES]), registry.waiting([CALLBACKS]))
