"""A job is cancelled while its callback is in a step that takes long."""

from pathlib import Path

import psutil
import pytest
from fault_site import Site
from polling import wait_until

IDLE_SECONDS = 5


def has_ended(process: psutil.Process) -> bool:
    """Whether it does nothing any more; Celery may take seconds to bury it."""
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize(
    "state",
    [
        pytest.param("fitting", marks=pytest.mark.slow),
        pytest.param("finishing", marks=pytest.mark.soak),
    ],
)
def test_cancel_ends_a_callback_that_does_not_look_up(
    site: Site, images: Path, undisturbed: str, state: str
) -> None:
    (worker,) = site.staff(1)
    (child,) = worker.children()
    held = site.arm(f"{state}-before-output", "hold")
    job = site.submit(images)
    wait_until(held.exists, 30, f"the job is {state}")
    assert site.shoal.json("cancel", job)["state"] == "cancelled"
    wait_until(lambda: has_ended(child), IDLE_SECONDS, "the process has ended")
    held.unlink()
    assert site.shoal.json("retry", job)["job_id"] == job
    assert site.shoal.json("wait", job)["state"] == "finished"
    assert site.shoal.output("result", job) == undisturbed
    site.check_nothing_is_left(job)
