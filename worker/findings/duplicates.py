"""Duplicates: images with the same bytes, or with nearly the same picture."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

from shoal.worker import Checkpoint
from shoal.worker.findings.copies import Copies

MAX_DISTANCE = 11
# In bits. Of 99 photographs, all copies in another size were within 8, and 97–100 % of those with
# another brightness, contrast or quality; no two photographs were.
NEAR = 8
# Of 1,000 handwritten digits, 614 were within 8 bits of another, in groups of up to 444; within 3
# were 46, in groups of up to 4.
NEAR_OF_MANY = NEAR_OF_COPIES = 3
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


@dataclass(frozen=True)
class Duplicates:
    """Images with the same content or nearly the same picture, sorted by group.

    Attributes:
        rows: Their row numbers, ascending within each group, shape (n,).
        groups: The number of each one's group, in the order of the groups' first rows, shape (n,).
        partners: The row to which each is nearest, shape (n,).
        distances: Number of bits in which its hash and its partner's differ, shape (n,).
    """

    rows: Rows
    groups: Rows
    partners: Rows
    distances: NDArray[np.uint8]


@dataclass(frozen=True)
class _Part:
    """The ``bits`` bits of a hash from bit ``shift`` on.

    Two near hashes differ in at most ``radius`` bits in at least one part; a part of radius -1 is
    not compared.
    """

    shift: int
    bits: int
    radius: int


def group_duplicates(
    contents: Hashes, hashes: Hashes, checkpoint: Checkpoint = lambda: None
) -> Duplicates:
    """Group the images with the same content or nearly the same picture.

    Hashes are near if they differ in at most 8 bits; with more than 200,000 images, in at most 3.

    Args:
        contents: Digests of the files, shape (n_images,).
        hashes: As for ``pair_near_hashes``, shape (n_images,).
        checkpoint: Called between steps; may raise to stop.
    """
    most = NEAR if len(hashes) <= FEW else NEAR_OF_MANY
    return _group(contents, hashes, most, checkpoint)


def group_copies(contents: Hashes, hashes: Hashes, checkpoint: Checkpoint = lambda: None) -> Copies:
    """Group the images of which one can stand for the others, as copies of it.

    Their contents are the same, or their hashes differ in at most 3 bits: pictures of few shapes
    that only resemble each other must not be taken for one. The arguments are those of
    ``group_duplicates``.
    """
    found = _group(contents, hashes, NEAR_OF_COPIES, checkpoint)
    return Copies(found.rows, found.groups)


def _group(
    contents: Hashes, hashes: Hashes, max_distance: int, checkpoint: Checkpoint
) -> Duplicates:
    near = pair_near_hashes(hashes, max_distance, checkpoint)
    checkpoint()
    pairs = np.concatenate([_Sorted.of(contents).pair_equals(), near])
    rows, partners = _choose_partners(pairs, _count_bits(hashes, pairs))
    groups = _number_groups(pairs, rows)
    order = np.argsort(groups, kind="stable")
    rows, partners = rows[order], partners[order]
    distances = _count_bits(hashes, np.stack([rows, partners], axis=1))
    return Duplicates(rows, groups[order], partners, distances)


def _choose_partners(pairs: Rows, distances: NDArray[np.uint8]) -> tuple[Rows, Rows]:
    """Choose for each row in ``pairs``, in ascending order, the row to which it is nearest.

    Returns:
        The rows and their partners.
    """
    rows, partners = np.concatenate([pairs, pairs[:, ::-1]]).T
    order = np.lexsort((partners, np.tile(distances, 2), rows))
    rows, first = np.unique(rows[order], return_index=True)
    return rows, partners[order][first]


def _number_groups(pairs: Rows, rows: Rows) -> Rows:
    """Number each row's group, which is what pairs connect, in the order of the first rows.

    ``rows`` are those in ``pairs``, ascending.
    """
    within = np.searchsorted(rows, pairs)
    graph = _make_graph(within, np.ones(len(pairs)), len(rows))
    _, first, group = np.unique(
        connected_components(graph, directed=False)[1], return_index=True, return_inverse=True
    )
    return np.argsort(np.argsort(first))[group]


@dataclass(frozen=True)
class _Sorted:
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
    found = _Sorted.of(hashes, least=1)
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
    for part in _split_hashes(len(distinct), max_distance):
        for candidates in _pair_candidates(distinct, part):
            checkpoint()
            found.append(candidates[_count_bits(distinct, candidates) <= max_distance])
            if sum(map(len, found)) > MAX_PAIRS:
                pairs, found = _merge(distinct, [pairs, *found]), []
    return _merge(distinct, [pairs, *found])


def _split_hashes(n_hashes: int, max_distance: int) -> list[_Part]:
    """Choose the parts by which ``n_hashes`` are compared, so that no pair is missed.

    If two hashes differed in every part by more than its radius, they would differ by more than
    ``max_distance`` in all.
    """
    widths = FEW_PARTS if n_hashes <= FEW else MANY_PARTS
    share, rest = divmod(max_distance, len(widths))
    return [
        _Part(sum(widths[:place]), bits, share if place <= rest else share - 1)
        for place, bits in enumerate(widths)
    ]


def _pair_candidates(distinct: Hashes, part: _Part) -> Iterator[Rows]:
    """Yield the pairs of hashes that differ in at most the part's radius, shape (n_pairs, 2)."""
    # Turned so that the part comes first. Within a bucket, sorted by the other bits: what a full
    # bucket leaves out is rather far apart.
    bits, turn = np.uint64(part.bits), np.uint64((part.shift + part.bits) % 64)
    turned = (distinct >> turn) | (distinct << (np.uint64(64) - turn) % np.uint64(64))
    order = np.argsort(turned)
    buckets = (turned[order] >> (np.uint64(64) - bits)).astype(np.uint16)
    del turned
    starts = np.searchsorted(buckets, np.arange(2**part.bits, dtype=np.uint16))
    starts = np.append(starts, len(order))
    for start in range(0, len(order), BLOCK_HASHES):
        places = np.arange(start, min(start + BLOCK_HASHES, len(order)))
        for mask in _masks_within(part.radius, part.bits):
            yield order[_pair_with_bucket(places, buckets, starts, mask)]


def _masks_within(radius: int, bits: int) -> list[int]:
    """List the values of ``bits`` bits of which at most ``radius`` are set."""
    values = np.arange(2**bits)
    return [int(value) for value in values[np.bitwise_count(values) <= radius]]


def _pair_with_bucket(places: Rows, buckets: NDArray[np.uint16], starts: Rows, mask: int) -> Rows:
    """Pair places with those whose bucket differs by exactly ``mask``, each pair once."""
    own = buckets[places].astype(np.intp)
    theirs = own ^ mask
    if mask:
        places, theirs = places[own < theirs], theirs[own < theirs]
    begins = starts[theirs] if mask else places + 1
    counts = np.minimum(starts[theirs + 1] - begins, MAX_PARTNERS)
    within = np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts, counts)
    return np.stack([np.repeat(places, counts), np.repeat(begins, counts) + within], axis=1)


def _count_bits(hashes: Hashes, pairs: Rows) -> NDArray[np.uint8]:
    """Count the bits in which the hashes of each pair differ."""
    return np.asarray(np.bitwise_count(hashes[pairs[:, 0]] ^ hashes[pairs[:, 1]]), np.uint8)


def _merge(hashes: Hashes, parts: list[Rows]) -> Rows:
    """Join the pairs of all parts, each once; if there are too many, a minimum spanning forest."""
    pairs = np.sort(np.concatenate(parts), axis=1)
    codes = np.sort(pairs[:, 0] * len(hashes) + pairs[:, 1])
    codes = codes[np.diff(codes, prepend=-1) > 0]  # a third of the time of np.unique
    pairs = np.stack(np.divmod(codes, max(len(hashes), 1)), axis=1)
    if len(pairs) <= MAX_PAIRS:
        return pairs
    forest = minimum_spanning_tree(_make_graph(pairs, _count_bits(hashes, pairs), len(hashes)))
    return np.stack(forest.nonzero(), axis=1).astype(np.intp)


def _make_graph(pairs: Rows, weights: NDArray[np.generic], n_rows: int) -> csr_array:
    """Make a sparse matrix of the pairs, of shape (n_rows, n_rows)."""
    return csr_array((weights, (pairs[:, 0], pairs[:, 1])), shape=(n_rows, n_rows))
