"""The Python client: what it submits, and what it refuses."""

import socket
from collections import Counter
from pathlib import Path

import pytest
from redis import ResponseError
from servers import Server, find_free_port

from shoal import Client
from shoal.producer.submission.folder import Folder
from shoal.producer.submission.request import make_request
from shoal.shared.errors import (
    ConnectionLostError,
    DamagedJobError,
    SourceError,
    UnknownJobError,
    UsageError,
)
from shoal.shared.jobs import State, Wave
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


def test_a_folder_becomes_a_job_with_its_messages(client, shoal, folder, queued):
    job = shoal.submit(folder, clusters=2, batch_size=3)
    status = job.status()
    assert (status.state, status.images.total) == (State.QUEUED, 4)
    assert status.request.source == str(folder.resolve())
    assert queued() == (2, 0)
    results = Results(client, job.id)
    paths = [*results.paths(0), *results.paths(1)]
    assert paths == ["a.jpg", "b.png", "caf\udce9.png", "sub/c.PNG"]


def test_a_folder_may_be_named_by_a_string_and_by_any_bytes(shoal, tmp_path):
    folder = tmp_path / "caf\udce9"
    folder.mkdir()
    (folder / "a.png").touch()
    job = shoal.submit(str(folder), clusters=1)
    assert Path(job.status().request.source).samefile(folder)


def test_a_connection_is_checked_without_telling_its_password(shoal):
    assert shoal.check_connection() is shoal
    with pytest.raises(ConnectionLostError, match="//…@localhost:1 ") as refused:
        Client("redis://:dolphin@localhost:1").check_connection()
    assert "dolphin" not in str(refused.value)


def test_jobs_are_found_again_newest_first(shoal, folder):
    first = shoal.submit(folder, clusters=1)
    second = shoal.submit(folder, clusters=2)
    assert [status.job_id for status in shoal.jobs()] == [second.id, first.id]
    assert [status.job_id for status in shoal.jobs(1, 5)] == [first.id]
    assert [status.job_id for status in shoal.jobs(count=1)] == [second.id]
    assert shoal.job(first.id).status().request.clusters == 1


def test_a_job_that_does_not_exist_says_where_to_look(shoal):
    with pytest.raises(UnknownJobError, match="shoal jobs"):
        shoal.job("nosuch").status()


def test_hdbscan_is_asked_for_without_a_number_of_clusters(shoal, folder):
    request = shoal.submit(folder, algorithm="hdbscan").status().request
    assert (request.algorithm, request.clusters) == ("hdbscan", "auto")


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        ({"clusters": 5}, "--clusters 4 or less"),
        ({"components": 5, "clusters": 2}, "--components 4 or less"),
        ({"components": 4, "clusters": 2, "image_size": 1}, "--components 3 or less"),
        ({"clusters": 2, "batch_size": 100, "image_size": 512}, "use 85 or less"),
        ({"clusters": 2, "batch_size": 4097}, "--batch-size: .* <= 4096"),
        ({"clusters": 0}, "--clusters: .* >= 1"),
        ({"clusters": "two"}, "--clusters: Expected a number or auto"),
        ({"components": 1.5}, "--components: Expected `int | null`, got `float`"),
        ({"image_size": 513}, "--image-size: .* <= 512"),
        ({"random_state": -1}, "--random-state: .* >= 0"),
        ({"features": "dreams"}, "'dreams'; there are pixels, color"),
        ({"features": None}, "--features: Expected `str`"),
        (
            {"algorithm": "dbscan", "clusters": 2},
            "--algorithm: Expected kmeans, minibatch, hdbscan",
        ),
        ({"algorithm": "hdbscan", "clusters": 2}, "leave --clusters out"),
        ({"colour": "red", "clusters": 2}, "Unknown options: colour"),
        ({"source": "/elsewhere", "clusters": 2}, "Unknown options: source"),
    ],
)
def test_what_cannot_work_is_refused_with_its_remedy_and_leaves_nothing(
    client, shoal, folder, options, remedy
):
    with pytest.raises(UsageError, match=remedy.replace("|", r"\|")):
        shoal.submit_folder(find(folder), **options)
    assert client.keys("*") == []


def find(folder):
    from shoal.producer.submission.folder import read_folder

    return read_folder(folder)


def test_a_folder_that_is_missing_or_has_no_images_leaves_nothing(client, shoal, tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(SourceError, match=r"no images in .*give a folder"):
        shoal.submit(tmp_path)
    with pytest.raises(SourceError, match="does not exist; check the spelling"):
        shoal.submit(tmp_path / "missing")
    with pytest.raises(SourceError, match="folder's name is empty"):
        shoal.submit("")
    assert client.keys("*") == []


def test_a_batch_of_large_images_fits_into_one_command(client, shoal, folder):
    job = shoal.submit(folder, clusters=2, image_size=512)
    assert Results(client, job.id).n_batches() == 1


def test_a_model_too_large_for_one_command_is_refused():
    folder = Folder(Path("/images"), [f"{n}.jpg" for n in range(1000)], Counter(), [])
    with pytest.raises(UsageError, match="--components 85 or less, or a smaller --image-size"):
        make_request(folder, {"image_size": 512, "components": 200})


def test_lifetimes_of_a_job_are_those_of_who_submitted_it(client, server_url, folder):
    settings = Settings(redis_url=server_url, features_seconds=60, results_seconds=120)
    with Client(settings=settings) as producer:
        job = producer.submit(folder, clusters=2)
    with Client(settings=Settings(redis_url=server_url)) as other:
        other.job(job.id).cancel()
    assert 100_000 < client.pttl(job.ledger.keys.job) <= 120_000


def test_what_takes_a_connection_and_never_says_a_word_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr("shoal.shared.redis.connection.GREETING_SECONDS", 0.1)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "silent"))
        silent.listen()
        with pytest.raises(ConnectionLostError, match="No Redis answers"):
            Client(f"unix://{tmp_path}/silent").check_connection()


def test_features_are_spelled_in_one_way(shoal, folder):
    job = shoal.submit(folder, clusters=1, features=" pixels")
    assert job.status().request.features == "pixels"
    assert shoal.submit(folder, clusters=1).id == job.id
    job = shoal.submit(folder, clusters=1, features="hog + color")
    assert job.status().request.features == "hog+color"


def test_cancelling_ends_the_job_and_lets_it_expire(client, shoal, folder, registry):
    job = shoal.submit(folder, clusters=2)
    assert job.cancel() is State.CANCELLED
    assert job.cancel() is State.CANCELLED
    assert registry.active_jobs() == []
    assert job.status().expires_at is not None
    assert job.ledger.batches.start(Wave.LOADING, 0, redelivered=False) is None


def test_cancelling_a_job_that_has_ended_changes_nothing(client, shoal, folder):
    job = shoal.submit(folder, clusters=2)
    job.cancel()
    client.set(job.ledger.keys.features(0), b"features", px=50_000)
    before = client.hgetall(job.ledger.keys.job)
    assert job.cancel() is State.CANCELLED
    assert client.hgetall(job.ledger.keys.job) == before
    assert client.pttl(job.ledger.keys.features(0)) <= 50_000


def test_a_damaged_job_can_be_cancelled(client, shoal, folder):
    job = shoal.submit(folder, clusters=2)
    client.hset(job.ledger.keys.job, "request", "{")
    assert job.cancel() is State.CANCELLED


def test_workers_are_there_while_they_give_signs_of_life(client, shoal, registry):
    assert not shoal.workers.are_running()
    registry.note_worker("one@host")
    assert shoal.workers.are_running()
    client.zincrby("shoal:workers", -60, "one@host")
    assert not shoal.workers.are_running()


@pytest.mark.parametrize(
    "job_id", ["", "*", "nosuchjob", "AB12AB12AB12", "a" * 13, "caf\udce9", "a\nb"]
)
def test_what_is_no_id_never_reaches_redis(shoal, job_id):
    with pytest.raises(UnknownJobError, match="shoal jobs"):
        shoal.job(job_id)


@pytest.mark.parametrize(
    "damage",
    [
        lambda client, key: client.hdel(key, "total"),
        lambda client, key: client.hset(key, "state", "dreaming"),
        lambda client, key: client.hset(key, "request", "{"),
        lambda client, key: client.hset(key, "request", '{"source": 1}'),
        lambda client, key: client.hset(key, "total", 0),
        lambda client, key: client.hset(key, "error", b"\xff"),
        lambda client, key: client.delete(key) and client.set(key, "text"),
    ],
)
def test_a_damaged_job_does_not_hide_the_others(client, shoal, folder, caplog, damage):
    damaged, whole = (shoal.submit(folder, clusters=1, force=True) for _ in range(2))
    damage(client, damaged.ledger.keys.job)
    client.zadd("shoal:jobs", {"odd": 0})
    client.hset("shoal:{odd}:job", "state", "queued")
    assert [status.job_id for status in shoal.jobs()] == [whole.id]
    assert f"Left out job {damaged.id}, which is damaged" in caplog.text
    with pytest.raises((DamagedJobError, ResponseError), match=r"damaged|WRONGTYPE"):
        damaged.status()


def test_a_redis_that_is_not_there_is_told_before_a_folder_is_read(folder):
    with Client(f"redis://127.0.0.1:{find_free_port()}", settings=Settings()) as shoal:
        with pytest.raises(ConnectionLostError, match=r"No Redis answers at .* start it"):
            shoal.submit(folder)
        with pytest.raises(ConnectionLostError, match="No Redis answers"):
            shoal.submit(folder / "missing")


def test_a_client_of_a_redis_that_is_set_starts_no_workers(shoal, folder):
    shoal.submit(folder, clusters=1)
    assert shoal.workers.processes is None


def test_a_socket_with_a_password_takes_a_job_and_its_messages(server_directory, folder):
    directory = server_directory / "locked"
    directory.mkdir()
    server = Server("embedded", directory, "p/w")
    server.start()
    try:
        url = f"unix://{server.socket}?username=default&password=p%2Fw"
        with Client(url, settings=Settings()) as shoal:
            shoal.submit(folder, clusters=1, batch_size=2)
            assert shoal.registry.waiting(["shoal.batches"]) == 2
    finally:
        server.stop()
