"""What a newcomer does first: the first command of the README, and the package by itself."""

import csv
import os
import subprocess
import sys
import tarfile
import tomllib
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from zipfile import ZipFile

import pytest
from polling import wait_until
from shoal_command import Shoal

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
# Of files that Shoal's authors wrote.
OWN_SUFFIXES = {".py", ".lua", ".html", ".js", ".css", ".svg", ".md", ".txt", ".json"}
# What these tests, or the make that runs them, tell their children.
TOLD = ("PYTHONPATH", "VIRTUAL_ENV", "MAKE", "MFLAGS")

# A virtual environment takes its time, and so may PyPI.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def call(*command: object, home: Path, directory: Path = ROOT, **environment: object) -> str:
    """Run a command as from a shell that knows nothing of these tests; return its output."""
    told = {name: str(value) for name, value in environment.items()}
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(TOLD)}
    done = subprocess.run(
        [*map(str, command)],
        cwd=directory,
        env=inherited | {"SHOAL_HOME": str(home)} | told,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def read_labels(out: Path) -> list[dict[str, str]]:
    with (out / "labels.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_make_run_ends_by_saying_where_the_results_are(tmp_path: Path) -> None:
    home, out = tmp_path / "home", tmp_path / "out"
    output = call("make", "run", f"OUT={out}", home=home)
    assert output.splitlines()[-2:] == [f"Report: {out}/report.html", f"Plots:  {out}/plots"]
    assert (out / "report.html").stat().st_size > 100_000
    assert len(list((out / "plots").glob("*.png"))) == 5
    assert len(read_labels(out)) == 432
    wait_until(lambda: not Shoal(home).processes(), 20, "no process is left")


@dataclass(frozen=True)
class Built:
    """What is published, and the versions of all that it needs."""

    wheel: Path
    archive: Path
    pins: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    if not UV.exists():
        pytest.fail("no uv") if os.environ.get("CI") else pytest.skip("no uv beside this Python")
    directory = tmp_path_factory.mktemp("built")
    home, pins = directory / "home", directory / "pins.txt"
    # The wheel is built from the archive of the source, as an index would have both.
    call(UV, "build", "--quiet", "--out-dir", directory, home=home)
    locked = ("--locked", "--no-dev", "--no-emit-project", "--no-hashes", "--quiet")
    call(UV, "export", *locked, "--output-file", pins, home=home)
    (wheel,), (archive,) = directory.glob("*.whl"), directory.glob("*.tar.gz")
    return Built(wheel, archive, pins)


def find_python(number: str) -> str:
    """Return an interpreter of this version on this machine; none is fetched."""
    command = [str(UV), "python", "find", "--no-project", "--no-python-downloads", number]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode != 0:
        pytest.skip(f"no Python {number} on this machine")
    return found.stdout.strip()


@pytest.mark.parametrize("number", PYTHONS)
def test_the_package_works_where_the_checkout_is_not(
    built: Built, tmp_path: Path, photographs: Path, number: str
) -> None:
    home, out, venv = tmp_path / "home", tmp_path / "out", tmp_path / "venv"
    call(UV, "venv", "--quiet", "--python", find_python(number), venv, home=home)
    install = ("pip", "install", "--quiet", "--python", venv / "bin" / "python")
    call(UV, *install, "--requirements", built.pins, built.wheel, home=home)
    shoal = venv / "bin" / "shoal"
    told = call(shoal, "--version", home=home, directory=tmp_path)
    assert told.split()[-1] == version("shoal")
    call(shoal, "run", photographs, "--out", out, home=home, directory=tmp_path)
    assert len(read_labels(out)) == 120
    assert (out / "report.html").stat().st_size > 100_000


def test_the_first_python_that_is_tried_is_the_oldest_that_is_supported() -> None:
    about = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert about["requires-python"] == f">={PYTHONS[0]}"


def test_the_wheel_has_the_package_alone_with_the_licences_of_all_that_it_ships(
    built: Built,
) -> None:
    info = f"shoal-{version('shoal')}.dist-info"
    with ZipFile(built.wheel) as wheel:
        files = wheel.namelist()
        texts = {
            name.rpartition("/")[2]: wheel.read(name).decode()
            for name in files
            if name.startswith(f"{info}/licenses/")
        }
        about = wheel.read(f"{info}/METADATA").decode()
    assert "shoal/py.typed" in files
    assert {name.partition("/")[0] for name in files} == {"shoal", info}
    assert "License-Expression: MIT AND Apache-2.0" in about
    assert "MIT License" in texts["LICENSE"]
    assert "Apache License" in texts["LICENSE-APACHE-2.0.txt"]
    # Whatever is of a kind that we do not write ourselves is named in the notice.
    others = {name for name in files if Path(name).suffix not in OWN_SUFFIXES}
    found = {Path(name).name for name in others if not name.startswith(info)} - {"py.typed"}
    assert {name for name in found if name not in texts["NOTICE.md"]} == set()
    assert found


def test_the_archive_has_no_more_than_the_wheel_is_built_from(built: Built) -> None:
    with tarfile.open(built.archive) as archive:
        names = {name.split("/")[1] for name in archive.getnames()}
    expected = {"shoal", "pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "PKG-INFO"}
    assert names == {*expected, ".gitignore"}


def test_uvx_runs_a_checkout(built: Built, tmp_path: Path, photographs: Path) -> None:
    home, out = tmp_path / "home", tmp_path / "out"
    options = ("--quiet", "--python", sys.executable, "--constraints", built.pins, "--from", ROOT)
    run = ("shoal", "run", photographs, "--out", out)
    call(UV, "tool", "run", *options, *run, home=home, directory=tmp_path)
    assert len(read_labels(out)) == 120
