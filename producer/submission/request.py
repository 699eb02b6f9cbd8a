"""The request for a folder: its options, checked against the images before anything is sent."""

from dataclasses import fields, replace
from typing import Any

import msgspec

from shoal.producer.submission.batches import FEWEST_BATCHES, FEWEST_SLOW_BATCHES, batch_size_for
from shoal.producer.submission.folder import Folder
from shoal.shared.errors import UsageError
from shoal.shared.jobs import AUTO, Algorithm, JobRequest
from shoal.shared.recipe.features import (
    are_slow,
    choose_image_size,
    count_features,
    feature_bytes,
    is_count_exact,
    normalize_features,
)

# A batch's features travel in one command, which Redis limits to 512 MB.
MAX_BATCH_BYTES = 2**26
# So does the model, most of which is its components.
MAX_MODEL_BYTES = 2**28

# Options for which None means that they are not given.
LEFT_OUT = ("image_size", "clusters")
EXPECTED = {"clusters": f"a number or {AUTO}", "algorithm": ", ".join(Algorithm)}


def make_request(folder: Folder, options: dict[str, Any]) -> JobRequest:
    """Make the request for a folder from the options that a user gave.

    Raises:
        UsageError: An option is unknown or cannot work with this folder.
    """
    names = {field.name for field in fields(JobRequest)} - {"source"}
    if unknown := set(options) - names:
        raise UsageError(f"Unknown options: {', '.join(sorted(unknown))}.")
    given = {k: v for k, v in options.items() if v is not None or k not in LEFT_OUT}
    if given.get("algorithm") == Algorithm.HDBSCAN and given.setdefault("clusters", AUTO) != AUTO:
        raise UsageError("HDBSCAN finds its own number of clusters: leave --clusters out.")
    try:
        request = msgspec.convert({"source": str(folder.source), **given}, JobRequest)
    except msgspec.ValidationError as error:
        message, _, name = str(error).rstrip("`").partition(" - at `$.")
        if message.startswith("Invalid enum value"):
            message = "Expected " + EXPECTED.get(name, "another")
        raise UsageError(f"--{name.replace('_', '-')}: {message}.") from error
    # Also checks the names.
    image_size = choose_image_size(request.features)
    request = replace(request, features=normalize_features(request.features))
    if "image_size" not in given:
        request = replace(request, image_size=image_size)
    _check_request(request, len(folder.paths))
    return request


def _check_request(request: JobRequest, n_images: int) -> None:
    """Raise UsageError if ``n_images`` images are too few for ``request``."""
    if request.clusters != AUTO and request.clusters > n_images:
        raise UsageError(
            f"{request.clusters} clusters need as many images, not {n_images}:"
            f" use --clusters {n_images} or less."
        )
    n_features = count_features(request.features, request.image_size)
    most = min(n_images, n_features) if is_count_exact(request.features) else n_images
    if request.components is not None and request.components > most:
        raise UsageError(
            f"{n_images} images of {n_features} features have at most {most} principal"
            f" components, not {request.components}: use --components {most} or less."
        )
    _check_model_size(request)


def _row_bytes(request: JobRequest) -> int:
    return count_features(request.features, request.image_size) * feature_bytes(request.features)


def _check_model_size(request: JobRequest) -> None:
    """Raise UsageError if the model would not fit into one command to Redis."""
    n_features = count_features(request.features, request.image_size)
    most = MAX_MODEL_BYTES // (4 * n_features)
    if (request.components or 0) > most:
        raise UsageError(
            f"{request.components} components of {n_features} features are too much for"
            f" one model: use --components {most} or less, or a smaller --image-size."
        )


def choose_batch_size(request: JobRequest, n_images: int, image_bytes: float) -> int:
    """Choose the images per task: as asked for, or by the images and the features.

    Args:
        request: What is asked for.
        n_images: Images of the job.
        image_bytes: Size of their files, on average.

    Raises:
        UsageError: A batch of that size would not fit into one command to Redis.
    """
    n_features = count_features(request.features, request.image_size)
    # The decoded images of a batch are in memory together, too.
    most = max(1, MAX_BATCH_BYTES // max(_row_bytes(request), request.image_size**2 * 3))
    if request.batch_size and request.batch_size > most:
        raise UsageError(
            f"--batch-size {request.batch_size} of {n_features} features is too much for"
            f" one message: use {most} or less."
        )
    batches = FEWEST_SLOW_BATCHES if are_slow(request.features) else FEWEST_BATCHES
    return request.batch_size or min(batch_size_for(n_images, image_bytes, batches), most)
