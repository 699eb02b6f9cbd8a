"""The benchmark of searches, small: its jobs are searched as any others, and exactly."""

from pathlib import Path

import numpy as np

from benchmarks.search import BATCH, make_job, make_points, measure
from benchmarks.table import make_search_table
from shoal import Client
from shoal.shared.settings import Settings


def test_made_up_jobs_are_searched_exactly_beside_a_bare_product(tmp_path: Path) -> None:
    count = 2 * BATCH + 100
    with Client(settings=Settings(home=tmp_path), start_workers=False) as client:
        points = make_points(count)
        job = make_job(client, points)
        paths = [row.path for row in job.labels()]
        distances = np.linalg.norm(points.astype(float) - points[1500], axis=1)
        expected = [paths[row] for row in np.argsort(distances)[1:21]]
        assert [match.path for match in job.search(paths[1500])] == expected
        row = measure(client, count + 1)
    assert row["images"] == count + 1
    assert row["times_the_product"] > 0
    assert make_search_table().count("\n") >= 3
