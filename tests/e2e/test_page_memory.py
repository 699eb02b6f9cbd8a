"""What the page's server takes to show large images: it decodes none of them itself."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from PIL import Image
from served_page import served
from shoal_command import Shoal

SIDE = 6000
RAW_BYTES = SIDE * SIDE * 4

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shoal]:
    """A home with a job of two large images."""
    directory = tmp_path_factory.mktemp("large")
    (directory / "images").mkdir()
    for number in range(2):
        picture = Image.new("RGBA", (SIDE, SIDE), (255 * number, 9, 9, 128))
        picture.save(directory / "images" / f"{number}.png", compress_level=1)
    shoal = Shoal(directory / "home")
    options = ("--features", "pixels", "--clusters", "2", "--out", directory / "out")
    shoal.output("run", directory / "images", *options)
    yield shoal
    shoal.kill_all()


def most_bytes(process: psutil.Process) -> int:
    """The most memory that a process has had so far."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    (kilobytes,) = re.findall(r"VmHWM:\s+(\d+) kB", status)
    return int(kilobytes) * 1024


def test_a_large_image_is_shown_and_the_server_stays_small(home: Shoal) -> None:
    (job,) = home.json("jobs")
    with served(home) as address:
        (server,) = (p for p in home.processes() if "serve" in p.cmdline())
        thumbnail = f"{address}/api/v1/jobs/{job['job_id']}/images/1/thumbnail"
        httpx.get(f"{address}/jobs/{job['job_id']}").raise_for_status()
        before = most_bytes(server)
        answer = httpx.get(thumbnail, timeout=60)
        assert (answer.status_code, answer.content[:2]) == (200, b"\xff\xd8")
        assert most_bytes(server) - before < RAW_BYTES / 2
