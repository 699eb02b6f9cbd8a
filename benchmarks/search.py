"""How long a search takes: ``python -m benchmarks.search 100000 1000000``.

Jobs of made-up coordinates, in shards that are files, are searched by one of their images, beside
a bare product of an array in memory with the same point, A B A B in one process. The fastest of
each is written to ``benchmarks/figures/``: whatever else the machine does only makes it slower.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import FIGURES
from shoal.producer.client import Client
from shoal.producer.job import Job
from shoal.shared.findings import DuplicateCounts, Summary
from shoal.shared.jobs import JobRequest, State
from shoal.shared.server.places import identify
from shoal.shared.settings import Settings
from shoal.shared.store import Commit, Kind, Origin
from shoal.shared.store.rows import LABEL_ROW

BATCH = 1024
COMPONENTS = 50
CLUSTERS = 20
ROUNDS = 15
TOKEN = "made-up"  # noqa: S105  of no lease
SUMMARY = Summary(
    clusters=[],
    outliers=[],
    rows_fitted=0,
    n_components=COMPONENTS,
    explained_variance_ratio=[],
    inertia=0.0,
    versions={},
    duplicates=DuplicateCounts(groups=0, images=0, exact_copies=0),
)


def make_points(count: int) -> NDArray[np.float32]:
    """Make points around some centres, of shape (count, COMPONENTS)."""
    random = np.random.default_rng(0)
    points = random.standard_normal((count, COMPONENTS), np.float32)
    points += (
        3
        * random.standard_normal((CLUSTERS, COMPONENTS), np.float32)[
            random.integers(0, CLUSTERS, count)
        ]
    )
    return points


def make_job(client: Client, points: NDArray[np.float32]) -> Job:
    """Make a finished job whose images lie at ``points``."""
    job_id = f"{len(points):012x}"
    paths = [f"{n // 1000:06}/IMG_{n:08}.jpg" for n in range(len(points))]
    batches = [paths[start : start + BATCH] for start in range(0, len(paths), BATCH)]
    origin = Origin(place=identify(client.place), place_url=client.place.url)
    client.registry.register(job_id, JobRequest(source="/made-up"), batches, origin=origin)
    job = client.job(job_id)
    keys, redis = job.ledger.keys, client.redis
    for batch, start in enumerate(range(0, len(points), BATCH)):
        rows = points[start : start + BATCH]

        def note(names: Any, batch: int = batch, n_rows: int = len(rows)) -> Commit:
            redis.hset(keys.shards(Kind.COORDINATES), str(batch), names[Kind.COORDINATES])
            redis.hset(keys.labels, str(batch), LABEL_ROW.pack(0, 0, 0, 0, 0, 0) * n_rows)
            return Commit.COMMITTED

        job.results.shards.commit(batch, TOKEN, {Kind.COORDINATES: [rows.tobytes()]}, note)
    job.results.put_findings(TOKEN, SUMMARY, {}, {}, b"")
    fields: dict[str, str | int] = {
        "state": State.FINISHED,
        "loaded": len(points),
        "findings_token": TOKEN,
    }
    for field, value in fields.items():
        redis.hset(keys.job, field, value)
    return job


def time_once(call: Callable[[], object]) -> float:
    """Return the seconds that a call takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def measure(client: Client, count: int) -> dict[str, Any]:
    """Search among so many images, beside a bare product."""
    points = make_points(count)
    job = make_job(client, points)
    middle = count // 2
    path, query = f"{middle // 1000:06}/IMG_{middle:08}.jpg", points[middle].copy()
    searches, products = [], []
    for _ in range(ROUNDS):
        # As a command does it: nothing is known of the job but its id.
        searches.append(time_once(lambda: client.job(job.id).search(path)))
        products.append(time_once(lambda: points @ query))
    first, search, product = searches[0], min(searches), min(products)
    return {
        "images": count,
        "first_milliseconds": round(first * 1000),
        "milliseconds": round(search * 1000, 1),
        "product_milliseconds": round(product * 1000, 1),
        "times_the_product": round(search / product, 1),
    }


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=int, nargs="*", default=[100_000, 1_000_000])
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as home:
        settings = Settings(home=Path(home))
        with Client(settings=settings, start_workers=False) as client:
            for count in options.images:
                rows.append(measure(client, count))
                print(rows[-1], flush=True)
    (FIGURES / "search.json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
