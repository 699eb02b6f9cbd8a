import json
from pathlib import Path

import pytest
from shoal_command import FinishedRun, Shoal

from shoal import Client
from shoal.shared.settings import Settings


def fail(shoal: Shoal, *arguments: object) -> tuple[int, str]:
    done = shoal.run(*arguments)
    return done.returncode, done.stderr


def test_a_missing_folder_is_wrong_use(embedded: Shoal, tmp_path: Path) -> None:
    code, error = fail(embedded, "run", tmp_path / "nowhere")
    assert code == 2
    assert f"{tmp_path / 'nowhere'} does not exist; check the spelling after {tmp_path}" in error


def test_a_folder_without_images_is_wrong_use(embedded: Shoal, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "todo.txt").write_text("buy milk")
    code, error = fail(embedded, "submit", tmp_path / "notes")
    assert code == 2
    assert "1 other file: 1 txt; give a folder with images: ." in error


@pytest.mark.parametrize(
    ("option", "value", "remedy"),
    [
        ("--clusters", 500, "use `--clusters 120` or less"),
        ("--clusters", 0, "--clusters"),
        ("--clusters", "x", "--clusters"),
        ("--components", 121, "use `--components 120` or less"),
        ("--image-size", 1000, "--image-size"),
        ("--features", "smell", "pixels"),
        ("--colour", "red", "--colour"),
    ],
)
def test_an_option_that_cannot_work_is_wrong_use(
    embedded_run: FinishedRun, option: str, value: object, remedy: str
) -> None:
    code, error = fail(embedded_run.shoal, "run", embedded_run.source, option, value)
    assert code == 2
    assert remedy in error


@pytest.mark.parametrize(
    "command", [["status"], ["wait"], ["cancel"], ["retry"], ["result"], ["failures"], ["plot"]]
)
def test_an_unknown_job_is_wrong_use(embedded_run: FinishedRun, command: list[str]) -> None:
    names = ["scatter"] if command == ["plot"] else []
    code, error = fail(embedded_run.shoal, *command, "nosuchjob", *names)
    assert code == 2
    assert "No job nosuchjob (see `shoal jobs` for" in error


@pytest.mark.parametrize(
    "command",
    [
        ["organize", "last", ""],
        ["undo", ""],
        ["duplicates", "last", "--keep", "first", "--move", ""],
        ["search", "last", "000.jpg", "--sheet", ""],
        ["features", "last", "--out", ""],
    ],
)
def test_an_empty_name_is_not_the_current_directory(tmp_path: Path, command: list[str]) -> None:
    code, error = fail(Shoal(tmp_path / "home"), *command)
    assert (code, "it is empty; the current directory is '.'" in error) == (2, True), error


def test_an_unknown_setting_is_wrong_use(tmp_path: Path) -> None:
    code, error = fail(Shoal(tmp_path / "home", SHOAL_REDIS="redis://localhost"), "jobs")
    assert code == 2
    assert "SHOAL_REDIS_URL" in error


@pytest.mark.parametrize("command", [["jobs"], ["serve", "--port", 0]])
def test_a_redis_that_is_not_there_is_a_failure(tmp_path: Path, command: list[object]) -> None:
    shoal = Shoal(tmp_path / "home", SHOAL_REDIS_URL=f"unix://{tmp_path}/nowhere.sock")
    code, error = fail(shoal, *command)
    assert code == 1
    assert "start it, or set SHOAL_REDIS_URL" in error


def test_a_result_before_the_end_is_a_failure(embedded: Shoal, photographs: Path) -> None:
    job = embedded.submit(photographs)
    code, error = fail(embedded, "result", job)
    assert code == 1
    assert f"wait for it with `shoal wait {job}`" in error


def test_a_wait_that_is_too_short_is_a_failure(embedded: Shoal, photographs: Path) -> None:
    job = embedded.submit(photographs)
    code, error = fail(embedded, "wait", job, "--timeout", 0.5)
    assert code == 1
    assert "has not ended in 0.5 s" in error
    assert "start one with `shoal worker`" in error


def test_a_job_without_one_readable_image_fails(embedded: Shoal, tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    for number in range(10):
        (folder / f"{number}.jpg").write_text("not an image")
    code, error = fail(embedded, "run", folder)
    assert code == 1
    assert "No image could be read" in error
    [job] = embedded.json("jobs")
    assert job["state"] == "failed"
    assert job["images"] == {"total": 10, "loaded": 0, "failed": 10, "known": 0}
    assert fail(embedded, "wait", job["job_id"])[0] == 1
    assert fail(embedded, "result", job["job_id"])[0] == 1
    reasons = [failure["reason"] for failure in embedded.json("failures", job["job_id"])]
    assert reasons == ["not-an-image"] * 10


@pytest.mark.parametrize("command", ["worker", "jobs"])
@pytest.mark.parametrize(
    ("setting", "value", "remedy"),
    [
        ("SHOAL_FOO", "1", "SHOAL_FOO is not a setting"),
        ("SHOAL_REDIS_URL", "http://x", "expected redis://HOST:PORT/DB"),
        ("SHOAL_REDIS_URL", "redis://host:abc", "expected redis://HOST:PORT/DB"),
        ("SHOAL_REDIS_URL", "redis://:pass/word@host", "is redis://…@host; expected"),
        ("SHOAL_REDIS_URL", "redis://host/0?foo=1", "expected redis://HOST:PORT/DB"),
        ("SHOAL_IMAGE_ROOTS", ":", "no directory in ':'"),
        ("SHOAL_LEASE_SECONDS", "1e-9", "SHOAL_LEASE_SECONDS: Expected"),
    ],
)
def test_a_wrong_setting_is_wrong_use(
    tmp_path: Path, command: str, setting: str, value: str, remedy: str
) -> None:
    code, error = fail(Shoal(tmp_path / "home", **{setting: value}), command)
    assert code == 2
    assert remedy in error


def test_a_job_without_a_result_prints_its_last_status_and_what_refuses_its_workers(
    embedded: Shoal, photographs: Path
) -> None:
    job = embedded.submit(photographs)
    late = embedded.run("wait", job, "--timeout", 0.2, "--json")
    assert (late.returncode, json.loads(late.stdout)["state"]) == (1, "queued")
    with Client(settings=Settings(home=embedded.home), start_workers=False) as client:
        client.job(job).ledger.note_refusal("on anna, s3://photos does not answer.")
    told = embedded.run("status", job).stderr
    assert "Within the last minute: on anna, s3://photos does not answer." in told
    embedded.output("cancel", job)
    for command in (["wait"], ["status", "--watch"]):
        ended = embedded.run(*command, job, "--json")
        assert (ended.returncode, json.loads(ended.stdout)["state"]) == (1, "cancelled")
        assert f"Job {job} was cancelled" in ended.stderr


def test_run_of_broken_images_prints_its_last_status_as_json(
    embedded: Shoal, tmp_path: Path
) -> None:
    (tmp_path / "texts").mkdir()
    for number in range(5):
        (tmp_path / "texts" / f"{number}.jpg").write_text("not an image")
    done = embedded.run("run", tmp_path / "texts", "--json")
    assert (done.returncode, json.loads(done.stdout)["state"]) == (1, "failed")


@pytest.mark.parametrize(
    ("out", "remedy"),
    [
        ("inside", "Choose an `--out` outside"),
        ("/proc/out", "choose another `--out`"),
        ("/dev/null", "choose another `--out`"),
    ],
)
def test_a_place_for_results_that_cannot_be_is_wrong_use_before_any_work(
    embedded: Shoal, photographs: Path, out: str, remedy: str
) -> None:
    code, error = fail(embedded, "run", photographs, "--out", photographs / out)
    assert code == 2
    assert remedy in error
    assert embedded.json("jobs") == []


def test_a_result_that_cannot_be_written_is_a_failure(
    embedded_run: FinishedRun, tmp_path: Path
) -> None:
    (tmp_path / "plots").write_text("in the way")
    shoal, job = embedded_run.shoal, embedded_run.job_id
    code, error = fail(shoal, "result", job, "-o", tmp_path / "plots" / "labels.csv")
    assert code == 1
    assert "cannot be written: " in error
