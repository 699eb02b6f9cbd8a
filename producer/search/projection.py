"""New images, projected on a job's components by a worker: only workers decode and extract.

The content of a file travels through Redis, so that no worker needs to see the file.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from shoal.producer.results import JobResults
from shoal.producer.search.neighbours import Points
from shoal.shared.errors import ShoalError, UsageError
from shoal.shared.jobs import Status
from shoal.shared.store.projections import Answer, NewImage, Projections
from shoal.shared.sweeper import Sweeper

# Of new images that are in Redis at the same time, unless one has more.
PORTION_BYTES = 2**26
# Time between two looks for an answer.
LOOK_SECONDS = 0.02
# A message may be lost with its worker: after this time, it is sent again.
AGAIN_SECONDS = 15.0
# Beside the time that each image may take: to start workers, and for what they are at.
PATIENCE_SECONDS = 90.0
# How often it is checked that workers are running, and by when those that start must be.
CHECK_SECONDS = 1.0


@dataclass(frozen=True)
class Workers:
    """The workers that are asked.

    Attributes:
        sweeper: Of their Redis.
        ensure_running: Starts workers if none are running and they may be started; returns whether
            any are running then.
        keep_running: Raises if the workers that were started have ended.
    """

    sweeper: Sweeper
    ensure_running: Callable[[], bool]
    keep_running: Callable[[Status], None]


def project_images(
    job: JobResults, images: Iterable[tuple[str, NewImage]], workers: Workers
) -> Points:
    """Let a worker project images, given by name and content, some at a time.

    Returns:
        Shape (n_images, n_components).

    Raises:
        UsageError: An image cannot be used, or no worker is running.
        ShoalError: No worker has answered in time, or none has what the job needs.
    """
    rows = (_project_some(job, some, workers) for some in _split(images))
    return np.concatenate(list(rows))


def _split(images: Iterable[tuple[str, NewImage]]) -> Iterator[list[tuple[str, NewImage]]]:
    """Yield images, no more at a time than Redis and a worker should have to keep."""
    some, n_bytes = list[tuple[str, NewImage]](), 0
    for name, image in images:
        if some and n_bytes + len(image.content) > PORTION_BYTES:
            yield some
            some, n_bytes = [], 0
        some.append((name, image))
        n_bytes += len(image.content)
    yield some


def _project_some(
    job: JobResults, images: Sequence[tuple[str, NewImage]], workers: Workers
) -> Points:
    if not workers.ensure_running():
        raise UsageError(
            "No worker is running, and a new image needs one: start a worker, then search again."
        )
    projections = Projections(job.ledger.client, job.id)
    token = projections.ask([image for _, image in images])
    try:
        answer = _await_answer(job, projections, token, len(images), workers)
    finally:
        projections.withdraw(token)
    if answer.error:
        raise ShoalError(answer.error)
    for (name, _), projection in zip(images, answer.projections, strict=True):
        if projection.reason:
            raise UsageError(f"{name} cannot be used: {projection.reason}, {projection.detail}.")
    rows = b"".join(projection.coordinates for projection in answer.projections)
    return np.frombuffer(rows, "<f4").reshape(len(images), -1)


def _await_answer(
    job: JobResults, projections: Projections, token: str, n_images: int, workers: Workers
) -> Answer:
    """Send the message, again if need be, until there is an answer.

    Raises:
        ShoalError: There is none in time.
    """
    patience = PATIENCE_SECONDS + n_images * workers.sweeper.settings.image_seconds
    began = time.monotonic()
    again_at = check_at = began
    while (now := time.monotonic()) < began + patience:
        if now >= again_at:
            workers.sweeper.messages.send_projection(job.id, token)
            again_at = now + AGAIN_SECONDS
        if answer := projections.find_answer(token):
            return answer
        if now >= check_at:
            workers.keep_running(job.status())
            check_at = now + CHECK_SECONDS
        time.sleep(LOOK_SECONDS)
    raise ShoalError(
        f"No worker has answered within {patience:.0f} s: they may be busy with other jobs. Try"
        " again later, or start another worker."
    )
