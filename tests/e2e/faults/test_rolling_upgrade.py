"""Two versions side by side: this one, and that of the commit before there were protocols."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from earlier_shoal import EarlierShoal
from fault_site import OPTIONS, QUICK, Site
from polling import wait_until
from shoal_command import Shoal
from worker_process import Worker, suspended

from shoal.shared.jobs import State
from shoal.shared.store import Registry
from shoal.shared.tasks import FIRST, PROTOCOL, QUEUES

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

FIRST_QUEUES, QUEUES_NOW = (
    [names[protocol] for names in QUEUES.values()] for protocol in (FIRST, PROTOCOL)
)


class MixedSite(Site):
    """A site with the commands and workers of both versions."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        settings = QUICK | {"SHOAL_REDIS_URL": self.server.url}
        self.earlier = EarlierShoal(directory / "earlier", **settings)

    def start_earlier(self) -> Worker:
        """Return a worker of the earlier version that takes work."""
        self.n_started += 1
        worker = self.earlier.start_worker(self.directory / f"worker-{self.n_started}")
        self.workers.append(worker)
        worker.wait_until_ready()
        return worker

    def start_new(self) -> Worker:
        """Return a worker of this version that takes work."""
        worker = self.make_worker()
        worker.wait_until_ready()
        return worker

    def stop(self, worker: Worker) -> None:
        """End a worker in order."""
        worker.stop()
        self.workers.remove(worker)


@pytest.fixture(scope="module")
def some_images(slow_images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 images that take a process a second or two to load."""
    folder = tmp_path_factory.mktemp("some-images")
    for image in sorted(slow_images.iterdir())[:200]:
        (folder / image.name).hardlink_to(image)
    return folder


@pytest.fixture
def mixed(tmp_path: Path) -> Iterator[MixedSite]:
    site = MixedSite(tmp_path)
    yield site
    site.close()


def test_workers_are_replaced_one_by_one_under_load(mixed: MixedSite, some_images: Path) -> None:
    first, second, new = mixed.start_earlier(), mixed.start_earlier(), mixed.start_new()
    options = [(some_images, *OPTIONS, "--random-state", n) for n in range(2)]
    with suspended([first, second, new]):  # so that all is yet to be done
        early = [mixed.earlier.submit(*given) for given in options]
        late = [mixed.shoal.submit(*given) for given in options]
    mixed.make_worker()
    mixed.wait_until_loaded(early[0], 0.1)
    first.process.send_signal(signal.SIGTERM)
    mixed.wait_until_loaded(early[0], 0.2)
    second.lose()
    for job in (*early, *late):
        mixed.check_accounts(job)
    labels = [mixed.shoal.output("result", job) for job in (*early, *late)]
    # Those of the new workers alone: nobody else takes them.
    assert labels[:2] == labels[2:]
    for job in (*early, *late):
        mixed.check_nothing_is_left(job)
    assert mixed.earlier.output("result", early[0]) == labels[0]


def test_new_workers_leave_and_an_earlier_one_goes_on(mixed: MixedSite, some_images: Path) -> None:
    new = mixed.start_new()
    early = mixed.earlier.submit(some_images, *OPTIONS)
    mixed.wait_until_loaded(early, 0.1)  # an earlier job is worked on by new workers, too
    with suspended([new]):
        late = mixed.shoal.submit(some_images, *OPTIONS)
    mixed.wait_until_loaded(late, 0.02)
    new.process.send_signal(signal.SIGTERM)
    earlier = mixed.start_earlier()
    mixed.stop(new)
    mixed.check_accounts(early)
    waiting = mixed.ledger(late).status()
    assert waiting.state is State.LOADING
    check_what_is_told(mixed, late)
    check_it_is_left_alone(mixed, late, earlier)
    mixed.start_new()
    mixed.check_accounts(late)
    assert mixed.shoal.output("result", late) == mixed.earlier.output("result", early)


def check_what_is_told(mixed: MixedSite, late: str) -> None:
    """Each version says what it cannot do, and lists what it can read."""
    told = mixed.shoal.run("status", late)
    assert "No worker is running that takes jobs of Shoal" in told.stderr
    assert f"(protocol {PROTOCOL}): start one with `shoal worker`" in told.stderr
    waited = mixed.shoal.run("wait", late, "--timeout", 1)
    assert "no worker is running that takes jobs of Shoal" in waited.stderr
    (worker,) = mixed.shoal.json("workers")
    assert worker["protocols"] == [FIRST]
    for command in ("status", "retry", "result", "report"):
        refused = mixed.earlier.run(command, late)
        assert refused.returncode == 1
        assert "of another version" in refused.stderr
    listed = [job["job_id"] for job in mixed.earlier.json("jobs")]
    assert listed == [job["job_id"] for job in mixed.shoal.json("jobs") if job["protocol"] == FIRST]


def check_it_is_left_alone(mixed: MixedSite, job: str, earlier: Worker) -> None:
    """A worker and a sweeper of the earlier version touch nothing of a job, and rest."""
    registry = Registry(mixed.server.client)
    waiting = registry.waiting(QUEUES_NOW)
    before = mixed.server.client.hgetall(mixed.ledger(job).keys.job)
    heard = mixed.server.client.zscore("shoal:workers", registry.workers(60)[0])
    # Some sweeps later.
    wait_until(
        lambda: mixed.server.client.zscore("shoal:workers", registry.workers(60)[0]) > heard + 4, 60
    )
    assert registry.waiting(FIRST_QUEUES) == 0
    assert registry.waiting(QUEUES_NOW) >= waiting > 0
    assert mixed.server.client.hgetall(mixed.ledger(job).keys.job) == before
    assert earlier.is_idle()


def test_a_home_of_the_earlier_version_is_used_on(tmp_path: Path, images: Path) -> None:
    earlier, now = (kind(tmp_path / "home") for kind in (EarlierShoal, Shoal))
    try:
        earlier.output("run", images, *OPTIONS)
        job = earlier.json("status", "last")["job_id"]
        labels = earlier.output("result", job)
        assert now.output("result", job) == labels
        now.output("report", job, "--out", tmp_path / "report.html")
        found = now.run("run", images, *OPTIONS)
        assert f"Job {job}" in found.stderr
        assert [each["protocol"] for each in now.json("jobs")] == [FIRST]
        now.output("run", images, *OPTIONS, "--force")
        again = now.json("status", "last")
        assert again["protocol"] == PROTOCOL
        assert now.output("result", again["job_id"]) == labels
        # The way back: what the new version has left disturbs nothing.
        assert earlier.output("result", job) == labels
        assert [each["job_id"] for each in earlier.json("jobs")] == [job]
    finally:
        earlier.kill_all()
