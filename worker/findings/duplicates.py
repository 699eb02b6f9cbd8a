"""Images that a folder has more than once: the same bytes, or nearly the same picture."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

from shoal.worker.checkpoint import Checkpoint

MAX_DISTANCE = 11
# Bits: all variants of 99 photographs in another size were within 8, 97–100 % of those in another
# brightness, contrast or quality; no two photographs.
NEAR = 8
NEAR_OF_MANY = 3
# Bits of the parts of a hash, lowest first. In five parts, 20,000 images took 0.1 s and 100,000
# took 1.1 s; in four 0.3 s and 2.1 s, but 300,000 took 5 s instead of 19 s.
FEW, FEW_PARTS = 200_000, (13, 13, 13, 13, 12)
MANY_PARTS = (16, 16, 16, 16)
# Partners of one hash in one bucket: more than twice those of 200,000 random hashes.
MAX_PARTNERS = 64
MAX_PAIRS = 2_000_000
BLOCK_HASHES = 2**15

Rows = NDArray[np.intp]
Hashes = NDArray[np.uint64]


@dataclass(frozen=True)
class Duplicates:
    """Images with the same content or nearly the same picture, one after the other by group.

    Attributes:
        rows: Their row numbers, ascending in each group, shape (n,).
        groups: Number of each one's group, in the order of the groups' first rows, shape (n,).
        partners: The row that each is nearest to, shape (n,).
        distances: Bits in which the hashes of both differ, shape (n,).
    """

    rows: Rows
    groups: Rows
    partners: Rows
    distances: NDArray[np.uint8]


@dataclass(frozen=True)
class _Part:
    """Some of a hash's bits: so many from ``shift`` on.

    Of two near hashes, one part at least differs in no more than ``radius`` bits; -1 is none.
    """

    shift: int
    bits: int
    radius: int


def group_duplicates(
    contents: Hashes, hashes: Hashes, checkpoint: Checkpoint = lambda: None
) -> Duplicates:
    """Find the images with the same content or nearly the same picture.

    Of more than 200,000 images, only hashes in at most 3 bits apart count as near.

    Args:
        contents: Digests of the files, shape (n,).
        hashes: As for ``pair_near_hashes``, shape (n,).
        checkpoint: Called between steps; may raise to stop.
    """
    near = pair_near_hashes(hashes, NEAR if len(hashes) <= FEW else NEAR_OF_MANY, checkpoint)
    checkpoint()
    pairs = np.concatenate([_pair_equals(contents), near])
    rows, partners = _choose_partners(pairs, _count_bits(hashes, pairs))
    groups = _number_groups(pairs, rows, len(hashes))
    order = np.argsort(groups, kind="stable")
    rows, partners = rows[order], partners[order]
    distances = _count_bits(hashes, np.stack([rows, partners], axis=1))
    return Duplicates(rows, groups[order], partners, distances)


def _choose_partners(pairs: Rows, distances: NDArray[np.uint8]) -> tuple[Rows, Rows]:
    """Return the rows in ``pairs``, ascending, and the row that each is nearest to."""
    rows, partners = np.concatenate([pairs, pairs[:, ::-1]]).T
    order = np.lexsort((partners, np.tile(distances, 2), rows))
    rows, first = np.unique(rows[order], return_index=True)
    return rows, partners[order][first]


def _number_groups(pairs: Rows, rows: Rows, n_rows: int) -> Rows:
    """Return the number of each row's group: what pairs connect, by its first row."""
    graph = _make_graph(pairs, np.ones(len(pairs)), n_rows)
    _, first, group = np.unique(
        connected_components(graph, directed=False)[1][rows],
        return_index=True,
        return_inverse=True,
    )
    return np.argsort(np.argsort(first))[group]


def _pair_equals(values: Hashes) -> Rows:
    """Return each row whose value an earlier one has, with the first such, shape (n_pairs, 2)."""
    _, first, number = np.unique(values, return_index=True, return_inverse=True)
    repeated = np.setdiff1d(np.arange(len(values)), first)
    return np.stack([first[number[repeated]], repeated], axis=1)


def pair_near_hashes(
    hashes: Hashes, max_distance: int, checkpoint: Checkpoint = lambda: None
) -> Rows:
    """Find the pairs of images whose hashes differ in at most ``max_distance`` bits.

    Multi-index hashing (Norouzi, Punjani and Fleet 2012): the parts of two such hashes
    cannot all differ in more than their share of the bits, so that only hashes are compared that
    share a part but for a bit or two. All pairs are found, with three exceptions that keep
    time and memory from growing as the square of the images. Of equal hashes, each is paired with
    the first only. In a bucket, a hash is compared with 64 others at most. Of more than
    2,000,000 pairs, the nearest are kept that connect the same groups.

    Args:
        hashes: As of ``shoal.worker.images.hashes.perceptual_hash``, shape (n,); 0 is not compared.
        max_distance: In bits, at most 11.
        checkpoint: Called between steps, of half a second; may raise to stop.

    Returns:
        Row numbers, the lower first, sorted; shape (n_pairs, 2).

    Raises:
        ValueError: ``max_distance`` is out of range.
    """
    if not 0 <= max_distance <= MAX_DISTANCE:
        raise ValueError(f"max_distance {max_distance} is not in 0–{MAX_DISTANCE}")
    rows = np.flatnonzero(hashes)
    distinct, first = np.unique(hashes[rows], return_index=True)
    equal = _pair_equals(hashes[rows])
    near = first[_pair_near(distinct, max_distance, checkpoint)]
    pairs: Rows = rows[np.sort(np.concatenate([equal, near]), axis=1)]
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def _pair_near(distinct: Hashes, max_distance: int, checkpoint: Checkpoint) -> Rows:
    """Return the pairs of hashes that are near, as numbers of ``distinct``, shape (n_pairs, 2)."""
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
    """Return the parts by which so many hashes are compared, so that no pair is missed.

    Were every part beyond its radius, their sum would be beyond ``max_distance``.
    """
    widths = FEW_PARTS if n_hashes <= FEW else MANY_PARTS
    share, rest = divmod(max_distance, len(widths))
    return [
        _Part(sum(widths[:place]), bits, share if place <= rest else share - 1)
        for place, bits in enumerate(widths)
    ]


def _pair_candidates(distinct: Hashes, part: _Part) -> Iterator[Rows]:
    """Yield pairs of hashes that are near enough in a part."""
    bits, shift = np.uint64(part.bits), np.uint64(part.shift)
    turned = (distinct >> shift) | (distinct << (np.uint64(64) - shift) % np.uint64(64))
    buckets = (turned & np.uint64(2**part.bits - 1)).astype(np.intp)
    # Within a bucket by the other bits: what a full bucket does not compare is rather far apart.
    order = np.lexsort((turned >> bits, buckets))
    buckets = buckets[order]
    starts = np.searchsorted(buckets, np.arange(2**part.bits + 1))
    for start in range(0, len(order), BLOCK_HASHES):
        places = np.arange(start, min(start + BLOCK_HASHES, len(order)))
        for mask in _masks_within(part.radius, part.bits):
            yield order[_pair_with_bucket(places, buckets, starts, mask)]


def _masks_within(radius: int, bits: int) -> list[int]:
    """Return the values of so many bits of which at most ``radius`` are set."""
    values = np.arange(2**bits)
    return [int(value) for value in values[np.bitwise_count(values) <= radius]]


def _pair_with_bucket(places: Rows, buckets: Rows, starts: Rows, mask: int) -> Rows:
    """Return places paired with those whose bucket differs by ``mask``, each pair once."""
    theirs = buckets[places] ^ mask
    if mask:
        places, theirs = places[buckets[places] < theirs], theirs[buckets[places] < theirs]
    begins = starts[theirs] if mask else places + 1
    counts = np.minimum(starts[theirs + 1] - begins, MAX_PARTNERS)
    within = np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts, counts)
    return np.stack([np.repeat(places, counts), np.repeat(begins, counts) + within], axis=1)


def _count_bits(hashes: Hashes, pairs: Rows) -> NDArray[np.uint8]:
    """Return in how many bits the hashes of each pair differ."""
    return np.asarray(np.bitwise_count(hashes[pairs[:, 0]] ^ hashes[pairs[:, 1]]), np.uint8)


def _merge(hashes: Hashes, parts: list[Rows]) -> Rows:
    """Return the pairs of all parts once each; only a spanning forest if they are too many."""
    pairs = np.sort(np.concatenate(parts), axis=1)
    codes = np.sort(pairs[:, 0] * len(hashes) + pairs[:, 1])
    codes = codes[np.diff(codes, prepend=-1) > 0]  # a third of the time of np.unique
    pairs = np.stack(np.divmod(codes, max(len(hashes), 1)), axis=1)
    if len(pairs) <= MAX_PAIRS:
        return pairs
    forest = minimum_spanning_tree(_make_graph(pairs, _count_bits(hashes, pairs), len(hashes)))
    return np.stack(forest.nonzero(), axis=1).astype(np.intp)


def _make_graph(pairs: Rows, weights: NDArray[np.generic], n_rows: int) -> csr_array:
    """Return the pairs as a sparse matrix, of shape (n_rows, n_rows)."""
    return csr_array((weights, (pairs[:, 0], pairs[:, 1])), shape=(n_rows, n_rows))
