"""The request for a folder: options checked against its images before anything is sent."""

from dataclasses import fields
from typing import Any

import msgspec

from producer.folder import Folder, batch_size_for
from shared.errors import UsageError
from shared.jobs import FEATURES, JobRequest

# A batch's features travel in one command, which Redis limits to 512 MB.
MAX_BATCH_BYTES = 2**26
# So does the model, most of which is its components.
MAX_MODEL_BYTES = 2**28


def make_request(folder: Folder, options: dict[str, Any]) -> JobRequest:
    """Return the request for a folder, checked against it.

    Raises:
        UsageError: An option is unknown or cannot work with this folder.
    """
    names = {field.name for field in fields(JobRequest)} - {"source"}
    if unknown := set(options) - names:
        raise UsageError(f"Unknown options: {', '.join(sorted(unknown))}.")
    try:
        request = msgspec.convert({"source": str(folder.source), **options}, JobRequest)
    except msgspec.ValidationError as error:
        message, _, name = str(error).rstrip("`").partition(" - at `$.")
        raise UsageError(f"--{name.replace('_', '-')}: {message}.") from error
    check_request(request, len(folder.paths))
    return request


def check_request(request: JobRequest, n_images: int) -> None:
    """Raise UsageError if ``n_images`` images cannot be enough for ``request``."""
    if request.features not in FEATURES:
        raise UsageError(f"--features {request.features}: there are {', '.join(FEATURES)}.")
    if request.clusters > n_images:
        raise UsageError(
            f"{n_images} images cannot make {request.clusters} clusters:"
            f" use --clusters {n_images} or less."
        )
    most = min(n_images, request.n_features)
    if request.components is not None and request.components > most:
        raise UsageError(
            f"{n_images} images of {request.n_features} features have at most {most} principal"
            f" components, not {request.components}: use --components {most} or less."
        )
    check_model_size(request)


def check_model_size(request: JobRequest) -> None:
    """Raise UsageError if the model would not fit into one command to Redis."""
    most = MAX_MODEL_BYTES // (4 * request.n_features)
    if (request.components or 0) > most:
        raise UsageError(
            f"{request.components} components of {request.n_features} features are too much for"
            f" one model: use --components {most} or less, or a smaller --image-size."
        )


def choose_batch_size(request: JobRequest, n_images: int) -> int:
    """Return the images a task loads, as asked or by the number of images.

    Raises:
        UsageError: A batch of that size would not fit into one command to Redis.
    """
    most = max(1, MAX_BATCH_BYTES // request.n_features)
    if request.batch_size and request.batch_size > most:
        raise UsageError(
            f"--batch-size {request.batch_size} of {request.n_features} features is too much for"
            f" one message: use {most} or less."
        )
    return request.batch_size or min(batch_size_for(n_images), most)
