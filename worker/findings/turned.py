"""Turned pictures: which images show another one mirrored or turned."""

from collections.abc import Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray

from shoal.shared.findings import TURNS
from shoal.worker import Checkpoint
from shoal.worker.findings.near import (
    MAX_PAIRS,
    MAX_PARTNERS,
    Hashes,
    Part,
    Rows,
    SortedHashes,
    merge_pairs,
)
from shoal.worker.findings.turns import SEARCHED, turn_hashes

MAX_DISTANCE = 3
HASH_BITS = 63
# Bits of a part by which hashes are looked up: about as many buckets as there are hashes. 1,000,000
# hashes took 9 s with 16 bits.
LEAST_BITS = 10
# Of at most 64 candidates each.
BLOCK_HASHES = 2**14


def pair_turned_hashes(
    hashes: Hashes, max_distance: int, checkpoint: Checkpoint = lambda: None
) -> Rows:
    """Pair the images of which one shows nearly the other, mirrored or turned.

    By multi-index hashing, as in ``pair_near_hashes`` and with the same three exceptions. Of
    several equal hashes, the first alone is compared.

    Args:
        hashes: From ``shoal.worker.images.hashes.perceptual_hash``, shape (n_images,); 0 is not
            compared.
        max_distance: In bits, at most 3.
        checkpoint: Called between steps of about half a second; may raise to stop.

    Returns:
        Sorted pairs of row numbers, the lower one first; shape (n_pairs, 2).

    Raises:
        ValueError: ``max_distance`` is out of range.
    """
    if not 0 <= max_distance <= MAX_DISTANCE:
        raise ValueError(f"max_distance {max_distance} is not in 0–{MAX_DISTANCE}")
    found = SortedHashes.of(hashes, least=1)
    distinct, first = found.values[~found.is_repeated], found.order[~found.is_repeated]
    del found  # which takes as much memory as the search
    pairs: Rows = np.sort(first[_pair_turned(distinct, max_distance, checkpoint)], axis=1)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def measure_turns(hashes: Hashes, pairs: Rows) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Measure how the first picture of each pair lies compared with the second.

    Args:
        hashes: Shape (n_images,).
        pairs: Row numbers, shape (n_pairs, 2).

    Returns:
        The number of the turn, other than none, after which the second is nearest to the first;
        and in how many bits they then differ; each of shape (n_pairs,).
    """
    own, others = hashes[pairs[:, 0]], hashes[pairs[:, 1]]
    turns = np.zeros(len(pairs), np.uint8)
    least = np.full(len(pairs), 255, np.uint8)
    for number, turn in enumerate(TURNS[1:], start=1):
        bits = np.bitwise_count(own ^ turn_hashes(others, turn))
        is_nearer = bits < least
        turns[is_nearer], least[is_nearer] = number, bits[is_nearer]
    return turns, least


def _measure_distances(hashes: Hashes, pairs: Rows) -> NDArray[np.uint8]:
    return measure_turns(hashes, pairs)[1]


def _pair_turned(distinct: Hashes, max_distance: int, checkpoint: Checkpoint) -> Rows:
    """Pair hashes that are near once one is turned; returns positions, shape (n_pairs, 2)."""
    pairs = np.empty((0, 2), np.intp)
    found: list[Rows] = []
    for part in _split_hashes(len(distinct), max_distance):
        for turned, own, others in _pair_candidates(distinct, part):
            checkpoint()
            differ = np.bitwise_count(turned ^ distinct[others])
            # A picture may be its own mirror image.
            is_found = (differ <= max_distance) & (own != others)
            found.append(np.stack([own[is_found], others[is_found]], axis=1))
            if sum(map(len, found)) > MAX_PAIRS:
                pairs, found = merge_pairs(distinct, [pairs, *found], _measure_distances), []
    return merge_pairs(distinct, [pairs, *found], _measure_distances)


def _split_hashes(n_hashes: int, max_distance: int) -> list[Part]:
    """Choose the parts of which at least one is the same in hashes that differ in so many bits."""
    width = HASH_BITS // (max_distance + 1)
    bits = min(max(n_hashes.bit_length(), LEAST_BITS), width)
    return [Part(place * width, bits, 0) for place in range(max_distance + 1)]


def _pair_candidates(hashes: Hashes, part: Part) -> Iterator[tuple[Hashes, Rows, Rows]]:
    """Yield turned hashes, their positions, and those of hashes of which the part is the same."""
    rotated = part.rotate(hashes)
    order = np.argsort(rotated)
    rotated = rotated[order]
    starts = part.find_starts(part.find_buckets(rotated))
    for start, turn in product(range(0, len(hashes), BLOCK_HASHES), SEARCHED):
        turned = turn_hashes(hashes[start : start + BLOCK_HASHES], turn)
        own = part.rotate(turned)
        buckets = part.find_buckets(own).astype(np.intp)
        begins, ends = starts[buckets], starts[buckets + 1]
        if (ends - begins > MAX_PARTNERS).any():  # those around it, as they are sorted
            middles = np.searchsorted(rotated, own) - MAX_PARTNERS // 2
            begins = np.clip(middles, begins, np.maximum(ends - MAX_PARTNERS, begins))
        counts = np.minimum(ends - begins, MAX_PARTNERS)
        within = np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts, counts)
        repeated = np.repeat(np.arange(len(own)), counts)
        others = order[np.repeat(begins, counts) + within]
        yield turned[repeated], repeated + start, others
