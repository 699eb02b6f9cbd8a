"""Projecting: new images that somebody searches by get the coordinates that a job would give."""

import logging
from collections.abc import Sequence
from dataclasses import replace

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
from shoal.worker.runtime.watchdog import Watchdog
from shoal.worker.stages.labelling import read_model
from shoal.worker.stages.loading.loading import CHUNK, check_same

logger = logging.getLogger(__name__)

# An image whose process was lost this often is not tried again.
MOST_ATTEMPTS = 2

Pixels = NDArray[np.uint8]


def project_images(context: WorkerContext, job_id: str, token: str) -> None:
    """Answer the question with this token, unless nobody waits for that any more."""
    projections = Projections(context.client, job_id)
    images = projections.images(token)
    if not images:
        return
    try:
        answer = Answer(_project(context, context.ledger(job_id), images, projections, token))
    except StoreUnavailableError:
        raise  # whoever waits sends the message again
    except ShoalError as error:
        answer = Answer([], str(error))
    # A defect of ours would be the same the next time: whoever waits is told.
    except Exception as error:
        logger.exception("images not projected", extra={"job": job_id})
        answer = Answer([], f"Unexpected {type(error).__name__} in a worker: {error}")
    projections.answer(token, answer)


def _project(
    context: WorkerContext,
    ledger: Ledger,
    images: Sequence[NewImage],
    projections: Projections,
    token: str,
) -> list[Projection]:
    """Project images as the job's own were.

    Raises:
        ShoalError: The job has no model, or this worker lacks what the job was made with.
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
    for number, image in enumerate(images):
        if projections.count_attempt(token, number) > MOST_ATTEMPTS:
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
        return decode_content(image.content, image_size, limits, image.kind)
    except UnreadableImageError as error:
        return Projection(reason=error.reason, detail=error.detail)
