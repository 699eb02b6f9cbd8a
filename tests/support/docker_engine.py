"""A Docker engine of Debian's packages, which runs as long as it is used: see engine.sh."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tests" / "e2e" / "containers" / "engine.sh"
REFUSED = 77
STOP_SECONDS = 120
COMMAND_SECONDS = 500
# What the image is built of, and how it is run.
SOURCES = [*(ROOT / ".dockerignore").read_text().split("!")[1:], "Dockerfile", "docker-compose.yml"]


class DockerEngine:
    """An engine with a root directory of its own, which holds a copy of the project."""

    def __init__(self, root: Path, pid: int) -> None:
        self.root = root
        self.pid = pid
        self.project = root / "shoal"

    def run(self, *command: object, **variables: str) -> "subprocess.CompletedProcess[bytes]":
        """Run a command beside the engine, in the project, as a new terminal would."""
        enter = ["nsenter", f"--target={self.pid}", "--mount", "--net", "--pid", "--root", "--wd"]
        known = {"PATH": os.environ["PATH"], "HOME": "/root", **variables}
        told = [f"{name}={value}" for name, value in known.items()]
        words = [*enter, "env", "-i", f"--chdir=/{self.project.name}", *told, *map(str, command)]
        return subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_SECONDS
        )

    def output(self, *command: object, **variables: str) -> bytes:
        """Run a command, which succeeds; return what it prints."""
        done = self.run(*command, **variables)
        assert done.returncode == 0, (done.stdout + done.stderr)[-4000:].decode(errors="replace")
        return done.stdout

    def compose(self, *words: object, **variables: str) -> str:
        """Run `docker compose`, which succeeds; return what it prints."""
        return self.output("docker", "compose", *words, **variables).decode()

    def shoal(self, *words: object) -> bytes:
        """Run a command of Shoal in a container; return what it prints."""
        return self.output("docker", "compose", "run", "--rm", "-T", "producer", *words)

    def fetch(self, port: int, path: str, token: str) -> str:
        """Return what the page answers on the engine's machine."""
        code = (
            "import sys; from urllib.request import Request, urlopen; url, token = sys.argv[1:];"
            "told = {'Authorization': f'Bearer {token}'};"
            "print(urlopen(Request(url, headers=told), timeout=60).read().decode())"
        )
        words = ["nsenter", f"--target={self.pid}", "--net", sys.executable, "-c", code]
        url = f"http://127.0.0.1:{port}{path}"
        return subprocess.run(
            [*words, url, token], capture_output=True, text=True, check=True, env={}
        ).stdout


@contextmanager
def running_engine(directory: Path) -> Iterator[DockerEngine]:
    """Run an engine below ``directory``; skip where there can be none."""
    if os.geteuid() != 0 or not os.environ.get("CI"):
        pytest.skip("an engine needs root, and CI=true in the environment")
    dockerfile = (ROOT / "Dockerfile").read_text()
    compose = (ROOT / "docker-compose.yml").read_text()
    images = {
        "PYTHON_IMAGE": re.findall(r"^ARG PYTHON_IMAGE=(\S+)", dockerfile, re.MULTILINE)[0],
        "REDIS_IMAGE": re.findall(r"image: (redis:\S+)", compose)[0],
    }
    # A group of its own, which Ctrl-C does not reach: it ends when its standard input does.
    with subprocess.Popen(
        [SCRIPT, directory],
        env=os.environ | images,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as script:
        assert script.stdin
        try:
            engine = DockerEngine(
                directory / "trees" / "engine", _wait_until_ready(script, directory)
            )
            _copy_project(engine.project)
            yield engine
        finally:
            script.stdin.close()
            script.wait(STOP_SECONDS)


def _wait_until_ready(script: "subprocess.Popen[str]", directory: Path) -> int:
    """Return the number of the engine's process once it works."""
    assert script.stdout
    told = ""
    for line in script.stdout:
        if line.startswith("ready"):
            return int(line.split()[1])
        told += line
    if script.wait() == REFUSED:
        pytest.skip(f"no engine runs here: {told.strip()}")
    pytest.fail(f"{told}\n{(directory / 'engine.log').read_text()[-4000:]}")


def _copy_project(target: Path) -> None:
    target.mkdir()
    for name in (*SOURCES, ".dockerignore"):
        source = ROOT / name.splitlines()[0]
        if source.is_dir():
            shutil.copytree(source, target / source.name, symlinks=True)
        else:
            shutil.copy(source, target)
