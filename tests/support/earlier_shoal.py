"""Shoal as it was before there were protocols: its wheel, in an environment of its own."""

import fcntl
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest
from shoal_command import Shoal
from worker_process import Worker

# The commit before protocols.
COMMIT = "62562d0"
ROOT = Path(__file__).parents[2]
PLACE = ROOT / ".pytest_cache" / f"shoal-{COMMIT}"
UV = Path(sys.executable).parent / "uv"
BUILD_SECONDS = 180


class EarlierShoal(Shoal):
    """The command of the earlier version."""

    def __init__(self, home: Path, **settings: object) -> None:
        self.python = str(install())
        super().__init__(home, **settings)
        # Not what is in the current directory, which is Shoal as it is now.
        self.environment["PYTHONSAFEPATH"] = "1"

    def start_worker(self, home: Path) -> Worker:
        """Return a worker of the earlier version that is starting."""
        machine = self.elsewhere(home)
        return Worker(machine, (self.python, "-m", "shoal", "worker", "--concurrency", "1"))


@cache
def install() -> Path:
    """Return the Python that has the earlier version, installed once for all runs of tests."""
    python = PLACE / "environment" / "bin" / "python"
    PLACE.mkdir(parents=True, exist_ok=True)
    with (PLACE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # for several processes of tests
        if not (PLACE / "installed").exists():
            _install(PLACE / "source", python)
            (PLACE / "installed").touch()
    return python


def _install(source: Path, python: Path) -> None:
    if _run("git", "cat-file", "-e", f"{COMMIT}^{{commit}}", check=False):
        pytest.skip(f"the history has no commit {COMMIT}: clone all of it")
    for left in (source, python.parents[1], PLACE / "wheels"):
        shutil.rmtree(left, ignore_errors=True)
    source.mkdir()
    archive = PLACE / "source.tar"
    _run("git", "archive", "--output", archive, COMMIT)
    _run("tar", "-xf", archive, "-C", source)
    archive.unlink()
    wheels, locked = PLACE / "wheels", PLACE / "locked.txt"
    of_source = ("--quiet", "--project", source)
    _run(UV, "build", "--quiet", "--wheel", "--out-dir", wheels, source)
    _run(UV, "export", *of_source, "--locked", "--no-dev", "--no-emit-project", "-o", locked)
    _run(UV, "venv", "--quiet", "--python", sys.executable, python.parents[1])
    (wheel,) = wheels.glob("*.whl")
    _run(UV, "pip", "install", "--quiet", "--python", python, "-r", locked, wheel)
    with suppress(OSError):
        shutil.rmtree(source)


def _run(*command: object, check: bool = True) -> int:
    # uv would take the environment of these tests for that of the project.
    outside = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    words = [str(word) for word in command]
    options = {"cwd": ROOT, "env": outside, "timeout": BUILD_SECONDS, "capture_output": True}
    done = subprocess.run(words, check=False, **options)  # type: ignore[call-overload]
    assert not check or done.returncode == 0, done.stderr.decode()
    return int(done.returncode)
