"""The Python client: what it submits, and what it refuses."""

import socket
from collections import Counter
from pathlib import Path

import pytest
from redis import ResponseError
from servers import Server, find_free_port

from shoal import Client
from shoal.producer.submission.listing import Listing
from shoal.producer.submission.request import make_request
from shoal.shared.errors import (
    ConnectionLostError,
    DamagedJobError,
    SourceError,
    UnknownJobError,
    UsageError,
)
from shoal.shared.jobs import JobRequest, State, Wave
from shoal.shared.settings import Settings
from shoal.shared.store import Results


@pytest.fixture
def folder(tmp_path):
    """A folder that looks like four images: a producer does not read them."""
    for name in ("b.png", "a.jpg", "notes.txt", "sub/c.PNG", "caf\udce9.png"):
        path = tmp_path / "photographs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "photographs"


def test_a_folder_becomes_a_job_with_its_messages(redis, python_client, folder, queued):
    job = python_client.submit(folder, clusters=2, batch_size=3)
    status = job.status()
    assert (status.state, status.images.total) == (State.QUEUED, 4)
    assert status.request.source == str(folder.resolve())
    assert queued() == (2, 0)
    results = Results(redis, job.id)
    paths = [*results.paths(0), *results.paths(1)]
    assert paths == ["a.jpg", "b.png", "caf\udce9.png", "sub/c.PNG"]


def test_a_folder_may_be_named_by_a_string_and_by_any_bytes(python_client, tmp_path):
    folder = tmp_path / "caf\udce9"
    folder.mkdir()
    (folder / "a.png").touch()
    job = python_client.submit(str(folder), clusters=1)
    assert Path(job.status().request.source).samefile(folder)


def test_a_connection_is_checked_without_telling_its_password(python_client):
    assert python_client.check_connection() is python_client
    with pytest.raises(ConnectionLostError, match="//…@localhost:1 ") as refused:
        Client("redis://:dolphin@localhost:1").check_connection()
    assert "dolphin" not in str(refused.value)


def test_jobs_are_found_again_newest_first(python_client, folder):
    first = python_client.submit(folder, clusters=1)
    second = python_client.submit(folder, clusters=2)
    assert [status.job_id for status in python_client.jobs()] == [second.id, first.id]
    assert [status.job_id for status in python_client.jobs(1, 5)] == [first.id]
    assert [status.job_id for status in python_client.jobs(count=1)] == [second.id]
    assert python_client.job(first.id).status().request.clusters == 1


def test_a_job_that_does_not_exist_says_where_to_look(python_client):
    with pytest.raises(UnknownJobError, match=r"client\.jobs\(\)"):
        python_client.job("nosuch").status()


def test_a_client_without_the_network_warns_once_and_compares_pixels(
    redis, server_url, folder, monkeypatch, caplog
):
    monkeypatch.setattr("shoal.producer.submission.defaults.NETWORK", "no_such_module")
    with Client(server_url, settings=Settings()) as client:
        assert client.submit(folder).status().request.features == "pixels"
        (warning,) = caplog.messages
        assert "pip install no_such_module" in warning
        told = list[str]()
        client.submit_listing(find(folder), notify=told.append, clusters=2)
        client.submit_listing(find(folder), notify=told.append, clusters=2, features="pixels")
        assert [warning in line for line in told] == [True, False]


def test_hdbscan_is_asked_for_without_a_number_of_clusters(python_client, folder):
    request = python_client.submit(folder, algorithm="hdbscan").status().request
    assert (request.algorithm, request.clusters) == ("hdbscan", "auto")


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        ({"clusters": 5}, "`clusters=4` or less"),
        ({"components": 5, "clusters": 2}, "`components=4` or less"),
        ({"components": 4, "clusters": 2, "image_size": 1}, "`components=3` or less"),
        ({"clusters": 2, "batch_size": 100, "image_size": 512}, "use 85 or less"),
        ({"clusters": 2, "batch_size": 4097}, "`batch_size`: .* from 1 to 4,096"),
        ({"clusters": 0}, "`clusters`: Expected a whole number from 1 to 10,000 or auto"),
        ({"clusters": "two"}, "`clusters`: Expected a whole number .* or auto"),
        ({"components": 1.5}, "`components`: Expected a whole number from 1 to 4,096"),
        ({"image_size": 513}, "`image_size`: .* from 1 to 512"),
        ({"random_state": -1}, "`random_state`: Expected a whole number from 0 to"),
        ({"features": "dreams"}, "'dreams'; there are pixels, color"),
        ({"features": 3}, "`features`: Expected text"),
        ({"recipe": "cake"}, "`recipe`: Expected tutorial"),
        (
            {"algorithm": "dbscan", "clusters": 2},
            "`algorithm`: Expected kmeans or minibatch or hdbscan",
        ),
        ({"algorithm": "hdbscan", "clusters": 2}, "leave `clusters` out"),
        ({"algorithm": "hdbscan", "level": "finer"}, "leave finer out"),
        ({"clusters": 2, "level": "finer"}, "use `clusters='auto'`"),
        ({"clusters": "auto", "level": "fine"}, "`level`: Expected coarser or finer"),
        ({"colour": "red", "clusters": 2}, "Unknown options: colour"),
        ({"source": "/elsewhere", "clusters": 2}, "Unknown options: source"),
    ],
)
def test_what_cannot_work_is_refused_with_its_remedy_and_leaves_nothing(
    redis, python_client, folder, options, remedy
):
    with pytest.raises(UsageError, match=remedy.replace("|", r"\|")):
        python_client.submit_listing(find(folder), **options)
    assert redis.keys("*") == []


def find(folder):
    from shoal.producer.submission.folder import read_folder

    return read_folder(folder)


def test_a_folder_that_is_missing_or_has_no_images_leaves_nothing(redis, python_client, tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(SourceError, match=r"no images in .*give a folder"):
        python_client.submit(tmp_path)
    with pytest.raises(SourceError, match="does not exist; check the spelling"):
        python_client.submit(tmp_path / "missing")
    with pytest.raises(SourceError, match="folder's name is empty"):
        python_client.submit("")
    assert redis.keys("*") == []


def test_a_batch_of_large_images_fits_into_one_command(redis, python_client, folder):
    job = python_client.submit(folder, clusters=2, image_size=512)
    assert Results(redis, job.id).n_batches() == 1


def test_a_model_too_large_for_one_command_is_refused():
    folder = Listing("/images", [f"{n}.jpg" for n in range(1000)], Counter(), [])
    with pytest.raises(UsageError, match="`components=85` or less, or a smaller `image_size`"):
        make_request(folder, {"features": "pixels", "image_size": 512, "components": 200})


def test_lifetimes_of_a_job_are_those_of_who_submitted_it(redis, server_url, folder):
    settings = Settings(redis_url=server_url, features_seconds=60, results_seconds=120)
    with Client(settings=settings) as producer:
        job = producer.submit(folder, clusters=2)
    with Client(settings=Settings(redis_url=server_url)) as other:
        other.job(job.id).cancel()
    assert 100_000 < redis.pttl(job.ledger.keys.job) <= 120_000


def test_what_takes_a_connection_and_never_says_a_word_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr("shoal.shared.redis.connection.GREETING_SECONDS", 0.1)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "silent"))
        silent.listen()
        with pytest.raises(ConnectionLostError, match="No Redis answers"):
            Client(f"unix://{tmp_path}/silent").check_connection()


def test_features_are_spelled_in_one_way(python_client, folder):
    job = python_client.submit(folder, clusters=1, features=" pixels")
    assert job.status().request.features == "pixels"
    assert python_client.submit(folder, clusters=1).id == job.id
    job = python_client.submit(folder, clusters=1, features="hog + color")
    assert job.status().request.features == "hog+color"


def test_cancelling_ends_the_job_and_lets_it_expire(redis, python_client, folder, registry):
    job = python_client.submit(folder, clusters=2)
    assert job.cancel() is State.CANCELLED
    assert job.cancel() is State.CANCELLED
    assert registry.active_jobs() == []
    assert job.status().expires_at is not None
    assert job.ledger.batches.start(Wave.LOADING, 0, redelivered=False) is None


def test_cancelling_a_job_that_has_ended_changes_nothing(redis, python_client, folder):
    job = python_client.submit(folder, clusters=2)
    job.cancel()
    redis.set(job.ledger.keys.hashes, b"hashes", px=50_000)
    before = redis.hgetall(job.ledger.keys.job)
    assert job.cancel() is State.CANCELLED
    assert redis.hgetall(job.ledger.keys.job) == before
    assert redis.pttl(job.ledger.keys.hashes) <= 50_000


def test_a_damaged_job_can_be_cancelled(redis, python_client, folder):
    job = python_client.submit(folder, clusters=2)
    redis.hset(job.ledger.keys.job, "job_request", "{")
    assert job.cancel() is State.CANCELLED


def test_workers_are_there_while_they_give_signs_of_life(redis, python_client, registry):
    assert not python_client.workers.are_running()
    registry.note_worker("one@host")
    assert python_client.workers.are_running()
    redis.zincrby("shoal:2:workers", -60, "one@host")
    assert not python_client.workers.are_running()


@pytest.fixture
def three_jobs(registry):
    """Jobs of which two have ids that begin alike."""
    for job_id in ("1a2b3c4d5e6f", "1a2b00000000", "ffff00000000"):
        registry.register(job_id, JobRequest(source="/photographs"), [["a.png"]])


def test_the_beginning_of_an_id_is_enough_where_no_other_job_has_it(python_client, three_jobs):
    assert python_client.job("f").id == "ffff00000000"
    assert python_client.job("1a2b3").status().job_id == "1a2b3c4d5e6f"
    with pytest.raises(UnknownJobError, match=r"No job abc .see `client\.jobs"):
        python_client.job("abc")


def test_an_ambiguous_beginning_of_an_id_is_refused_with_the_ids_it_has(
    python_client, registry, three_jobs
):
    both = "1a2b00000000, 1a2b3c4d5e6f"
    with pytest.raises(UsageError, match=rf"2 jobs begin with 1a2b: {both}\. Give more digits"):
        python_client.job("1a2b")
    for number in range(10, 20):
        registry.register(f"1a2b000000{number}", JobRequest(source="/photographs"), [["a.png"]])
    with pytest.raises(UsageError, match=r"12 jobs begin with 1: (1a2b000000.., ){5}…"):
        python_client.job("1")


def test_the_last_job_is_that_submitted_last_also_if_it_was_there_already(python_client, folder):
    with pytest.raises(UnknownJobError, match="No job last"):
        python_client.job("last")
    first = python_client.submit(folder, clusters=1)
    second = python_client.submit(folder, clusters=2)
    assert python_client.job("last").id == second.id
    assert python_client.submit(folder, clusters=1).id == first.id
    assert python_client.job("last").id == first.id
    assert [status.job_id for status in python_client.jobs()] == [first.id, second.id]


@pytest.mark.parametrize(
    "job_id", ["", "*", "nosuchjob", "AB12AB12AB12", "a" * 13, "caf\udce9", "a\nb"]
)
def test_what_is_no_id_never_reaches_redis(python_client, job_id):
    with pytest.raises(UnknownJobError, match=r"client\.jobs\(\)"):
        python_client.job(job_id)


@pytest.mark.parametrize(
    "damage",
    [
        lambda redis, key: redis.hdel(key, "total"),
        lambda redis, key: redis.hset(key, "state", "dreaming"),
        lambda redis, key: redis.hset(key, "job_request", "{"),
        lambda redis, key: redis.hset(key, "job_request", '{"source": 1}'),
        lambda redis, key: redis.hset(key, "total", 0),
        lambda redis, key: redis.hset(key, "error", b"\xff"),
        lambda redis, key: redis.delete(key) and redis.set(key, "text"),
    ],
)
def test_a_damaged_job_does_not_hide_the_others(redis, python_client, folder, caplog, damage):
    damaged, whole = (python_client.submit(folder, clusters=1, force=True) for _ in range(2))
    damage(redis, damaged.ledger.keys.job)
    redis.zadd("shoal:jobs", {"odd": 0})
    redis.hset("shoal:{odd}:job", "state", "queued")
    assert [status.job_id for status in python_client.jobs()] == [whole.id]
    assert f"Left out job {damaged.id}, which is damaged" in caplog.text
    with pytest.raises((DamagedJobError, ResponseError), match=r"damaged|WRONGTYPE"):
        damaged.status()


def test_a_redis_that_is_not_there_is_told_before_a_folder_is_read(folder):
    with Client(f"redis://127.0.0.1:{find_free_port()}", settings=Settings()) as shoal:
        with pytest.raises(ConnectionLostError, match=r"No Redis answers at .* start it"):
            shoal.submit(folder)
        with pytest.raises(ConnectionLostError, match="No Redis answers"):
            shoal.submit(folder / "missing")


def test_a_client_of_a_redis_that_is_set_starts_no_workers(python_client, folder):
    python_client.submit(folder, clusters=1)
    assert python_client.workers.processes is None


def test_a_socket_with_a_password_takes_a_job_and_its_messages(server_directory, folder):
    directory = server_directory / "locked"
    directory.mkdir()
    server = Server("embedded", directory, "p/w")
    server.start()
    try:
        url = f"unix://{server.socket}?username=default&password=p%2Fw"
        with Client(url, settings=Settings()) as shoal:
            shoal.submit(folder, clusters=1, batch_size=2)
            assert shoal.registry.waiting(["shoal.2.batches"]) == 2
    finally:
        server.stop()
