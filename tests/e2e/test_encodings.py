"""Names that an encoding lacks, on every stream: the work is done, and told."""

import os
import pty
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from shoal_command import PYTHON, Shoal
from worker_process import Worker

ENCODINGS = {
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}
OPTIONS = ("--features", "pixels", "--clusters", "3")


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of three colours, in a folder and with names beyond Latin-1 or without encoding."""
    folder = tmp_path_factory.mktemp("names") / "日本"
    folder.mkdir()
    for number in range(9):
        colour = tuple(255 * (number % 3 == channel) for channel in range(3))
        image = Image.new("RGB", (16, 16), colour)
        name = b"caf\xe9%d.png" % number if number % 2 else f"写真ü{number}.png".encode()
        image.save(Path(os.fsdecode(os.fsencode(folder) + b"/" + name)))
    (folder / "壊れた.png").write_text("no image")
    return folder


@pytest.fixture(scope="module", params=ENCODINGS)
def encoded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shoal]:
    """The command where standard streams have another encoding than names."""
    shoal = Shoal(tmp_path_factory.mktemp("encoded") / "home")
    shoal.environment |= ENCODINGS[request.param]
    yield shoal
    shoal.kill_all()


def call(shoal: Shoal, *words: object) -> tuple[int, bytes, bytes]:
    """Run a command; return its exit code, and what it prints as bytes."""
    command = [os.fsencode(str(word)) for word in (PYTHON, "-m", "shoal", *words)]
    done = subprocess.run(
        command, env=shoal.environment, capture_output=True, timeout=90, check=False
    )
    assert b"Traceback" not in done.stdout + done.stderr
    return done.returncode, done.stdout, done.stderr


def test_every_command_ends_well_and_prints_names(
    encoded: Shoal, names: Path, tmp_path: Path
) -> None:
    code, printed, noted = call(encoded, "run", names, *OPTIONS, "--out", tmp_path / "out")
    assert code == 0, noted
    assert b"such as caf\xe9" in printed  # the byte as it is
    assert (tmp_path / "out" / "labels.csv").exists()
    job = re.findall(rb"Job (\w+):", noted)[0].decode()
    for command in ("status", "result", "failures", "duplicates"):
        assert call(encoded, command, job)[0] == 0
    code, _, noted = call(encoded, "run", names / "消えた", *OPTIONS)
    assert (code, b"does not exist" in noted) == (2, True)


def test_live_progress_takes_such_names_too(encoded: Shoal, names: Path) -> None:
    leader, follower = pty.openpty()
    words = (PYTHON, "-m", "shoal", "run", names, *OPTIONS, "--force")
    command = [os.fsencode(str(word)) for word in words]
    with subprocess.Popen(
        command, env=encoded.environment, stdin=follower, stdout=follower, stderr=follower
    ) as process:
        os.close(follower)
        printed = b"".join(iter(lambda: read(leader), b""))
    os.close(leader)
    assert process.returncode == 0, printed
    assert b"Traceback" not in printed


def read(leader: int) -> bytes:
    try:
        return os.read(leader, 65536)
    except OSError:  # Linux says so that nobody writes any more
        return b""


def test_a_worker_works_and_logs(encoded: Shoal, names: Path) -> None:
    job = encoded.submit(names, *OPTIONS)
    with Worker(encoded) as worker:
        assert encoded.json("wait", job, "--timeout", 60)["state"] == "finished"
    assert worker.says(f"job={job}")
    assert not worker.says("Traceback")
    assert not worker.says("Logging error")
