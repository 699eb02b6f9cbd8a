"""Plugins: extractors of other packages, held to the contract of ours.

A package registers an extractor under its name, in its ``pyproject.toml``:

    [project.entry-points."shoal.features"]
    brightness = "brightness:extract"

It is an ``Extractor``, or a function with an attribute ``image_size``, and ``digest`` where
something else than its code decides about the features.
"""

from functools import partial
from importlib.metadata import EntryPoint
from typing import Any

import numpy as np

from shoal.shared.errors import UsageError
from shoal.shared.recipe.features import find_plugins
from shoal.worker.extractors.extractor import Extractor, Features, Images

DTYPES = (np.dtype(np.uint8), np.dtype(np.float32))


def load_plugin(name: str) -> Extractor:
    """Return the extractor that an installed package registers as ``name``.

    Its results are checked, so that a mistake is its own and not the fit's.

    Raises:
        UsageError: It cannot be imported, or is no extractor.
    """
    plugin = find_plugins()[name]
    loaded = _import_plugin(plugin)
    image_size, digest = getattr(loaded, "image_size", None), getattr(loaded, "digest", "")
    extract = loaded.extract if isinstance(loaded, Extractor) else loaded
    if not callable(extract) or not isinstance(image_size, int) or image_size < 1:
        raise UsageError(
            f"{_describe(plugin)} is neither an Extractor nor a function with an attribute"
            " image_size, in pixels."
        )
    return Extractor(name, image_size, partial(_extract_checked, plugin, extract), str(digest))


def _import_plugin(plugin: EntryPoint) -> Any:
    """Return what the entry point names."""
    try:
        return plugin.load()
    # Importing another's code can raise anything.
    except Exception as error:
        raise UsageError(f"{_describe(plugin)} cannot be imported: {error!r}") from error


def _extract_checked(plugin: EntryPoint, extract: Any, images: Images) -> Features:
    """Return what a plugin's function gives.

    Raises:
        UsageError: It raises, or its result breaks the contract.
    """
    # The other extractors of a job see the same images.
    shown = images.view()
    shown.flags.writeable = False
    try:
        features = extract(shown)
    except Exception as error:
        raise UsageError(f"{_describe(plugin)} raised {error!r}") from error
    if fault := _describe_fault(features, len(images)):
        raise UsageError(f"{_describe(plugin)} gave {fault}")
    checked: Features = features
    return checked


def _describe_fault(features: object, n_samples: int) -> str | None:
    """Return in words how features break the contract; None if they do not."""
    if not isinstance(features, np.ndarray):
        return f"{type(features).__name__}, not an array of numpy."
    if features.ndim != 2 or len(features) != n_samples or not features.shape[1]:
        return f"shape {features.shape}, not ({n_samples}, n_features)."
    if features.dtype not in DTYPES:
        return f"{features.dtype}, not uint8 or float32."
    return None if np.isfinite(features).all() else "numbers that are not finite."


def _describe(plugin: EntryPoint) -> str:
    """Return what names a plugin in a message."""
    return f"The features {plugin.name!r} of {plugin.value}"
