"""Other clusters are found among the coordinates that a job has, without a look at an image."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.photographs import make_photographs
from shoal import Client
from shoal.producer.job import Job
from shoal.producer.report import make_report
from shoal.producer.report.points import Points, read_copies, read_points
from shoal.producer.submission.folder import read_folder
from shoal.shared.errors import JobFailedError, NotFinishedError, UsageError
from shoal.shared.findings import NOISE
from shoal.shared.images.thumbnails import encode_ratio, read_ratios
from shoal.shared.jobs import State, Wave
from shoal.shared.store import Commit, Kind
from shoal.worker.images.thumbnails import cut_sheet
from shoal.worker.model.model import FittedModel
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.stages.attempts import MOST_BATCH_ATTEMPTS
from shoal.worker.stages.finishing.finishing import finish_job
from shoal.worker.stages.fitting import fit_job
from shoal.worker.stages.labelling import label_batch
from shoal.worker.stages.loading.loading import load_batch

COLOR = {"features": "color", "image_size": 32}

Work = Callable[[Job], Job]
Cluster = Callable[..., Job]


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """96 photographs of eight kinds, copies of some of them, and broken files."""
    folder = make_photographs(tmp_path_factory.mktemp("pictures"), 96) / "000"
    for number in (3, 40):
        shutil.copy(folder / f"{number:06}.jpg", folder / f"{number:06}-again.jpg")
    for name in ("000010-broken.jpg", "zzz.png"):
        (folder / name).write_bytes(b"no image")
    return folder


@pytest.fixture
def work(context: WorkerContext, monkeypatch: pytest.MonkeyPatch) -> Work:
    """Does all that is missing of a job, but for its plots."""
    monkeypatch.setattr("shoal.worker.stages.finishing.finishing.draw_plots", lambda *_: {})

    def work(job: Job) -> Job:
        for batch in sorted(job.ledger.batches.missing(Wave.LOADING)):
            load_batch(context, job.id, batch, False)
        fit_job(context, job.id)
        for batch in range(job.results.n_batches()):
            label_batch(context, job.id, batch, False)
        finish_job(context, job.id)
        return job

    return work


@pytest.fixture
def cluster(python_client: Client, pictures: Path, work: Work) -> Cluster:
    """Clusters the pictures."""

    def cluster(**options: Any) -> Job:
        folder = read_folder(pictures)
        return work(python_client.submit_listing(folder, **{"batch_size": 20, **COLOR, **options}))

    return cluster


@pytest.fixture
def again(work: Work, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """Clusters the coordinates of a job, where no image can be loaded."""

    def again(job: Job, **options: Any) -> Job:
        with monkeypatch.context() as patch:
            patch.setattr("shoal.worker.stages.loading.loading.read_images", None)
            patch.setattr("shoal.worker.stages.finishing.finishing.load_tiles", lambda *_: {})
            return work(job.recluster(**options))

    return again


def read_labels(job: Job) -> dict[str, int]:
    return {image.path: image.label for image in job.labels()}


@pytest.mark.parametrize(
    "options",
    [
        {"clusters": 5},
        {"clusters": "auto"},
        {"clusters": "auto", "level": "finer"},
        {"clusters": 4, "algorithm": "minibatch"},
        {"clusters": "auto", "algorithm": "hdbscan"},
        {"clusters": 6, "components": 3},
        {"clusters": 6, "random_state": 7},
        {"recipe": "tutorial", "features": None, "image_size": 16},
        {"clusters": "auto", "features": "hog+color", "image_size": 64},
    ],
    ids=str,
)
def test_the_same_options_give_the_same_clusters(cluster, again, options):
    first = cluster(**options)
    given = {key: options[key] for key in ("clusters", "level", "algorithm") if key in options}
    if options.get("recipe"):
        given["clusters"] = 5
    other = again(first, **given)
    assert other.id != first.id
    assert read_labels(other) == read_labels(first)
    assert other.summary().rows_fitted == first.summary().rows_fitted
    assert [*other.failures()] == [*first.failures()]
    assert [*other.duplicates()] == [*first.duplicates()]


def test_other_options_give_other_clusters_and_the_job_is_found_again(cluster, again):
    first = cluster(clusters=5)
    other = again(first, clusters=3, components=4)
    assert len(other.summary().clusters) == 3
    assert other.coordinates().shape == (98, 4)
    assert np.array_equal(other.coordinates(), first.coordinates()[:, :4])
    assert first.recluster(clusters=3, components=4).id == other.id
    assert first.recluster(clusters=3, components=4, force=True).id != other.id
    sizes = [found.size for found in other.summary().clusters]
    assert sizes == sorted(sizes, reverse=True), "numbered by size"


def test_one_cluster_is_divided(cluster, again):
    first = cluster(clusters=2)
    members = sorted(path for path, label in read_labels(first).items() if label == 1)
    part = again(first, cluster=1, clusters=2)
    assert sorted(read_labels(part)) == members
    assert part.status().images.total == len(members), "what failed is in no cluster"
    smaller = again(part, cluster=0, clusters=2)
    assert set(read_labels(smaller)) < set(members)


def test_images_in_no_cluster_are_clustered(cluster, again):
    first = cluster(algorithm="hdbscan", clusters="auto")
    noise = [path for path, label in read_labels(first).items() if label == NOISE]
    part = again(first, cluster=NOISE, clusters=2)
    assert sorted(read_labels(part)) == sorted(noise)


def test_the_model_labels_features_as_the_job_labels_its_images(cluster, again):
    first = cluster(clusters=5)
    other = again(first, clusters=3, components=4)
    model, features = FittedModel.from_bytes(other.model()), first.results
    rows = [np.frombuffer(features.features(batch), "<f4") for batch in range(5)]
    labels = model.label(np.concatenate(rows).reshape(98, -1)).labels
    assert labels.tolist() == list(read_labels(other).values())


def test_the_pictures_of_the_map_are_copied(cluster, again):
    first = cluster(clusters=5)
    other = again(first, clusters=3)
    (sheet,) = other.results.thumbnails()
    assert read_ratios(sheet, 98) == bytes([encode_ratio(4, 3)] * 98)
    assert b"000003-again.jpg" in make_report(other)


@pytest.mark.each_place
def test_coordinates_are_copied_from_any_place(cluster, again, place_kind):
    first = cluster(clusters=5)
    assert read_labels(again(first, clusters=5)) == read_labels(first)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cluster": 5}, "has no cluster 5: there are 0 to 4"),
        ({"cluster": -1}, "has no cluster -1"),
        ({"cluster": "3"}, "`cluster`: Expected the number"),
        ({"components": 99}, "components of each image"),
        ({"clusters": 1000}, "1000 clusters need as many images"),
        ({"clusters": 0}, "`clusters`: Expected"),
        ({"clusters": 3, "algorithm": "hdbscan"}, "leave `clusters` out"),
        ({"clusters": 3, "level": "finer"}, "`clusters='auto'`"),
        ({"features": "hog"}, "Unknown options: features"),
    ],
)
def test_what_cannot_work_is_refused(cluster, options, message):
    job = cluster(clusters=5)
    with pytest.raises(UsageError, match=message):
        job.recluster(**options)


def test_a_job_without_a_result_has_nothing_to_cluster(python_client, pictures):
    job = python_client.submit_listing(read_folder(pictures), **COLOR)
    with pytest.raises(NotFinishedError, match="no result yet"):
        job.recluster(clusters=2)


def test_coordinates_that_have_expired_are_told_at_once(cluster, redis):
    job = cluster(clusters=5)
    redis.delete(job.results.keys.shards(Kind.COORDINATES))
    with pytest.raises(UsageError, match=r"have expired: submit its folder again"):
        job.recluster(clusters=2)


def test_a_job_that_expires_before_it_is_copied_fails_the_other_one(cluster, redis, context):
    first = cluster(clusters=5)
    other = first.recluster(clusters=2)
    redis.delete(*redis.keys(f"shoal:{{{first.id}}}:*"))
    assert load_batch(context, other.id, 0, False) is Commit.STALE
    assert other.status().state is State.FAILED
    with pytest.raises(JobFailedError, match=f"Job {first.id} has expired, or was retried, before"):
        other.labels()


def test_coordinates_of_another_model_are_not_mixed_in(cluster, work, context):
    first = cluster(clusters=5)
    other = first.recluster(clusters=2)
    first.retry(failed_only=True)
    work(first)
    load_batch(context, other.id, 0, False)
    assert other.status().state is State.FAILED
    assert first.recluster(clusters=2).id != other.id, "these are other coordinates"


def test_a_lost_shard_is_told(cluster, context):
    first = cluster(clusters=5)
    other = first.recluster(clusters=2)
    shards = first.results.shards
    shards.place.delete(
        [f"jobs/{first.id}/{name}" for name in shards.names(Kind.COORDINATES).values()]
    )
    load_batch(context, other.id, 0, False)
    assert other.status().state is State.FAILED
    with pytest.raises(UsageError, match="are lost in"):
        first.recluster(clusters=3)


def test_the_other_job_needs_nothing_once_its_rows_are_copied(cluster, redis, context):
    first = cluster(clusters=5)
    other = first.recluster(clusters=2)
    load_batch(context, other.id, 0, False)
    redis.delete(*redis.keys(f"shoal:{{{first.id}}}:*"))
    fit_job(context, other.id)
    label_batch(context, other.id, 0, False)
    finish_job(context, other.id)
    assert other.status().state is State.FINISHED
    assert len(other.summary().clusters) == 2


def test_a_batch_whose_process_was_killed_is_copied_again(cluster, context, work, redis):
    first = cluster(clusters=5)
    other = first.recluster(clusters=5)
    assert other.ledger.batches.start(Wave.LOADING, 0, False) is not None
    redis.zadd(other.ledger.keys.running(Wave.LOADING), {"0": 1})
    assert load_batch(context, other.id, 0, True) is Commit.COMMITTED
    assert read_labels(work(other)) == read_labels(first)


def test_a_batch_that_is_killed_each_time_fails_the_job(cluster, context, redis):
    other = cluster(clusters=5).recluster(clusters=5)
    redis.hset(other.ledger.keys.attempts(Wave.LOADING), "0", MOST_BATCH_ATTEMPTS)
    assert load_batch(context, other.id, 0, True) is Commit.STALE
    status = other.status()
    assert (status.state, status.images.failed) == (State.FAILED, 0)
    assert status.error is not None
    assert f"failed {MOST_BATCH_ATTEMPTS} times while loading" in status.error


def test_failed_images_are_retried_where_they_were_loaded(cluster, again):
    first = cluster(clusters=5)
    other = again(first, clusters=3)
    assert other.status().images.failed == 2
    for failed_only in (True, False):
        with pytest.raises(UsageError, match=f"has those of job {first.id}"):
            other.retry(failed_only=failed_only)


def test_a_job_that_is_found_again_offers_no_retry_that_would_be_refused(cluster, again):
    first = cluster(clusters=5)
    again(first, clusters=3)
    said = list[str]()
    assert first.recluster(clusters=3, notify=said.append).is_found
    assert "already has these images" in said[0]
    assert "retry" not in said[0]


def test_a_cancelled_job_goes_on(cluster, work):
    first = cluster(clusters=5)
    other = first.recluster(clusters=5)
    other.cancel()
    other.retry()
    assert read_labels(work(other)) == read_labels(first)


def test_equal_images_are_one_cluster(tmp_path, digits, python_client, work):
    for number in range(30):
        shutil.copy(digits / "000.png", tmp_path / f"{number}.png")
    options = {"features": "color", "clusters": "auto"}
    first = work(python_client.submit_listing(read_folder(tmp_path), **options))
    other = work(first.recluster())
    assert len(first.summary().clusters) == len(other.summary().clusters) == 1
    copies = read_copies(other.results)
    assert read_points(other.results, 30, copies).copies == dict.fromkeys(range(30), 29)


def test_of_many_images_those_have_a_tile_that_had_one(cluster, again, monkeypatch):
    monkeypatch.setattr("shoal.shared.images.thumbnails.MOST_POINTS", 30)
    first = cluster(clusters=2)
    shown = read_points(first.results, 100)
    part = again(first, cluster=0, clusters=2)
    members, total = read_labels(part), part.status().images.total
    points = read_points(part.results, total)
    assert points.paths == [path for path in shown.paths if path in members]
    assert 0 < len(points) < 30 < len(members)
    catalogue = part.catalogue()
    assert [catalogue.path(number) for number in points.numbers] == points.paths
    (sheet,) = part.results.thumbnails()
    before = np.concatenate(
        [cut_sheet(raw, end - start)["pixels"] for raw, start, end in list_sheets(first, shown)]
    )
    is_member = [path in members for path in shown.paths]
    difference = cut_sheet(sheet, len(points))["pixels"].astype(int) - before[is_member]
    assert np.abs(difference).mean() < 8, "the same pictures, in the same order"
    whole = again(first, clusters=3)
    assert read_points(whole.results, 100).paths == shown.paths


def list_sheets(job: Job, points: Points) -> list[tuple[bytes, int, int]]:
    """Return the sheet of each batch, and where its points begin and end."""
    ends = [*points.starts[1:], len(points)]
    return list(zip(job.results.thumbnails(), points.starts, ends, strict=True))


def test_a_sample_is_that_of_the_first_fit(python_client, pictures, context, monkeypatch):
    settings = replace(context.settings, fit_memory=70_000)
    small = replace(context, settings=settings)
    monkeypatch.setattr("shoal.worker.stages.finishing.finishing.draw_plots", lambda *_: {})
    jobs = list[Job]()
    for submit in (
        lambda: python_client.submit_listing(read_folder(pictures), clusters=5, **COLOR),
        lambda: jobs[0].recluster(clusters=5),
    ):
        jobs.append(job := submit())
        for batch in range(job.results.n_batches()):
            load_batch(small, job.id, batch, False)
        fit_job(small, job.id)
        for batch in range(job.results.n_batches()):
            label_batch(small, job.id, batch, False)
        finish_job(small, job.id)
    first, other = jobs
    assert 0 < first.summary().rows_fitted < 80
    assert other.summary().rows_fitted == first.summary().rows_fitted
    assert read_labels(other) == read_labels(first)


def test_an_assigned_job_is_clustered_again(cluster, again, work, pictures, tmp_path):
    for path in sorted(pictures.iterdir())[:30]:
        shutil.copy(path, tmp_path)
    first = cluster(clusters=3)
    assigned = work(first.assign_listing(read_folder(tmp_path)))
    other = again(assigned, clusters=2)
    assert sorted(read_labels(other)) == sorted(read_labels(assigned))
    back = work(other.assign_listing(read_folder(tmp_path)))
    assert read_labels(back) == read_labels(other)
