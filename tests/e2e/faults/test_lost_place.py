"""The place of shards is away in each state of a job: the job pauses, and goes on by itself."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fault_site import LEASE_SECONDS, Site
from places import Place
from polling import wait_until

# Not Redis, which is tried elsewhere: a job cannot even wait without it.
KINDS_OF_PLACES = ("files", "objects")
# Where a process is when the place goes; it goes on while the place is away.
POINTS = [
    "loading-paced",
    *(
        pytest.param(point, marks=pytest.mark.soak)
        for point in ("callback-claimed", "labelling-half-sent", "labelling-before-commit")
    ),
]
# Beside the undisturbed run, which the first test waits for.
pytestmark = pytest.mark.timeout(240)
# Longer than a lease: nobody takes what is waiting for lost.
AWAY_SECONDS = 2 * LEASE_SECONDS


@pytest.fixture
def site_place(site: Site) -> Iterator[Place]:
    """The site's place, which is there again after the test."""
    assert site.place is not None
    yield site.place
    site.place.give_back()


@pytest.mark.parametrize("point", POINTS)
def test_job_pauses_while_its_place_is_away_and_goes_on_by_itself(
    site: Site, site_place: Place, images: Path, undisturbed: str, point: str
) -> None:
    workers = site.staff(2)
    held = site.arm(point, "hold")
    job = site.submit(images)
    wait_until(held.exists, 30, f"a worker is at {point}")
    site_place.take_away()
    held.unlink()
    time.sleep(AWAY_SECONDS)
    assert not site.ledger(job).status().state.is_final
    site_place.give_back()
    site.check(job, undisturbed)
    assert not any(worker.has_ended() for worker in workers)
