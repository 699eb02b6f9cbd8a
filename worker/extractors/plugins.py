"""Plugins: extractors of other packages, whose results are checked.

A package registers an extractor by name in its ``pyproject.toml``:

    [project.entry-points."shoal.features"]
    brightness = "brightness:extract"

It is an ``Extractor``, or a function with the attribute ``image_size``, and with ``digest`` if the
features depend on anything besides its code.
"""

import sys
from contextlib import suppress
from functools import cache, partial
from importlib.metadata import EntryPoint
from itertools import accumulate
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import xxhash

from shoal.shared.errors import UsageError
from shoal.shared.recipe.features import find_plugins
from shoal.worker.extractors.extractor import Extractor, Features, Images

DTYPES = (np.dtype(np.uint8), np.dtype(np.float32))


def load_plugin(name: str) -> Extractor:
    """Load the extractor that an installed package registers as ``name``.

    Its results are checked, so that an error names the package instead of failing the fit.

    Raises:
        KeyError: No package registers the name.
        UsageError: The extractor cannot be imported, or is none.
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
    code = _digest_code(_find_package(plugin.module))
    checked = partial(_extract_checked, plugin, extract)
    return Extractor(name, image_size, checked, str(digest), code)


def _find_package(module: str) -> ModuleType | None:
    """Return the outermost package of an imported module; a namespace has no files, and is none."""
    names = accumulate(module.split("."), "{}.{}".format)
    packages = (sys.modules.get(name) for name in names)
    return next((found for found in packages if getattr(found, "__file__", None)), None)


@cache
def _digest_code(package: ModuleType | None) -> str:
    """Digest the files of a package when it is first used: its version may stay as they change."""
    digest = xxhash.xxh3_128()
    file = getattr(package, "__file__", None)
    if file:
        path = Path(file)
        for source in sorted(path.parent.rglob("*.py")) if path.name == "__init__.py" else [path]:
            with suppress(OSError):
                digest.update(source.read_bytes())
    return digest.hexdigest()


def _import_plugin(plugin: EntryPoint) -> Any:
    try:
        return plugin.load()
    # Other packages' code can raise anything.
    except Exception as error:
        raise UsageError(f"{_describe(plugin)} cannot be imported: {error!r}") from error


def _extract_checked(plugin: EntryPoint, extract: Any, images: Images) -> Features:
    """Call a plugin's function and check its result.

    Raises:
        UsageError: It raises, or its result breaks the contract.
    """
    # Read-only, as the other extractors of the job get the same images.
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
    """Describe how features break the contract; None if they do not."""
    if not isinstance(features, np.ndarray):
        return f"{type(features).__name__}, not a NumPy array."
    if features.ndim != 2 or len(features) != n_samples or not features.shape[1]:
        return f"shape {features.shape}, not ({n_samples}, n_features)."
    if features.dtype not in DTYPES:
        return f"{features.dtype}, not uint8 or float32."
    return None if np.isfinite(features).all() else "numbers that are not finite."


def _describe(plugin: EntryPoint) -> str:
    return f"The features {plugin.name!r} of {plugin.value}"
