"""How long a job will take on this machine: measured before it begins, if it may be minutes."""

import json
import subprocess
import sys
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from math import ceil, inf
from typing import TypeVar

from shoal.producer.local.environment import worker_environment
from shoal.producer.submission.batches import measure_image_bytes
from shoal.producer.submission.listing import Listing
from shoal.shared.jobs import JobRequest
from shoal.shared.recipe.features import EXTRACTORS, are_slow, choose_image_size, split_features
from shoal.shared.settings import Settings, make_environment
from shoal.shared.sources.locations import pack_locations
from shoal.shared.text import show_count

# A job that takes less is not announced.
LONG_SECONDS = 120.0
# What an image takes a process at most, on an ordinary machine: for each byte of its file, by the
# features, and by features of which nothing is known, such as a model of the user's.
BYTE_SECONDS = 5e-8
QUICK_SECONDS, SLOW_SECONDS, UNKNOWN_SECONDS = 0.002, 0.015, 1.0
# What is fast with images of any kind, and still sees something of most of them.
FASTER = "color"
# Of the time of a job, below which another way is worth naming.
FASTER_SHARE = 0.6
# Images that each process measures for each way, and the time after which no more are begun.
MEASURED_IMAGES = 64
SAMPLE_SECONDS = 1.0
STRIDE = 8
Image = TypeVar("Image")
MEASURE = """
import shoal.worker.blas  # before numpy: one thread, as in workers
from shoal.worker.stages.loading.measuring import main
main()
"""
# A process that takes longer tells nothing.
MEASURE_SECONDS = 20.0


@dataclass(frozen=True)
class Duration:
    """How long a job of a folder takes here.

    Attributes:
        listing: The images.
        request: How they are compared.
        settings: Of the workers.
        processes: Number of processes that load images.
    """

    listing: Listing
    request: JobRequest
    settings: Settings
    processes: int

    def may_be_minutes(self) -> bool:
        """Return whether it may be minutes, as far as can be seen without reading an image."""
        most = BYTE_SECONDS * measure_image_bytes(self.listing) + self._most_seconds()
        return most * len(self.listing.paths) / self.processes >= LONG_SECONDS

    def _most_seconds(self) -> float:
        names = split_features(self.request.features)
        own_model = self.settings.embedding_model and "embedding" in names
        if own_model or not EXTRACTORS.keys() >= set(names):
            return UNKNOWN_SECONDS
        return SLOW_SECONDS if are_slow(self.request.features) else QUICK_SECONDS

    def describe(self) -> str:
        """Measure some of the images, in processes of their own; describe what all of them take.

        Returns:
            One line for the user, which names what is faster; "" if it is no minutes, or nothing
            could be measured.
        """
        ways = [self.request]
        if are_slow(self.request.features) and FASTER not in split_features(self.request.features):
            image_size = choose_image_size(FASTER)
            ways.append(replace(self.request, features=FASTER, image_size=image_size))
        n_images = len(self.listing.paths)
        seconds = [n_images / rate for rate in self._measure(ways)]
        return make_line(n_images, *seconds) if seconds else ""

    def _measure(self, ways: Sequence[JobRequest]) -> list[float]:
        """Measure the images a second of each of the ways; none if that fails.

        As many processes at once as the job will have: together they are slower than each alone.
        """
        n_samples = len(ways) * self.processes
        samples = iter(choose_samples(self.listing.paths, n_samples))
        located = iter(choose_samples(self.listing.locations or (), n_samples))
        asked = [
            [
                {
                    "request": asdict(way),
                    "paths": next(samples),
                    "locations": b64encode(pack_locations(next(located))).decode()
                    if self.listing.locations
                    else "",
                    "most_seconds": SAMPLE_SECONDS,
                }
                for way in ways
            ]
            for _ in range(self.processes)
        ]
        try:
            done = subprocess.run(
                [sys.executable, "-P", "-c", MEASURE],
                input=json.dumps(asked),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # of libraries
                env=worker_environment() | make_environment(self.settings),
                timeout=MEASURE_SECONDS,
                text=True,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            return []
        return [
            sum(1 / seconds for seconds in way)
            for way in zip(*json.loads(done.stdout), strict=True)
        ]


def make_line(n_images: int, seconds: float, faster_seconds: float = inf) -> str:
    """Make the line about a job of so many images.

    Args:
        n_images: Of the job.
        seconds: Time that it takes.
        faster_seconds: Time that it would take with what is faster.
    """
    if seconds < LONG_SECONDS:
        return ""
    images = show_count(n_images, "image")
    line = f"About {_show_time(seconds)} for {images} ({n_images / seconds:,.0f} images/s)"
    if faster_seconds > FASTER_SHARE * seconds:
        return f"{line}."
    faster = f"`features='{FASTER}'`, which sees colours only, takes about"
    return f"{line}; {faster} {_show_time(faster_seconds)}."


def _show_time(seconds: float) -> str:
    minutes = max(round(seconds / 60), 1)
    return (
        show_count(minutes, "minute") if minutes < 100 else show_count(round(minutes / 60), "hour")
    )


def choose_samples(paths: Sequence[Image], n_samples: int) -> list[list[Image]]:
    """Choose samples of images from all over a folder, no image twice: what was read is in memory.

    Of as many paths and locations, those of the same images are chosen.

    The first few of each, if time allows no more, come from all over the folder too.
    """
    spread = paths[:: max(1, ceil(len(paths) / (n_samples * MEASURED_IMAGES)))]
    samples = (spread[number::n_samples] for number in range(n_samples))
    return [
        [path for start in range(STRIDE) for path in sample[start::STRIDE]] for sample in samples
    ]
