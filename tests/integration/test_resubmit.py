"""The same folder and options again: the job that is there, while it is of any use."""

import errno
import os
import shutil
import threading
import time
from dataclasses import replace

import pytest
from polling import wait_until

from shoal.producer.submission import fingerprint
from shoal.producer.submission.folder import read_folder
from shoal.shared.jobs import State
from shoal.shared.recipe.features import RESULTS_VERSION


@pytest.fixture
def folder(tmp_path):
    """A folder that looks like four images: a producer does not read them."""
    for name in ("a.jpg", "b.png", "c.png", "caf\udce9.png"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.fixture
def told():
    return []


@pytest.fixture
def submit(python_client, folder, told):
    """Submits the folder; returns the job's id."""

    def submit(**options):
        options = {"clusters": 2, **options}
        return python_client.submit_listing(read_folder(folder), notify=told.append, **options).id

    return submit


@pytest.fixture
def end(python_client):
    """Lets a job have ended."""

    def end(job_id, state, **fields):
        key = python_client.job(job_id).ledger.keys.job
        python_client.redis.hset(key, mapping={"state": state, **fields})

    return end


def test_a_job_at_work_is_found_and_nothing_is_sent_again(python_client, submit, told, queued):
    first = submit()
    assert submit() == first
    assert queued() == (1, 0)
    assert told == [
        f"Job {first} already has these images and options (queued);"
        " `force=True` runs it again as a new job."
    ]
    assert python_client.submit(
        python_client.job(first).status().request.source, clusters=2
    ).is_found


def test_a_job_knows_that_it_was_asked_for_twice(redis, python_client, submit):
    ledger = python_client.job(submit()).ledger
    assert not ledger.is_shared()
    submit()
    assert ledger.is_shared()
    redis.delete(ledger.keys.job)
    ledger.share()
    assert not redis.exists(ledger.keys.job)


def test_a_finished_job_is_found_and_its_failures_are_told(submit, end, told):
    first = submit()
    end(first, State.FINISHED, failed=1)
    assert submit() == first
    assert f"`client.job('{first}').retry(failed_only=True)` tries 1 failed image again" in told[0]


def test_force_runs_anew(submit, told):
    first = submit()
    assert submit(force=True) != first
    assert not any("already" in line for line in told)


@pytest.mark.parametrize(
    "options", [{"clusters": 3}, {"image_size": 16}, {"random_state": 1}, {"batch_size": 2}]
)
def test_other_options_make_another_job(submit, options):
    first = submit()
    assert submit(**options) != first
    assert submit() == first


def test_an_image_more_or_less_makes_another_job(submit, folder):
    first = submit()
    (folder / "d.png").touch()
    second = submit()
    assert second != first
    (folder / "a.jpg").unlink()
    assert submit() not in {first, second}


@pytest.fixture
def late(redis, submit):
    """Submits the folder to a server whose clock is an hour ahead; returns the job's id."""

    def late():
        job_id = submit()
        redis.hincrbyfloat(f"shoal:{{{job_id}}}:job", "created_at", 3600)
        return job_id

    return late


def replace_by_older(image):
    old = image.parent.parent / "old.png"
    old.write_bytes(b"old")
    os.utime(old, (0, 0))
    old.rename(image)


def replace_by_one_of_the_same_size_and_time(image):
    status, copy = image.stat(), image.with_name("copy")
    copy.write_bytes(image.read_bytes())
    os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))
    copy.rename(image)


def rewrite_and_put_its_time_back(image):
    status = image.stat()

    def rewrite():
        image.write_bytes(b"")
        os.utime(image, ns=(status.st_atime_ns, status.st_mtime_ns))
        return image.stat().st_ctime_ns != status.st_ctime_ns

    wait_until(rewrite)  # the kernel's clock of files ticks every few milliseconds


CHANGES = {
    "other content": lambda image: image.write_bytes(b"new"),
    "an older file in its place": replace_by_older,
    "another file of its size and time": replace_by_one_of_the_same_size_and_time,
    "its time put back": rewrite_and_put_its_time_back,
    "a later time": lambda image: os.utime(image, (time.time() + 5, time.time() + 5)),
    "an earlier time": lambda image: os.utime(image, (0, 0)),
    "lost": lambda image: (image.unlink(), image.symlink_to("lost")),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_image_makes_another_job_whatever_the_servers_clock_says(
    late, submit, folder, change
):
    first = late()
    assert submit() == first
    change(folder / "caf\udce9.png")
    assert submit() != first


def test_images_that_were_only_read_are_the_same(late, submit, folder):
    first = late()
    for image in folder.iterdir():
        image.read_bytes()
        os.utime(folder)  # as when a file that is no image came and went
    assert submit() == first


def test_a_hard_link_made_since_counts_as_a_change(late, submit, folder):
    first = late()
    status = (folder / "b.png").stat()

    def link():
        (folder / "other").unlink(missing_ok=True)
        (folder / "other").hardlink_to(folder / "b.png")
        return (folder / "b.png").stat().st_ctime_ns != status.st_ctime_ns

    wait_until(link)
    assert submit() != first


@pytest.mark.parametrize("directory", [".", "trip", "linked"])
def test_another_directory_in_the_place_of_one_makes_another_job(
    late, submit, folder, tmp_path_factory, directory
):
    outside = tmp_path_factory.mktemp("outside")
    for parent in (folder / "trip", outside / "album"):
        parent.mkdir()
        (parent / "e.jpg").touch()
    (folder / "linked").symlink_to(outside / "album")
    place = (folder / directory).resolve()
    first = late()
    assert submit() == first
    away = place.with_name("away")
    place.rename(away)
    shutil.copytree(away, place, symlinks=True)
    second = submit()
    assert second != first
    shutil.rmtree(place)
    away.rename(place)
    assert submit() == first


def test_a_link_that_leads_to_another_image_makes_another_job(
    late, submit, folder, tmp_path_factory
):
    outside = tmp_path_factory.mktemp("outside")
    for name in ("new.jpg", "old.jpg"):
        (outside / name).touch()
    (outside / "current").symlink_to("old.jpg")
    (folder / "link.jpg").symlink_to(outside / "current")
    first = late()
    assert submit() == first
    (outside / "current").unlink()
    (outside / "current").symlink_to("new.jpg")
    assert submit() != first


def test_a_link_that_leads_nowhere_is_the_same_as_long_as_it_does(late, submit, folder):
    (folder / "link.jpg").symlink_to("lost.png.gone")
    (folder / "loop.jpg").symlink_to("loop.jpg")
    first = late()
    assert submit() == first
    (folder / "lost.png.gone").touch()
    assert submit() != first


def test_a_job_with_an_image_of_which_nothing_can_be_known_is_not_found(
    submit, folder, monkeypatch
):
    lstat = os.lstat

    def refuse(path):
        if os.fspath(path).endswith("b.png"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return lstat(path)

    monkeypatch.setattr(os, "lstat", refuse)
    assert submit() != submit()


def test_a_slow_file_server_is_asked_for_many_files_at_once(submit, folder, monkeypatch):
    monkeypatch.setattr(fingerprint, "STATES_AT_ONCE", 2)
    first = submit()
    monkeypatch.setattr(fingerprint, "QUICK_SECONDS", 0)
    asked_by, lstat = set(), os.lstat

    def note_thread(path):
        asked_by.add(threading.get_ident())
        return lstat(path)

    monkeypatch.setattr(os, "lstat", note_thread)
    assert submit() == first
    assert len(asked_by) > 1


def test_settings_that_show_in_the_labels_make_another_job(
    submit, python_client, tmp_path_factory, monkeypatch
):
    monkeypatch.setattr("shoal.producer.client.check_model", lambda _path: None)
    first, model = submit(), tmp_path_factory.mktemp("models") / "own.onnx"
    embedding = submit(features="embedding")
    python_client.settings = replace(python_client.settings, embedding_model=model)
    assert submit() == first
    assert submit(features="embedding") != embedding
    embedding = submit(features="embedding")
    for file in (model, model.with_suffix(".json")):
        file.touch()
        assert submit(features="embedding") != embedding
        embedding = submit(features="embedding")
    python_client.settings = replace(python_client.settings, fit_memory=2**20)
    assert submit() != first


def test_a_job_of_a_version_that_gave_other_labels_is_not_found(submit, monkeypatch):
    first = submit()
    monkeypatch.setattr(fingerprint, "RESULTS_VERSION", RESULTS_VERSION + 1)
    assert submit() != first


@pytest.mark.parametrize(("left", "found"), [(59, False), (61, True)])
def test_a_finished_job_must_not_be_about_to_expire(python_client, submit, end, left, found):
    first = submit()
    end(first, State.FINISHED, expires_at=python_client.registry.now() + left)
    assert (submit() == first) is found


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELLED])
def test_a_job_without_a_result_is_not_found_but_named(submit, end, told, state):
    first = submit()
    end(first, state)
    assert submit() != first
    assert f"`client.job('{first}').retry()` would continue it" in told[0]


def test_a_finished_job_is_found_behind_a_cancelled_one(submit, end, told):
    finished, cancelled = submit(), submit(force=True)
    end(finished, State.FINISHED)
    end(cancelled, State.CANCELLED)
    assert submit() == finished
    assert not any("retry" in line for line in told)


def test_a_damaged_or_expired_job_is_not_found(redis, submit):
    first, second = submit(), submit(force=True)
    redis.set(f"shoal:{{{first}}}:job", "text")
    redis.delete(f"shoal:{{{second}}}:job")
    assert submit() not in {first, second}
