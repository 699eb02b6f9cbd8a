"""Where the faults strike, and what is struck."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from buckets import BucketServer
from fault_site import OPTIONS, Site
from PIL import Image
from places import BucketPlace, DirectoryPlace, Place
from shards import PLACES


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seeds", type=int, help="Random mixtures of faults to go through.")
    parser.addoption("--accounts", type=Path, help="A line of JSON for each of them is added here.")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let faults strike sites of each kind of place, or those that the module names."""
    if "lasting_site" in metafunc.fixturenames:
        kinds = getattr(metafunc.module, "KINDS_OF_PLACES", PLACES)
        metafunc.parametrize("lasting_site", kinds, indirect=True, scope="session")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Do what every run tries in Redis elsewhere in the slow one, and the rest in a soak."""
    for item in items:
        parameters = getattr(item, "callspec", None)
        if not parameters or parameters.params.get("lasting_site", PLACES[0]) == PLACES[0]:
            continue
        rare = [mark for mark in item.own_markers if mark.name in {"slow", "soak"}]
        item.own_markers = [mark for mark in item.own_markers if mark not in rare]
        item.add_marker("soak" if rare else "slow")


@pytest.fixture
def accounts(request: pytest.FixtureRequest) -> Path | None:
    accounts: Path | None = request.config.getoption("--accounts", None)
    return accounts


def make_images(folder: Path, side: int, n_images: int, n_names: int) -> Path:
    """Return a folder of ``n_images`` noisy images of ``side`` pixels, ``n_names`` names each."""
    random = np.random.default_rng(side)
    for number in range(n_images):
        noise = random.integers(0, 64, (side, side, 3)) + random.integers(0, 192, 3)
        first = folder / f"{number:03d}-0.png"
        Image.fromarray(noise.astype(np.uint8)).save(first, compress_level=1)
        for copy in range(1, n_names):
            first.with_name(f"{number:03d}-{copy}.png").hardlink_to(first)
    return folder


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 small images: 20 batches, with ``OPTIONS``."""
    return make_images(tmp_path_factory.mktemp("images"), 24, 30, 4)


@pytest.fixture(scope="session")
def many_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """600 small images."""
    return make_images(tmp_path_factory.mktemp("many-images"), 25, 30, 20)


@pytest.fixture(scope="session")
def slow_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """600 images that take a process some seconds to load."""
    return make_images(tmp_path_factory.mktemp("slow-images"), 800, 10, 60)


@pytest.fixture(scope="session")
def lasting_site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("site")
    place: Place | None = None
    if request.param == "files":
        place = DirectoryPlace(directory / "shards")
    elif request.param == "objects":
        server: BucketServer = request.getfixturevalue("bucket_server")
        place = BucketPlace(server)
    site = Site(directory, place=place)
    yield site
    site.close()


@pytest.fixture
def site(lasting_site: Site) -> Iterator[Site]:
    """A site with a lease of 3 seconds and a sweep each second; ``staff`` it with workers."""
    yield lasting_site
    lasting_site.disarm()


@pytest.fixture(scope="session")
def undisturbed(lasting_site: Site, images: Path) -> str:
    """The labels of the small images, made without a fault."""
    return label_undisturbed(lasting_site, images)


@pytest.fixture(scope="session")
def undisturbed_slow(lasting_site: Site, slow_images: Path) -> str:
    """The labels of the slow images, made without a fault."""
    return label_undisturbed(lasting_site, slow_images)


def label_undisturbed(site: Site, folder: Path) -> str:
    site.staff(2)
    job = site.submit(folder, *OPTIONS)
    site.check_accounts(job)
    return site.shoal.output("result", job)
