"""Files that are there already: those of the user stay, those that Shoal wrote may be replaced."""

import json
import shutil
from hashlib import sha256
from pathlib import Path

import pytest
from shoal_command import FinishedRun, Shoal

MINE = ("labels.csv", "report.html", "plots/choice.png", "sizes.png", "plots/mine.png")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A directory of the user's, with files that have names of ours."""
    (tmp_path / "data" / "plots").mkdir(parents=True)
    for name in MINE:
        (tmp_path / "data" / name).write_text("mine")
    return tmp_path / "data"


@pytest.fixture
def ours(embedded_run: FinishedRun, tmp_path: Path) -> Path:
    """A directory of results, with files of the user's beside them."""
    shutil.copytree(embedded_run.out, tmp_path / "out")
    for name in ("notes.txt", "plots/mine.png"):
        (tmp_path / "out" / name).write_text("mine")
    return tmp_path / "out"


def read_all(directory: Path) -> dict[str, bytes]:
    paths = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): path.read_bytes() for path in paths}


def refuse(shoal: Shoal, *arguments: object) -> str:
    done = shoal.run(*arguments)
    assert done.returncode == 2
    assert "--force" in done.stderr
    return done.stderr


def test_a_run_replaces_nothing_of_the_users_and_says_so_before_any_work(
    embedded: Shoal, photographs: Path, data: Path
) -> None:
    source = data / "train"
    source.symlink_to(photographs)
    before = read_all(data)
    assert f"{data}/labels.csv exists" in refuse(embedded, "run", source, "--out", data)
    assert read_all(data) == before
    assert embedded.json("jobs") == []


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (("result", "--out", "."), "labels.csv"),
        (("result", "--out", "labels.csv"), "labels.csv"),
        (("result", "--format", "json", "--out", "report.html"), "report.html"),
        (("plot", "sizes"), "sizes.png"),
        (("plot", "sizes", "-o", "plots/mine.png"), "plots/mine.png"),
        (("report",), "report.html"),
    ],
)
def test_no_command_replaces_a_file_that_shoal_did_not_write_but_by_force(
    embedded_run: FinishedRun,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
    name: str,
) -> None:
    monkeypatch.chdir(data)
    verb, *options = command
    words = (verb, embedded_run.job_id, *options)
    before = read_all(data)
    assert f"{name} exists" in refuse(embedded_run.shoal, *words)
    assert read_all(data) == before
    embedded_run.shoal.output(*words, "--force")
    after = read_all(data)
    assert after[name] != b"mine"
    assert not [path for path in after if path.endswith(".partial")]
    if "." not in options:
        assert {path: after[path] for path in before if path != name} == {
            path: content for path, content in before.items() if path != name
        }


def test_even_by_force_a_file_is_not_removed_for_which_this_job_has_no_other(
    embedded_run: FinishedRun, data: Path
) -> None:
    embedded_run.shoal.output("result", embedded_run.job_id, "--out", data, "--force")
    assert (data / "plots" / "choice.png").read_text() == "mine"
    assert "plots/choice.png" not in json.loads((data / "job.json").read_text())["files"]


def test_the_job_file_lists_the_other_files_with_their_digests(embedded_run: FinishedRun) -> None:
    found = read_all(embedded_run.out)
    about = json.loads(found.pop("job.json"))
    assert about["files"] == {name: sha256(raw).hexdigest() for name, raw in found.items()}


def test_what_shoal_wrote_for_another_job_is_replaced_or_removed_and_nothing_else(
    embedded_run: FinishedRun, ours: Path
) -> None:
    about = json.loads((ours / "job.json").read_text())
    for name in ("plots/choice.png", "labels.csv"):
        (ours / name).write_text("of another job")
        about["files"][name] = sha256(b"of another job").hexdigest()
    (ours / "job.json").write_text(json.dumps(about))
    embedded_run.shoal.output("result", embedded_run.job_id, "--out", ours)
    mine = {"notes.txt": b"mine", "plots/mine.png": b"mine"}
    assert read_all(ours) == read_all(embedded_run.out) | mine


@pytest.mark.parametrize("name", ["labels.csv", "plots/sizes.png"])
def test_a_file_that_was_changed_since_shoal_wrote_it_is_not_replaced(
    embedded_run: FinishedRun, ours: Path, name: str
) -> None:
    with (ours / name).open("ab") as file:
        file.write(b"mine")
    before = read_all(ours)
    words = ("result", embedded_run.job_id, "--out", ours)
    assert f"{ours / name} exists" in refuse(embedded_run.shoal, *words)
    assert read_all(ours) == before
    embedded_run.shoal.output(*words, "--force")
    assert (ours / name).read_bytes() == (embedded_run.out / name).read_bytes()


def test_labels_are_written_in_the_format_of_their_name(
    embedded_run: FinishedRun, tmp_path: Path
) -> None:
    shoal, job = embedded_run.shoal, embedded_run.job_id
    for name in ("labels.csv", "labels.json", "labels.parquet"):
        assert shoal.output("result", job, "--out", tmp_path / name) == ""
    assert (tmp_path / "labels.csv").read_bytes() == (embedded_run.out / "labels.csv").read_bytes()
    assert len(json.loads((tmp_path / "labels.json").read_text())) == 120
    assert (tmp_path / "labels.parquet").read_bytes()[:4] == b"PAR1"
