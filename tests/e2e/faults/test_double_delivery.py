"""Messages come twice, too early, or never: every batch, fit and finish counts once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fault_site import UNACKED, Site
from polling import wait_until
from quick import QuickClient
from unreliable_broker import copies_of, deliver_unreliably

from shoal import Client
from shoal.shared.jobs import State, Wave
from shoal.shared.messaging.messages import Messages
from shoal.shared.redis.connection import connect
from shoal.shared.store import Registry
from shoal.shared.store.keys import CELERY
from shoal.shared.tasks import BATCHES, CALLBACKS

CHORDS = f"{CELERY}celery-taskset-meta-*"
STAGES = list(Wave)


@pytest.fixture
def messages(site: Site) -> Iterator[Messages]:
    """Sends messages of our own to the workers."""
    with connect(site.server.url) as client:
        yield Messages(client)


@pytest.fixture
def python_client(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """A producer in this process, which sends as unreliably as the workers do."""
    for variable, value in site.place.variables.items() if site.place else ():
        monkeypatch.setenv(variable, value)
    deliver_unreliably(site.faults)
    with QuickClient(site.server.url) as python_client:
        yield python_client


def is_drained(site: Site) -> bool:
    return not Registry(site.server.client).waiting([BATCHES, CALLBACKS])


@pytest.mark.slow
def test_every_message_is_delivered_twice(
    site: Site, python_client: Client, images: Path, undisturbed: str
) -> None:
    site.staff(2)
    for queue in (BATCHES, CALLBACKS):
        site.arm(copies_of(queue), "2")
    job = python_client.submit(images, force=True, batch_size=6, image_size=16)
    site.check(job.id, undisturbed)


@pytest.mark.parametrize("state", ["loading", "fitting", "labelling", "finishing"])
@pytest.mark.soak
def test_message_is_delivered_again_while_it_is_worked_on(
    site: Site, images: Path, undisturbed: str, state: str
) -> None:
    site.staff(2)
    end = "commit" if state in STAGES else "advance"
    held = site.arm(f"{state}-before-{end}", "hold")
    job = site.submit(images)
    wait_until(held.exists, 30, f"the job is {state}")
    index = f"{UNACKED}_index"
    tags = site.server.client.zrange(index, 0, -1)
    site.server.client.zadd(index, dict.fromkeys(tags, 1), xx=True)  # its visibility ends
    wait_until(lambda: not site.server.client.zcount(index, 1, 1), 30, "it is delivered again")
    held.unlink()
    site.check(job, undisturbed)


@pytest.mark.slow
def test_callbacks_that_come_before_their_stage_is_complete_step_aside(
    site: Site, messages: Messages, images: Path, undisturbed: str
) -> None:
    site.staff(2)
    holds = {wave: site.arm(f"{wave}-before-commit", "hold") for wave in STAGES}
    job = site.submit(images)
    for wave, held in holds.items():
        wait_until(held.exists, 30, f"the job is {wave}")
        for early in STAGES:
            messages.send_callback(job, early)
        wait_until(lambda: is_drained(site), 30, "the early callbacks are delivered")
        held.unlink()
    site.check(job, undisturbed)


@pytest.mark.parametrize("wave", STAGES)
@pytest.mark.soak
def test_chord_that_has_forgotten_its_count_holds_nothing_up(
    site: Site, images: Path, undisturbed: str, wave: Wave
) -> None:
    site.staff(2)
    held = site.arm(f"{wave}-before-commit", "hold")
    job = site.submit(images)
    wait_until(held.exists, 30, f"the job is {wave}")
    counts = list(site.server.client.scan_iter(CHORDS, count=1000))
    assert site.server.client.delete(*counts)
    held.unlink()
    site.check(job, undisturbed)


@pytest.mark.soak
def test_callback_that_never_comes_is_sent_again(
    site: Site, images: Path, undisturbed: str
) -> None:
    site.staff(2)
    site.arm(copies_of(CALLBACKS), "0")
    job = site.submit(images)
    done = site.ledger(job).keys.done(Wave.LOADING)
    wait_until(lambda: site.server.client.scard(done) == 20, 30, "all batches are loaded")
    assert site.ledger(job).state() is State.LOADING
    site.disarm()
    site.check(job, undisturbed)
