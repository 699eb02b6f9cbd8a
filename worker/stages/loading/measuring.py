"""Measuring how long images take to load, in processes of their own.

Standard input has a list of ways to compare images for each process, each way with images of its
own: what was read before would come from memory. Standard output has the seconds that an image
takes, in the same lists, as JSON.
"""

import json
import os
import signal
import sys
import time
from base64 import b64decode
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any

from shoal.shared.images.files import ImageLimits
from shoal.shared.jobs import JobRequest
from shoal.shared.settings import Settings, read_settings
from shoal.shared.sources.locations import Location, unpack_locations
from shoal.worker.extractors import extract_blocks, extract_in_chunks, find_extractors
from shoal.worker.images.hashes import perceptual_hash
from shoal.worker.images.loading import load_with_digest
from shoal.worker.memory import limit_memory
from shoal.worker.stages.loading.fetching import LocatedImages
from shoal.worker.stages.loading.reading import load_images

# Images between two looks at the clock.
CHUNK = 8
# A process that takes longer, because a decoder hangs, is ended by the system.
MOST_SECONDS = 15


def measure_seconds(
    request: JobRequest,
    paths: list[str],
    most_seconds: float,
    settings: Settings,
    locations: Sequence[Location] | None = None,
) -> float:
    """Measure the mean time in seconds in which this process loads an image as a worker does.

    Args:
        request: The folder, and how its images are compared.
        paths: At least one of its images; the last ones are left out if it takes long.
        most_seconds: Time after which no more images are begun.
        settings: Limits of images, and the user's own model.
        locations: Of the same images; None for files in a folder.

    Raises:
        UsageError: This machine does not have what the request asks for.
    """
    extractors = find_extractors(request.features, settings.embedding_model)
    limits = ImageLimits(settings.max_image_bytes, settings.max_image_pixels, settings.image_roots)
    load = partial(load_with_digest, image_size=request.image_size, limits=limits)

    def load_chunk(chunk: slice) -> None:
        located = []
        if locations is not None:
            located = [LocatedImages(request.source, paths[chunk], locations[chunk], settings)]
        with limit_memory(settings.image_memory):
            pixels = load_images(request, paths[chunk], load, lambda: None, None, *located).pixels
        extract_blocks(extractors, pixels)
        extract_in_chunks(perceptual_hash, pixels)

    load_chunk(slice(1))  # sets up what is made once in a process
    began, loaded = time.perf_counter(), 0
    for start in range(0, len(paths), CHUNK):
        load_chunk(slice(start, start + CHUNK))
        loaded += len(paths[start : start + CHUNK])
        if time.perf_counter() - began > most_seconds:
            break
    return (time.perf_counter() - began) / loaded


def measure_ways(ways: list[dict[str, Any]]) -> list[float]:
    """Measure several ways of comparing images, each with images of its own."""
    settings = read_settings()
    return [
        measure_seconds(
            JobRequest(**way["request"]),
            way["paths"],
            way["most_seconds"],
            settings,
            unpack_locations(b64decode(way["locations"])) if way.get("locations") else None,
        )
        for way in ways
    ]


def main() -> None:
    """Measure what standard input asks for, as many processes at once as it has lists."""
    asked = json.load(sys.stdin)
    answer = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    # What other packages' features print is not part of the answer.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    forks = get_context("fork")  # as Celery has them
    with ProcessPoolExecutor(len(asked), forks, signal.alarm, (MOST_SECONDS,)) as pool:
        seconds = list(pool.map(measure_ways, asked))
    with answer:
        json.dump(seconds, answer)
