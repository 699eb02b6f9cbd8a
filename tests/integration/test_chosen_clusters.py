"""Jobs that choose their number of clusters or their algorithm, and scores against known labels."""

import json

import numpy as np
import pytest
from PIL import Image

from benchmarks.labelled_sets import make_set
from shoal.producer.cli.scores import print_evaluation
from shoal.producer.evaluation import score_job
from shoal.shared.errors import UsageError
from shoal.shared.findings import PlotName
from shoal.shared.jobs import Algorithm, Level
from shoal.shared.store import Ledger


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    return make_set("lfw", tmp_path_factory.mktemp("sets"))


@pytest.fixture
def finished(python_client, submit, run, faces):
    """Runs a job on the faces to its end; returns it as its submitter sees it."""

    def finish(**options):
        ledger: Ledger = run(submit(faces, 70, **options))
        return python_client.job(ledger.job_id)

    return finish


def test_a_job_chooses_its_number_of_clusters_and_says_why(finished):
    job = finished(clusters="auto")
    summary = job.summary()
    assert summary.choice.n_clusters == len(summary.clusters) >= 2
    assert summary.choice.reason.startswith(f"{len(summary.clusters)}: the best")
    assert summary.choice.tried[0] == 2
    labels = [image.label for image in job.labels()]
    assert [cluster.size for cluster in summary.clusters] == np.bincount(labels).tolist()
    assert set(job.plots()) == set(PlotName)
    assert job.plot(PlotName.CHOICE).startswith(b"\x89PNG")


@pytest.mark.parametrize("level", list(Level))
def test_another_level_is_taken_or_noted_as_missing(finished, level):
    main, job = finished(clusters="auto").summary(), finished(clusters="auto", level=level)
    other = {Level.COARSER: main.choice.coarser, Level.FINER: main.choice.finer}[level]
    noted = f"There is no {level} level that is nearly as good." in job.summary().notes
    assert noted == (other is None)
    assert job.summary().choice.n_clusters == (other or main.choice.n_clusters)


def test_a_job_with_a_given_number_has_no_plot_of_the_choice(finished):
    job = finished(clusters=3)
    assert job.summary().choice is None
    with pytest.raises(UsageError, match="`clusters='auto'`"):
        job.plot(PlotName.CHOICE)


def test_hdbscan_finds_its_own_number_of_clusters_and_counts_the_rest(finished):
    job = finished(algorithm="hdbscan", features="hog")
    summary, labels = job.summary(), [image.label for image in job.labels()]
    assert [cluster.size for cluster in summary.clusters] == [
        labels.count(cluster.label) for cluster in summary.clusters
    ]
    assert summary.noise == labels.count(-1) > 0
    assert len(summary.clusters) == max(labels) + 1 > 0
    assert all(cluster.representatives for cluster in summary.clusters)
    assert set(job.plots()) == set(PlotName) - {PlotName.CHOICE}


COLOURS = ((200, 30, 30), (30, 200, 30), (30, 30, 200), (220, 220, 40))


@pytest.fixture
def plain(python_client, submit, run, tmp_path):
    """Runs a job on six plain pictures of each colour, in batches of five."""

    def finish(colours, **options):
        for number in range(6 * len(colours)):
            picture = Image.new("RGB", (40, 30), colours[number % len(colours)])
            picture.save(tmp_path / f"{number:02}.png")
        return python_client.job(run(submit(tmp_path, 5, **options)).job_id)

    return finish


@pytest.mark.parametrize("features", ["pixels", "color", "hog+color", "embedding"])
@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_plain_pictures_get_a_cluster_for_each_colour(plain, algorithm, features):
    job = plain(COLOURS, clusters="auto", algorithm=algorithm, features=features)
    labels = [image.label for image in job.labels()]
    assert sorted(labels) == sorted([0, 1, 2, 3] * 6)
    assert labels == labels[:4] * 6
    if algorithm is not Algorithm.HDBSCAN:
        assert job.summary().choice.reason == "4: there are only 4 different images"


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_copies_of_one_picture_are_one_cluster_and_the_result_says_so(plain, algorithm):
    job = plain(COLOURS[:1], clusters="auto", algorithm=algorithm)
    assert [image.label for image in job.labels()] == [0] * 6
    assert job.summary().choice.reason == "1: there is no difference to see"


def test_an_image_that_is_a_cluster_of_its_own_is_no_outlier(python_client, submit, run, tmp_path):
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (32, 32, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    ledger = run(submit(tmp_path, 70, clusters="auto"))
    summary = python_client.job(ledger.job_id).summary()
    assert ([cluster.size for cluster in summary.clusters], summary.outliers) == ([1, 1, 1], [])


@pytest.mark.parametrize("algorithm", [Algorithm.KMEANS, Algorithm.MINIBATCH])
def test_fewer_clusters_than_asked_for_are_noted(plain, algorithm):
    summary = plain(COLOURS, clusters=7, algorithm=algorithm).summary()
    assert [cluster.size for cluster in summary.clusters] == [6] * 4
    few, plain_pictures = summary.notes
    assert few == "4 clusters, not the 7 asked for: the images do not differ enough for more."
    assert plain_pictures.startswith("24 of 24 images are of nearly one colour each")


def test_mini_batches_give_as_many_clusters_as_asked_for(finished):
    summary = finished(algorithm="minibatch", clusters=3).summary()
    sizes = [cluster.size for cluster in summary.clusters]
    assert len(sizes) == 3
    assert (sum(sizes), summary.noise) == (200, 0)


def test_clusters_are_scored_against_the_folders_of_the_images(finished, capsys):
    evaluation = score_job(finished(clusters=2, features="hog", image_size=64), "folders")
    assert (evaluation.images, evaluation.classes) == (200, ("face", "no-face"))
    assert evaluation.nmi > 0.5
    print_evaluation(evaluation, as_json=True)
    assert json.loads(capsys.readouterr().out)["nmi"] == evaluation.nmi
    print_evaluation(evaluation, as_json=False)
    printed = capsys.readouterr().out
    assert f"nmi          {evaluation.nmi:.3f}" in printed
    assert "face" in printed.split("cluster 0:")[1]


def test_clusters_are_scored_against_a_table(finished, tmp_path):
    job = finished(clusters=2)
    table = tmp_path / "known.csv"
    rows = [f"{image.path},{image.label}" for image in job.labels()][:150]
    table.write_text("\n".join(["path,label", *rows]))
    evaluation = score_job(job, str(table))
    assert (evaluation.images, evaluation.ari, evaluation.nmi) == (150, 1, 1)
