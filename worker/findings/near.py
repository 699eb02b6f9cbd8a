"""Near hashes: which perceptual hashes differ in few bits, found without comparing all pairs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import minimum_spanning_tree

from shoal.worker import Checkpoint

MAX_DISTANCE = 11
# Bits of the parts of a hash, lowest first. With five parts, 20,000 images took 0.1 s and 100,000
# took 1.1 s; with four, 0.3 s and 2.1 s, but 300,000 took 5 s instead of 19 s.
FEW, FEW_PARTS = 200_000, (13, 13, 13, 13, 12)
MANY_PARTS = (16, 16, 16, 16)
# Of one hash in one bucket, at most: more than twice as many as 200,000 random hashes have.
MAX_PARTNERS = 64
MAX_PAIRS = 2_000_000
BLOCK_HASHES = 2**15

Rows = NDArray[np.intp]
Hashes = NDArray[np.uint64]
Buckets = NDArray[np.unsignedinteger]


@dataclass(frozen=True)
class Part:
    """The ``bits`` bits of a hash from bit ``shift`` on.

    Two near hashes differ in at most ``radius`` bits in at least one part; a part of radius -1 is
    not compared.
    """

    shift: int
    bits: int
    radius: int

    def rotate(self, hashes: Hashes) -> Hashes:
        """Rotate the bits of hashes so that the part comes first."""
        by = np.uint64((self.shift + self.bits) % 64)
        return (hashes >> by) | (hashes << (np.uint64(64) - by) % np.uint64(64))

    def find_buckets(self, rotated: Hashes) -> Buckets:
        """Return the bits of the part of rotated hashes."""
        kind = np.uint16 if self.bits <= 16 else np.uint32
        return (rotated >> np.uint64(64 - self.bits)).astype(kind)

    def find_starts(self, buckets: Buckets) -> Rows:
        """Find where each bucket begins among ascending ones, and their end, (2**bits + 1,)."""
        starts = np.searchsorted(buckets, np.arange(2**self.bits, dtype=buckets.dtype))
        return np.append(starts, len(buckets))


@dataclass(frozen=True)
class SortedHashes:
    """Values in ascending order, equal ones in the order of their rows.

    Attributes:
        values: Shape (n,).
        order: The row of each, shape (n,).
        is_repeated: Whether each is the same as the one before, shape (n,).
    """

    values: Hashes
    order: Rows
    is_repeated: NDArray[np.bool_]

    @classmethod
    def of(cls, values: Hashes, least: int = 0) -> Self:
        """Sort ``values``, without those below ``least``."""
        order = np.argsort(values, kind="stable")
        values = values[order]
        start = int(np.searchsorted(values, np.uint64(least)))
        values, order = values[start:], order[start:]
        is_repeated = np.zeros(len(values), np.bool_)
        np.equal(values[1:], values[:-1], out=is_repeated[1:])
        return cls(values, order, is_repeated)

    def pair_equals(self) -> Rows:
        """Pair each row with the first earlier one of the same value, shape (n_pairs, 2)."""
        places = np.flatnonzero(self.is_repeated)
        begins = np.diff(places, prepend=-2) != 1
        firsts = (places[begins] - 1)[np.cumsum(begins) - 1]
        pairs = np.stack([self.order[firsts], self.order[places]], axis=1)
        return pairs[np.argsort(pairs[:, 1])]


def pair_near_hashes(
    hashes: Hashes, max_distance: int, checkpoint: Checkpoint = lambda: None
) -> Rows:
    """Pair the images whose hashes differ in at most ``max_distance`` bits.

    Multi-index hashing (M. Norouzi, A. Punjani and D. Fleet, Fast Search in Hamming Space with
    Multi-Index Hashing, CVPR 2012): the parts of two such hashes cannot all differ in more than
    their share of the bits, so only those hashes are compared of which a part is the same except
    for a bit or two.

    All pairs are found, with three exceptions that keep time and memory from growing with the
    square of the number of images. Each of several equal hashes is paired with the first only. In
    a bucket, a hash is compared with at most 64 others. Of more than 2,000,000 pairs, only the
    nearest are kept that connect the same groups.

    Args:
        hashes: From ``shoal.worker.images.hashes.perceptual_hash``, shape (n_images,); 0 is not
            compared.
        max_distance: In bits, at most 11.
        checkpoint: Called between steps of about half a second; may raise to stop.

    Returns:
        Sorted pairs of row numbers, the lower one first; shape (n_pairs, 2).

    Raises:
        ValueError: ``max_distance`` is out of range.
    """
    if not 0 <= max_distance <= MAX_DISTANCE:
        raise ValueError(f"max_distance {max_distance} is not in 0–{MAX_DISTANCE}")
    found = SortedHashes.of(hashes, least=1)
    equal = found.pair_equals()
    distinct, first = found.values[~found.is_repeated], found.order[~found.is_repeated]
    del found  # which takes as much memory as the search
    near = first[_pair_near(distinct, max_distance, checkpoint)]
    pairs: Rows = np.sort(np.concatenate([equal, near]), axis=1)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def _pair_near(distinct: Hashes, max_distance: int, checkpoint: Checkpoint) -> Rows:
    """Pair the hashes that are near; returns positions in ``distinct``, shape (n_pairs, 2)."""
    pairs = np.empty((0, 2), np.intp)
    found: list[Rows] = []
    for part in split_hashes(len(distinct), max_distance):
        for candidates in _pair_candidates(distinct, part):
            checkpoint()
            found.append(candidates[count_bits(distinct, candidates) <= max_distance])
            if sum(map(len, found)) > MAX_PAIRS:
                pairs, found = merge_pairs(distinct, [pairs, *found], count_bits), []
    return merge_pairs(distinct, [pairs, *found], count_bits)


def split_hashes(n_hashes: int, max_distance: int) -> list[Part]:
    """Choose the parts by which ``n_hashes`` are compared, so that no pair is missed.

    If two hashes differed in every part by more than its radius, they would differ by more than
    ``max_distance`` in all.
    """
    widths = FEW_PARTS if n_hashes <= FEW else MANY_PARTS
    share, rest = divmod(max_distance, len(widths))
    return [
        Part(sum(widths[:place]), bits, share if place <= rest else share - 1)
        for place, bits in enumerate(widths)
    ]


def _pair_candidates(distinct: Hashes, part: Part) -> Iterator[Rows]:
    """Yield the pairs of hashes that differ in at most the part's radius, shape (n_pairs, 2)."""
    # Within a bucket, sorted by the other bits: what a full bucket leaves out is rather far apart.
    rotated = part.rotate(distinct)
    order = np.argsort(rotated)
    buckets = part.find_buckets(rotated[order])
    del rotated
    starts = part.find_starts(buckets)
    for start in range(0, len(order), BLOCK_HASHES):
        places = np.arange(start, min(start + BLOCK_HASHES, len(order)))
        for mask in _masks_within(part.radius, part.bits):
            yield order[_pair_with_bucket(places, buckets, starts, mask)]


def _masks_within(radius: int, bits: int) -> list[int]:
    """List the values of ``bits`` bits of which at most ``radius`` are set."""
    values = np.arange(2**bits)
    return [int(value) for value in values[np.bitwise_count(values) <= radius]]


def _pair_with_bucket(places: Rows, buckets: Buckets, starts: Rows, mask: int) -> Rows:
    """Pair places with those whose bucket differs by exactly ``mask``, each pair once."""
    own = buckets[places].astype(np.intp)
    theirs = own ^ mask
    if mask:
        places, theirs = places[own < theirs], theirs[own < theirs]
    begins = starts[theirs] if mask else places + 1
    counts = np.minimum(starts[theirs + 1] - begins, MAX_PARTNERS)
    within = np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts, counts)
    return np.stack([np.repeat(places, counts), np.repeat(begins, counts) + within], axis=1)


def count_bits(hashes: Hashes, pairs: Rows) -> NDArray[np.uint8]:
    """Count the bits in which the hashes of each pair differ, shape (n_pairs,)."""
    return np.asarray(np.bitwise_count(hashes[pairs[:, 0]] ^ hashes[pairs[:, 1]]), np.uint8)


def merge_pairs(
    hashes: Hashes, parts: list[Rows], measure: Callable[[Hashes, Rows], NDArray[np.uint8]]
) -> Rows:
    """Join the pairs of all parts, each once; if there are too many, a minimum spanning forest.

    Args:
        hashes: Shape (n_hashes,).
        parts: Pairs of positions in ``hashes``, each of shape (n_pairs, 2).
        measure: Measures the distance of the hashes of each pair.
    """
    pairs = np.sort(np.concatenate(parts), axis=1)
    codes = np.sort(pairs[:, 0] * len(hashes) + pairs[:, 1])
    codes = codes[np.diff(codes, prepend=-1) > 0]  # a third of the time of np.unique
    pairs = np.stack(np.divmod(codes, max(len(hashes), 1)), axis=1)
    if len(pairs) <= MAX_PAIRS:
        return pairs
    forest = minimum_spanning_tree(make_graph(pairs, measure(hashes, pairs), len(hashes)))
    return np.stack(forest.nonzero(), axis=1).astype(np.intp)


def make_graph(pairs: Rows, weights: NDArray[np.generic], n_rows: int) -> csr_array:
    """Make a sparse matrix of the pairs, of shape (n_rows, n_rows)."""
    return csr_array((weights, (pairs[:, 0], pairs[:, 1])), shape=(n_rows, n_rows))
