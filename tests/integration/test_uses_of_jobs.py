"""What a program does with a finished job: what the commands of the same names do."""

import json
from pathlib import Path

import pytest

from shoal.shared.errors import NotFinishedError, UsageError
from shoal.shared.jobs import Status


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


def test_a_notebook_shows_a_finished_job_with_its_pictures_and_report(
    finished, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    shown = finished._repr_html_()
    assert f"Job {finished.id}</strong>: finished" in shown
    assert "40 images loaded of 43, 3 failed" in " ".join(shown.split())
    assert shown.count('src="data:image/jpeg;base64,') > 8
    assert 'job.report("report.html")' in shown
    finished.report("my report.html")
    assert 'href="my%20report.html"' in finished._repr_html_()


def test_a_notebook_shows_how_far_a_job_is_and_escapes_what_others_named(
    python_client, tmp_path, submit
):
    folder = tmp_path / "<script>x"
    folder.mkdir()
    (folder / "a.png").touch()
    job = python_client.job(submit(folder).job_id)
    shown = job._repr_html_()
    assert "&lt;script&gt;x" in shown
    assert "<script>" not in shown
    assert "<progress" in shown
    job.cancel()
    assert "cancelled" in job._repr_html_()


def test_a_notebook_shows_an_error_where_a_job_cannot_be_shown(python_client, finished):
    assert "No job 0123456789ab." in python_client.job("0123456789ab")._repr_html_()
    finished.results.client.delete(finished.results.keys.plots(""))
    finished.results.client.hdel(finished.results.keys.job, "findings_token")
    assert f"Job {finished.id}</strong>: " in finished._repr_html_()
    assert repr(finished) == f"<Job {finished.id}>"


def test_progress_is_printed_while_a_program_waits(finished, capsys):
    seen = list[Status]()
    finished.wait(on_status=seen.append, progress=True)
    assert capsys.readouterr().err.startswith("finished: 43 of 43 images")
    assert [status.state for status in seen] == ["finished"]


def test_labels_are_a_frame(finished):
    frame = finished.labels().to_frame()
    assert frame["label"].value_counts().sum() == 40
    assert list(finished.failures().to_frame()["reason"].cat.categories)
