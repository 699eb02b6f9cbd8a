"""Jobs that choose their number of clusters or their algorithm, and scores against known labels."""

import json

import pytest

from benchmarks.labelled_sets import make_set
from shoal.producer.cli.scores import print_evaluation
from shoal.producer.evaluation import score_job
from shoal.shared.errors import UsageError
from shoal.shared.findings import PlotName
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
    assert summary.choice.n_clusters == len(summary.clusters) == 2
    assert summary.choice.reason.startswith("2: best")
    assert summary.choice.tried[0] == 2
    assert set(job.plots()) == set(PlotName)
    assert job.plot(PlotName.CHOICE).startswith(b"\x89PNG")


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
