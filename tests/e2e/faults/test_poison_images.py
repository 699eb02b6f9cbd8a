"""Images whose decoder kills the process, hangs or takes all memory cost only themselves."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
from fault_site import Site

REASONS = {"deadly": "killed-decoder", "endless": "timed-out", "hungry": "too-much-memory"}
ONE_BATCH = ("--batch-size", 32, "--image-size", 16)


@pytest.fixture(scope="module")
def poison_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site whose images may take 4 seconds and 256 megabytes."""
    limits = {"SHOAL_IMAGE_SECONDS": 4, "SHOAL_IMAGE_MEMORY": "256M"}
    quick = {"SHOAL_LEASE_SECONDS": 3, "SHOAL_SWEEP_SECONDS": 1}
    site = Site(tmp_path_factory.mktemp("poison"), place=None, **quick, **limits)
    site.staff(1)
    yield site
    site.close()


def end_with_poison(
    site: Site, images: Path, folder: Path, kinds: list[str], *options: object
) -> None:
    """Cluster ``images`` with files of ``kinds`` in their midst: once broken, once poisonous."""
    for path in images.iterdir():
        (folder / path.name).hardlink_to(path)
    reasons = {f"005-1-{number}-{kind}.png": REASONS[kind] for number, kind in enumerate(kinds)}
    for name in reasons:
        (folder / name).write_text("broken")
    job = site.submit(folder, *options)
    site.check_accounts(job)
    undisturbed = site.shoal.output("result", job)
    for name, kind in zip(reasons, kinds, strict=True):
        (folder / name).write_text(kind)
    job = site.submit(folder, *options)
    site.check(job, undisturbed)
    failures = csv.DictReader(site.shoal.output("failures", job).splitlines())
    assert {failure["path"]: failure["reason"] for failure in failures} == reasons


@pytest.mark.slow
def test_each_kind_of_poison_is_one_failure_among_its_neighbours(
    poison_site: Site, images: Path, tmp_path: Path
) -> None:
    end_with_poison(poison_site, images, tmp_path, list(REASONS))


@pytest.mark.soak
def test_images_that_take_all_memory_cost_no_process(
    poison_site: Site, images: Path, tmp_path: Path
) -> None:
    children = poison_site.workers[0].children()
    end_with_poison(poison_site, images, tmp_path, ["hungry"] * 10, *ONE_BATCH)
    assert poison_site.workers[0].children() == children


@pytest.mark.parametrize("kind", ["deadly", "endless"])
@pytest.mark.soak
def test_ten_of_them_in_one_batch_cost_only_themselves(
    poison_site: Site, images: Path, tmp_path: Path, kind: str
) -> None:
    end_with_poison(poison_site, images, tmp_path, [kind] * 10, *ONE_BATCH)
