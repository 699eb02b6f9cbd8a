import os
import shutil
from pathlib import Path

import pytest
from shoal_command import Shoal

N_GOOD = 12
REASONS = {
    "dangling.jpg": "missing",
    "empty.jpg": "empty",
    "pipe.png": "not-a-file",
    "text.png": "not-an-image",
    "truncated.jpg": "truncated",
}


@pytest.fixture
def folder(tmp_path: Path, photographs: Path) -> Path:
    """Good images, and one of each kind of bad ones."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    good = sorted(photographs.rglob("*.jpg"))[:N_GOOD]
    for path in good:
        shutil.copy(path, folder)
    (folder / "dangling.jpg").symlink_to(tmp_path / "gone.jpg")
    (folder / "empty.jpg").touch()
    os.mkfifo(folder / "pipe.png")
    (folder / "text.png").write_text("not an image")
    whole = good[0].read_bytes()
    (folder / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "directory.jpg").mkdir()
    return folder


def test_bad_images_are_listed_each_with_its_cause(embedded: Shoal, folder: Path) -> None:
    done = embedded.run("run", folder, "--out", folder.parent / "out", "--clusters", 3)
    assert done.returncode == 0, done.stderr
    assert "5 images failed: see `shoal failures " in done.stdout
    [job] = embedded.json("jobs")
    assert job["images"] == {"total": N_GOOD + 5, "loaded": N_GOOD, "failed": 5, "known": 0}
    failures = embedded.json("failures", job["job_id"])
    assert {failure["path"]: failure["reason"] for failure in failures} == REASONS
    assert all(failure["detail"] for failure in failures)
    printed = embedded.output("failures", job["job_id"])
    assert (folder.parent / "out" / "failures.csv").read_text() == printed
    assert len((folder.parent / "out" / "labels.csv").read_text().splitlines()) == 1 + N_GOOD


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_a_file_without_permission_costs_only_itself(embedded: Shoal, folder: Path) -> None:
    (folder / "000000.jpg").chmod(0)
    assert embedded.run("run", folder, "--clusters", 3).returncode == 0
    [job] = embedded.json("jobs")
    failures = embedded.json("failures", job["job_id"])
    assert ("000000.jpg", "no-permission") in [(f["path"], f["reason"]) for f in failures]
