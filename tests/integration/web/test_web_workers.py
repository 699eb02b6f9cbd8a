"""Workers over HTTP, and what a page says of them; downloads that there are, and are not."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from polling import wait_until
from servers import Server
from stream_listener import Listener
from web_server import WebServer

from shoal.producer.job import Job
from shoal.producer.web.api import events
from shoal.producer.web.pages import downloads
from shoal.shared.store import Kind, PoolProcess, Work, WorkerFacts, keys
from shoal.shared.tasks import KNOWN, PROTOCOL

NAME = "<b>one</b>@anna"
WORK = Work("loading", "0123456789ab", 1234, 7)
FACTS = WorkerFacts(
    host="anna", version="1.2.3", protocols=KNOWN, processes=(PoolProcess(8, 2**21, WORK),)
)


@pytest.fixture
def worker(web: WebServer) -> Iterator[str]:
    web.client.registry.note_worker(NAME, FACTS)
    yield NAME
    web.client.registry.forget_worker(NAME)


def test_workers_are_listed_for_programs_and_for_people(web: WebServer, worker: str) -> None:
    (listed,) = web.http.get("/api/v1/workers").json()
    assert (listed["name"], listed["state"], listed["busy"]) == (worker, "running", 1)
    assert listed["processes"][0]["work"]["batch"] == 1234
    page = web.http.get("/workers").text
    assert "&lt;b&gt;one&lt;/b&gt;@anna" in page
    assert "1 of 1 process</dd>" in page
    assert all(f">{text}</td>" in page for text in ("loading", "1,234", "7 s", "2.0 MB"))
    assert "several versions" not in page
    web.client.registry.note_worker("old@anna")
    assert "several versions" in web.http.get("/workers").text
    web.client.registry.forget_worker("old@anna")


def test_a_stream_says_whether_workers_run_while_there_is_work(
    web: WebServer,
    redis_server: Server,
    tmp_path: Path,
    worker: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(events, "AGAIN_SECONDS", 0.1)
    for name in "abcd":
        (tmp_path / f"{name}.png").touch()
    job = web.client.submit(tmp_path, clusters=2)
    stream = Listener(web, f"/jobs/{job.id}/events")
    wait_until(lambda: {"running": True, "heard_at": None, "lack": ""} in stream.workers)
    for key in (keys.WORKERS, keys.workers(PROTOCOL), keys.SEEN_WORKERS):
        redis_server.client.zincrby(key, -60, worker)
    wait_until(lambda: stream.workers[-1]["heard_at"])
    assert not stream.workers[-1]["running"]
    assert "no worker is running" in stream.workers[-1]["lack"]
    wait_until(lambda: stream.repeated)
    assert 'data-part="idle" hidden' not in web.http.get(f"/jobs/{job.id}").text
    job.cancel()
    wait_until(stream.has_ended)


def offered(web: WebServer, job: Job) -> list[str]:
    text = web.http.get(f"/jobs/{job.id}").text
    start = f'href="/api/v1/jobs/{job.id}/downloads/'
    return [part.partition('"')[0] for part in text.split(start)[1:]]


def test_only_files_that_there_are_can_be_downloaded_and_a_late_click_is_told_so(
    web: WebServer, redis_server: Server, finished: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    always = ["report.html", "labels.csv", "labels.json"]
    others = ["failures.csv", "duplicates.csv", "model.npz", "coordinates.npy", "features.npy"]
    monkeypatch.setattr(downloads, "find_spec", lambda _: None)
    assert offered(web, finished) == [*always, *others]
    for name in others:
        assert web.http.get(f"/api/v1/jobs/{finished.id}/downloads/{name}").status_code == 200
    names = finished.results.keys.shards(Kind.FEATURES)
    kept = finished.ledger.client.hgetall(names)
    web.client.redis.unlink(names)
    assert offered(web, finished) == [*always, *others[:-1]]
    path = f"/api/v1/jobs/{finished.id}/downloads/features.npy"
    page = web.http.get(path, headers={"Accept": "text/html,*/*"})
    assert (page.status_code, page.headers["content-type"]) == (409, "text/html; charset=utf-8")
    assert "have expired: they are kept for a while" in page.text
    assert f'href="/jobs/{finished.id}"' in page.text
    assert "have expired" in web.http.get(path).json()["error"]
    redis_server.client.hset(names, mapping=kept)
