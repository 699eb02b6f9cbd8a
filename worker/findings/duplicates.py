"""Duplicates: images with the same bytes, or with nearly the same picture."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from shoal.worker import Checkpoint
from shoal.worker.findings.copies import Copies
from shoal.worker.findings.near import (
    FEW,
    Hashes,
    Rows,
    SortedHashes,
    count_bits,
    make_graph,
    pair_near_hashes,
)
from shoal.worker.findings.turned import measure_turns, pair_turned_hashes
from shoal.worker.findings.turns import INVERSES

# In bits. Of 210 photographs, all copies in another size, brightness, contrast or quality were
# within 8; no two photographs were.
NEAR = 8
# Of 899 handwritten digits, 226 pairs were within 8 bits; within 3 were 3.
NEAR_OF_MANY = NEAR_OF_COPIES = 3
# Of pictures that are mirrored or turned: with seven more ways to resemble each other, they must
# be nearer. Of 210 photographs in half the size or another quality, all were.
NEAR_OF_TURNED = 3
NEAR_OF_MANY_TURNED = 2


@dataclass(frozen=True)
class Duplicates:
    """Images with the same content or nearly the same picture, sorted by group.

    Attributes:
        rows: Their row numbers, ascending within each group, shape (n,).
        groups: The number of each one's group, in the order of the groups' first rows, shape (n,).
        partners: The row to which each is nearest, one that lies the same way if there is one;
            shape (n,).
        distances: Number of bits in which its hash and its partner's differ, shape (n,).
        turns: Number of the turn by which it lies otherwise than its partner, shape (n,).
        copies: Those of which one can stand for the others, as by ``group_copies``.
    """

    rows: Rows
    groups: Rows
    partners: Rows
    distances: NDArray[np.uint8]
    turns: NDArray[np.uint8]
    copies: Copies


def group_duplicates(
    contents: Hashes, hashes: Hashes, checkpoint: Checkpoint = lambda: None
) -> Duplicates:
    """Group the images with the same content or nearly the same picture, however it lies.

    Hashes are near if they differ in at most 8 bits; with more than 200,000 images, in at most 3.
    Those of pictures that are mirrored or turned are near if they differ in at most 3, or 2.

    Args:
        contents: Digests of the files, shape (n_images,).
        hashes: As for ``pair_near_hashes``, shape (n_images,).
        checkpoint: Called between steps; may raise to stop.
    """
    are_few = len(hashes) <= FEW
    alike = _pair_alike(contents, hashes, NEAR if are_few else NEAR_OF_MANY, checkpoint)
    most = NEAR_OF_TURNED if are_few else NEAR_OF_MANY_TURNED
    turned = pair_turned_hashes(hashes, most, checkpoint)
    checkpoint()
    bits = count_bits(hashes, alike)
    turns, turned_bits = measure_turns(hashes, turned)
    pairs = np.concatenate([alike, turned])
    distances = np.concatenate([bits, turned_bits])
    turns = np.concatenate([np.zeros(len(alike), np.uint8), turns])
    rows, chosen = _choose_partners(pairs, distances, turns)
    groups = _number_groups(pairs, rows)
    order = np.argsort(groups, kind="stable")
    chosen = chosen[order]
    copies = _make_copies(alike[bits <= NEAR_OF_COPIES])
    return Duplicates(
        rows[order],
        groups[order],
        # The second half of the choice is that of the pairs in the other direction.
        np.concatenate([pairs[:, 1], pairs[:, 0]])[chosen],
        distances[chosen % len(pairs)] if len(pairs) else distances,
        np.concatenate([turns, INVERSES[turns]])[chosen],
        copies,
    )


def group_copies(contents: Hashes, hashes: Hashes, checkpoint: Checkpoint = lambda: None) -> Copies:
    """Group the images of which one can stand for the others, as copies of it.

    Their contents are the same, or their hashes differ in at most 3 bits: pictures of few shapes
    that only resemble each other must not be taken for one. The arguments are those of
    ``group_duplicates``.
    """
    return _make_copies(_pair_alike(contents, hashes, NEAR_OF_COPIES, checkpoint))


def _pair_alike(
    contents: Hashes, hashes: Hashes, max_distance: int, checkpoint: Checkpoint
) -> Rows:
    """Pair images of the same content, and those whose hashes are near, shape (n_pairs, 2)."""
    near = pair_near_hashes(hashes, max_distance, checkpoint)
    checkpoint()
    return np.concatenate([SortedHashes.of(contents).pair_equals(), near])


def _make_copies(pairs: Rows) -> Copies:
    is_paired = np.zeros(pairs.max(initial=-1) + 1, np.bool_)
    is_paired[pairs] = True
    rows = np.flatnonzero(is_paired)  # 100 times as fast as np.unique
    groups = _number_groups(pairs, rows)
    order = np.argsort(groups, kind="stable")
    return Copies(rows[order], groups[order])


def _choose_partners(
    pairs: Rows, distances: NDArray[np.uint8], turns: NDArray[np.uint8]
) -> tuple[Rows, Rows]:
    """Choose for each row in ``pairs`` the pair with the row to which it is nearest.

    Returns:
        The rows, ascending, and for each the number of a pair, counted on for the pairs in the
        other direction.
    """
    rows, partners = np.concatenate([pairs, pairs[:, ::-1]]).T.astype(np.uint64)
    # By row, then turned or not, distance and partner, in one number: a fifth of lexsort's time.
    n_rows, n_distances = np.uint64(pairs.max(initial=0) + 1), np.uint64(64)
    which = np.tile((turns > 0) * n_distances + distances, 2)
    order = np.argsort((rows * (2 * n_distances) + which) * n_rows + partners)
    is_first = np.diff(rows[order].astype(np.intp), prepend=-1) > 0
    return rows[order[is_first]].astype(np.intp), order[is_first]


def _number_groups(pairs: Rows, rows: Rows) -> Rows:
    """Number each row's group, which is what pairs connect, in the order of the first rows.

    ``rows`` are those in ``pairs``, ascending.
    """
    places = np.zeros(pairs.max(initial=-1) + 1, np.intp)
    places[rows] = np.arange(len(rows))
    within = places[pairs]
    graph = make_graph(within, np.ones(len(pairs)), len(rows))
    _, first, group = np.unique(
        connected_components(graph, directed=False)[1], return_index=True, return_inverse=True
    )
    return np.argsort(np.argsort(first))[group]
