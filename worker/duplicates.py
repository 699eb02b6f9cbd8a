"""Images that a folder has more than once: the same bytes, or nearly the same picture."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

MAX_DISTANCE = 11
CHUNK_BITS = 16
CHUNKS = 4
CHUNK_MASK = np.uint64(2**CHUNK_BITS - 1)
# Partners of one hash in one bucket: 20 times those of random hashes of 100,000 images.
MAX_PARTNERS = 32
MAX_PAIRS = 2_000_000
BLOCK_HASHES = 2**15

Rows = NDArray[np.intp]
Hashes = NDArray[np.uint64]


@dataclass(frozen=True)
class NearDuplicates:
    """Which images look alike.

    Attributes:
        pairs: Row numbers, the lower first, sorted; shape (n_pairs, 2).
        distances: Bits in which the hashes of each pair differ, shape (n_pairs,).
        groups: Rows that pairs connect, ascending, by their first row.
    """

    pairs: Rows
    distances: NDArray[np.uint8]
    groups: list[Rows]


def find_exact_duplicates(digests: NDArray[np.uint8]) -> list[Rows]:
    """Find the groups of rows with the same digest, by their first row.

    Args:
        digests: Of the files' contents, shape (n, 16).
    """
    whole = np.ascontiguousarray(digests).view(f"V{digests.shape[1]}").ravel()
    _, digest_of_row = np.unique(whole, return_inverse=True)
    return split_groups(digest_of_row)


def find_near_duplicates(
    hashes: Hashes, max_distance: int, checkpoint: Callable[[], None] = lambda: None
) -> NearDuplicates:
    """Find the images whose hashes differ in at most ``max_distance`` bits.

    Multi-index hashing (Norouzi, Punjani and Fleet 2012): the four quarters of two such hashes
    cannot all differ in more than a quarter of the bits, so that only hashes are compared that
    share a quarter but for a bit or two. All pairs are found, with three exceptions that keep
    time and memory from growing as the square of the images. Of equal hashes, each is paired with
    the first only. In a bucket, a hash is compared with 32 others at most. Of more than
    2,000,000 pairs, the nearest are kept that connect the same groups.

    Args:
        hashes: As of ``worker.hashes.perceptual_hash``, shape (n,); 0 is not compared.
        max_distance: In bits, at most 11.
        checkpoint: Called between steps, of half a second; may raise to stop.

    Raises:
        ValueError: ``max_distance`` is out of range.
    """
    if not 0 <= max_distance <= MAX_DISTANCE:
        raise ValueError(f"max_distance {max_distance} is not in 0–{MAX_DISTANCE}")
    rows = np.flatnonzero(hashes)
    distinct, first, number = np.unique(hashes[rows], return_index=True, return_inverse=True)
    repeated = np.setdiff1d(np.arange(len(rows)), first)
    equal = np.stack([first[number[repeated]], repeated], axis=1)
    near = first[find_pairs(distinct, max_distance, checkpoint)]
    pairs = rows[np.sort(np.concatenate([equal, near]), axis=1)]
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    return NearDuplicates(pairs, count_bits(hashes, pairs), connect(pairs, len(hashes)))


def find_pairs(distinct: Hashes, max_distance: int, checkpoint: Callable[[], None]) -> Rows:
    """Return the pairs of hashes that are near, as numbers of ``distinct``, shape (n_pairs, 2)."""
    pairs = np.empty((0, 2), np.intp)
    found: list[Rows] = []
    for chunk in range(CHUNKS):
        for candidates in find_candidates(distinct, chunk, radius_of(chunk, max_distance)):
            checkpoint()
            found.append(candidates[count_bits(distinct, candidates) <= max_distance])
            if sum(map(len, found)) > MAX_PAIRS:
                pairs, found = merge(distinct, [pairs, *found]), []
    return merge(distinct, [pairs, *found])


def radius_of(chunk: int, max_distance: int) -> int:
    """Return in how many bits a quarter may differ so that no pair is missed; -1 is none.

    Were every quarter beyond its radius, their sum would be beyond ``max_distance``.
    """
    share, rest = divmod(max_distance, CHUNKS)
    return share if chunk <= rest else share - 1


def find_candidates(distinct: Hashes, chunk: int, radius: int) -> Iterator[Rows]:
    """Yield pairs of hashes whose quarter ``chunk`` differs in at most ``radius`` bits."""
    shift = np.uint64(chunk * CHUNK_BITS)
    turned = (distinct >> shift) | (distinct << (np.uint64(64) - shift) % np.uint64(64))
    # Within a bucket by the other bits: what a full bucket does not compare is rather far apart.
    order = np.lexsort((turned >> np.uint64(CHUNK_BITS), turned & CHUNK_MASK))
    buckets = (turned[order] & CHUNK_MASK).astype(np.intp)
    starts = np.searchsorted(buckets, np.arange(2**CHUNK_BITS + 1))
    for start in range(0, len(order), BLOCK_HASHES):
        places = np.arange(start, min(start + BLOCK_HASHES, len(order)))
        for mask in masks_within(radius):
            yield order[pair_with_bucket(places, buckets, starts, mask)]


def masks_within(radius: int) -> list[int]:
    """Return the values of 16 bits of which at most ``radius`` are set."""
    values = np.arange(2**CHUNK_BITS)
    return [int(value) for value in values[np.bitwise_count(values) <= radius]]


def pair_with_bucket(places: Rows, buckets: Rows, starts: Rows, mask: int) -> Rows:
    """Return places paired with those whose bucket differs by ``mask``, each pair once."""
    theirs = buckets[places] ^ mask
    if mask:
        places, theirs = places[buckets[places] < theirs], theirs[buckets[places] < theirs]
    begins = starts[theirs] if mask else places + 1
    counts = np.minimum(starts[theirs + 1] - begins, MAX_PARTNERS)
    within = np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts, counts)
    return np.stack([np.repeat(places, counts), np.repeat(begins, counts) + within], axis=1)


def count_bits(hashes: Hashes, pairs: Rows) -> NDArray[np.uint8]:
    """Return in how many bits the hashes of each pair differ."""
    return np.asarray(np.bitwise_count(hashes[pairs[:, 0]] ^ hashes[pairs[:, 1]]), np.uint8)


def merge(hashes: Hashes, parts: list[Rows]) -> Rows:
    """Return the pairs of all parts once each; only a spanning forest if they are too many."""
    pairs = np.sort(np.concatenate(parts), axis=1)
    codes = np.unique(pairs[:, 0] * len(hashes) + pairs[:, 1])
    pairs = np.stack(np.divmod(codes, max(len(hashes), 1)), axis=1)
    if len(pairs) <= MAX_PAIRS:
        return pairs
    forest = minimum_spanning_tree(make_graph(pairs, count_bits(hashes, pairs), len(hashes)))
    return np.stack(forest.nonzero(), axis=1).astype(np.intp)


def connect(pairs: Rows, n_rows: int) -> list[Rows]:
    """Return the groups of rows that pairs connect, by their first row."""
    _, group_of_row = connected_components(make_graph(pairs, np.ones(len(pairs)), n_rows))
    return split_groups(group_of_row)


def make_graph(pairs: Rows, weights: NDArray[np.generic], n_rows: int) -> csr_array:
    """Return the pairs as a sparse matrix, of shape (n_rows, n_rows)."""
    return csr_array((weights, (pairs[:, 0], pairs[:, 1])), shape=(n_rows, n_rows))


def split_groups(group_of_row: NDArray[np.integer]) -> list[Rows]:
    """Return the rows of each group of two and more, by their first row."""
    sizes = np.bincount(group_of_row)
    rows = np.flatnonzero(sizes[group_of_row] > 1)
    by_group = rows[np.argsort(group_of_row[rows], kind="stable")]
    groups = np.split(by_group, np.flatnonzero(np.diff(group_of_row[by_group])) + 1)
    return sorted((group for group in groups if len(group)), key=lambda group: int(group[0]))
