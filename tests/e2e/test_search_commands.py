"""Search and recommendation as a user calls them, with the embedded server and no worker."""

import io
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from PIL import Image
from polling import wait_until
from servers import Server
from shoal_command import FinishedRun, Shoal
from worker_process import Worker, suspended

from shoal import Client
from shoal.shared.settings import Settings
from shoal.shared.store.keys import CELERY
from shoal.shared.tasks import CALLBACKS


def test_images_of_the_job_are_searched_without_a_worker(
    embedded_run: FinishedRun, tmp_path: Path
) -> None:
    shoal, job = embedded_run.shoal, embedded_run.job_id
    lines = shoal.output("result", job).splitlines()
    first, second = (line.split(",")[0] for line in lines[1:3])
    found = shoal.json("search", job, first, "-n", "4")
    assert [match["rank"] for match in found] == [1, 2, 3, 4]
    assert first not in [match["path"] for match in found]
    sheet = tmp_path / "found.png"
    printed = shoal.output("search", job, first, "-n", "4", "--sheet", str(sheet))
    assert printed.splitlines()[0] == "rank,path,label,distance"
    assert Image.open(io.BytesIO(sheet.read_bytes())).width > 800
    recommended = shoal.json("recommend", job, first, "--dislike", second, "-n", "4")
    assert not {first, second} & {match["path"] for match in recommended}


def test_a_new_image_is_projected_by_a_worker_that_is_started(
    embedded_run: FinishedRun, photographs: Path, tmp_path: Path
) -> None:
    shoal, job = embedded_run.shoal, embedded_run.job_id
    original = sorted(photographs.rglob("*.jpg"))[5]
    new = tmp_path / "new.jpg"
    new.write_bytes(original.read_bytes())
    (found,) = shoal.json("search", job, str(new), "-n", "1")
    assert (photographs / found["path"]).read_bytes() == new.read_bytes()
    assert found["distance"] < 1e-2


def test_wrong_use_ends_with_2_and_nothing_is_written(
    embedded_run: FinishedRun, tmp_path: Path
) -> None:
    shoal, job = embedded_run.shoal, embedded_run.job_id
    sheet = tmp_path / "sheet.png"
    (tmp_path / "text.jpg").write_text("no image")
    for words in (
        ("search", job, "no-such.jpg", "--sheet", str(sheet)),
        ("search", job, str(tmp_path / "text.jpg"), "--sheet", str(sheet)),
        ("search", "000000000000", "a.jpg"),
        ("recommend", job, "--dislike", "no-such.jpg"),
        ("recommend", job),
    ):
        ended = shoal.run(*words)
        assert ended.returncode == 2, ended.stderr
        assert ended.stderr.startswith("Error: ")
    assert not sheet.exists()
    sheet.write_bytes(b"mine")
    refused = shoal.run("search", job, "000.jpg", "--sheet", str(sheet))
    assert (refused.returncode, sheet.read_bytes()) == (2, b"mine")
    assert "--force replaces it, or choose another --sheet" in refused.stderr.replace("`", "")


def test_no_sheet_and_no_plot_comes_among_the_images(embedded_run: FinishedRun) -> None:
    shoal, job = embedded_run.shoal, embedded_run.job_id
    source = Path(shoal.json("status", job)["request"]["source"])
    for words, option in (
        (("search", job, "0", "--force", "--sheet"), "--sheet"),
        (("recommend", job, "--like", "0", "--force", "--sheet"), "--sheet"),
        (("plot", job, "sizes", "--force", "-o"), "--out"),
    ):
        refused = shoal.run(*words, str(source / "new.png"))
        assert refused.returncode == 2
        assert f"Choose a place outside by `{option}`." in refused.stderr
    assert not (source / "new.png").exists()


def test_a_question_whose_message_and_process_are_lost_is_answered_all_the_same(
    shoal: Shoal,
    workers: list[Worker],
    redis_server: Server,
    photographs: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job_id = shoal.submit(photographs)
    shoal.output("wait", job_id)
    monkeypatch.setattr("shoal.producer.search.projection.AGAIN_SECONDS", 2.0)
    content = sorted(photographs.rglob("*.jpg"))[5].read_bytes()
    with ThreadPoolExecutor(1) as pool, Client(redis_server.url, settings=Settings()) as client:
        with suspended(workers):
            asked = pool.submit(client.job(job_id).search, content, count=1)
            keys = partial(redis_server.client.keys, f"{CELERY}{CALLBACKS}")
            wait_until(keys, 30, "the message")
            redis_server.client.delete(f"{CELERY}{CALLBACKS}")
        workers[0].kill_child()
        (found,) = asked.result(60)
    assert (photographs / found.path).read_bytes() == content
