"""Duplicates of a job: copies and pictures that look alike, by way of the workers' stages."""

from logging import ERROR
from pathlib import Path

import pytest
from PIL import Image
from skimage import data

from shoal.producer.job import Job
from shoal.shared.errors import UsageError
from shoal.shared.findings import DuplicateCounts, Turn
from shoal.shared.jobs import State
from shoal.worker.stages.finishing.finishing import finish_job
from shoal.worker.stages.fitting import fit_job
from shoal.worker.stages.labelling import label_batch
from shoal.worker.stages.loading import reading
from shoal.worker.stages.loading.loading import load_batch

NAMES = ("astronaut", "chelsea", "coffee")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three photographs, of one a copy and a smaller one in another format; a broken file."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    for name, letter in zip(NAMES, "abc", strict=True):
        picture = Image.fromarray(getattr(data, name)())
        picture.save(folder / f"{letter}.png")
    (folder / "d-copy.png").write_bytes((folder / "b.png").read_bytes())
    with Image.open(folder / "b.png") as picture:
        picture.resize((picture.width // 2, picture.height // 2)).save(folder / "e-smaller.jpg")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return folder


@pytest.fixture
def work(context, monkeypatch):
    """Works on all that is missing of a job."""
    monkeypatch.setattr("shoal.worker.stages.finishing.finishing.draw_plots", lambda *_: {})

    def work(job, redelivered=False):
        for batch in range(3):
            load_batch(context, job.id, batch, redelivered)
        fit_job(context, job.id)
        for batch in range(3):
            label_batch(context, job.id, batch, False)
        finish_job(context, job.id)

    return work


@pytest.fixture
def job(submit, folder, context):
    return Job(submit(folder, batch_size=2, clusters=2), context.sweeper)


def check_found(job):
    first, copy, smaller = list(job.duplicates())
    assert (first.path, copy.path, smaller.path) == ("b.png", "d-copy.png", "e-smaller.jpg")
    assert first.group == copy.group == smaller.group == 0
    assert (first.content, copy.content, smaller.content) == (0, 0, 1)
    assert (first.like, copy.like, smaller.like) == ("d-copy.png", "b.png", "b.png")
    assert first.distance == copy.distance == 0
    assert smaller.distance <= 8
    assert job.summary().duplicates == DuplicateCounts(groups=1, images=3, exact_copies=1)


def test_a_copy_and_a_smaller_version_are_found_in_other_batches(job, work):
    work(job)
    check_found(job)


def test_images_decoded_in_a_sub_process_are_compared_as_well(job, work, monkeypatch):
    monkeypatch.setattr(reading, "LOST_PROCESSES", 0)
    work(job)
    check_found(job)


def test_what_was_mended_is_compared_with_what_was_there(job, work, folder):
    (folder / "b.png").rename(folder / "hidden")
    work(job)
    assert [found.path for found in job.duplicates()] == ["d-copy.png", "e-smaller.jpg"]
    (folder / "hidden").rename(folder / "b.png")
    job.retry(failed_only=True)
    work(job)
    check_found(job)


def test_a_mirrored_picture_is_found_and_told(submit, folder, context, work):
    with Image.open(folder / "c.png") as picture:
        mirrored = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        mirrored.save(folder / "f-mirrored.jpg", quality=70)
    job = Job(submit(folder, batch_size=3, clusters=2), context.sweeper)
    work(job)
    first, mirror = list(job.duplicates())[3:]
    assert (first.path, mirror.path) == ("c.png", "f-mirrored.jpg")
    assert (first.like, mirror.like) == (mirror.path, first.path)
    assert first.turn is mirror.turn is Turn.MIRRORED
    assert mirror.distance <= 3
    assert [found.turn for found in job.duplicates()][:3] == [Turn.NONE] * 3


@pytest.mark.parametrize(
    ("error", "why"),
    [(MemoryError, "not enough memory"), (IndexError("odd"), "unexpected IndexError")],
)
def test_a_search_that_fails_costs_the_duplicates_and_not_the_job(
    job, work, monkeypatch, caplog, error, why
):
    def find(*_):
        raise error

    monkeypatch.setattr("shoal.worker.findings.duplicates.group_duplicates", find)
    work(job)
    check_left_out(job, caplog, why)


def test_hashes_that_another_version_did_not_store_cost_the_duplicates_only(
    job, work, monkeypatch, caplog
):
    fit = fit_job

    def fit_without_hashes(context, job_id):
        context.client.hdel(job.results.keys.hashes, "1")
        fit(context, job_id)

    monkeypatch.setitem(globals(), "fit_job", fit_without_hashes)
    work(job)
    check_left_out(job, caplog, "another version")


def test_a_search_that_costs_processes_is_left_out_in_the_end(job, work, monkeypatch, caplog):
    monkeypatch.setattr("shoal.worker.stages.finishing.duplicates.MOST_SEARCH_ATTEMPTS", 0)
    work(job)
    check_left_out(job, caplog, "0 processes were lost")


def check_left_out(job, caplog, why):
    assert job.status().state is State.FINISHED
    assert job.summary().duplicates is None
    assert why in caplog.text
    assert {record.job for record in caplog.records if record.levelno >= ERROR} == {job.id}
    note = "The search for duplicates failed. The workers' log says why."
    assert note in job.summary().notes
    with pytest.raises(UsageError, match="The search for duplicates"):
        job.duplicates()
