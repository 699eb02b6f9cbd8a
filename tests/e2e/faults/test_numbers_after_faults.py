"""A fit that is killed while clusters take their numbers from the job before."""

from pathlib import Path

import pytest
from fault_site import Site
from growing import FIRST, GROWN, THREE_CLUSTERS, fill, read_kinds
from polling import wait_until

from benchmarks.photographs import make_photographs


@pytest.mark.timeout(240)
@pytest.mark.parametrize("option", [None, pytest.param("--keep-model", marks=pytest.mark.slow)])
def test_numbers_stay_though_the_fit_is_killed_and_the_job_before_expires(
    site: Site, tmp_path: Path, option: str | None
) -> None:
    photographs = make_photographs(tmp_path / "photographs", 120)
    folder = fill(tmp_path / "folder", photographs, FIRST)
    site.staff(1)
    before = site.submit(folder, *THREE_CLUSTERS)
    site.check_accounts(before)
    fill(folder, photographs, GROWN)
    struck = site.arm("fitting-before-advance", "kill child")
    after = site.submit(folder, *THREE_CLUSTERS, *filter(None, [option]))
    wait_until(struck.exists, 60, "the fit is killed")
    site.server.client.delete(*site.server.client.keys(f"shoal:{{{before}}}:*"))
    site.check_accounts(after)
    assert read_kinds(site.shoal.output("result", after)) == {0: 0, 1: 1, 2: 2}
    assert site.shoal.json("status", after)["previous"]["n_new"] == 11
    site.check_nothing_is_left(after)
