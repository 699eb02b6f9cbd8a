"""One worker loses its connection to Redis for a while, and its processes live on."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fault_site import Site
from polling import wait_until
from tcp_proxy import TcpProxy
from worker_process import Worker

# What a worker says of work that another has done meanwhile, by where it was cut off.
OUTDONE = {
    "loading-before-commit": ("duplicate", "stale"),
    "fitting-before-advance": ("not wanted any more",),
    "finishing-before-advance": ("not wanted any more",),
}


# Beside the undisturbed run, which the first test waits for.
pytestmark = pytest.mark.timeout(240)


@dataclass(frozen=True)
class Cut:
    """A worker at ``point`` is cut off: by a "reset" of its connections, or by "silence"."""

    point: str
    how: str
    seconds: float


LONG_CUTS = [Cut(point, how, 20) for point in OUTDONE for how in ("reset", "silence")]
CUTS = [
    pytest.param(Cut("loading-before-commit", "reset", 6), marks=pytest.mark.slow),
    *(pytest.param(cut, marks=pytest.mark.soak) for cut in LONG_CUTS),
]


@pytest.fixture
def proxy(site: Site) -> Iterator[TcpProxy]:
    proxy = TcpProxy(site.server.port)
    yield proxy
    proxy.close()


@pytest.fixture
def distant(site: Site, proxy: TcpProxy) -> Iterator[Worker]:
    """The only worker that the site has yet, behind the proxy."""
    site.staff(0)
    with site.make_worker(proxy.url) as worker:
        yield worker


@pytest.mark.parametrize("cut", CUTS, ids=str)
def test_worker_that_was_cut_off_comes_too_late_and_changes_nothing(
    site: Site, proxy: TcpProxy, distant: Worker, images: Path, undisturbed: str, cut: Cut
) -> None:
    held = site.arm(cut.point, "hold")
    job = site.submit(images)
    wait_until(held.exists, 30, f"the worker is at {cut.point}")
    cut_at = time.monotonic()
    proxy.cut(cut.how)
    held.unlink()  # it ends its work now, and cannot tell
    with site.make_worker() as rescuer:
        # Whoever comes back sooner, before its work is given to another, is not too late.
        wait_until(lambda: site.ledger(job).status().state.is_final, 60, "the rescuer ends the job")
        time.sleep(max(0, cut_at + cut.seconds - time.monotonic()))
        proxy.mend()
        outdone = OUTDONE[cut.point]
        wait_until(lambda: any(map(distant.says, outdone)), 30, f"it says {outdone}")
        site.check(job, undisturbed)
        assert rescuer.says(job)
    again = site.submit(images)  # which only the distant worker can work on
    site.check(again, undisturbed)


@pytest.mark.soak
def test_connection_that_comes_and_goes_costs_nothing(
    site: Site, proxy: TcpProxy, distant: Worker, slow_images: Path, undisturbed_slow: str
) -> None:
    with site.make_worker():
        job = site.submit(slow_images)
        for share, how in ((0.1, "reset"), (0.3, "silence"), (0.5, "reset")):
            site.wait_until_loaded(job, share)
            proxy.cut(how)
            time.sleep(1)
            proxy.mend()
        site.check(job, undisturbed_slow)
