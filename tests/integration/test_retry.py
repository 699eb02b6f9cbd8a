"""Retrying a job: what was loaded is kept, and the end is that of a fresh job."""

import shutil
from dataclasses import replace
from socket import gethostname

import pytest

from shoal.producer.job import Job
from shoal.shared.errors import UnknownJobError, UsageError
from shoal.shared.findings import FailureReason
from shoal.shared.jobs import State, Wave
from shoal.shared.store import Commit, Expiry, Kind, Lifetimes
from shoal.shared.store.keys import active
from shoal.worker.extractors import find_extractors
from shoal.worker.stages.attempts import MOST_BATCH_ATTEMPTS
from shoal.worker.stages.finishing.finishing import finish_job
from shoal.worker.stages.fitting import fit_job
from shoal.worker.stages.labelling import label_batch
from shoal.worker.stages.loading import loading
from shoal.worker.stages.loading.loading import load_batch

pytestmark = pytest.mark.each_server

OPTIONS = {"batch_size": 10, "image_size": 8, "clusters": 3}
N_BATCHES = 5


@pytest.fixture
def folder(mixed, tmp_path):
    """A copy of the mixed folder: 40 digits and 3 broken files."""
    return shutil.copytree(mixed, tmp_path / "folder")


@pytest.fixture
def job(submit, folder, context):
    return Job(submit(folder, **OPTIONS), context.sweeper)


@pytest.fixture
def work(context, monkeypatch):
    """Works on a job until it is in ``state``, as the messages would have it done."""

    # The slowest step by far, and the same for every job.
    monkeypatch.setattr("shoal.worker.stages.finishing.finishing.draw_plots", lambda *_: {})

    def work(job, state=State.FINISHED, n_batches=N_BATCHES):
        for batch in job.ledger.batches.missing(Wave.LOADING):
            if state is State.LOADING and batch == N_BATCHES - 1:
                return
            load_batch(context, job.id, batch, False)
        if state is State.FITTING:
            job.ledger.acquire_lease(Wave.LOADING)
            return
        fit_job(context, job.id)
        for batch in range(1 if state is State.LABELLING else n_batches):
            label_batch(context, job.id, batch, False)
        if state is State.FINISHING:
            job.ledger.acquire_lease(Wave.LABELLING)
        elif state is State.FINISHED:
            finish_job(context, job.id)

    return work


@pytest.fixture
def fresh(submit, folder, context, work):
    """Returns what a new job of the same folder comes to."""

    def fresh():
        job = Job(submit(folder, **OPTIONS), context.sweeper)
        work(job)
        return outcome(job)

    return fresh


def outcome(job):
    results = job.results
    images = job.status().images
    return list(results.labels()), list(results.statistics()), list(job.failures()), images


def repair(folder, name):
    """Let one of the broken files be an image."""
    (folder / name).write_bytes((folder / "140.png").read_bytes())


def lives(redis, job):
    """Milliseconds to live of each key of the job; -1 is for ever."""
    return {redis.pttl(key) for key in redis.scan_iter(f"*{job.id}*:*")}


@pytest.mark.parametrize("state", [State.LOADING, State.FITTING, State.LABELLING, State.FINISHING])
def test_a_job_cancelled_in_any_state_goes_on_to_the_same_end(job, work, fresh, state, queued):
    work(job, state)
    assert job.status().state is state
    job.cancel()
    before = queued()
    status = job.retry()
    missing = int(state is State.LOADING)
    assert status.images.loaded + status.images.failed == (40 if missing else 43)
    assert (status.error, status.finished_at, status.expires_at) == (None, None, None)
    assert queued() == (before[0] + missing, before[1] + 1 - missing)
    work(job)
    assert outcome(job) == fresh()


def test_a_job_cancelled_before_it_began_is_sent_whole(job, work, fresh, queued):
    job.cancel()
    assert job.retry().state is State.QUEUED
    assert queued() == (N_BATCHES, 0)
    work(job)
    assert outcome(job) == fresh()


def test_no_key_of_a_retried_job_expires_and_the_sweeper_looks_after_it(redis, job, work):
    work(job, State.LABELLING)
    job.cancel()
    assert -1 not in lives(redis, job)
    job.retry()
    assert lives(redis, job) == {-1}
    assert redis.zscore(active(), job.id) is not None


def test_an_end_that_comes_late_changes_nothing_of_a_retried_job(redis, job, work, registry):
    work(job, State.LABELLING)
    job.cancel()
    job.retry()
    Expiry(redis, job.id).begin(Lifetimes(1, 1))
    Expiry(redis, job.id).drop_features()
    registry.retire(job.id)
    assert lives(redis, job) == {-1}
    assert job.results.shards.find_lost(Kind.FEATURES) == {}
    assert redis.hexists(job.ledger.keys.hashes, 0)
    assert registry.active_jobs() == [job.id]


@pytest.mark.parametrize("content", [b"", b"cut", None], ids=["empty", "short", "gone"])
def test_a_retry_loads_what_its_place_has_lost(job, work, fresh, content):
    work(job, State.FITTING)
    job.cancel()
    job.retry()
    shards = job.results.shards
    whole = f"jobs/{job.id}/{shards.name(Kind.FEATURES, 1)}"
    shards.place.delete([whole])
    if content is not None:
        shards.place.write(whole, [content])
    work(job, State.LABELLING)
    status = job.status()
    assert status.state is State.FAILED
    assert status.error.startswith(f"Shard {whole} is missing or incomplete in ")
    job.retry()
    assert job.ledger.batches.missing(Wave.LOADING) == [1]
    work(job)
    assert outcome(job) == fresh()


def test_labels_of_the_model_before_a_retry_are_refused(job, work):
    work(job, State.LABELLING)
    token = job.results.model_token()
    job.cancel()
    job.retry()
    work(job, State.LABELLING)
    job.ledger.batches.start(Wave.LABELLING, 1, redelivered=False)
    assert job.ledger.batches.commit_labelling(1, b"", token) is Commit.STALE
    token = job.results.model_token()
    assert job.ledger.batches.commit_labelling(1, b"", token) is Commit.COMMITTED


def test_batches_whose_features_have_gone_are_loaded_anew(redis, job, work, fresh):
    work(job, State.LABELLING)
    job.cancel()
    names = job.results.shards.names(Kind.FEATURES)
    job.results.shards.place.delete([f"jobs/{job.id}/{names[batch]}" for batch in (1, 4)])
    redis.hdel(job.ledger.keys.hashes, "2")
    images = job.retry().images
    assert (images.loaded, images.failed) == (19, 1)
    assert job.ledger.batches.missing(Wave.LOADING) == [1, 2, 4]
    work(job)
    assert outcome(job) == fresh()


def test_a_job_whose_features_were_dropped_is_loaded_anew(redis, job, work, fresh):
    work(job, State.FITTING)
    job.cancel()
    Expiry(redis, job.id).drop_features()
    images = job.retry().images
    assert (images.loaded, images.failed) == (0, 0)
    work(job)
    assert outcome(job) == fresh()


@pytest.mark.parametrize("mounted", ["nothing", "an empty folder"])
def test_a_machine_without_the_folder_fails_the_job_and_none_of_its_images(
    job, work, folder, fresh, context, mounted
):
    work(job, State.LOADING)
    images = job.status().images
    away = folder.rename(folder.with_name("away"))
    if mounted == "an empty folder":
        folder.mkdir()
    assert load_batch(context, job.id, N_BATCHES - 1, False) is Commit.STALE
    status = job.status()
    assert (status.state, status.images) == (State.FAILED, images)
    assert f"{folder} is missing or empty on {gethostname()}" in status.error
    assert f"then retry the job (`client.job('{job.id}').retry()`)" in status.error
    away.rename(folder)
    job.retry()
    work(job)
    assert outcome(job) == fresh()


def test_a_folder_that_lost_all_its_images_is_not_taken_for_a_missing_one(job, work, folder):
    (folder / "notes.txt").touch()
    for path in folder.glob("*.png"):
        path.unlink()
    work(job)
    assert job.status().images.failed == 43
    assert {failure.reason for failure in job.failures()} == {FailureReason.MISSING}


def test_trying_failures_again_without_the_folder_costs_a_job_nothing(job, work, folder):
    work(job)
    before = outcome(job)[0]
    folder.rename(folder.with_name("away"))
    job.retry(failed_only=True)
    work(job)
    labels, _, failures, images = outcome(job)
    assert (labels, images.loaded) == (before, 40)
    assert {failure.reason for failure in failures} == {FailureReason.MISSING}


def test_attempts_begin_anew(redis, job, context):
    for _ in range(MOST_BATCH_ATTEMPTS):
        job.ledger.batches.start(Wave.LOADING, 0, redelivered=False)
        redis.delete(job.ledger.keys.running(Wave.LOADING))
    job.cancel()
    job.retry()
    assert job.ledger.batches.start(Wave.LOADING, 0, redelivered=False).number == 1


def test_a_crash_between_the_ledger_and_the_messages_is_mended_by_the_sweeper(
    redis, job, work, queued
):
    for state, sent in ((State.LOADING, (1, 0)), (State.FITTING, (1, 1))):
        work(job, state)
        job.cancel()
        job.ledger.retry()
        redis.hincrbyfloat(job.ledger.keys.job, "active_at", -10)
        job.sweeper.sweep_job(job.id)
        assert queued() == sent


def test_the_rate_of_a_retried_job_is_that_of_what_it_loads(job, work, context):
    work(job, State.LOADING)
    job.cancel()
    job.retry()
    assert (job.status().images_per_second, job.status().eta_seconds) == (None, None)
    load_batch(context, job.id, N_BATCHES - 1, False)
    status = job.status()
    seconds = float(job.ledger.fields()["loading_ended_at"]) - status.started_at
    assert status.images_per_second == pytest.approx(3 / max(seconds, 1e-3), rel=0.01)
    assert status.progress == 0.8
    assert status.created_at <= status.started_at


@pytest.mark.parametrize(
    ("state", "failed_only", "error"),
    [
        (State.QUEUED, False, "is queued: nothing to retry .`client"),
        (State.LOADING, True, "is loading: nothing to retry .`client"),
        (State.FINISHED, False, "is finished: nothing to retry .`client"),
    ],
)
def test_a_job_that_needs_no_retry_is_left_alone(job, work, state, failed_only, error):
    if state is not State.QUEUED:
        work(job, state)
    before = job.ledger.fields()
    with pytest.raises(UsageError, match=error):
        job.retry(failed_only=failed_only)
    assert job.ledger.fields() == before


def test_an_expired_job_says_so(redis, job):
    job.cancel()
    redis.delete(job.ledger.keys.manifest)
    with pytest.raises(UnknownJobError, match="submit its folder again"):
        job.retry()
    redis.delete(job.ledger.keys.job)
    with pytest.raises(UnknownJobError, match=r"see `client\.jobs\(\)`"):
        job.retry()


def test_failed_images_alone_are_loaded_again_and_labels_are_those_of_a_fresh_job(
    job, work, folder, fresh
):
    work(job)
    assert job.status().images.failed == 3
    for name in ("000-empty.png", "150-broken.png", "999-late.png"):
        repair(folder, name)
    status = job.retry(failed_only=True)
    assert (status.state, status.images.loaded) == (State.QUEUED, 20)
    (folder / "140.png").write_bytes(b"broken since")
    work(job)
    (folder / "140.png").write_bytes((folder / "000-empty.png").read_bytes())
    assert job.status().images.loaded == 43
    assert outcome(job) == fresh()


def test_images_that_fail_again_stay_failures_in_their_places(job, work, folder, fresh):
    work(job)
    repair(folder, "150-broken.png")
    job.retry(failed_only=True)
    work(job)
    assert [failure.path for failure in job.failures()] == ["000-empty.png", "999-late.png"]
    assert outcome(job) == fresh()


def test_a_retry_of_failed_images_survives_a_cancel_and_another_retry(
    job, work, folder, fresh, context
):
    work(job)
    repair(folder, "999-late.png")
    job.retry(failed_only=True)
    load_batch(context, job.id, 0, False)
    job.cancel()
    job.retry()
    work(job)
    assert outcome(job) == fresh()


def test_a_hopeless_retry_costs_only_the_images_that_failed(redis, job, work, context):
    work(job)
    job.retry(failed_only=True)
    attempts = job.ledger.keys.attempts(Wave.LOADING)
    redis.hset(attempts, "0", MOST_BATCH_ATTEMPTS)
    load_batch(context, job.id, 0, True)
    work(job)
    assert (job.status().images.loaded, job.status().images.failed) == (40, 3)
    assert "failed 8 times" in next(job.failures()).detail


@pytest.mark.parametrize("batch_size", [10, 1])  # with 1, some batches have no image yet
def test_a_retry_with_another_network_costs_only_the_images_that_failed(
    submit, folder, context, monkeypatch, work, batch_size
):
    def use_network(digest):
        monkeypatch.setattr(
            loading,
            "find_extractors",
            lambda *names: tuple(
                replace(extractor, digest=digest) for extractor in find_extractors(*names)
            ),
        )

    use_network("old")
    job = Job(submit(folder, **OPTIONS | {"batch_size": batch_size}), context.sweeper)
    n_batches = len(job.ledger.batches.missing(Wave.LOADING))
    work(job, n_batches=n_batches)
    before = list(job.labels())
    failed = [failure.path for failure in job.failures()]
    for path in failed:
        shutil.copy(folder / before[0].path, folder / path)
    use_network("new")
    job.retry(failed_only=True)
    work(job, n_batches=n_batches)
    assert job.status().state is State.FINISHED
    assert list(job.labels()) == before
    assert [failure.path for failure in job.failures()] == failed
    assert {failure.reason for failure in job.failures()} == {FailureReason.UNSUPPORTED}
    assert "submit anew" in next(job.failures()).detail


def test_a_batch_without_one_image_is_loaded_whole_again(submit, folder, context, work):
    image = (folder / "140.png").read_bytes()
    for path in folder.iterdir():
        path.write_bytes(b"broken")
    job = Job(submit(folder, **OPTIONS), context.sweeper)
    work(job, State.LABELLING)
    assert job.status().state is State.FAILED
    for path in folder.iterdir():
        path.write_bytes(image)
    job.retry(failed_only=True)
    work(job, State.FITTING)
    assert job.status().images.loaded == 43


def test_without_a_failed_image_nothing_is_retried(submit, digits, context, work):
    job = Job(submit(digits, batch_size=60, image_size=8, clusters=2), context.sweeper)
    work(job)
    with pytest.raises(UsageError, match="failed: nothing to retry"):
        job.retry(failed_only=True)
    assert job.status().state is State.FINISHED
