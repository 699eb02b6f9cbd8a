"""Faults of all kinds, about one a second, drawn from a seed."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from chaos import Chaos, draw_faults
from fault_site import Site
from tcp_proxy import TcpProxy

# 300 batches.
OPTIONS = ("--batch-size", 2, "--image-size", 16)
SEEDS = 20
SLOW_SEEDS = 1
# Of 12 faults; a point may be armed where no process comes by any more.
FEWEST_FAULTS = 5


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    seeds = range(metafunc.config.getoption("--seeds", None) or SEEDS)
    marks = [[pytest.mark.slow] if seed < SLOW_SEEDS else [] for seed in seeds]
    metafunc.parametrize(
        "seed",
        [pytest.param(s, marks=[pytest.mark.soak, *m]) for s, m in zip(seeds, marks, strict=True)],
        ids=lambda seed: f"seed{seed}",
    )


@pytest.fixture(scope="module")
def chaos(lasting_site: Site) -> Iterator[Chaos]:
    lasting_site.staff(0)
    proxy = TcpProxy(lasting_site.server.port)
    yield Chaos(lasting_site, proxy)
    lasting_site.staff(0)
    proxy.close()


@pytest.fixture(scope="module")
def undisturbed(chaos: Chaos, many_images: Path) -> str:
    chaos.staff()
    job = chaos.site.submit(many_images, *OPTIONS)
    chaos.site.check_accounts(job)
    return chaos.site.shoal.output("result", job)


@pytest.mark.timeout(240)
def test_job_survives_a_fault_a_second(
    site: Site, chaos: Chaos, many_images: Path, undisturbed: str, seed: int, accounts: Path | None
) -> None:
    chaos.staff()
    faults = draw_faults(seed, has_place=site.place is not None)
    print(f"seed {seed}:", *faults, sep="\n")
    started = time.monotonic()
    job = site.submit(many_images, *OPTIONS)
    struck = chaos.strike(job, faults)
    site.check_accounts(job)
    seconds = time.monotonic() - started
    site.check(job, undisturbed)
    struck["point"] = chaos.count_points()
    assert struck.total() >= FEWEST_FAULTS
    images = site.shoal.json("status", job)["images"]
    account = {"seed": seed, "faults": struck, "images": images, "seconds": round(seconds, 1)}
    print(account)
    if accounts:
        with accounts.open("a") as lines:
            lines.write(json.dumps(account) + "\n")
