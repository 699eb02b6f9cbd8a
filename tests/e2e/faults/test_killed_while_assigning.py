"""Workers are killed while they assign images to the clusters of a job that is gone."""

from pathlib import Path

import pytest
from fault_site import Site
from growing import FIRST, GROWN, THREE_CLUSTERS, fill, read_kinds
from polling import wait_until

from benchmarks.photographs import make_photographs
from shoal import Client

POINTS = ("loading-before-commit", "fitting-before-advance", "labelling-before-commit")


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "point", [POINTS[0], *(pytest.param(point, marks=pytest.mark.slow) for point in POINTS[1:])]
)
def test_images_are_assigned_once_though_a_worker_is_killed(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    photographs = make_photographs(tmp_path / "photographs", 120)
    folder = fill(tmp_path / "folder", photographs, FIRST)
    inbox = fill(tmp_path / "inbox", photographs, GROWN)
    site.staff(1)
    before = site.submit(folder, *THREE_CLUSTERS)
    site.check_accounts(before)
    struck = site.arm(point, "kill child")
    for variable, value in site.place.variables.items() if site.place else ():
        monkeypatch.setenv(variable, value)
    with Client(site.server.url, start_workers=False) as client:
        after = client.job(before).assign(inbox).id
    site.server.client.delete(*site.server.client.keys(f"shoal:{{{before}}}:*"))
    wait_until(struck.exists, 60, "a worker is killed")
    site.check_accounts(after)
    assert read_kinds(site.shoal.output("result", after)) == {0: 0, 1: 1, 2: 2}
    site.check_nothing_is_left(after)
