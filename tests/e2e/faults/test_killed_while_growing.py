"""A folder grows from job to job while workers are killed: nothing is lost, nothing is twice."""

import random
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from fault_site import OPTIONS, Site

JOBS = 3
GROWS_BY = 40
SEEDS = 8
SLOW_SEEDS = 1
# Each batch takes longer by this: 7 to 20 of them last about a second.
PACE_SECONDS = 0.1
POINTS = (
    "records-before-write",
    "records-after-write",
    "index-before-write",
    "index-after-write",
    "loading-before-commit",
    "loading-after-commit",
)

pytestmark = pytest.mark.timeout(400)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marks = [pytest.mark.slow if seed < SLOW_SEEDS else pytest.mark.soak for seed in range(SEEDS)]
    seeds = [pytest.param(seed, marks=mark) for seed, mark in enumerate(marks)]
    metafunc.parametrize("seed", seeds)


@pytest.fixture
def growing_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site whose workers share what they know, and whose files are trusted soon."""
    directory = tmp_path_factory.mktemp("growing")
    site = Site(
        directory,
        SHOAL_LEASE_SECONDS=3,
        SHOAL_SWEEP_SECONDS=1,
        SHOAL_CACHE_BYTES=2**30,
        SHOAL_SHARDS_URL=(directory / "shards").as_uri(),
    )
    (directory / "shards").mkdir()
    yield site
    site.close()


def strike(site: Site, dice: random.Random) -> None:
    """Kill a process at a point of the cache, a child at any time, or a worker."""
    site.arm(dice.choice(POINTS), dice.choice(["kill child", "kill worker"]))
    time.sleep(dice.uniform(0, 1))
    with suppress(psutil.Error, IndexError):
        dice.choice(site.workers).kill_child()


def change(folder: Path, images: list[Path], dice: random.Random) -> None:
    """Let a folder grow, some of its files move and one of them change."""
    before = sorted(folder.iterdir())
    for image in images:
        shutil.copy(image, folder / f"{dice.randrange(10**6):06}-{image.name}")
    for path in dice.sample(before, min(3, len(before))):
        path.rename(folder / f"{dice.randrange(10**6):06}-moved.png")
    rest = sorted(folder.iterdir())
    shutil.copy(dice.choice(images), dice.choice(rest))


def test_killed_workers_neither_lose_nor_double_what_grows(
    growing_site: Site, images: Path, tmp_path: Path, seed: int
) -> None:
    site, dice = growing_site, random.Random(seed)
    folder = tmp_path / "folder"
    folder.mkdir()
    new = sorted(images.iterdir())
    site.keep_pace(PACE_SECONDS)
    for number in range(JOBS):
        change(folder, new[number * GROWS_BY : (number + 1) * GROWS_BY], dice)
        site.staff(2)
        options = (*OPTIONS, "--renumber")
        job = site.submit(folder, *options)
        strike(site, dice)
        site.staff(2)
        site.check_accounts(job)
        plain = site.submit(folder, *options, "--no-cache")
        site.check_accounts(plain)
        results = [site.shoal.output("result", one) for one in (job, plain)]
        assert results[0] == results[1], f"job {number} of seed {seed}"
    site.disarm()
    last = site.submit(folder, *OPTIONS)
    site.check_accounts(last)
    counts = site.shoal.json("status", last)["images"]
    assert counts["known"] == counts["total"]
