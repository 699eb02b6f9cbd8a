"""Redis has no memory left in each state of a job: the job pauses, and goes on by itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fault_site import LEASE_SECONDS, Site
from polling import wait_until

# Where a process is when Redis is full; it goes on while it is.
POINTS = [
    pytest.param("loading-before-commit", marks=pytest.mark.slow),
    *(
        pytest.param(point, marks=pytest.mark.soak)
        for point in (
            "callback-claimed",
            "fitting-before-output",
            "labelling-half-sent",
            "labelling-before-commit",
            "finishing-before-output",
        )
    ),
]
# Beside the undisturbed run, which the first test waits for.
pytestmark = pytest.mark.timeout(240)
FULL_SECONDS = 2 * LEASE_SECONDS


@pytest.fixture
def has_room(site: Site) -> Iterator[None]:
    """Redis has room again after the test, whatever comes of it."""
    yield
    set_full(site, False)


def set_full(site: Site, full: bool) -> None:
    # Any store takes more than a byte.
    site.server.client.config_set("maxmemory", int(full))


@pytest.mark.usefixtures("has_room")
@pytest.mark.parametrize("point", POINTS)
def test_job_pauses_while_redis_is_full_and_goes_on_by_itself(
    site: Site, images: Path, undisturbed: str, point: str
) -> None:
    workers = site.staff(2)
    held = site.arm(point, "hold")
    job = site.submit(images)
    wait_until(held.exists, 30, f"a worker is at {point}")
    set_full(site, True)
    held.unlink()
    waited = site.shoal.run("wait", job, "--timeout", FULL_SECONDS)
    assert "Redis is full" in waited.stderr
    assert not site.ledger(job).status().state.is_final
    set_full(site, False)
    site.check(job, undisturbed)
    assert not any(worker.has_ended() for worker in workers)
