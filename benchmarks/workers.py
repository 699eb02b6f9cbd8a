"""How much of their time a hundred processes work, and what coordinating them takes of Redis.

``python -m benchmarks.workers`` starts real workers on one Redis, up to 128 processes, which wait
in place of decoding (see ``benchmarks/waiting_worker.py``): on two cores, only coordination is
left. A job has some twenty rounds of batches, with the unequal end that it has. Each share is of
the time that its images take if no process ever waits for a batch. Figures and picture are written
to ``benchmarks/figures/`` and ``docs/workers.png``.
"""

import argparse
import json
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from redis import Redis

from benchmarks import FIGURES
from benchmarks.redis_server import running_redis
from benchmarks.waiting_worker import make_source
from benchmarks.worker_curve import draw_curve
from benchmarks.worker_group import LOOK_SECONDS, WorkerGroup
from shoal.producer.submission.batches import split_batches
from shoal.shared.jobs import JobRequest, State, Wave
from shoal.shared.messaging.messages import Messages
from shoal.shared.redis.connection import connect
from shoal.shared.shards.place import find_id
from shoal.shared.shards.urls import open_place
from shoal.shared.store import Ledger, Registry
from shoal.shared.store.registry import Origin

PROCESSES = (1, 4, 16, 32, 64, 128)
# Rounds of batches; not a whole number, so that some processes would wait for the others at the
# end of the job if all of its batches were of one size.
ROUNDS = 20.5


@dataclass(frozen=True)
class Kind:
    """A kind of photographs: how long one takes to load, and how many a batch has."""

    image_seconds: float
    batch_size: int


KINDS = {"camera": Kind(0.035, 32), "small": Kind(0.010, 64)}


@dataclass(frozen=True)
class Setup:
    """A Redis with its workers, and where their jobs keep what they load."""

    registry: Registry
    group: WorkerGroup
    url: str
    origin: Origin


def run_job(setup: Setup, kind: Kind, n_images: int) -> tuple[float, int]:
    """Run the loading of a job; return the seconds that it took, and its number of batches."""
    job_id = f"waiting-{secrets.token_hex(4)}"
    paths = [f"{number:09}.jpg" for number in range(n_images)]
    batches = split_batches(paths, kind.batch_size, tapered=True)
    request = JobRequest(
        source=make_source(kind.image_seconds), image_size=32, features="pixels", clusters=5
    )
    setup.registry.register(job_id, request, batches, origin=setup.origin)
    Messages(setup.registry.client).send_wave(job_id, Wave.LOADING, len(batches))
    ledger = Ledger(setup.registry.client, job_id, lease_seconds=30)
    # Nobody takes the callback: these workers have the queue of batches only.
    while not (ended_at := (fields := ledger.fields()).get("loading_ended_at")):
        assert not State(fields["state"]).is_final, fields
        time.sleep(LOOK_SECONDS)
    ledger.cancel()
    forget_all(setup.url)
    return float(ended_at) - float(fields["started_at"]), len(batches)


def forget_all(url: str) -> None:
    """Empty a Redis, so that jobs do not fill the memory one after another."""
    with Redis.from_url(url) as client:
        client.flushdb()


def read_usage(registry: Registry) -> dict[str, float]:
    """Read what Redis has done so far: commands, bytes to and fro, processor time."""
    info: dict[str, Any] = registry.client.info("all")
    return {
        "commands": info["total_commands_processed"],
        "kilobytes": (info["total_net_input_bytes"] + info["total_net_output_bytes"]) / 1000,
        "redis_milliseconds": (info["used_cpu_user"] + info["used_cpu_sys"]) * 1000,
    }


def measure(setup: Setup, kind: Kind) -> dict[str, float]:
    """Run a job of some rounds; return its share of the ideal, and what a batch of it took."""
    group = setup.group
    n_images = int(group.count * kind.batch_size * ROUNDS)
    before, cpu_before = read_usage(setup.registry), group.cpu_seconds()
    seconds, n_batches = run_job(setup, kind, n_images)
    used = {name: value - before[name] for name, value in read_usage(setup.registry).items()}
    used["worker_milliseconds"] = (group.cpu_seconds() - cpu_before) * 1000
    a_batch = {f"{name}_a_batch": round(value / n_batches, 2) for name, value in used.items()}
    share = n_images * kind.image_seconds / group.count / seconds
    return {"images": n_images, "batches": n_batches, "share": round(share, 4), **a_batch}


@contextmanager
def open_setup(place: str, directory: Path) -> Iterator[Setup]:
    """Yield a Redis and workers whose features lie in ``place``: "redis" or "files"."""
    with ExitStack() as stack:
        url = stack.enter_context(running_redis(directory))
        environment, origin = {"SHOAL_REDIS_URL": url, "SHOAL_HOME": str(directory)}, Origin()
        environment["SHOAL_CACHE_BYTES"] = "0"  # what is only waited for is not to be known
        if place == "files":
            shards = directory / "shards"
            shards.mkdir()
            environment["SHOAL_SHARDS_URL"] = shards.as_uri()
            origin = Origin(place=find_id(open_place(shards.as_uri())), place_url=shards.as_uri())
        group = WorkerGroup(directory, environment)
        stack.callback(group.stop)
        yield Setup(Registry(stack.enter_context(connect(url))), group, url, origin)


def measure_place(place: str, counts: list[int], repeats: int) -> Iterator[dict[str, Any]]:
    """Yield the figures of each kind of photographs at each number of processes."""
    with tempfile.TemporaryDirectory() as home, open_setup(place, Path(home)) as setup:
        for count in counts:
            setup.group.grow(count, setup.registry)
            # So that each process has done something before.
            run_job(setup, Kind(0.05, 4), count * 16)
            for name, kind in KINDS.items():
                rows = [measure(setup, kind) for _ in range(repeats)]
                figures = {key: round(median(row[key] for row in rows), 4) for key in rows[0]}
                yield {"place": place, "kind": name, "processes": count, **figures}


def main() -> None:
    """Measure, write the figures and draw the curve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, nargs="+", default=PROCESSES)
    parser.add_argument(
        "--places", nargs="+", choices=("redis", "files"), default=["redis", "files"]
    )
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--try", dest="is_trial", action="store_true", help="write nothing")
    options = parser.parse_args()
    figures = []
    for place in options.places:
        for row in measure_place(place, sorted(options.processes), options.repeats):
            print(json.dumps(row), flush=True)
            figures.append(row)
    if not options.is_trial:
        (FIGURES / "workers.json").write_text(json.dumps(figures, indent=1) + "\n")
        draw_curve(figures)


if __name__ == "__main__":
    main()
