"""New images are assigned to the clusters of a job by its model, without a fit."""

import shutil
from collections.abc import Callable
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from shoal import Client, Model
from shoal.producer.job import Job
from shoal.producer.submission.folder import read_folder
from shoal.shared.errors import NotFinishedError, UsageError
from shoal.shared.jobs import Wave
from shoal.shared.store import Expiry
from shoal.worker.clustering.references import no_radii
from shoal.worker.model.model import FittedModel
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.stages import fitting
from shoal.worker.stages.finishing.finishing import finish_job
from shoal.worker.stages.fitting import fit_job
from shoal.worker.stages.labelling import label_batch
from shoal.worker.stages.loading.loading import load_batch

OPTIONS: dict[str, Any] = {"image_size": 8, "clusters": 6, "features": "pixels"}

Work = Callable[[Job], Job]


@pytest.fixture
def work(context: WorkerContext, monkeypatch: pytest.MonkeyPatch) -> Work:
    """Does all that is missing of a job, but for its pictures."""
    monkeypatch.setattr("shoal.worker.stages.finishing.finishing.draw_plots", lambda *_: {})
    monkeypatch.setattr("shoal.worker.stages.finishing.finishing.load_tiles", lambda *_: {})

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
def cluster(python_client: Client, digits: Path, work: Work) -> Callable[..., Job]:
    """Clusters the digits."""

    def cluster(**options: Any) -> Job:
        return work(python_client.submit_listing(read_folder(digits), **{**OPTIONS, **options}))

    return cluster


@pytest.fixture
def inbox(digits: Path, tmp_path: Path) -> Path:
    """A folder of 40 of the digits, in another order, and a broken file."""
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for number, path in enumerate(sorted(digits.iterdir())[100:140]):
        shutil.copy2(path, inbox / f"{39 - number:02}-{path.name}")
    (inbox / "broken.png").write_bytes(b"no image")
    return inbox


@pytest.fixture
def assign(inbox: Path, work: Work) -> Callable[[Job], Job]:
    """Assigns the inbox to the clusters of a job."""
    return lambda job: work(job.assign_listing(read_folder(inbox)))


def read_rows(job: Job) -> dict[str, tuple[Any, ...]]:
    """Return what a job says of each image, by the name that it has among the digits."""
    return {Path(image.path).name[-7:]: (*astuple(image)[1:],) for image in job.labels()}


@pytest.mark.each_place
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"clusters": "auto"},
        {"algorithm": "minibatch"},
        {"algorithm": "hdbscan", "clusters": "auto", "components": 10},
    ],
    ids=["kmeans", "auto", "minibatch", "hdbscan"],
)
def test_images_of_the_job_get_the_rows_that_they_have_there(
    cluster: Callable[..., Job],
    assign: Callable[[Job], Job],
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, Any],
) -> None:
    parent = cluster(**options)
    monkeypatch.setattr(fitting, "make_model", None)
    job = assign(parent)
    assert job.model() == parent.model()
    rows = read_rows(job)
    assert len(rows) == 40
    assert rows.items() <= read_rows(parent).items()
    assert [failure.path for failure in job.failures()] == ["broken.png"]
    assert job.summary().choice == parent.summary().choice
    assert job.status().request.model_of == parent.id
    note = f"Labels come from the model of job {parent.id}: no cluster is new."
    assert job.summary().notes[0] == note
    assert parent.summary().far == sum(image.far for image in parent.labels())


def test_the_same_images_are_found_again(
    cluster: Callable[..., Job], assign: Callable[[Job], Job], inbox: Path
) -> None:
    parent = cluster()
    job = assign(parent)
    again = parent.assign_listing(read_folder(inbox))
    assert (again.id, again.is_found) == (job.id, True)
    other = cluster(clusters=3)
    assert other.assign_listing(read_folder(inbox)).id != job.id


def test_a_model_that_was_made_anew_assigns_anew(
    python_client: Client, digits: Path, inbox: Path, tmp_path: Path, work: Work
) -> None:
    folder = tmp_path / "folder"
    shutil.copytree(digits, folder)
    (folder / "late.png").write_bytes(b"no image yet")
    parent = work(python_client.submit_listing(read_folder(folder), **OPTIONS))
    first = work(parent.assign_listing(read_folder(inbox)))
    shutil.copy2(folder / "000.png", folder / "late.png")
    parent.retry(failed_only=True)
    with pytest.raises(NotFinishedError):
        parent.assign_listing(read_folder(inbox))
    work(parent)
    second = parent.assign_listing(read_folder(inbox))
    assert second.id != first.id
    assert work(second).model() == parent.model()


def test_clusters_of_a_recluster_take_new_images(
    cluster: Callable[..., Job], assign: Callable[[Job], Job], work: Work
) -> None:
    again = work(cluster().recluster(clusters=3))
    job = assign(again)
    rows = read_rows(again)
    assert {name: row[0] for name, row in read_rows(job).items()} == {
        name: rows[name][0] for name in read_rows(job)
    }
    assert job.summary().far is None


def test_a_job_that_was_assigned_can_be_assigned_to(
    cluster: Callable[..., Job], assign: Callable[[Job], Job], redis: Any
) -> None:
    parent = cluster()
    first = assign(parent)
    redis.delete(*redis.keys(f"shoal:{{{parent.id}}}:*"))
    second = assign(first)
    assert second.model() == first.model()
    assert read_rows(second) == read_rows(first)


def test_a_job_needs_nothing_of_the_other_once_it_is_submitted(
    cluster: Callable[..., Job], inbox: Path, work: Work, redis: Any
) -> None:
    parent = cluster()
    rows = read_rows(parent)
    job = parent.assign_listing(read_folder(inbox))
    redis.delete(*redis.keys(f"shoal:{{{parent.id}}}:*"))
    assert read_rows(work(job)).items() <= rows.items()
    shutil.copy2(inbox / "00-139.png", inbox / "broken.png")
    job.retry(failed_only=True)
    assert work(job).status().images.failed == 0


def test_a_job_without_a_model_is_refused(
    cluster: Callable[..., Job], python_client: Client, digits: Path, inbox: Path, redis: Any
) -> None:
    waiting = python_client.submit_listing(read_folder(digits), **OPTIONS)
    with pytest.raises(NotFinishedError, match="has no result yet"):
        waiting.assign(inbox)
    parent = cluster(clusters=3)
    redis.hset(parent.ledger.keys.job, "results_version", "1")
    with pytest.raises(UsageError, match="another version of Shoal"):
        parent.assign(inbox)
    assert len(list(python_client.jobs())) == 2
    with pytest.raises(UsageError, match="Only a job of a client"):
        Job(parent.ledger, parent.sweeper).assign_listing(read_folder(inbox))


def test_a_model_that_has_expired_is_refused(
    cluster: Callable[..., Job], python_client: Client, inbox: Path, redis: Any
) -> None:
    parent = cluster()
    redis.delete(parent.ledger.keys.model(parent.results.model_token()))
    with pytest.raises(NotFinishedError, match=f"model of job {parent.id} has expired"):
        parent.assign(inbox)
    assert [status.job_id for status in python_client.jobs()] == [parent.id]
    assert redis.keys("*manifest*") == [parent.ledger.keys.manifest.encode()]


def test_features_that_have_expired_are_not_needed(
    cluster: Callable[..., Job], assign: Callable[[Job], Job]
) -> None:
    parent = cluster()
    Expiry(parent.ledger.client, parent.id).drop_features()
    assert read_rows(assign(parent)).items() <= read_rows(parent).items()


def test_images_unlike_all_others_are_far(
    cluster: Callable[..., Job], assign: Callable[[Job], Job], inbox: Path
) -> None:
    for number in range(3):
        noise = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(noise).save(inbox / f"noise-{number}.png")
    parent = cluster()
    assert (parent.summary().far or 0) <= 15
    assert not any("farther" in note for note in parent.summary().notes)
    job = assign(parent)
    found = {image.path for image in job.labels() if image.far}
    assert found >= {f"noise-{number}.png" for number in range(3)}
    summary = job.summary()
    assert summary.far == len(found) == sum(cluster.far for cluster in summary.clusters)
    assert f"{len(found)} of 43 images are farther from every cluster" in " ".join(summary.notes)
    shown = {member.path for member in job.catalogue().rows(0, 100) if member.far}
    assert shown == found
    files = sorted(inbox.iterdir())
    assigned = Model.from_bytes(parent.model()).assign(files, n_jobs=1)
    paths = zip(assigned.paths, assigned.far, strict=True)
    assert {Path(path).name for path, far in paths if far} == found


def test_a_model_of_an_earlier_version_flags_nothing_and_says_so(
    cluster: Callable[..., Job], assign: Callable[[Job], Job], redis: Any
) -> None:
    parent = cluster()
    model = replace(FittedModel.from_bytes(parent.model()), distance_limits=no_radii())
    redis.set(parent.ledger.keys.model(parent.results.model_token()), model.to_bytes())
    job = assign(parent)
    assert job.summary().far is None
    assert not any(image.far for image in job.labels())
    assert "no image is flagged as far" in " ".join(job.summary().notes)
