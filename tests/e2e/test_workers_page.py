"""Workers on the page: at work, killed, frozen; and what a page says of a frozen server."""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from browser import WAIT_SECONDS, Window, open_browser
from playwright.sync_api import Page, ViewportSize, expect
from polling import wait_until
from served_page import served
from servers import Server, start_redis
from shoal_command import Shoal
from worker_process import Worker, suspended

PHONE: ViewportSize = {"width": 390, "height": 844}
BRIEF = {"SHOAL_SWEEP_SECONDS": 0.5, "SHOAL_LEASE_SECONDS": 3}
LONG_AGO = "00:15"  # longer than a stream is silent


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = start_redis(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def site(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Shoal:
    return Shoal(tmp_path_factory.mktemp("client"), SHOAL_REDIS_URL=server.url, **BRIEF)


@contextmanager
def frozen(shoal: Shoal) -> Iterator[None]:
    """Let the web server stand still meanwhile."""
    (web,) = (process for process in shoal.processes() if "serve" in process.cmdline())
    os.kill(web.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(web.pid, signal.SIGCONT)


def states(page: Page) -> list[str]:
    return sorted(page.locator(".workers .state").all_inner_texts())


def test_workers_are_shown_at_work_killed_and_frozen_and_so_is_a_frozen_server(
    site: Shoal, slow_photographs: Path, tmp_path: Path
) -> None:
    workers = [Worker(site.elsewhere(tmp_path / name)) for name in ("killed", "frozen")]
    killed, stopped = workers
    with killed, stopped, served(site) as address, open_browser() as browser:
        job = site.submit(slow_photographs)
        working = wait_until(lambda: find_work(site, job), WAIT_SECONDS, "somebody loads")
        assert working["version"]
        assert working["processes"][0]["memory_bytes"] > 10_000_000
        context = browser.new_context(viewport=PHONE, locale="en")
        window, live = Window(context.new_page()), context.new_page()
        live.clock.install()
        live.goto(f"{address}/jobs/{job}")
        page = window.page
        page.goto(f"{address}/workers")
        wait_until(lambda: states(page) == ["running"] * 2, WAIT_SECONDS, "two are seen")
        with suspended([stopped]):
            killed.lose()
            wait_until(lambda: states(page) == ["lost"] * 2, WAIT_SECONDS, "both are lost")
            expect(page.get_by_text("No worker is running: start one")).to_be_visible()
            assert window.barriers() == []
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
            idle = live.locator("[data-part=idle]")
            expect(idle).to_contain_text(re.compile(r"\(last sign of life at \d\d:\d\d:\d\d\)"))
            assert "no worker is running" in site.run("wait", job, "--timeout", 1).stderr
            with frozen(site):
                live.clock.fast_forward(LONG_AGO)
                away = live.locator("#away")
                told = re.compile(r"The server does not answer\. No news for \d+ s \(since")
                expect(away).to_contain_text(told)
                expect(live.get_by_role("status")).to_have_text(
                    "The server does not answer. Trying again."
                )
            expect(away).to_contain_text("It answers again, after")
        wait_until(lambda: states(page) == ["lost", "running"], WAIT_SECONDS, "one goes on")
        expect(live.locator("#job .state")).to_have_text("finished")
        expect(idle).to_be_hidden()
        assert window.faults == []
    assert [worker["state"] for worker in site.json("workers")] == ["lost"]


def find_work(site: Shoal, job: str) -> Any:
    """Return a worker of which a process loads a batch of a job; None if there is none yet."""
    works = (
        (worker, process["work"])
        for worker in site.json("workers")
        for process in worker["processes"]
    )
    wanted = (
        w for w, work in works if work and (work["job_id"], work["stage"]) == (job, "loading")
    )
    return next(wanted, None)
