"""Redis is killed in each state of a job, and comes back with its append-only file."""

import time
from pathlib import Path

import psutil
import pytest
from fault_site import Site
from polling import wait_until

from shoal.shared.jobs import State

# Outages and leases take their time, on a busy machine more of it.
pytestmark = pytest.mark.timeout(240)

# Where a process is when Redis goes; it goes on while Redis is away.
HELD_AT = {
    State.LOADING: "loading-before-commit",
    State.FITTING: "fitting-before-advance",
    State.LABELLING: "labelling-before-commit",
    State.FINISHING: "finishing-before-advance",
}
SHORT = [
    State.LOADING,
    *(pytest.param(state, marks=pytest.mark.soak) for state in list(HELD_AT)[1:]),
]


@pytest.mark.parametrize("state", SHORT)
def test_second_without_redis_loses_nothing(
    site: Site, images: Path, undisturbed: str, state: State
) -> None:
    end_with_outage(site, images, state, 1, undisturbed)


@pytest.mark.soak
@pytest.mark.parametrize("state", HELD_AT)
def test_half_a_minute_without_redis_loses_nothing(
    site: Site, images: Path, undisturbed: str, state: State
) -> None:
    end_with_outage(site, images, state, 30, undisturbed)


def end_with_outage(site: Site, folder: Path, state: State, seconds: float, expected: str) -> None:
    site.staff(2)
    held = site.arm(HELD_AT[state], "hold")
    job = site.submit(folder)
    waiting = site.shoal.start("wait", job)
    wait_until(held.exists, 30, f"the job is {state}")
    wait_until(psutil.Process(waiting.pid).net_connections, 30, "somebody polls")
    assert site.ledger(job).state() is state
    site.server.kill()
    held.unlink()
    time.sleep(seconds)
    site.server.start()
    assert waiting.wait(90) == 0
    site.check(job, expected)
    assert not any(worker.has_ended() for worker in site.workers)
