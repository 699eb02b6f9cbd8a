"""Projecting: new images that somebody searches by get the coordinates that a job would give."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shoal.shared.errors import ShoalError, StoreUnavailableError, UnreadableImageError
from shoal.shared.findings import FailureReason
from shoal.shared.images.files import ImageLimits
from shoal.shared.images.values import AGREED_NAME, ValueRanges
from shoal.shared.store import Ledger
from shoal.shared.store.projections import Answer, NewImage, Projection, Projections
from shoal.worker.extractors import extract_blocks, find_extractors
from shoal.worker.images.loading import decode_content
from shoal.worker.memory import limit_memory
from shoal.worker.runtime.context import WorkerContext
from shoal.worker.runtime.heartbeat import Heartbeat, WorkLostError
from shoal.worker.runtime.watchdog import Watchdog
from shoal.worker.stages.labelling import read_model
from shoal.worker.stages.loading.loading import CHUNK, check_same

logger = logging.getLogger(__name__)

# An image whose process was lost this often is not tried again.
MOST_ATTEMPTS = 2

Pixels = NDArray[np.uint8]


def project_images(context: WorkerContext, job_id: str, token: str, message_id: str) -> None:
    """Answer the question with this token, unless nobody waits for that any more.

    Whoever waits sends the message again and again: one process answers, and others step aside.
    """
    projections, seconds = Projections(context.client, job_id), context.settings.lease_seconds
    images = projections.images(token)
    if not images or not projections.claim(token, message_id, seconds):
        return
    try:
        with Heartbeat(
            lambda: projections.renew_claim(token, seconds), seconds, f"job={job_id} question"
        ) as heartbeat:
            question = _Question(projections, token, images, heartbeat.checkpoint)
            answer = Answer(_project(context, context.ledger(job_id), question))
    except WorkLostError:
        return
    except StoreUnavailableError:
        raise  # whoever waits sends the message again
    except ShoalError as error:
        answer = Answer([], str(error))
    # A defect of ours would be the same the next time: whoever waits is told.
    except Exception as error:
        logger.exception("images not projected", extra={"job": job_id})
        answer = Answer([], f"Unexpected {type(error).__name__} in a worker: {error}")
    projections.answer(token, answer)


@dataclass(frozen=True)
class _Question:
    """What is asked, and where attempts are counted; ``checkpoint`` raises if nobody waits."""

    projections: Projections
    token: str
    images: Sequence[NewImage]
    checkpoint: Callable[[], None]

    def attempts(self) -> Iterator[tuple[NewImage, bool]]:
        """Yield each image with whether it may be tried: it has not ended several processes."""
        for number, image in enumerate(self.images):
            self.checkpoint()
            attempt = self.projections.count_attempt(self.token, number)
            yield image, attempt <= MOST_ATTEMPTS
            if attempt <= MOST_ATTEMPTS:
                self.projections.end_attempt(self.token, number)


def _project(context: WorkerContext, ledger: Ledger, question: _Question) -> list[Projection]:
    """Project images as the job's own were.

    Raises:
        ShoalError: The job has no model, or this worker lacks what the job was made with.
        WorkLostError: Nobody waits any more.
    """
    extractors = find_extractors(ledger.request.features, context.settings.embedding_model)
    for extractor in extractors:
        check_same(ledger, extractor)
    results = context.results(ledger.job_id)
    model = read_model(context.client, ledger.job_id, results.model_token())
    agreed = ValueRanges.from_text(ledger.agreed(AGREED_NAME))
    # The content has come through Redis: there is no path that could lie outside the roots.
    limits = replace(context.limits, find_ranges=lambda: agreed)
    settings, size = context.settings, ledger.request.image_size
    found = list[Projection]()
    for image, may_be_tried in question.attempts():
        if not may_be_tried:
            detail = f"it ended {MOST_ATTEMPTS} processes"
            found.append(Projection(reason=FailureReason.KILLED_DECODER, detail=detail))
            continue
        with Watchdog(settings.image_seconds), limit_memory(settings.image_memory):
            pixels = _decode(image, size, limits)
        if isinstance(pixels, Projection):
            found.append(pixels)
            continue
        with Watchdog(settings.image_seconds * CHUNK):
            features, _ = extract_blocks(extractors, pixels[np.newaxis])
        coordinates = model.project(features)
        found.append(Projection(coordinates.astype("<f4", copy=False).tobytes()))
    return found


def _decode(image: NewImage, image_size: int, limits: ImageLimits) -> Pixels | Projection:
    try:
        if len(image.content) > limits.max_bytes:
            detail = f"{len(image.content):,} bytes, of {limits.max_bytes:,} allowed"
            return Projection(reason=FailureReason.TOO_MANY_BYTES, detail=detail)
        return decode_content(image.content, image_size, limits, image.kind).pixels
    except UnreadableImageError as error:
        return Projection(reason=error.reason, detail=error.detail)
