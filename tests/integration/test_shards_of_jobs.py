"""Jobs whose shards are in any kind of place, or are lost or damaged there."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shoal.producer.job import Job
from shoal.shared.errors import (
    NotFinishedError,
    ShardLostError,
    ShardsUnavailableError,
    UsageError,
)
from shoal.shared.jobs import State, Wave
from shoal.shared.shards import FileShards, RedisShards, Shards, find_id
from shoal.shared.store import Commit, Expiry, Kind, Ledger
from shoal.worker.model.model import FittedModel
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.stages.fitting import fit_job
from shoal.worker.stages.labelling import label_batch
from shoal.worker.stages.loading.loading import load_batch

pytestmark = pytest.mark.each_place

SMALL = {"image_size": 8, "clusters": 3, "components": 4}


@pytest.fixture
def job(
    submit: Callable[..., Ledger], mixed: Path, context: WorkerContext, monkeypatch: Any
) -> Job:
    """A job of 40 digits and 3 broken files in 5 batches."""
    monkeypatch.setattr("shoal.worker.stages.finishing.finishing.draw_plots", lambda *_: {})
    return Job(submit(mixed, **SMALL), context.sweeper)


def damage(place: Shards, name: str) -> None:
    """Change one byte of a shard."""
    content = bytearray(place.read(name))
    content[len(content) // 2] ^= 1
    place.write(name, [bytes(content)])


def whole_name(job: Job, kind: Kind, batch: int) -> str:
    return f"jobs/{job.id}/{job.results.shards.name(kind, batch)}"


def test_coordinates_are_all_components_in_the_order_of_the_labels(
    job: Job, run: Callable[[Ledger], Ledger], context: WorkerContext, redis: Any
) -> None:
    run(job.ledger)
    coordinates = job.coordinates()
    assert coordinates.shape == (40, 4)
    assert coordinates.dtype == np.float32
    labels = list(job.labels())
    assert coordinates[:, :2].tolist() == [[row.pc1, row.pc2] for row in labels]
    model = FittedModel.from_bytes(job.model())
    features = [
        np.frombuffer(job.results.features(batch), np.uint8).reshape(-1, 192) for batch in range(5)
    ]
    np.testing.assert_array_equal(coordinates, model.project(np.concatenate(features)))
    Expiry(redis, job.id).drop_features()
    np.testing.assert_array_equal(job.coordinates(), coordinates)


def test_every_place_gives_the_same_labels_and_model(
    job: Job, run: Callable[[Ledger], Ledger], submit: Any, mixed: Path, redis: Any
) -> None:
    run(job.ledger)
    beside = WorkerContext(job.sweeper.settings, redis)  # keeps shards in Redis
    redis.hdel(job.ledger.keys.job, "place")
    other = Job(submit(mixed, **SMALL), beside.sweeper)
    redis.hdel(other.ledger.keys.job, "place", "place_url")
    for batch in range(5):
        assert load_batch(beside, other.id, batch, False) is Commit.COMMITTED
    fit_job(beside, other.id)
    for batch in range(5):
        label_batch(beside, other.id, batch, False)
    assert list(other.results.labels()) == list(job.results.labels())
    assert other.results.model() == job.results.model()


def test_lost_features_fail_the_fit_and_a_retry_loads_them_again(
    job: Job, load: Callable[[Ledger], None], context: WorkerContext, place: Shards, caplog: Any
) -> None:
    load(job.ledger)
    place.delete([whole_name(job, Kind.FEATURES, 2)])
    fit_job(context, job.id)
    status = job.status()
    assert status.state is State.FAILED
    assert "missing" in str(status.error)
    assert "`client" in str(status.error)
    assert "retry()" in str(status.error)
    job.retry()
    assert "1 of 5 batches are lost" in caplog.text
    assert load_batch(context, job.id, 2, False) is Commit.LAST
    fit_job(context, job.id)
    assert job.status().state is State.LABELLING


def test_damaged_features_fail_the_labelling_and_a_retry_loads_them_again(
    job: Job, load: Callable[[Ledger], None], context: WorkerContext, place: Shards
) -> None:
    load(job.ledger)
    fit_job(context, job.id)
    model = job.results.model()
    damage(place, whole_name(job, Kind.FEATURES, 1))
    fresh = replace(context)  # a process that has not read them before
    label_batch(fresh, job.id, 1, False)
    assert job.status().state is State.FAILED
    assert "is damaged" in str(job.status().error)
    job.retry()
    assert job.ledger.batches.missing(Wave.LOADING) == [1]
    assert load_batch(context, job.id, 1, False) is Commit.LAST
    fit_job(context, job.id)
    assert job.results.model() == model


def test_damaged_coordinates_are_told_with_the_remedy(
    job: Job, run: Callable[[Ledger], Ledger], place: Shards
) -> None:
    run(job.ledger)
    damage(place, whole_name(job, Kind.COORDINATES, 3))
    with pytest.raises(ShardLostError, match=r"damaged.*`force=True`"):
        job.coordinates()
    assert len(list(job.labels())) == 40


def test_a_job_without_labels_says_so_before_anything_is_written(
    job: Job, run: Callable[[Ledger], Ledger], redis: Any
) -> None:
    run(job.ledger)
    redis.delete(job.ledger.keys.labels)  # where an earlier version had none
    with pytest.raises(NotFinishedError, match="earlier version of Shoal: submit its folder again"):
        job.labels()
    with pytest.raises(NotFinishedError, match="earlier version of Shoal: submit its folder again"):
        job.search(job.results.loaded_paths(1)[0])


def test_lost_thumbnails_are_told_in_one_line(
    job: Job, run: Callable[[Ledger], Ledger], place: Shards, caplog: Any
) -> None:
    run(job.ledger)
    place.delete([whole_name(job, Kind.THUMBNAILS, batch) for batch in (1, 3)])
    caplog.clear()
    sheets = list(job.results.thumbnails())
    assert [bool(sheet) for sheet in sheets] == [True, False, True, False, True]
    (line,) = caplog.messages
    assert line.startswith("Batches without thumbnails: 2. Shard jobs/")


def test_a_retry_of_failed_images_says_that_features_have_expired(
    job: Job, run: Callable[[Ledger], Ledger], redis: Any, caplog: Any
) -> None:
    run(job.ledger)
    Expiry(redis, job.id).drop_features()
    job.retry(failed_only=True)
    assert "features of this job have expired: all images are loaded again" in caplog.text
    assert job.status().images.loaded == 0


def test_a_retry_where_the_shards_are_not_is_refused_and_loses_nothing(
    job: Job, run: Callable[[Ledger], Ledger], context: WorkerContext, tmp_path: Path
) -> None:
    run(job.ledger)
    elsewhere = FileShards(tmp_path / "elsewhere")
    find_id(elsewhere)
    stranger = Job(job.ledger, replace(context, place=elsewhere).sweeper)
    with pytest.raises(UsageError, match="The job keeps its shards in"):
        stranger.retry(failed_only=True)
    assert job.status().state is State.FINISHED
    assert len(list(job.labels())) == len(job.coordinates()) == 40


def test_a_worker_with_another_place_fails_the_job_with_the_remedy(
    job: Job, redis: Any, tmp_path: Path, context: WorkerContext, place: Shards
) -> None:
    elsewhere = FileShards(tmp_path / "elsewhere")
    find_id(elsewhere)
    stranger = WorkerContext(context.settings, redis, elsewhere)
    load_batch(stranger, job.id, 0, False)
    status = job.status()
    assert status.state is State.FAILED
    assert f"keeps its shards in {place.url}" in str(status.error)
    assert "SHOAL_SHARDS_URL" in str(status.error)
    job.retry()
    assert load_batch(context, job.id, 0, False) is Commit.COMMITTED


def test_a_place_that_refuses_for_a_while_is_waited_for(
    job: Job, context: WorkerContext, place: Shards, tmp_path: Path
) -> None:
    if not isinstance(place, FileShards):
        pytest.skip("only a directory can be taken away here")
    assert load_batch(context, job.id, 0, False) is Commit.COMMITTED
    away = tmp_path / "away"
    shutil.move(place.root, away)
    with pytest.raises(ShardsUnavailableError, match="continues by itself"):
        load_batch(context, job.id, 1, False)
    assert job.status().state is State.LOADING
    assert "on its disk, mount it" in job.ledger.refusal()
    assert 0 < job.ledger.client.pttl(job.ledger.keys.refusal) <= 60_000
    assert job.ledger.client.hget(job.ledger.keys.attempts(Wave.LOADING), "1") == b"0"
    shutil.rmtree(place.root, ignore_errors=True)
    shutil.move(away, place.root)
    client: Any = job.ledger.client
    client.delete(job.ledger.keys.running(Wave.LOADING))
    assert load_batch(context, job.id, 1, False) is Commit.COMMITTED


def test_a_place_in_redis_is_that_of_a_job_without_a_note(
    job: Job, context: WorkerContext, place: Shards
) -> None:
    noted = job.ledger.place()
    if isinstance(place, RedisShards):
        assert noted == ("", "Redis")
    else:
        assert noted == (find_id(place), place.url)
