"""The keys of the cache: what a row depends on, and what tells that a file is as it was."""

import hashlib
import importlib.metadata
import json
import os
import platform
import stat
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cache

import xxhash
from PIL import features as pillow

from shoal.shared.images.files import ImageLimits
from shoal.shared.images.kinds import RAW, TGA, kind_of
from shoal.shared.recipe.features import RESULTS_VERSION
from shoal.shared.sources.locations import Location
from shoal.worker.extractors import Extractor
from shoal.worker.stages.cache.names import ROOT

# Raise it when a segment has another form.
FORMAT_VERSION = 2
# Whatever decodes, resizes or compares images.
PACKAGES = (
    *("numpy", "pillow", "scikit-image", "scipy", "tifffile"),
    *("onnxruntime", "imagecodecs", "pillow-heif", "rawpy"),
)
# Libraries that a system's own Pillow takes from elsewhere.
LIBRARIES = ("libjpeg_turbo", "jpg", "jpg_2000", "webp", "avif", "littlecms2", "zlib", "libtiff")
# A file that changed less than this before it was looked at may change again within the same
# tick of its file system's clock: of FAT, it has two seconds.
RACY_SECONDS = 2.0
# Of these, the name decides how the content is read.
NAMED_KINDS = TGA | RAW.kinds


def name_folder(
    extractors: Sequence[Extractor], image_size: int, limits: ImageLimits, image_memory: int
) -> str:
    """Name the folder of the rows that depend on the same: all but the file's content.

    Args:
        extractors: Of the job.
        image_size: Of the job, in pixels.
        limits: Of the worker: what is too large for one may not be for another.
        image_memory: Of the worker, in bytes: of what needs more, some decoders say that it is
            damaged.
    """
    facts = {
        "versions": [FORMAT_VERSION, RESULTS_VERSION, *_list_versions()],
        "extractors": [[e.name, e.image_size, e.digest, e.code] for e in extractors],
        "image_size": image_size,
        "limits": [limits.max_bytes, limits.max_pixels, image_memory],
    }
    return f"{ROOT}/{hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]}"


@cache
def _list_versions() -> list[str]:
    """List the versions on which a row depends, and the kind of processor."""
    found = [platform.machine()]
    for package in PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            found.append(f"{package} {importlib.metadata.version(package)}")
    for library in LIBRARIES:
        with suppress(ValueError):  # a name that this Pillow does not know
            found.append(f"{library} {pillow.version(library)}")
    return found


def digest_image(path: str, content: bytes) -> bytes:
    """Digest what an image is made of: its content, and its kind if only its name tells that."""
    digest = xxhash.xxh3_128(content)
    if (kind := kind_of(path)) in NAMED_KINDS:
        digest.update(kind.encode())
    return digest.digest()


def mix_ranges(content: bytes, ranges: str) -> bytes:
    """Return the key of a content as it looks with these values for black and white."""
    return xxhash.xxh3_128_digest(content + ranges.encode())


def describe_state(path: str, roots: tuple[os.PathLike[str], ...]) -> bytes | None:
    """Return a key that changes whenever the file at ``path`` does.

    Returns:
        None if nothing can be known of the file: it is no regular file under ``roots``, or it
        changed so shortly before that it may change again unseen.
    """
    # Before the file is looked at: it may change afterwards, whatever time that takes.
    now = time.time()
    try:
        # Not with pathlib, which takes three times as long.
        status = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):
        return None
    changed = max(status.st_mtime, status.st_ctime)
    if not stat.S_ISREG(status.st_mode) or changed > now - RACY_SECONDS:
        return None
    if roots and not _is_under(os.path.realpath(path), roots):
        return None
    times = (status.st_mtime_ns, status.st_ctime_ns)
    # Not the device, whose number may be another after a restart.
    text = b"%d %d %d %d\0" % (status.st_size, *times, status.st_ino)
    return xxhash.xxh3_128_digest(text + os.fsencode(path))


def describe_location(url: str, location: Location) -> bytes | None:
    """Return a key that changes whenever the image at a location does.

    Returns:
        None if its place does not say whether it changes.
    """
    if not location.version:
        return None
    size = -1 if location.size is None else location.size
    numbers = (size, location.offset, location.length, location.checksum)
    text = b"%d %d %d %d\0" % numbers
    return xxhash.xxh3_128_digest(location.version + text + os.fsencode(url))


def _is_under(resolved: str, roots: tuple[os.PathLike[str], ...]) -> bool:
    return resolved.startswith(tuple(f"{os.fspath(root).rstrip('/')}/" for root in roots))
