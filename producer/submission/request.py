"""The request for a folder: its options, checked against the images before anything is sent."""

from dataclasses import fields, replace
from typing import Any

import msgspec

from shoal.producer.submission.defaults import choose_features
from shoal.producer.submission.listing import Listing
from shoal.shared.errors import OptionError, UsageError
from shoal.shared.jobs import (
    AUTO,
    DEFAULTS,
    DERIVED,
    IMAGES,
    RECIPES,
    Algorithm,
    JobRequest,
    Recipe,
)
from shoal.shared.recipe.features import (
    choose_image_size,
    count_features,
    is_count_exact,
    normalize_features,
)
from shoal.shared.wire import explain

# The model travels to Redis in one command, too; most of it are its components.
MAX_MODEL_BYTES = 2**28


def make_request(listing: Listing, options: dict[str, Any]) -> JobRequest:
    """Make the request for a folder from the options that a user gave; None is none.

    Raises:
        UsageError: An option is unknown or cannot work with this folder.
    """
    names = {field.name for field in fields(JobRequest)} - {*IMAGES, *DERIVED} | {"recipe"}
    if unknown := set(options) - names:
        raise UsageError(f"Unknown options: {', '.join(sorted(unknown))}.")
    given = _complete({name: value for name, value in options.items() if value is not None})
    check_level(given)
    request = convert_request({**listing.given, **given})
    # Also checks the names.
    image_size = choose_image_size(request.features)
    request = replace(request, features=normalize_features(request.features))
    if "image_size" not in given:
        request = replace(request, image_size=image_size)
    _check_request(request, len(listing.paths))
    return request


def convert_request(values: dict[str, Any]) -> JobRequest:
    """Make a request of the values of its fields; raises OptionError if one cannot be."""
    try:
        return msgspec.convert(values, JobRequest)
    except msgspec.ValidationError as error:
        name, expected = explain(error, JobRequest)
        raise OptionError(name, f"`{name}`: Expected {expected}.") from None


def uses_default_features(options: dict[str, Any]) -> bool:
    """Return whether the options of a user leave the features to Shoal."""
    return options.get("features") is None and options.get("recipe") is None


def _complete(given: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a user with those of the recipe, and with features.

    Raises:
        OptionError: There is no such recipe, or HDBSCAN was given a number of clusters.
    """
    check_algorithm(given)
    recipe = given.pop("recipe", None)
    if recipe is None:
        return {"features": choose_features(), **given}
    if recipe not in list(Recipe):
        raise OptionError("recipe", f"`recipe`: Expected {' or '.join(Recipe)}.")
    return RECIPES[Recipe(recipe)] | given


def check_algorithm(given: dict[str, Any]) -> None:
    """Raise OptionError if HDBSCAN was given a number of clusters; it has "auto" otherwise."""
    if given.get("algorithm") == Algorithm.HDBSCAN and given.setdefault("clusters", AUTO) != AUTO:
        raise OptionError(
            "clusters", "HDBSCAN finds its own number of clusters: leave `clusters` out."
        )


def check_level(given: dict[str, Any]) -> None:
    """Raise OptionError if there are no numbers of clusters among which a level could choose."""
    if not (level := given.get("level")):
        return
    if given.get("algorithm") == Algorithm.HDBSCAN:
        raise OptionError("level", f"HDBSCAN finds one number of clusters only: leave {level} out.")
    if given.get("clusters", DEFAULTS.clusters) != AUTO:
        raise OptionError(
            "level", f"A {level} number needs one that is chosen: use `clusters='auto'`, too."
        )


def _check_request(request: JobRequest, n_images: int) -> None:
    """Raise OptionError if ``n_images`` images are too few for ``request``, or options conflict."""
    if request.renumber and request.keep_model:
        raise OptionError(
            "renumber",
            "A model that is kept has its numbers: give `renumber` or `keep_model`, not both.",
        )
    if request.keep_model:
        return  # it was made from more images, and needs none of these
    if request.clusters != AUTO and request.clusters > n_images:
        raise OptionError(
            "clusters",
            f"{request.clusters} clusters need as many images, not {n_images}:"
            f" use `clusters={n_images}` or less.",
        )
    n_features = count_features(request.features, request.image_size)
    most = min(n_images, n_features) if is_count_exact(request.features) else n_images
    if request.components is not None and request.components > most:
        raise OptionError(
            "components",
            f"{n_images} images of {n_features} features have at most {most} principal"
            f" components, not {request.components}: use `components={most}` or less.",
        )
    _check_model_size(request)


def _check_model_size(request: JobRequest) -> None:
    """Raise OptionError if the model would not fit into one command to Redis."""
    n_features = count_features(request.features, request.image_size)
    most = MAX_MODEL_BYTES // (4 * n_features)
    if (request.components or 0) > most:
        raise OptionError(
            "components",
            f"{request.components} components of {n_features} features are too much for"
            f" one model: use `components={most}` or less, or a smaller `image_size`.",
        )
