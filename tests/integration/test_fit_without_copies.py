"""Copies count once in the fit: what they change of the clusters, and what not."""

import random
import shutil
from logging import ERROR
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.photographs import make_photographs
from shoal.producer.job import Job
from shoal.shared.jobs import Algorithm, State, Wave
from shoal.shared.store import Ledger
from shoal.worker.model.model import FittedModel
from shoal.worker.stages.clusterings import LEAST_DISTINCT
from shoal.worker.stages.finishing.finishing import finish_job
from shoal.worker.stages.fitting import fit_job, make_model
from shoal.worker.stages.labelling import label_batch
from shoal.worker.stages.loading.loading import load_batch

N_PHOTOGRAPHS = 80
FITS = (
    {"features": "color", "clusters": 4},
    {"features": "color", "clusters": 4, "algorithm": Algorithm.MINIBATCH},
    {"features": "color", "algorithm": Algorithm.HDBSCAN},
    {"features": "pixels", "clusters": "auto"},
    {"features": "hog+color", "clusters": 3},
)
NAMES = ("kmeans", "minibatch", "hdbscan", "auto", "two-blocks")
COLOR = {"features": "color", "image_size": 32}


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_photographs(tmp_path_factory.mktemp("photographs"), N_PHOTOGRAPHS)


@pytest.fixture
def folder(photographs: Path, tmp_path: Path) -> Path:
    """A folder of the photographs, to which copies can be added."""
    return Path(shutil.copytree(photographs, tmp_path / "folder"))


@pytest.fixture
def work(context, monkeypatch):
    """Does all that is missing of a job."""
    # The slowest step, and about the same for every job.
    monkeypatch.setattr("shoal.worker.stages.finishing.finishing.draw_plots", lambda *_: {})
    monkeypatch.setattr("shoal.worker.stages.finishing.finishing.load_tiles", lambda *_: {})

    def work(ledger: Ledger, seed: int | None = None) -> Ledger:
        batches = sorted(ledger.batches.missing(Wave.LOADING))
        random.Random(seed).shuffle(batches)
        for batch in batches:
            load_batch(context, ledger.job_id, batch, False)
        fit_job(context, ledger.job_id)
        for batch in range(context.results(ledger.job_id).n_batches()):
            label_batch(context, ledger.job_id, batch, False)
        finish_job(context, ledger.job_id)
        assert ledger.state() is State.FINISHED
        return ledger

    return work


@pytest.fixture
def cluster(context, submit, work):
    """Runs a job; returns its model, its labels by path, and its summary."""

    def cluster(folder: Path, seed: int | None = None, **options):
        ledger = work(submit(folder, 16, **{"image_size": 32, **options}), seed)
        results = context.results(ledger.job_id)
        labels = {row.path: row.label for row in results.assignments()}
        return FittedModel.from_bytes(results.model()), labels, results.summary()

    return cluster


def list_photographs(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def add_copies(folder: Path, number: int, count: int) -> None:
    """Copy one of the photographs several times, under names that come after all others."""
    path = list_photographs(folder)[number]
    for copy in range(count):
        shutil.copy(path, folder / f"zz-{number}-{copy}{path.suffix}")


def add_smaller(folder: Path, numbers: range) -> None:
    """Add copies in two thirds of the size and another format."""
    for path in [list_photographs(folder)[number] for number in numbers]:
        with Image.open(path) as picture:
            size = picture.width * 2 // 3, picture.height * 2 // 3
            picture.resize(size).convert("RGB").save(folder / f"zz-{path.stem}.jpg", quality=90)


@pytest.mark.parametrize("options", FITS, ids=NAMES)
def test_copies_of_an_image_change_no_centroid_and_no_label_of_another(cluster, folder, options):
    before, labels, _ = cluster(folder, **options)
    add_copies(folder, 3, 30)
    after, with_copies, summary = cluster(folder, **options)
    assert summary.rows_fitted == before.rows_fitted <= N_PHOTOGRAPHS
    # The cluster of the copies is larger now, and may have another number.
    number_of = {labels[path]: with_copies[path] for path in labels}
    assert {path: number_of[labels[path]] for path in labels}.items() <= with_copies.items()
    known = [number_of[label] for label in range(len(before.centroids))]
    scale = np.abs(before.centroids).max()
    np.testing.assert_allclose(after.centroids[known], before.centroids, atol=1e-4 * scale)
    sizes = [found.size for found in summary.clusters]
    assert sizes == sorted(sizes, reverse=True)
    assert sum(sizes) + summary.noise == N_PHOTOGRAPHS + 30


@pytest.mark.parametrize("features", ["color", "hog+color"])
def test_the_order_of_batches_changes_no_bit_where_there_are_copies(cluster, folder, features):
    add_copies(folder, 5, 9)
    add_smaller(folder, range(20, 30))
    models = {cluster(folder, seed, features=features)[0].to_bytes() for seed in (None, 1, 2)}
    assert len(models) == 1


def test_smaller_copies_in_another_format_count_once(cluster, folder):
    before, _, _ = cluster(folder, **COLOR)
    add_smaller(folder, range(0, N_PHOTOGRAPHS, 2))
    _, labels, summary = cluster(folder, **COLOR)
    assert len(labels) == N_PHOTOGRAPHS * 3 // 2
    # The hash of one of the forty differs in more than 3 bits.
    assert summary.rows_fitted == before.rows_fitted + 1


def test_pixels_in_a_given_number_of_clusters_are_fitted_on_all_images(cluster, folder):
    add_copies(folder, 3, 30)
    assert cluster(folder, clusters=3)[2].rows_fitted == N_PHOTOGRAPHS + 30


def test_a_sample_is_fitted_without_copies(context, submit, load, folder):
    add_copies(folder, 3, N_PHOTOGRAPHS)
    ledger = submit(folder, 16, **COLOR)
    load(ledger)
    memory = 60 * (51 * 4 + 16 * 50)
    model, _ = make_model(context.results(ledger.job_id), ledger.request, memory, lambda: None)
    assert LEAST_DISTINCT <= model.rows_fitted < 50


def test_copies_are_fitted_where_as_many_components_are_asked_for(cluster, folder):
    add_smaller(folder, range(0, N_PHOTOGRAPHS, 2))
    components = N_PHOTOGRAPHS + 20
    options = {"features": "pixels", "clusters": "auto", "components": components}
    model, _, summary = cluster(folder, **options)
    assert len(model.components) == summary.n_components == components


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_copies_of_few_images_are_clusters(cluster, photographs, tmp_path, algorithm):
    for path in list_photographs(photographs)[:4]:
        for copy in range(8):
            shutil.copy(path, tmp_path / f"{path.stem}-{copy}.jpg")
    options = {"clusters": "auto", "algorithm": algorithm, **COLOR}
    _, labels, summary = cluster(tmp_path, **options)
    assert [found.size for found in summary.clusters] == [8] * 4
    assert summary.rows_fitted == len(labels) == 32


def test_where_hdbscan_finds_no_cluster_copies_are_fitted_too(cluster, tmp_path):
    # The gaps grow, so that there is no group among these greys.
    for number in range(22):
        grey = Image.new("L", (32, 32), number * (number + 1) // 2)
        for copy in range(6):
            grey.save(tmp_path / f"{copy}-{number}.png")
    _, labels, summary = cluster(tmp_path, algorithm=Algorithm.HDBSCAN)
    assert [found.size for found in summary.clusters] == [6] * 22
    assert summary.rows_fitted == len(labels)


def test_copies_of_one_image_are_one_cluster_shown_by_one_picture(cluster, photographs, tmp_path):
    for copy in range(30):
        shutil.copy(list_photographs(photographs)[0], tmp_path / f"{copy:02}.jpg")
    _, labels, summary = cluster(tmp_path, clusters=3, **COLOR)
    assert set(labels.values()) == {0}
    (found,) = summary.clusters
    assert (found.size, found.representatives, found.outliers) == (30, ["00.jpg"], [])
    assert (found.copies, summary.copies, summary.outliers) == ({"00.jpg": 29}, {}, [])
    assert summary.notes[0].startswith("1 cluster, not the 3 asked for: the images do not differ")


def test_more_clusters_than_different_images_are_noted(cluster, folder):
    add_copies(folder, 0, 30)
    _, _, summary = cluster(folder, clusters=N_PHOTOGRAPHS + 20, **COLOR)
    assert len(summary.clusters) == summary.rows_fitted <= N_PHOTOGRAPHS
    assert f"not the {N_PHOTOGRAPHS + 20} asked for" in summary.notes[0]


def test_representatives_and_outliers_are_different_images(cluster, folder):
    for number in range(0, N_PHOTOGRAPHS, 2):
        add_copies(folder, number, number % 3 + 1)
    _, _, summary = cluster(folder, **COLOR, clusters=2)
    contents = {
        str(path.relative_to(folder)): path.read_bytes() for path in list_photographs(folder)
    }
    for found in summary.clusters:
        shown = [*found.representatives, *found.outliers]
        assert len({contents[path] for path in shown}) == len(shown)
        assert len(found.representatives) == 8
        times = {path: list(contents.values()).count(contents[path]) for path in shown}
        assert all(found.copies.get(path, 0) >= times[path] - 1 for path in shown)
    assert len({contents[path] for path in summary.outliers}) == len(summary.outliers) > 0
    assert set(summary.copies) <= set(summary.outliers)


def test_a_search_that_fails_in_the_fit_costs_the_weights_and_not_the_job(
    cluster, folder, monkeypatch, caplog
):
    add_copies(folder, 3, 10)

    def find(*_):
        raise MemoryError

    monkeypatch.setattr("shoal.worker.findings.duplicates.pair_near_hashes", find)
    summary = cluster(folder, **COLOR)[2]
    assert summary.rows_fitted == N_PHOTOGRAPHS + 10
    assert summary.duplicates is None
    errors = [record for record in caplog.records if record.levelno >= ERROR]
    assert [record.stage for record in errors] == [State.FITTING, State.FINISHING]
    assert {record.getMessage() for record in errors} == {
        "duplicates are left out: not enough memory"
    }


def test_a_retried_job_is_what_a_fresh_one_is(cluster, submit, work, folder, context):
    add_copies(folder, 3, 5)
    mended = folder / "zz-3-2.jpg"
    content = mended.read_bytes()
    mended.write_bytes(b"no image")
    job = Job(work(submit(folder, 16, **COLOR)), context.sweeper)
    assert job.status().images.failed == 1
    mended.write_bytes(content)
    job.retry(failed_only=True)
    work(job.ledger)
    model, labels, summary = cluster(folder, **COLOR)
    assert job.results.model() == model.to_bytes()
    assert {row.path: row.label for row in job.labels()} == labels
    assert job.summary() == summary
