"""Other clusters are found among coordinates, while what finds them is killed."""

from pathlib import Path

import pytest
from fault_site import Site
from growing import FIRST, THREE_CLUSTERS, fill
from polling import wait_until

from benchmarks.photographs import make_photographs
from shoal import Client

POINTS = (
    "loading-before-commit",
    "fitting-before-advance",
    "labelling-before-commit",
    "finishing-before-advance",
)


def read_labels(site: Site, job: str) -> list[list[str]]:
    """Return path and label of each image; distances may differ in their last digit."""
    return [line.split(",")[:2] for line in site.shoal.output("result", job).splitlines()]


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "point", [POINTS[0], *(pytest.param(point, marks=pytest.mark.slow) for point in POINTS[1:])]
)
def test_the_clusters_are_the_same_though_a_worker_is_killed(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    folder = fill(tmp_path / "folder", make_photographs(tmp_path / "all", 120), FIRST)
    site.staff(2)
    before = site.submit(folder, *THREE_CLUSTERS)
    site.check_accounts(before)
    struck = site.arm(point, "kill child")
    for variable, value in site.place.variables.items() if site.place else ():
        monkeypatch.setenv(variable, value)
    with Client(site.server.url, start_workers=False) as client:
        after = client.job(before).recluster(clusters=3).id
    wait_until(struck.exists, 60, "a worker is killed")
    site.check_accounts(after)
    site.check_nothing_is_left(after)
    assert read_labels(site, after) == read_labels(site, before)
