"""The memory of a producer, measured in a process of its own."""

import subprocess
import sys

import pytest

# A small job first: what grows from there on is what the paths take.
SUBMIT_TWICE = """
import resource
import sys
from collections import Counter
from pathlib import Path

from shoal import Client
from shoal.producer.submission.listing import Listing
from shoal.producer.submission.paths import PathSorter


def submit(count):
    sorter = PathSorter()
    for start in range(0, count, 1000):
        sorter.add(f"{start:06}/IMG_{start + number:06}.jpg" for number in range(1000))
    folder = Listing("/made-up", sorter.pack(), Counter(), [])
    job = client.submit_listing(folder, features="pixels", clusters=5, force=True)
    job.cancel()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


with Client(sys.argv[1]) as client:
    submit(1000)
    print(submit(70_000), submit(200_000))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kilobytes on Linux only")
@pytest.mark.usefixtures("redis")
def test_each_further_path_takes_a_producer_few_bytes(server_url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SUBMIT_TWICE, server_url], capture_output=True, text=True, check=True
    )
    few, many = map(int, done.stdout.split())
    # As text they would take 80 bytes each. The messages of 1,000 images take some KB, too.
    assert many - few < 130_000 * 30
