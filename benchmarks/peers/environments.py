"""An environment of its own for each program, from the package index."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.peers.programs import Program

SECONDS = 1800
INSTALLED = "packages.json"


class InstallationError(Exception):
    """A program cannot be installed here; the message says why, in a few words."""


def make_environment(program: Program, directory: Path) -> Path:
    """Return the Python of a program's environment, which is made where it is not there yet.

    Args:
        program: What to install.
        directory: Where the environments are, one folder a script.

    Raises:
        InstallationError: The package index has none for this machine, or does not answer.
    """
    folder = directory / program.script
    python, installed = folder / "bin" / "python", folder / INSTALLED
    if installed.exists() and json.loads(installed.read_text()) == list(program.packages):
        return python
    base = find_python(program.oldest_python)
    shutil.rmtree(folder, ignore_errors=True)
    _run(base, "-m", "venv", str(folder))
    _run(str(python), "-m", "pip", "install", "--only-binary", ":all:", *program.packages)
    installed.write_text(json.dumps(program.packages))
    return python


def find_python(oldest: tuple[int, int]) -> str:
    """Return a Python that is at least as new as ``oldest``: this one if it is.

    Raises:
        InstallationError: There is none on ``PATH``, nor beside this one, where pyenv has them.
    """
    if sys.version_info[:2] >= oldest:
        return sys.executable
    beside = sorted(map(str, Path(sys.base_prefix).parent.glob("3.*/bin")))
    places = os.pathsep.join([os.environ.get("PATH", os.defpath), *beside])
    wanted, here = ("{}.{}".format(*version) for version in (oldest, sys.version_info))
    for place in places.split(os.pathsep):
        found = shutil.which(f"python{wanted}", path=place)
        # A name on PATH may be pyenv's, which fails where that version is not chosen.
        if found and subprocess.run([found, "--version"], capture_output=True).returncode == 0:
            return found
    raise InstallationError(f"needs Python {wanted}; here is {here}")


def _run(*command: str) -> None:
    """Run a step of an installation."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise InstallationError("pip did not end within half an hour") from None
    if done.returncode:
        raise InstallationError(find_cause(done.stderr))


def find_cause(messages: str) -> str:
    """Return the last line that pip calls an error, without that word."""
    errors = re.findall(r"^(?:ERROR|error): (.+)$", messages, re.MULTILINE)
    return errors[-1] if errors else "pip failed"
