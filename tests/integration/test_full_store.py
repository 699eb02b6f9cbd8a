"""A Redis without memory left: jobs pause, can be asked and cancelled, and go on by themselves."""

from pathlib import Path

import pytest
from polling import wait_until
from quick import make_quick_request
from shards import commit_features

from shoal.producer.job import Job
from shoal.shared.errors import StoreFullError, WaitTimeoutError
from shoal.shared.jobs import JobRequest, State, Wave
from shoal.shared.redis.connection import QUICK_RETRIES, connect
from shoal.shared.settings import Settings
from shoal.shared.store import Commit, Kind, Ledger, Lifetimes, Registry
from shoal.shared.store.projections import NewImage, Projections
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.stages.finishing.finishing import finish_job
from shoal.worker.stages.fitting import fit_job
from shoal.worker.stages.labelling import label_batch
from shoal.worker.stages.loading import reading
from shoal.worker.stages.loading.loading import load_batch

pytestmark = pytest.mark.each_server


@pytest.fixture
def context(own_server):
    own_server.start()
    client = connect(own_server.url, QUICK_RETRIES)
    settings = Settings(redis_url=own_server.url, sweep_seconds=0.1, cache_bytes=0)
    yield WorkerContext(settings, client)
    client.close()


@pytest.fixture
def job(context, digits):
    """A job of 30 digits in 3 batches, of which the first is loaded."""
    names = [f"{number:03}.png" for number in range(30)]
    batches = [names[start : start + 10] for start in (0, 10, 20)]
    request = make_quick_request(source=str(digits), image_size=8, clusters=2)
    Registry(context.client).register("full", request, batches, Lifetimes(100, 1000))
    load_batch(context, "full", 0, False)
    return Job(Ledger(context.client, "full", 15), context.sweeper)


@pytest.fixture
def set_full(context):
    """Lets Redis be full, or not."""
    return lambda full: context.client.config_set("maxmemory", int(full))


def test_a_question_about_a_new_image_is_refused_while_redis_is_full(context, set_full):
    questions = Projections(context.client, "job1")
    set_full(True)
    with pytest.raises(StoreFullError, match="raise its maxmemory"):
        questions.ask([NewImage(bytes(100_000), "png")])
    assert list(context.client.scan_iter(match="*question*")) == []
    set_full(False)
    assert questions.images(questions.ask([NewImage(b"image")])) == [NewImage(b"image")]


def test_a_job_pauses_while_redis_is_full_and_then_finishes(context, job, set_full):
    set_full(True)
    with pytest.raises(StoreFullError, match="raise its maxmemory"):
        load_batch(context, job.id, 1, False)
    assert job.status().state is State.LOADING
    with pytest.raises(WaitTimeoutError):
        job.wait(timeout_seconds=0.3)
    set_full(False)
    for batch in (1, 2):
        assert load_batch(context, job.id, batch, False) is Commit.COMMITTED
    fit_job(context, job.id)
    for batch in range(3):
        label_batch(context, job.id, batch, False)
    finish_job(context, job.id)
    assert job.wait(timeout_seconds=30).state is State.FINISHED


def test_a_batch_that_finds_redis_full_at_its_end_keeps_its_attempt(
    context, job, set_full, monkeypatch
):
    load_images = reading.load_images

    def load_and_fill(*arguments):
        set_full(True)
        return load_images(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(reading, "load_images", load_and_fill)
        with pytest.raises(StoreFullError):
            load_batch(context, job.id, 1, False)
    assert job.ledger.batches.beat(Wave.LOADING, 1)
    set_full(False)
    assert context.client.hget(job.ledger.keys.attempts(Wave.LOADING), "1") == b"0"
    assert job.status().images.loaded == 10


@pytest.mark.parametrize("forgets", [False, True])
def test_a_shard_for_whose_commit_there_is_no_room_does_not_stay(context, job, set_full, forgets):
    ledger, shards = job.ledger, job.results.shards
    before = list(shards.place.names(f"jobs/{job.id}"))
    ledger.batches.start(Wave.LOADING, 1, redelivered=False)

    def send(names):
        set_full(True)
        if forgets:
            context.client.script_flush()
        return ledger.batches.commit_loading(1, names, (10, 0), {})

    with pytest.raises(StoreFullError):
        shards.commit(1, "token", {Kind.FEATURES: [b"features"]}, send)
    assert list(shards.place.names(f"jobs/{job.id}")) == before
    set_full(False)
    assert commit_features(shards, ledger, 1, counts=(10, 0)) is Commit.COMMITTED


def test_a_fit_that_finds_redis_full_at_its_end_keeps_its_lease_and_attempt(
    context, job, set_full, monkeypatch
):
    for batch in (1, 2):
        load_batch(context, job.id, batch, False)
    with monkeypatch.context() as patch:
        patch.setattr(
            "shoal.worker.model.model.FittedModel.to_bytes", lambda _: set_full(True) and b"model"
        )
        with pytest.raises(StoreFullError):
            fit_job(context, job.id)
    set_full(False)
    fields = job.ledger.fields()
    assert (fields["state"], fields["fitting_attempts"]) == ("fitting", "0")
    assert job.ledger.has_lease()


def test_cancelling_frees_the_features_of_a_full_redis(context, job, set_full):
    set_full(True)
    assert job.cancel() is State.CANCELLED
    assert list(job.results.shards.place.names(f"jobs/{job.id}/features")) == []
    assert 0 < context.client.ttl(job.ledger.keys.job) <= 1000
    set_full(False)
    context.sweeper.sweep()
    assert job.status().expires_at is not None
    assert Registry(context.client).active_jobs() == []


def test_cancelling_keeps_what_was_loaded_while_there_is_memory(context, job):
    job.cancel()
    assert list(job.results.shards.place.names(f"jobs/{job.id}/features"))


def test_a_job_that_redis_has_no_memory_for_is_refused_with_the_remedy(context, set_full):
    set_full(True)
    with pytest.raises(StoreFullError, match="SHOAL_FEATURES_SECONDS"):
        Registry(context.client).register("new", JobRequest(source="/"), [["a.png"]])
    assert list(Registry(context.client).jobs()) == []


@pytest.fixture
def set_unwritable(context):
    """Lets Redis have no room on its disk, as far as it tells, or have it again."""
    client = context.client
    place = Path(client.config_get("dir")["dir"]) / client.config_get("dbfilename")["dbfilename"]

    def set_unwritable(unwritable):
        if unwritable:
            place.mkdir()  # nothing can be saved under this name
        else:
            place.rmdir()
        client.config_set("save", "3600 1")
        client.bgsave()
        wait_until(lambda: not client.info("persistence")["rdb_bgsave_in_progress"])

    return set_unwritable


def test_a_disk_without_room_is_told_once_and_the_job_goes_on_after(
    context, job, set_unwritable, caplog
):
    set_unwritable(True)
    with pytest.raises(StoreFullError, match="make room on its disk"):
        Registry(context.client).register("new", JobRequest(source="/"), [["a.png"]])
    with pytest.raises(WaitTimeoutError):
        job.wait(timeout_seconds=1)
    # Such a server refuses even PING, but not what reads.
    with pytest.raises(StoreFullError):
        context.client.ping()
    assert Registry(context.client).jobs() == ["full"]
    assert Registry(context.client).workers(within_seconds=30) == []
    assert list(job.failures()) == []
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "could not sweep: Redis cannot write its file" in caplog.text
    set_unwritable(False)
    for batch in (1, 2):
        load_batch(context, job.id, batch, False)
    assert job.status().images.loaded == 30


def test_status_reads_the_servers_clock(job, monkeypatch):
    monkeypatch.setattr("time.time", lambda: 0.0)
    status = job.status()
    assert status.images_per_second > 0
    assert status.eta_seconds >= 0


@pytest.mark.parametrize("send", ["send_wave", "send_batches", "send_callback"])
def test_messages_that_redis_has_no_memory_for_are_refused_in_our_words(
    context, job, set_full, send
):
    set_full(True)
    arguments: dict[str, list[object]]
    arguments = {"send_wave": [3], "send_batches": [[1]], "send_callback": []}
    with pytest.raises(StoreFullError, match="Redis is full"):
        getattr(context.messages, send)(job.id, Wave.LOADING, *arguments[send])
