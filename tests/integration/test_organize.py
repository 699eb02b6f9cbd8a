"""The images of a finished job, in folders of its clusters that have names."""

import shutil
from pathlib import Path

import pytest

from shoal import undo
from shoal.shared.errors import NotFinishedError, SourceError, UsageError
from shoal.shared.findings import NOISE
from shoal.shared.store import ClusterNames, Expiry, Lifetimes


@pytest.fixture
def images(tmp_path: Path, mixed: Path) -> Path:
    """Images that a test may move."""
    return Path(shutil.copytree(mixed, tmp_path / "images"))


@pytest.fixture
def finished(python_client, submit, run, images):
    return python_client.job(run(submit(images, clusters=3, image_size=8)).job_id)


def list_images(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file() and ".shoal" not in str(path))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_each_image_is_in_the_folder_of_its_cluster_and_comes_back(finished, images, tmp_path):
    before = list_images(images)
    finished.name_clusters({1: "blue"})
    done = finished.organize(tmp_path / "sorted", "move")
    labels = {row.path: row.label for row in finished.labels()}
    folders = {0: "00", 1: "01-blue", 2: "02"}
    assert list_images(tmp_path / "sorted") == {
        f"{folders[label]}/{path}": before[path] for path, label in labels.items()
    }
    assert (done.done, done.skipped) == (len(labels), [])
    assert (
        done.failed == finished.status().images.failed == len(list_images(images).keys() - labels)
    )
    found = [(each.labels, each.folder) for each in done.folders]
    assert found == [([label], folder) for label, folder in folders.items()]
    assert [each.images for each in done.folders] == [c.size for c in finished.summary().clusters]
    assert Path(done.journal).is_file()
    assert undo(tmp_path / "sorted").undone == len(labels)
    assert list_images(images) == before
    assert not (tmp_path / "sorted").exists()


def test_images_of_two_folders_may_go_beside_them_but_into_neither(
    python_client, register, run, images, tmp_path
):
    folders = [images / "first", images / "second"]
    names = sorted(path.name for path in images.glob("*.png"))
    batches = [[f"first/{name}" for name in names], [f"second/{name}" for name in names]]
    for folder in folders:
        folder.mkdir()
        for name in names:
            shutil.copy(images / name, folder)
    given = {"source": str(images), "inputs": tuple(map(str, folders))}
    job = python_client.job(run(register(batches, clusters=3, image_size=8, **given)).job_id)
    assert job.organize(images / "sorted").done > 0
    for folder in folders:
        with pytest.raises(UsageError, match=f"is inside {folder}"):
            job.organize(folder / "sorted", dry_run=True)


def test_a_dry_run_does_nothing_and_tells_what_is_missing(finished, images, tmp_path):
    first, second, *_ = (row.path for row in finished.labels())
    (images / first).unlink()
    done = finished.organize(tmp_path / "sorted", "copy", dry_run=True)
    assert [(item.path, item.reason) for item in done.skipped] == [(first, "missing")]
    assert (done.is_dry_run, done.done) == (True, 39)
    assert not (tmp_path / "sorted").exists()
    (images / second).write_bytes(b"edited")
    done = finished.organize(tmp_path / "sorted", "copy")
    assert {item.path: item.reason for item in done.skipped} == {
        first: "missing",
        second: "changed",
    }


def test_other_names_make_another_plan(finished, tmp_path):
    finished.organize(tmp_path / "sorted")
    finished.name_clusters({0: "red"})
    with pytest.raises(UsageError, match=r"had other names: take it back \(`shoal\.undo\('"):
        finished.organize(tmp_path / "sorted")
    undo(tmp_path / "sorted")
    assert finished.organize(tmp_path / "sorted", flat=True).folders[0].folder == "00-red"


def test_what_cannot_work_is_refused_in_words(finished, images, tmp_path):
    with pytest.raises(UsageError, match="is inside"):
        finished.organize(images / "sorted")
    with pytest.raises(UsageError, match="No mode 'link': choose symlink, hardlink, copy, move"):
        finished.organize(tmp_path / "sorted", "link")
    images.rename(tmp_path / "elsewhere")
    with pytest.raises(SourceError, match="not on this machine"):
        finished.organize(tmp_path / "sorted")


def test_an_unfinished_job_has_no_folders_and_no_names(python_client, submit, mixed, tmp_path):
    job = python_client.job(submit(mixed).job_id)
    for use in (lambda: job.organize(tmp_path / "x"), lambda: job.name_clusters({0: "a"})):
        with pytest.raises(NotFinishedError):
            use()
    with pytest.raises(NotFinishedError, match="no clusters to name"):
        ClusterNames(job.ledger.client, job.id).write({0: "a"})
    assert not (tmp_path / "x").exists()


def test_names_are_shown_replaced_and_taken_away(finished):
    assert finished.name_clusters({0: "red", 2: "green"}) == {0: "red", 2: "green"}
    assert [cluster.name for cluster in finished.summary().clusters] == ["red", "", "green"]
    assert finished.name_clusters({0: "", 1: "red"}) == finished.names() == {1: "red", 2: "green"}
    with pytest.raises(UsageError, match="no cluster -1"):
        finished.name_clusters({NOISE: "rest"})


def test_clusters_of_one_name_are_one_group_in_one_folder(finished, tmp_path):
    finished.name_clusters({0: "cats", 2: " Cats"})
    labels = {row.path: (row.label, row.name) for row in finished.labels()}
    assert set(labels.values()) == {(0, "cats"), (1, ""), (2, "cats")}
    (group,) = finished.summary().groups
    assert (group.labels, group.size) == ([0, 2], sum(n != 1 for n, _ in labels.values()))
    done = finished.organize(tmp_path / "sorted")
    assert [(each.folder, each.labels) for each in done.folders] == [
        ("cats", [0, 2]),
        ("01", [1]),
    ]
    assert set(list_images(tmp_path / "sorted")) == {
        f"{name or '01'}/{path}" for path, (_, name) in labels.items()
    }
    undo(tmp_path / "sorted")


def test_names_expire_with_the_job_whenever_they_were_given(finished):
    client = finished.ledger.client
    finished.name_clusters({0: "early"})
    Expiry(client, finished.id).begin(Lifetimes(100, 200))
    keys = finished.results.keys
    assert 100_000 < client.pttl(keys.names) <= 200_000
    finished.name_clusters({0: "", 1: ""})
    finished.name_clusters({0: "late"})
    expires_at, of_job = (client.execute_command("PEXPIRETIME", k) for k in (keys.names, keys.job))
    assert expires_at == of_job > 0
