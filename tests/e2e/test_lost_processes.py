"""Faults: whatever dies, the job ends as if nothing had happened."""

import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from polling import wait_until
from redis_server import RedisServer
from shoal_command import Shoal
from worker_process import Worker

from shared.jobs import State, Status
from shared.store import Ledger

OPTIONS = ("--batch-size", 6)
N_IMAGES = 120
# Features enough for a fit of about a second.
FIT_OPTIONS = ("--image-size", 192, "--clusters", 20)


@dataclass(frozen=True)
class Site:
    """A Redis, a worker that stays, and the command."""

    server: RedisServer
    shoal: Shoal
    worker: Worker
    directory: Path

    def ledger(self, job: str) -> Ledger:
        return Ledger(self.server.client, job, lease_seconds=3)

    def wait_for(self, job: str, condition: Callable[[Status], bool], what: str) -> Status:
        """Return the job's status once it meets ``condition``, and has not ended."""
        ledger = self.ledger(job)

        def look() -> Status | None:
            status = ledger.status()
            assert not status.state.is_final, f"the job ended too soon to see: {what}"
            return status if condition(status) else None

        return wait_until(look, 30, what) or ledger.status()

    def wait_until_loading(self, job: str) -> None:
        self.wait_for(job, lambda s: 0 < s.images.loaded < N_IMAGES / 2, "some images are loaded")

    def check(self, job: str, expected: str) -> None:
        """Wait for the job; every image counts once, and the labels are those expected."""
        status = self.shoal.json("wait", job)
        assert status["state"] == "finished"
        assert status["images"]["loaded"] == status["images"]["total"]
        assert status["images"]["failed"] == 0
        assert self.shoal.output("result", job) == expected


def has_loaded(share: float, status: Status) -> bool:
    return status.images.loaded >= share * status.images.total


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("site")
    server = RedisServer(directory)
    settings = {"SHOAL_LEASE_SECONDS": 3, "SHOAL_SWEEP_SECONDS": 1}
    shoal = Shoal(directory / "client", SHOAL_REDIS_URL=server.url, **settings)
    with Worker(shoal.elsewhere(directory / "worker")) as worker:
        yield Site(server, shoal, worker, directory)
    server.stop()


@pytest.fixture(scope="module")
def undisturbed(shoal: Shoal, workers: list[Worker], slow_photographs: Path) -> str:
    """The labels of the slow photographs, made elsewhere and without a fault."""
    job = shoal.submit(slow_photographs, *OPTIONS)
    shoal.output("wait", job)
    return shoal.output("result", job)


def test_killed_child_costs_no_image(site: Site, slow_photographs: Path, undisturbed: str) -> None:
    job = site.shoal.submit(slow_photographs, *OPTIONS)
    site.wait_until_loading(job)
    site.worker.kill_child()
    site.check(job, undisturbed)


def test_another_worker_takes_over_from_a_lost_one(
    site: Site, slow_photographs: Path, undisturbed: str
) -> None:
    with Worker(site.shoal.elsewhere(site.directory / "lost")) as lost:
        job = site.shoal.submit(slow_photographs, *OPTIONS)
        site.wait_until_loading(job)
        wait_until(lambda: lost.says("commit=committed"), 10, "the worker is at work")
        lost.lose()
        killed_at = time.monotonic()
        site.check(job, undisturbed)
    assert time.monotonic() - killed_at < 40


def test_restarted_redis_loses_nothing_while_somebody_waits(
    site: Site, slow_photographs: Path, undisturbed: str
) -> None:
    job = site.shoal.submit(slow_photographs, *OPTIONS)
    waiting = site.shoal.start("wait", job)
    site.wait_until_loading(job)
    site.server.kill()
    site.server.start()
    assert waiting.wait(60) == 0
    site.check(job, undisturbed)


@pytest.mark.slow
def test_killed_fit_is_done_again_by_another_process(
    site: Site, shoal: Shoal, workers: list[Worker], photographs: Path
) -> None:
    elsewhere = shoal.submit(photographs, *FIT_OPTIONS)
    job = site.shoal.submit(photographs, *FIT_OPTIONS)
    site.wait_for(job, lambda status: status.state is State.FITTING, "the fit has begun")
    site.worker.kill_child()
    shoal.output("wait", elsewhere)
    site.check(job, shoal.output("result", elsewhere))
    assert site.ledger(job).fields()["fitting_attempts"] == "2"


@pytest.mark.slow
def test_every_process_may_die_in_turn(
    site: Site, slow_photographs: Path, undisturbed: str
) -> None:
    job = site.shoal.submit(slow_photographs, *OPTIONS)
    for share in (0.1, 0.3, 0.5, 0.7):
        loaded = partial(has_loaded, share)
        site.wait_for(job, loaded, f"{share:.0%} of the images are loaded")
        site.worker.kill_child()
        site.server.kill()
        site.server.start()
    site.check(job, undisturbed)


@pytest.mark.slow
def test_stopped_worker_hands_its_work_back(
    site: Site, slow_photographs: Path, undisturbed: str
) -> None:
    with Worker(site.shoal.elsewhere(site.directory / "leaving")) as leaving:
        job = site.shoal.submit(slow_photographs, *OPTIONS)
        site.wait_until_loading(job)
        leaving.process.send_signal(signal.SIGTERM)
        site.check(job, undisturbed)
        wait_until(leaving.has_ended, 30, "the worker has left")
