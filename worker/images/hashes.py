"""Hashes: what tells files with the same content, and images that look alike."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

# One image: the digest of its file's content, and its perceptual hash.
HASH_DTYPE = np.dtype([("content", "<u8"), ("perceptual", "<u8")])

SIDE = 8  # frequencies in each direction: 64 bits
RED, GREEN, BLUE = 0.299, 0.587, 0.114  # luma of ITU-R BT.601, as in JPEG
# Contrast below which a hash would describe noise: standard deviation, in levels of 255.
FLAT_LEVELS = 2.0
FLAT = 0
LEAST_SIZE = 16


def perceptual_hash(images: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Hash each image so that images that look alike differ in few bits.

    A bit is the sign of one of the 64 lowest frequencies, without the mean (after C. Zauner,
    Implementation and Benchmarking of Perceptual Image Hash Functions, 2010: "pHash", which
    compares them with their median). So the hash of the picture mirrored or turned follows from it:
    see ``shoal.worker.findings.turns``. Flat images have no frequencies to tell them apart and get
    0; so do images below 16 × 16.

    Args:
        images: RGB of shape (n, size, size, 3).

    Returns:
        Hashes of shape (n,).
    """
    n_images, size = images.shape[:2]
    if size < LEAST_SIZE:
        return np.full(n_images, FLAT, np.uint64)
    rows, columns = _make_bases(size)
    flat = images.reshape(n_images, size, 3 * size).astype(np.float32)
    spectra = (rows @ flat @ columns).reshape(n_images, SIDE**2)[:, 1:]
    # There are 63 without the mean: the last bit is always 0.
    is_positive = np.zeros((n_images, SIDE**2), np.bool_)
    is_positive[:, :-1] = spectra > 0
    packed = np.packbits(is_positive, axis=1, bitorder="little")
    hashes = packed.view("<u8").ravel().astype(np.uint64)
    contrast = np.sqrt((spectra.astype(np.float64) ** 2).sum(axis=1)) / size
    return np.where(contrast < FLAT_LEVELS, np.uint64(FLAT), hashes)


@cache
def _make_bases(size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Make the matrices that transform rows, (8, size), and columns of RGB, (3 * size, 8).

    The second also turns RGB into luma: two separate products would take twice as long.
    """
    rows = _make_cosines(size)
    return rows, np.kron(rows.T, np.array([[RED], [GREEN], [BLUE]], np.float32))


def _make_cosines(size: int) -> NDArray[np.float32]:
    """Make the first eight rows of the orthonormal DCT-II, shape (8, size)."""
    places = (np.arange(size) + 0.5) * np.pi / size
    cosines = np.cos(np.arange(SIDE)[:, None] * places) * np.sqrt(2 / size)
    cosines[0] /= np.sqrt(2)
    return np.asarray(cosines, np.float32)
