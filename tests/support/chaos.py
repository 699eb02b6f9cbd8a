"""A random mixture of faults, drawn from a seed, so that it can be replayed."""

import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import Timer

import psutil
from fault_site import Site
from redis import RedisError
from tcp_proxy import TcpProxy
from worker_process import Worker

SECONDS = 12
FAULTS = 12
# Each batch takes longer by this: 300 of them last 9 s, if nothing strikes.
PACE_SECONDS = 0.06
# How often each kind of fault is drawn.
WEIGHTS = {"child": 5, "point": 3, "redis": 3, "cut": 2, "worker": 1}
# And of these where shards are kept elsewhere than in Redis.
WEIGHTS_OF_PLACES = {"place": 3}
# A child is killed there, by itself, when it comes by.
POINTS = (
    "loading-before-commit",
    "loading-after-commit",
    "load_batch-before-counting",
    "callback-claimed",
    "fitting-before-advance",
    "fitting-after-advance",
    "labelling-half-sent",
    "labelling-after-commit",
    "finishing-before-advance",
    "finishing-after-advance",
)


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        at_seconds: When it strikes, from the beginning of the job.
        kind: A key of ``WEIGHTS`` or ``WEIGHTS_OF_PLACES``.
        lasts_seconds: How long Redis or a place is away, or half as long as a connection is cut.
        choice: Which worker or point is struck, from 0 to 1.
    """

    at_seconds: float
    kind: str
    lasts_seconds: float
    choice: float


def draw_faults(seed: int, *, has_place: bool = False) -> list[Fault]:
    """Return the faults of a seed, in order: about one a second."""
    dice = random.Random(seed)
    weights = WEIGHTS | (WEIGHTS_OF_PLACES if has_place else {})
    times = sorted(dice.uniform(0.2, SECONDS) for _ in range(FAULTS))
    kinds = dice.choices(list(weights), list(weights.values()), k=FAULTS)
    return [
        Fault(round(at, 2), kind, round(dice.uniform(0.2, 2), 2), round(dice.random(), 3))
        for at, kind in zip(times, kinds, strict=True)
    ]


class Chaos:
    """Strikes a site with two workers, one of them behind a proxy, while it works on a job."""

    def __init__(self, site: Site, proxy: TcpProxy) -> None:
        self.site = site
        self.proxy = proxy
        self.urls = [site.server.url, proxy.url]
        self.workers: dict[str, Worker] = {}
        self.actions: dict[str, Callable[[Fault], None]] = {
            "child": self.kill_child,
            "point": self.arm_point,
            "redis": self.restart_redis,
            "cut": self.cut_connection,
            "worker": self.replace_worker,
            "place": self.take_place,
        }

    def staff(self) -> None:
        """Return once both workers take work."""
        self.proxy.mend()
        for url in self.urls:
            if url not in self.workers or self.workers[url].has_ended():
                self.workers[url] = self.site.make_worker(url)
        for worker in self.workers.values():
            worker.__enter__()

    def strike(self, job: str, faults: list[Fault]) -> Counter[str]:
        """Let ``faults`` happen while the job goes on; return how many of each kind did.

        Points are armed, not struck: ``count_points`` tells, once the job has ended.
        """
        self.site.keep_pace(PACE_SECONDS)
        started = time.monotonic()
        struck: Counter[str] = Counter()
        for fault in faults:
            time.sleep(max(0.0, started + fault.at_seconds - time.monotonic()))
            if self.has_ended(job):
                break
            self.actions[fault.kind](fault)
            struck[fault.kind] += fault.kind != "point"
        return struck

    def count_points(self) -> int:
        """Return how many of the armed points have killed a child."""
        return len(list(self.site.faults.glob("*.taken")))

    def has_ended(self, job: str) -> bool:
        """Whether the job is over; Redis, which has just come back, may not say."""
        with suppress(RedisError):
            return bool((state := self.site.ledger(job).state()) and state.is_final)
        return False

    def url_of(self, fault: Fault) -> str:
        """Return how the worker that is struck reaches Redis."""
        return self.urls[int(fault.choice * len(self.urls))]

    def kill_child(self, fault: Fault) -> None:
        """Kill the process that works, whatever it does just now."""
        with suppress(psutil.NoSuchProcess):
            self.workers[self.url_of(fault)].kill_child()

    def arm_point(self, fault: Fault) -> None:
        """Let a child be killed at a point, if any comes by."""
        self.site.arm(POINTS[int(fault.choice * len(POINTS))], "kill child")

    def restart_redis(self, fault: Fault) -> None:
        """Kill Redis and start it again after a while."""
        self.site.server.kill()
        time.sleep(fault.lasts_seconds)
        self.site.server.start()

    def take_place(self, fault: Fault) -> None:
        """Take the place of shards away, and give it back after a while."""
        assert self.site.place is not None
        self.site.place.take_away()
        time.sleep(fault.lasts_seconds)
        self.site.place.give_back()

    def cut_connection(self, fault: Fault) -> None:
        """Cut one worker off, while other faults may strike, and mend that after a while."""
        self.proxy.cut("reset" if fault.choice < 0.5 else "silence")
        Timer(fault.lasts_seconds * 2, self.proxy.mend).start()

    def replace_worker(self, fault: Fault) -> None:
        """Kill a worker with all its processes, and start another one."""
        url = self.url_of(fault)
        self.workers[url].lose()
        self.workers[url] = self.site.make_worker(url)
