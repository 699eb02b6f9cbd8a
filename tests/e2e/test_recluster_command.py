"""The clusters of a job are changed, as a user meets it."""

import json
import re
import shlex
import shutil
from html import unescape
from pathlib import Path

import pytest
from growing import FIRST, THREE_CLUSTERS, fill
from shoal_command import FinishedRun, Shoal

# Stands for the id of the job: other tests submit some there, too, so it may not be the last.
JOB = "JOB"


def read_sizes(printed: str) -> list[int]:
    return [int(size) for size in re.findall(r"^cluster \d+ +(\d+) image", printed, re.MULTILINE)]


def test_clusters_are_changed_and_divided_without_the_images(
    embedded: Shoal, photographs: Path, tmp_path: Path
) -> None:
    folder, out = fill(tmp_path / "folder", photographs, FIRST), tmp_path / "out"
    (folder / "broken.jpg").write_text("no image")
    embedded.output("run", folder, *THREE_CLUSTERS)
    parent = embedded.json("status", "last")["job_id"]
    shutil.rmtree(folder)
    done = embedded.run("recluster", parent, "--clusters", 2, "--out", out)
    assert done.returncode == 0, done.stderr
    assert f"25 images of job {parent}" in done.stderr
    assert sum(read_sizes(done.stdout)) == 24
    assert len(read_sizes(done.stdout)) == 2
    assert "1 image failed" in done.stdout
    assert len((out / "labels.csv").read_text().splitlines()) == 25
    request = json.loads((out / "job.json").read_text())["status"]["request"]
    assert (request["coordinates_of"], request["clusters"]) == (parent, 2)
    page = (out / "report.html").read_text()
    assert f"images of job {parent}" in page
    (command,) = re.findall(r"<code>shoal (recluster .*?)</code>", page)
    repeated = embedded.run(*shlex.split(unescape(command)))
    assert "already has these images and options" in repeated.stderr
    divided = embedded.run("recluster", "last", "--cluster", 0, "--clusters", 2)
    assert sum(read_sizes(divided.stdout)) == read_sizes(done.stdout)[0]
    assert re.search(r"images of cluster 0 of job \w{12}", embedded.output("jobs"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nosuchjob"], "No job nosuchjob"),
        ([JOB, "--cluster", "77"], "has no cluster 77: there are 0 to"),
        ([JOB, "--clusters", "4000"], "clusters need as many images"),
        ([JOB, "--clusters", "few"], "neither a number nor auto"),
        ([JOB, "--components", "4000"], "use `--components"),
        ([JOB, "--algorithm", "hdbscan", "--clusters", "3"], "leave `--clusters` out"),
        ([JOB, "--features", "hog"], "No such option"),
    ],
)
def test_what_cannot_work_is_told_before_anything_is_made(
    embedded_run: FinishedRun, words: list[str], message: str
) -> None:
    before = embedded_run.shoal.json("jobs")
    words = [embedded_run.job_id if word == JOB else word for word in words]
    done = embedded_run.shoal.run("recluster", *words)
    assert (done.returncode, message in done.stderr) == (2, True), done.stderr
    assert embedded_run.shoal.json("jobs") == before


def test_a_reclustered_job_has_no_features_of_its_own(embedded_run: FinishedRun) -> None:
    shoal, parent = embedded_run.shoal, embedded_run.job_id
    found = shoal.json("recluster", parent, "--clusters", 2)
    done = shoal.run("features", found["job_id"], "-o", "x.npy")
    assert (done.returncode, f"`shoal features {parent}`" in done.stderr) == (2, True), done.stderr
