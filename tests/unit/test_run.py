from types import SimpleNamespace

from statuses import make_status

from shoal.producer.cli.run import print_outcome
from shoal.shared.findings import ClusterSummary
from shoal.shared.jobs import ImageCounts


def ended_job(sizes, noise=0):
    clusters = [
        ClusterSummary(label=label, size=size, representatives=[f"{label}.png"])
        for label, size in enumerate(sizes)
    ]
    summary = SimpleNamespace(choice=None, clusters=clusters, noise=noise, notes=())
    return SimpleNamespace(id="ab12", summary=lambda: summary, plots=lambda: {"scatter": b""})


def test_a_single_image_in_no_cluster_is_one(capsys):
    print_outcome(ended_job([2], noise=1), make_status(), None, as_json=False)
    assert capsys.readouterr().out.splitlines()[1] == "no cluster          1 image"


def test_the_clusters_of_a_run_are_printed_in_columns(capsys):
    status = make_status(images=ImageCounts(total=7017, loaded=7016, failed=1))
    print_outcome(ended_job([7000, *[1] * 10], noise=6), status, None, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "cluster 0       7,000 images  such as 0.png"
    assert lines[10] == "cluster 10          1 image   such as 10.png"
    assert lines[11] == "no cluster          6 images"
    assert lines[12] == "1 image failed: see `shoal failures ab12`"
    assert lines[13:] == [
        "Labels: shoal result ab12",
        "Report: shoal report ab12",
        "Plots:  shoal plot ab12 scatter",
    ]
