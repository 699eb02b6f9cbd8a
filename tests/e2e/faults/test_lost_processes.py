"""A process is killed wherever it hurts most: one child, or a worker with all it has."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from fault_site import Site
from polling import wait_until

from shoal.shared.jobs import Wave

# Outages and leases take their time, on a busy machine more of it.
pytestmark = pytest.mark.timeout(240)

# Where processes are killed; the most telling of them run in CI.
CHILD_POINTS = {
    "loading-before-commit": None,
    "loading-after-commit": "soak",
    "load_batch-before-counting": "soak",
    "load_batch-after-counting": "soak",
    "callback-claimed": "slow",
    "fitting-before-advance": "soak",
    "fitting-after-advance": "soak",
    "labelling-half-sent": "slow",
    "labelling-before-commit": "soak",
    "labelling-after-commit": "soak",
    "label_batch-before-counting": "soak",
    "label_batch-after-counting": "soak",
    "finishing-before-advance": "soak",
    "finishing-after-advance": "soak",
}
WORKER_POINTS = {
    "loading-before-commit": "soak",
    "load_batch-before-counting": "soak",
    "callback-claimed": "soak",
    "fitting-before-advance": "soak",
    "fitting-after-advance": "soak",
    "labelling-half-sent": "soak",
    "labelling-before-commit": "soak",
    "finishing-before-advance": "soak",
    "finishing-after-advance": "soak",
}


def marked(points: Mapping[str, str | None]) -> list[object]:
    return [
        pytest.param(point, marks=[getattr(pytest.mark, mark)] if mark else [])
        for point, mark in points.items()
    ]


@pytest.mark.parametrize("point", marked(CHILD_POINTS))
def test_killed_child_costs_nothing(site: Site, images: Path, undisturbed: str, point: str) -> None:
    site.staff(1)
    struck = site.arm(point, "kill child")
    job = site.submit(images)
    site.check(job, undisturbed)
    assert struck.exists()


@pytest.mark.parametrize("point", marked(WORKER_POINTS))
def test_another_worker_takes_over_from_a_lost_one(
    site: Site, images: Path, undisturbed: str, point: str
) -> None:
    site.staff(2)
    struck = site.arm(point, "kill worker")
    job = site.submit(images)
    site.check(job, undisturbed)
    assert struck.exists()
    assert sum(worker.has_ended() for worker in site.workers) == 1


@pytest.fixture
def default_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("default"), SHOAL_LEASE_SECONDS=15, SHOAL_SWEEP_SECONDS=5)
    yield site
    site.close()


@pytest.mark.slow
def test_lost_batches_begin_anew_within_30_seconds(
    default_site: Site, images: Path, undisturbed: str
) -> None:
    site = default_site
    site.staff(2)
    struck = site.arm("loading-before-commit", "kill worker")
    job = site.submit(images)
    wait_until(struck.exists, 30, "a worker is lost")
    lost_at = time.monotonic()
    attempts = site.ledger(job).keys.attempts(Wave.LOADING)
    wait_until(lambda: b"2" in site.server.client.hvals(attempts), 40, "a lost batch begins")
    assert time.monotonic() - lost_at < 30
    site.check(job, undisturbed)
