"""What a program does with a finished job: what the commands of the same names do."""

import json
from pathlib import Path

import pytest

from shoal.shared.errors import NotFinishedError, UsageError


@pytest.fixture
def finished(python_client, submit, run, mixed):
    return python_client.job(run(submit(mixed, clusters=3, image_size=8)).job_id)


def test_clusters_are_scored_against_labels_that_a_program_knows(finished):
    labels = {row.path: row.label for row in finished.labels()}
    perfect = finished.evaluate({path: str(label) for path, label in labels.items()})
    assert (perfect.images, perfect.nmi) == (40, pytest.approx(1))
    some = dict.fromkeys(list(labels)[:5], "five") | {"elsewhere.png": "none"}
    assert (finished.evaluate(some).images, finished.evaluate(some).classes) == (5, ("five",))


def test_clusters_are_scored_against_a_table_and_folders(finished, tmp_path):
    table = tmp_path / "known.csv"
    rows = [f"{row.path},{row.label}" for row in finished.labels()]
    table.write_text("\n".join(["path,label", *rows]))
    assert finished.evaluate(table).nmi == pytest.approx(1)
    with pytest.raises(UsageError, match="in a folder of its class"):
        finished.evaluate()
    with pytest.raises(UsageError, match="no image has"):
        finished.evaluate({})


def test_a_report_is_written_and_nothing_is_replaced_unasked(finished, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert finished.report() == Path("report.html")
    content = Path("report.html").read_bytes()
    assert content.startswith(b"<!doctype html>")
    Path("report.html").write_text("mine")
    with pytest.raises(UsageError, match="`force=True` replaces it, or choose another `out`"):
        finished.report("report.html")
    assert len(finished.report("report.html", force=True).read_bytes()) > len(content) // 2


def test_all_results_are_written_to_a_directory(finished, tmp_path, mixed):
    out = finished.write(str(tmp_path / "out"))
    assert json.loads((out / "job.json").read_bytes())["status"]["job_id"] == finished.id
    assert (out / "labels.csv").read_text().count("\n") == 41
    (out / "labels.csv").write_text("mine")
    with pytest.raises(UsageError, match=r"labels\.csv exists, .*`force=True`"):
        finished.write(out)
    finished.write(out, force=True)
    with pytest.raises(UsageError, match="an `out` outside"):
        finished.write(mixed / "out")


def test_an_unfinished_job_leaves_no_file_and_says_how_to_wait(
    python_client, submit, mixed, tmp_path
):
    job = python_client.job(submit(mixed).job_id)
    for use in (job.write, job.report, lambda _: job.evaluate()):
        with pytest.raises(NotFinishedError, match=r"\.wait\(\)"):
            use(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
