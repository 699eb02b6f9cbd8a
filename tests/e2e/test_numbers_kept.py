"""Clusters keep their numbers when a folder grows, as a user meets it."""

import json
import re
import shlex
from html import unescape
from pathlib import Path

import pytest
from growing import FIRST, GROWN, THREE_CLUSTERS, fill, read_kinds
from shoal_command import Shoal


@pytest.fixture
def folder(photographs: Path, tmp_path: Path) -> Path:
    return fill(tmp_path / "folder", photographs, FIRST)


def test_a_folder_that_grew_keeps_its_numbers_until_they_are_made_anew(
    embedded: Shoal, folder: Path, photographs: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"

    def run(*options: str) -> tuple[str, dict[int, int], dict[str, object] | None]:
        printed = embedded.output("run", folder, "--out", out, *THREE_CLUSTERS, *options)
        status = json.loads((out / "job.json").read_text())["status"]
        return printed, read_kinds((out / "labels.csv").read_text()), status["previous"]

    printed, kinds, previous = run()
    assert kinds == {0: 0, 1: 1, 2: 2}
    assert previous is None
    assert "since job" not in printed
    fill(folder, photographs, GROWN)
    printed, kinds, previous = run()
    assert kinds == {0: 0, 1: 1, 2: 2}
    assert previous
    before = previous.pop("job_id")
    assert f"11 new, 0 gone since job {before}; 3 of 3 clusters keep their numbers." in printed
    assert previous == {"n_new": 11, "n_gone": 0, "n_shared": 24, "n_matched": 3}
    (folder / "1-00.jpg").unlink()
    printed, kinds, _ = run("--keep-model")
    assert kinds == {0: 0, 1: 1, 2: 2}
    assert "its model is kept: no cluster is new." in printed
    (command,) = re.findall(r"<code>shoal (run .*?)</code>", (out / "report.html").read_text())
    repeated = embedded.run(*shlex.split(unescape(command)))
    assert "already has these images and options" in repeated.stderr
    assert run("--renumber")[1:] == ({0: 1, 1: 2, 2: 0}, None)


def test_a_model_that_is_not_there_is_wrong_use(embedded: Shoal, folder: Path) -> None:
    done = embedded.run("submit", folder, *THREE_CLUSTERS, "--keep-model")
    assert done.returncode == 2
    assert "none has finished for this folder" in done.stderr
    assert "Leave `--keep-model` out" in done.stderr
    both = embedded.run("submit", folder, "--keep-model", "--renumber")
    assert both.returncode == 2
    assert "`--renumber` or `--keep-model`, not both" in both.stderr
