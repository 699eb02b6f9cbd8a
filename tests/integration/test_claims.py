"""Submitters of one folder at the same time get one job, whichever of them dies."""

import multiprocessing
from pathlib import Path

import pytest

from shoal import Client
from shoal.producer.submission.folder import read_folder
from shoal.shared.jobs import JobRequest
from shoal.shared.settings import Settings
from shoal.shared.store import Origin, Registry, scripts
from shoal.shared.store.keys import JobKeys

N_CLIENTS = 10


@pytest.fixture
def folder(tmp_path):
    for name in "abc":
        (tmp_path / f"{name}.png").touch()
    return tmp_path


def submit_together(url, folder, barrier, answers, options):
    with Client(url, settings=Settings()) as client:
        images = read_folder(Path(folder))
        assert client.messages  # imported before the race
        barrier.wait(60)
        job = client.submit_listing(images, clusters=2, **options)
        answers.put((job.id, job.is_found))


@pytest.fixture
def race(server_url, folder):
    """Lets ten processes submit one folder at once; returns the ids and whether they were found."""

    def race(**options):
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["shoal.producer.client", "shoal.shared.messaging.broker"])
        barrier, answers = context.Barrier(N_CLIENTS), context.Queue()
        arguments = (server_url, str(folder), barrier, answers, options)
        clients = [
            context.Process(target=submit_together, args=arguments) for _ in range(N_CLIENTS)
        ]
        for client in clients:
            client.start()
        found = [answers.get(timeout=60) for _ in clients]
        for client in clients:
            client.join(60)
        return found

    return race


def test_of_ten_processes_that_submit_one_folder_at_once_one_makes_the_job(
    redis, registry, race, queued
):
    found = race()
    (job_id,) = registry.jobs()
    assert {name for name, _ in found} == {job_id}
    assert sorted(is_found for _, is_found in found) == [False] + [True] * (N_CLIENTS - 1)
    assert queued() == (1, 0)
    # Nothing is left of those that came second.
    assert redis.keys("*manifest") == [JobKeys(job_id).manifest.encode()]


def test_each_of_ten_processes_that_force_makes_its_own(registry, race):
    assert sorted(name for name, _ in race(force=True)) == sorted(registry.jobs())
    assert len(registry.jobs()) == N_CLIENTS


REQUEST, BATCHES = JobRequest(source="/photographs"), [["a.png"]]


def register(registry, job_id, known=(), fingerprint="the same"):
    return registry.register(job_id, REQUEST, BATCHES, None, Origin(fingerprint, known))


def test_only_the_first_job_of_a_fingerprint_is_registered(redis, registry):
    assert register(registry, "first") is None
    assert register(registry, "second") == "first"
    assert register(registry, "other", fingerprint="another") is None
    assert registry.jobs() == ["other", "first"]
    assert not redis.keys("*second*")


def test_a_job_whose_registration_is_sent_again_after_a_lost_reply_stays(
    redis, registry, monkeypatch
):
    run = scripts.run
    monkeypatch.setattr(scripts, "run", lambda *call: (run(*call), run(*call))[1])
    assert register(registry, "first") is None
    assert [redis.ttl(key) for key in redis.keys("*first*")] == [-1, -1]


def test_a_job_is_registered_beside_those_that_its_submitter_knows(registry):
    register(registry, "first")
    assert register(registry, "second", ["first"]) is None
    assert register(registry, "third", ["first"]) == "second"
    assert register(registry, "third", ["first", "second"]) is None
    assert register(registry, "fourth", known=None) is None


def test_jobs_of_which_nothing_can_be_told_are_none_of_them_the_same(registry):
    assert register(registry, "first", fingerprint="") is None
    assert register(registry, "second", fingerprint="") is None
    assert registry.find("") == []


def test_a_damaged_or_expired_job_does_not_keep_others_from_being_registered(redis, registry):
    register(registry, "damaged")
    register(registry, "expired", ["damaged"])
    redis.set(JobKeys("damaged").job, "text")
    redis.delete(JobKeys("expired").job)
    assert register(registry, "new") is None


class ClientDiedError(Exception):
    pass


def die(*arguments):
    raise ClientDiedError


@pytest.mark.parametrize(
    ("step", "is_registered"),
    [("_write_job", False), ("_write_manifest", False), ("send_wave", True)],
)
def test_a_submitter_that_died_half_way_blocks_nobody(
    python_client, registry, folder, monkeypatch, step, is_registered
):
    part = python_client.messages if step == "send_wave" else Registry
    monkeypatch.setattr(part, step, die)
    with pytest.raises(ClientDiedError):
        python_client.submit(folder, clusters=2)
    monkeypatch.undo()
    job = python_client.submit(folder, clusters=2)
    assert job.is_found is is_registered
    assert registry.jobs() == [job.id]
