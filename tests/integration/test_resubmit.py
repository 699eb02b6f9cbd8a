"""The same folder and options again: the job that is there, while it is of any use."""

import os
import shutil
import time
from dataclasses import replace

import pytest
from polling import wait_until

from shoal.producer.submission.folder import read_folder
from shoal.shared.jobs import State


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
        return python_client.submit_folder(read_folder(folder), notify=told.append, **options).id

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
    assert told[1] == (
        f"Job {first} already has these images and options (queued);"
        " `force=True` runs it again as a new job."
    )
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
    assert f"`client.job('{first}').retry(failed_only=True)` tries 1 failed image again" in told[1]


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


def test_an_image_that_was_changed_since_makes_another_job(submit, folder):
    first = submit()
    later = time.time() + 5
    os.utime(folder / "caf\udce9.png", (later, later))
    assert submit() != first


def test_an_older_file_that_was_put_in_an_images_place_makes_another_job(redis, submit, folder):
    first = submit()
    redis.hincrbyfloat(f"shoal:{{{first}}}:job", "created_at", -1)
    old = folder.parent / "old.png"
    old.write_bytes(b"old")
    os.utime(old, (0, 0))
    old.rename(folder / "b.png")
    assert submit() != first


def age(redis, job_id):
    """Let a job have been submitted an hour later than its images were last touched."""
    redis.hincrbyfloat(f"shoal:{{{job_id}}}:job", "created_at", 3600)


@pytest.mark.parametrize("directory", [".", "trip", "linked"])
def test_another_directory_in_the_place_of_one_makes_another_job(
    redis, submit, folder, tmp_path_factory, directory
):
    outside = tmp_path_factory.mktemp("outside")
    for parent in (folder / "trip", outside / "album"):
        parent.mkdir()
        (parent / "e.jpg").touch()
    (folder / "linked").symlink_to(outside / "album")
    place = (folder / directory).resolve()
    first = submit()
    age(redis, first)
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
    python_client, submit, folder, tmp_path_factory
):
    outside = tmp_path_factory.mktemp("outside")
    for name in ("old.jpg", "older.jpg"):
        (outside / name).touch()
    link = folder / "link.jpg"
    link.symlink_to(outside / "old.jpg")
    first = submit()

    def lead_elsewhere():
        link.unlink()
        link.symlink_to(outside / "older.jpg")
        return link.lstat().st_ctime > python_client.job(first).status().created_at

    wait_until(lead_elsewhere)  # the kernel's clock of files ticks every few milliseconds
    assert submit() != first


def test_settings_that_show_in_the_labels_make_another_job(submit, python_client, tmp_path_factory):
    first, model = submit(), tmp_path_factory.mktemp("models") / "own.onnx"
    embedding = submit(features="embedding")
    python_client.settings = replace(python_client.settings, embedding_model=model)
    assert submit() == first
    assert submit(features="embedding") != embedding
    embedding = submit(features="embedding")
    model.touch()
    assert submit(features="embedding") != embedding
    python_client.settings = replace(python_client.settings, fit_memory=2**20)
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
    assert f"`client.job('{first}').retry()` would continue it" in told[1]


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
