"""A job without any option: the same from the command, from Python and over HTTP."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from served_page import served
from shoal_command import FinishedRun, UserShoal, finished_run

from benchmarks.photographs import make_photographs
from shoal import Client
from shoal.shared.jobs import AUTO, DEFAULTS
from shoal.shared.settings import Settings

N_PHOTOGRAPHS = 24


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_photographs(tmp_path_factory.mktemp("few"), N_PHOTOGRAPHS)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[FinishedRun]:
    """The one run that compares by the default features."""
    directory = tmp_path_factory.mktemp("defaults")
    with finished_run(UserShoal(directory / "home"), folder, directory / "out") as run:
        yield run


def test_a_run_without_options_sees_what_pictures_show(finished: FinishedRun) -> None:
    job = json.loads((finished.out / "job.json").read_text())
    request = job["status"]["request"]
    assert (request["features"], request["image_size"]) == (DEFAULTS.features, DEFAULTS.image_size)
    assert (request["clusters"], request["components"]) == (AUTO, None)
    assert finished.stdout.startswith("clusters: ")
    assert "--features" not in finished.stdout  # nothing that sees more is named
    assert (finished.out / "plots" / "choice.png").is_file()
    assert {"onnxruntime", "graspologic-native", "pillow"} <= job["summary"]["versions"].keys()


def test_python_and_the_page_have_the_same_defaults(finished: FinishedRun) -> None:
    with Client(settings=Settings(home=finished.shoal.home)) as client:
        job = client.submit(finished.source)
        assert (job.id, job.is_found) == (finished.job_id, True)
    with served(finished.shoal) as address:
        asked = {"source": str(finished.source)}
        found = httpx.post(f"{address}/api/v1/jobs", json=asked, timeout=30)
        assert (found.status_code, found.json()["job_id"]) == (200, finished.job_id)
        card = f'name="features" value="{DEFAULTS.features}" checked'
        assert card in httpx.get(address, params={"again": finished.job_id}).text
        assert card in httpx.get(address).text


def test_the_recipe_is_the_same_job_as_its_options(finished: FinishedRun) -> None:
    shoal, folder = finished.shoal, finished.source
    options = ("--features", "pixels", "--components", 2, "--clusters", 5, "--random-state", 0)
    job = shoal.output("submit", folder, *options).strip()
    assert shoal.output("submit", folder, "--recipe", "tutorial").strip() == job
    with Client(settings=Settings(home=shoal.home), start_workers=False) as client:
        assert client.submit(folder, recipe="tutorial").id == job
        request = client.job(job).status().request
    assert (request.features, request.components, request.clusters) == ("pixels", 2, 5)


def test_a_run_with_pixels_ends_with_one_line_unless_a_recipe_was_named(
    finished: FinishedRun,
) -> None:
    shoal, folder = finished.shoal, finished.source
    line = f"--features {DEFAULTS.features}"
    options = ("--features", "pixels", "--components", 2, "--clusters", 5)
    assert shoal.output("run", folder, *options).splitlines()[-1].endswith(line)
    assert line not in shoal.output("run", folder, "--recipe", "tutorial")
    assert line not in shoal.output("run", folder, *options, "--json")
