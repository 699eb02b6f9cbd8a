"""A worker is told to end, as a rolling deployment does it: it ends what runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fault_site import Site
from polling import wait_until

from shoal.shared.jobs import Wave

# Outages and leases take their time, on a busy machine more of it.
pytestmark = pytest.mark.timeout(240)

# As docker-compose.yml has it, or sooner.
GRACE_SECONDS = 30
# Whoever waited for a lease would not end the job within this time.
SOON_SECONDS = 45


@pytest.fixture
def patient_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("patient"), SHOAL_LEASE_SECONDS=600)
    yield site
    site.close()


def stop(site: Site) -> None:
    (worker,) = site.workers
    worker.process.terminate()
    wait_until(worker.has_ended, GRACE_SECONDS, "the worker has left")
    assert worker.process.returncode == 0


@pytest.mark.slow
def test_worker_that_leaves_while_loading_costs_no_attempt(
    patient_site: Site, images: Path, undisturbed: str
) -> None:
    site = patient_site
    site.staff(1)
    site.keep_pace(0.3)
    job = site.submit(images)
    site.wait_until_loaded(job, 0.1)
    stop(site)
    ledger = site.ledger(job)
    assert not ledger.batches.has_running(Wave.LOADING)
    site.staff(1)
    assert site.shoal.run("wait", job, "--timeout", SOON_SECONDS).returncode == 0
    for wave in Wave:
        assert set(site.server.client.hvals(ledger.keys.attempts(wave))) == {b"1"}
    site.check(job, undisturbed)


@pytest.mark.slow
def test_worker_that_leaves_hands_back_a_batch_that_would_take_long(
    patient_site: Site, images: Path
) -> None:
    site = patient_site
    site.staff(1)
    site.keep_pace(1, of="image-pace")  # two minutes
    options = ("--batch-size", 120, "--image-size", 16)
    job = site.submit(images, *options)
    ledger = site.ledger(job)
    wait_until(lambda: ledger.batches.has_running(Wave.LOADING), 30, "the batch has begun")
    stop(site)
    site.disarm()
    site.staff(1)
    assert site.shoal.run("wait", job, "--timeout", SOON_SECONDS).returncode == 0
    assert site.server.client.hvals(ledger.keys.attempts(Wave.LOADING)) == [b"1"]
    site.check(site.submit(images, *options), site.shoal.output("result", job))


@pytest.mark.parametrize("state", ["fitting", "finishing"])
@pytest.mark.soak
def test_worker_that_leaves_during_a_callback_ends_it(
    patient_site: Site, images: Path, undisturbed: str, state: str
) -> None:
    site = patient_site
    site.staff(1)
    held = site.arm(f"{state}-before-advance", "hold")
    job = site.submit(images)
    wait_until(held.exists, 30, f"the job is {state}")
    site.workers[0].process.terminate()
    held.unlink()
    stop(site)
    assert not site.ledger(job).has_lease()
    site.staff(1)
    site.check(job, undisturbed)
    assert site.ledger(job).fields()[f"{state}_attempts"] == "1"
