"""What a newcomer does first: the first command of the README, and the package by itself."""

import csv
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from zipfile import ZipFile

import pytest
from polling import wait_until
from shoal_command import Shoal

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")
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


def test_the_package_works_where_the_checkout_is_not(tmp_path: Path, photographs: Path) -> None:
    if not UV.exists():
        pytest.fail("no uv") if os.environ.get("CI") else pytest.skip("no uv beside this Python")
    home, out = tmp_path / "home", tmp_path / "out"
    wheels, pins, venv = tmp_path / "wheels", tmp_path / "pins.txt", tmp_path / "venv"
    # The wheel is built from the archive of the source, as an index would have both.
    call(UV, "build", "--quiet", "--out-dir", wheels, home=home)
    locked = ("--locked", "--no-dev", "--no-emit-project", "--no-hashes", "--quiet")
    call(UV, "export", *locked, "--output-file", pins, home=home)
    call(UV, "venv", "--quiet", "--python", sys.executable, venv, home=home)
    (wheel,) = wheels.glob("*.whl")
    files = ZipFile(wheel).namelist()
    assert "shoal/py.typed" in files
    names = {name.partition("/")[0] for name in files}
    assert names == {"shoal", f"shoal-{version('shoal')}.dist-info"}
    install = ("pip", "install", "--quiet", "--python", venv / "bin" / "python")
    call(UV, *install, "--requirements", pins, wheel, home=home)
    shoal = venv / "bin" / "shoal"
    assert "Usage: shoal" in call(shoal, "--help", home=home, directory=tmp_path)
    call(shoal, "run", photographs, "--out", out, home=home, directory=tmp_path)
    assert len(read_labels(out)) == 120
    assert (out / "report.html").stat().st_size > 100_000
