"""New images are assigned to the clusters of a job, as a user meets it."""

import json
import re
import shlex
from html import unescape
from pathlib import Path

import pytest
from growing import FIRST, GROWN, THREE_CLUSTERS, fill, read_kinds
from shoal_command import FinishedRun, Shoal


def test_an_inbox_is_assigned_to_the_clusters_of_a_folder(
    embedded: Shoal, photographs: Path, tmp_path: Path
) -> None:
    folder = fill(tmp_path / "folder", photographs, FIRST)
    inbox = fill(tmp_path / "inbox", photographs, GROWN)
    (inbox / "3-broken.jpg").write_text("no image")
    embedded.output("run", folder, *THREE_CLUSTERS)
    parent = embedded.json("status", "last")["job_id"]
    out = tmp_path / "out"
    printed = embedded.output("assign", "last", inbox, "--out", out)
    assert f"Labels come from the model of job {parent}: no cluster is new." in printed
    assert "1 image failed" in printed
    assert read_kinds((out / "labels.csv").read_text()) == {0: 0, 1: 1, 2: 2}
    assert json.loads((out / "job.json").read_text())["status"]["request"]["model_of"] == parent
    (command,) = re.findall(r"<code>shoal (assign .*?)</code>", (out / "report.html").read_text())
    repeated = embedded.run(*shlex.split(unescape(command)), "--json")
    assert "already has these images and options" in repeated.stderr
    assert json.loads(repeated.stdout)["images"]["failed"] == 1
    assert f"clusters of job {parent}" in embedded.output("jobs")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["nosuchjob", "."], 2, "No job nosuchjob"),
        (["last", "nowhere"], 2, "does not exist; check the spelling"),
        (["last", "empty"], 2, "no images in"),
        (["last", "inbox", "--out", "inbox/out"], 2, "inside"),
        (["last", "inbox", "--clusters", "3"], 2, "No such option"),
    ],
)
def test_what_cannot_be_assigned_is_told_before_anything_is_made(
    embedded_run: FinishedRun,
    tmp_path: Path,
    photographs: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "inbox", photographs, {0: 1})
    (tmp_path / "empty").mkdir()
    before = embedded_run.shoal.json("jobs")
    done = embedded_run.shoal.run("assign", *words)
    assert done.returncode == code
    assert message in done.stderr
    assert embedded_run.shoal.json("jobs") == before


def test_a_job_that_has_not_finished_has_no_clusters_yet(
    embedded: Shoal, photographs: Path
) -> None:
    job = embedded.submit(photographs)
    done = embedded.run("assign", job, photographs)
    assert done.returncode == 1
    assert f"Job {job} is queued, and has no result yet" in done.stderr
    assert [status["job_id"] for status in embedded.json("jobs")] == [job]
