"""A folder that grows: clusters keep their numbers, whatever is added, removed or moved."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.photographs import make_photographs
from shoal.producer.job import Job
from shoal.producer.submission.folder import read_folder
from shoal.shared.errors import UsageError
from shoal.shared.jobs import Previous, State, Wave
from shoal.shared.redis.connection import RedisClient
from shoal.shared.store import Expiry, Lifetimes
from shoal.shared.store.rows import LABEL_ROW
from shoal.worker.extractors import find_extractors
from shoal.worker.model.model import FittedModel
from shoal.worker.stages import fitting, previous
from shoal.worker.stages.feature_rows import FeatureRows
from shoal.worker.stages.finishing.finishing import finish_job
from shoal.worker.stages.fitting import fit_job
from shoal.worker.stages.labelling import label_batch
from shoal.worker.stages.loading import loading
from shoal.worker.stages.loading.loading import load_batch

N_PHOTOGRAPHS = 64
OPTIONS = {"features": "color", "clusters": 4, "image_size": 32}


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("growing")
    return make_photographs(directory, N_PHOTOGRAPHS + 40) / "000"


@pytest.fixture
def folder(photographs: Path, tmp_path: Path) -> Path:
    """A folder of the first photographs; the others can be added."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for path in sorted(photographs.iterdir())[:N_PHOTOGRAPHS]:
        shutil.copy2(path, folder)
    return folder


@pytest.fixture
def grow(photographs, folder):
    """Adds photographs of two of the eight kinds, so that sizes of clusters change."""

    def grow():
        for number in range(N_PHOTOGRAPHS, N_PHOTOGRAPHS + 40):
            if number % 8 in (6, 7):
                shutil.copy2(photographs / f"{number:06d}.jpg", folder)
        return 10

    return grow


@pytest.fixture
def register_job(python_client, folder):
    def register_job(**options):
        return python_client.submit_listing(read_folder(folder), **{**OPTIONS, **options})

    return register_job


@pytest.fixture
def load(context):
    def load(job: Job) -> None:
        for batch in sorted(job.ledger.batches.missing(Wave.LOADING)):
            load_batch(context, job.id, batch, False)

    return load


@pytest.fixture
def work(context, load, monkeypatch):
    """Does all that is missing of a job."""
    monkeypatch.setattr("shoal.worker.stages.finishing.finishing.draw_plots", lambda *_: {})
    monkeypatch.setattr("shoal.worker.stages.finishing.finishing.load_tiles", lambda *_: {})

    def work(job: Job) -> Job:
        load(job)
        fit_job(context, job.id)
        for batch in range(job.results.n_batches()):
            label_batch(context, job.id, batch, False)
        finish_job(context, job.id)
        return job

    return work


@pytest.fixture
def cluster(register_job, work):
    """Submits the folder as it is and runs the job."""

    def cluster(**options):
        job = work(register_job(**options))
        assert job.status().state is State.FINISHED
        return job

    return cluster


def read_labels(job: Job) -> dict[str, int]:
    return {Path(image.path).name: image.label for image in job.labels()}


def share_alike(before: Job, after: Job) -> float:
    """Return the share of the images of both jobs that have the same label."""
    old, new = read_labels(before), read_labels(after)
    both = old.keys() & new.keys()
    return sum(old[name] == new[name] for name in both) / len(both)


def renumber_by_hand(client: RedisClient, job: Job) -> None:
    """Let a job have found the same clusters, numbered backwards."""
    for batch in range(job.results.n_batches()):
        key = job.results.keys.labels
        raw = bytearray(client.hget(key, str(batch)) or b"")
        for start in range(0, len(raw), LABEL_ROW.size):
            raw[start] = 3 - raw[start]
        client.hset(key, str(batch), bytes(raw))


def test_a_first_job_is_numbered_by_size_and_has_no_job_before(cluster):
    job = cluster()
    sizes = [found.size for found in job.summary().clusters]
    assert sizes == sorted(sizes, reverse=True)
    assert job.status().previous is None
    assert not any("since job" in note for note in job.summary().notes)


def test_clusters_keep_their_names_with_their_numbers(cluster, grow):
    before = cluster()
    names = {label: f"kind {label % 3}" for label in range(4)}
    before.name_clusters(names)
    grow()
    after = cluster()
    assert after.status().previous.n_matched == 4
    assert after.names() == names
    after.name_clusters({0: "other"})
    assert (before.names()[0], cluster(keep_model=True).names()[1]) == ("kind 0", "kind 1")


def test_clusters_keep_their_numbers_when_images_come_go_and_move(cluster, grow, folder):
    before = cluster()
    n_new = grow()
    for name in sorted(path.name for path in folder.iterdir())[:5]:
        (folder / name).unlink()
    (folder / "moved").mkdir()
    for path in sorted(folder.glob("*.jpg"))[:9]:
        path.rename(folder / "moved" / path.name)
    after = cluster()
    assert share_alike(before, after) > 0.9
    assert after.status().previous == Previous(
        job_id=before.id, n_new=n_new, n_gone=5, n_shared=N_PHOTOGRAPHS - 5, n_matched=4
    )
    expected = f"{n_new} new, 5 gone since job {before.id}; 4 of 4 clusters keep their numbers."
    assert expected in after.summary().notes


def test_the_numbers_are_those_of_the_job_before_not_of_size(redis, cluster, register_job, work):
    before = cluster()
    renumber_by_hand(redis, before)
    after = cluster(force=True)
    assert share_alike(before, after) == 1.0
    sizes = [found.size for found in after.summary().clusters]
    assert sizes == sorted(sizes), "numbered backwards: the smallest first"
    assert register_job().id == after.id, "the job is found again"
    assert cluster(force=True).status().previous.job_id == after.id


def test_a_sample_of_large_features_is_matched_in_parts(redis, cluster, monkeypatch):
    before = cluster()
    renumber_by_hand(redis, before)
    form = before.results.shapes()[0]
    row_bytes = form.columns * np.dtype(form.dtype).itemsize
    monkeypatch.setattr(previous, "LEAST_MATCHED", 40)
    monkeypatch.setattr(previous, "MATCHED_BYTES", row_bytes)
    monkeypatch.setattr(previous, "PART_BYTES", 7 * row_bytes)
    read, n_rows = FeatureRows.read, list[int]()

    def count(rows, chosen):
        n_rows.append(len(chosen))
        return read(rows, chosen)

    monkeypatch.setattr(FeatureRows, "read", count)
    after = cluster(force=True)
    assert share_alike(before, after) == 1.0
    assert n_rows[-6:] == [7, 7, 7, 7, 7, 5]


def test_what_is_in_no_cluster_matches_none(cluster, grow):
    options = {"algorithm": "hdbscan", "clusters": "auto"}
    before = cluster(**options)
    assert before.summary().noise
    grow()
    after = cluster(**options)
    assert share_alike(before, after) > 0.8
    assert after.status().previous.n_matched == len(before.summary().clusters)


def test_renumber_gives_the_labels_of_a_first_job(redis, cluster, register_job):
    before = cluster()
    first = read_labels(before)
    renumber_by_hand(redis, before)
    after = cluster(renumber=True)
    assert read_labels(after) == first
    assert after.status().previous is None
    assert register_job(renumber=True).id == after.id


def test_other_options_have_another_job_before(cluster):
    cluster()
    assert cluster(clusters=3).status().previous is None
    assert cluster(features="pixels").status().previous is None
    assert cluster(features="pixels", force=True).status().previous is None, "as scikit-learn's"


@pytest.mark.parametrize("lost", ["hashes", "rows", "job"])
def test_without_what_the_job_before_found_clusters_are_numbered_by_size(
    redis, cluster, register_job, work, lost
):
    before = cluster()
    first = read_labels(before)
    renumber_by_hand(redis, before)
    after = register_job(force=True)
    names = {f"shoal:{{{before.id}}}:{lost}", f"shoal:{{{before.id}}}:{lost}:0"}
    redis.delete(*names)
    assert read_labels(work(after)) == first
    assert after.status().previous == Previous(job_id=before.id)
    assert any("has expired" in note for note in after.summary().notes)


def test_a_retry_gives_the_same_numbers_though_the_job_before_has_expired(
    redis, cluster, register_job, work, folder
):
    before = cluster()
    renumber_by_hand(redis, before)
    (folder / "broken.jpg").write_bytes(b"no image")
    after = work(register_job())
    labels, compared = read_labels(after), after.status().previous
    redis.delete(*redis.keys(f"shoal:{{{before.id}}}:*"))
    shutil.copy2(folder / "000001.jpg", folder / "broken.jpg")
    Expiry(redis, after.id).begin(Lifetimes(100, 1000))
    after.retry(failed_only=True)
    assert redis.ttl(after.results.keys.known) == -1, "it must not expire while the job is at work"
    again = read_labels(work(after))
    assert again.pop("broken.jpg") == labels["000001.jpg"]
    assert again == labels
    assert after.status().previous == compared


def test_a_retry_counts_again_which_images_the_job_before_has(cluster, register_job, work, folder):
    lost = folder / "000001.jpg"
    content = lost.read_bytes()
    cluster()
    lost.write_bytes(b"no image")
    after = work(register_job())
    assert (after.status().previous.n_gone, after.status().images.failed) == (1, 1)
    lost.write_bytes(content)
    after.retry(failed_only=True)
    assert work(after).status().previous.n_gone == 0
    assert after.status().previous.n_shared == N_PHOTOGRAPHS


def test_a_fit_that_was_lost_is_done_again_with_the_same_numbers(
    redis, context, cluster, register_job, load, work, monkeypatch
):
    before = cluster()
    renumber_by_hand(redis, before)
    labels = read_labels(before)
    after = register_job(force=True)
    load(after)

    def die(*_):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(fitting, "number_as_before", die)
        with pytest.raises(SystemExit):
            fit_job(context, after.id)
    redis.delete(*redis.keys(f"shoal:{{{before.id}}}:*"), after.ledger.keys.lease)
    assert read_labels(work(after)) == labels


def test_a_model_is_kept_without_a_fit(cluster, grow, register_job, monkeypatch):
    before = cluster()
    grow()
    monkeypatch.setattr(fitting, "make_model", None)
    after = cluster(keep_model=True)
    assert after.model() == before.model()
    assert read_labels(before).items() <= read_labels(after).items()
    assert after.status().previous.n_matched == 4
    assert any("its model is kept" in note for note in after.summary().notes)
    assert register_job(keep_model=True).id == after.id
    assert cluster(keep_model=True, force=True).model() == before.model(), "of a job that kept it"


def test_a_kept_model_survives_a_retry_without_the_job_before(
    redis, cluster, register_job, work, folder
):
    before = cluster()
    model = before.model()
    (folder / "broken.jpg").write_bytes(b"no image")
    after = work(register_job(keep_model=True))
    redis.delete(*redis.keys(f"shoal:{{{before.id}}}:*"))
    shutil.copy2(folder / "000001.jpg", folder / "broken.jpg")
    after.retry(failed_only=True)
    assert work(after).model() == model


def test_a_kept_model_needs_a_job_before_only_when_it_is_submitted(
    cluster, grow, redis, register_job, work
):
    with pytest.raises(UsageError, match="none has finished"):
        register_job(keep_model=True)
    before = cluster()
    model = before.model()
    after = register_job(keep_model=True)
    redis.delete(*redis.keys(f"shoal:{{{before.id}}}:*"))
    assert work(after).model() == model
    assert after.summary().notes[0] == f"The model of job {before.id} is kept: no cluster is new."


def test_a_model_of_another_version_is_not_kept(cluster, redis, register_job):
    before = cluster()
    redis.hset(before.ledger.keys.job, "results_version", "1")
    with pytest.raises(UsageError, match="made by another version of Shoal"):
        register_job(keep_model=True)


def test_a_model_is_not_kept_for_features_of_other_code(cluster, register_job, load, monkeypatch):
    code = ["before"]

    def find_with_code(*arguments):
        return [replace(extractor, code=code[0]) for extractor in find_extractors(*arguments)]

    monkeypatch.setattr(loading, "find_extractors", find_with_code)
    cluster()
    cluster(keep_model=True)
    code[0] = "after"
    job = register_job(keep_model=True, force=True)
    load(job)
    assert job.status().state is State.FAILED
    assert "features 'color' has changed" in job.status().error
    cluster(force=True)


def test_clusters_without_an_image_stay_with_a_kept_model(cluster, folder, context):
    before = cluster()
    smallest = before.summary().clusters[-1]
    for name, label in read_labels(before).items():
        if label == smallest.label:
            (folder / name).unlink()
    after = cluster(keep_model=True)
    assert [found.size for found in after.summary().clusters][-1] == 0
    assert len(FittedModel.from_bytes(after.model()).centroids) == 4


@pytest.mark.parametrize("components", [None, 8])
def test_a_kept_model_labels_fewer_images_than_it_has_clusters(cluster, folder, components):
    before = cluster(components=components)
    for path in sorted(folder.iterdir())[2:]:
        path.unlink()
    after = cluster(components=components, keep_model=True)
    assert len(read_labels(after)) == 2
    assert read_labels(after).items() <= read_labels(before).items()
    assert after.coordinates().shape == (2, before.coordinates().shape[1])


def test_a_kept_model_comes_with_what_its_workers_agreed_on(cluster, register_job):
    before = cluster()
    before.ledger.agree("values", "[[0, 4095], null]")
    after = register_job(keep_model=True)
    assert after.ledger.agreed("values") == "[[0, 4095], null]"
    assert register_job(force=True).ledger.agreed("values") is None
