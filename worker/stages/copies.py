"""Copies: the images of a job that it has more than once, as rows of the store."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shared.jobs import DuplicateCounts
from shared.store.results import DUPLICATE_ROW
from worker.hashes import HASH_DTYPE
from worker.heartbeat import LeaseKeeper

if TYPE_CHECKING:
    from worker.stages.finishing import Findings

# A row of duplicates as the store keeps it.
DUPLICATE_DTYPE = np.dtype(
    [
        *(("group", "<u4"), ("batch", "<u4"), ("place", "<u4"), ("content", "<u4")),
        ("distance", "u1"),
    ]
)
assert DUPLICATE_DTYPE.itemsize == DUPLICATE_ROW.size  # noqa: S101  both sides of the store agree


def find_copies(findings: "Findings", keeper: LeaseKeeper) -> NDArray[np.void]:
    """Return the images that are copies of each other or look alike, of DUPLICATE_DTYPE.

    Raises:
        WorkLostError: The job was cancelled or taken over meanwhile.
    """
    # scipy's graphs take long to import, and most processes never finish a job.
    from worker.duplicates import find_duplicates

    hashes = np.frombuffer(b"".join(findings.results.hashes()), HASH_DTYPE)
    contents, perceptual = (np.ascontiguousarray(hashes[name]) for name in HASH_DTYPE.names or ())
    groups = find_duplicates(contents, perceptual, keeper.check)
    rows = np.concatenate([*groups, np.empty(0, np.int64)]).astype(np.int64)
    numbers = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    firsts = np.array([group[0] for group in groups], np.int64)[numbers]
    copies = np.empty(len(rows), DUPLICATE_DTYPE)
    copies["group"] = numbers
    copies["batch"], copies["place"] = findings.places(rows)
    copies["content"] = number_contents(contents[rows], numbers)
    copies["distance"] = np.bitwise_count(perceptual[rows] ^ perceptual[firsts])
    return copies


def number_contents(contents: NDArray[np.uint64], groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each row the number of its content within its group, from 0 in its order.

    Args:
        contents: Digests, shape (n,).
        groups: Numbers of the groups, ascending, shape (n,).
    """
    # Equal contents are in one group.
    _, first, inverse = np.unique(contents, return_index=True, return_inverse=True)
    is_new = np.zeros(len(contents), np.int64)
    is_new[first] = 1
    of_all = np.cumsum(is_new) - 1
    _, starts, group_of_row = np.unique(groups, return_index=True, return_inverse=True)
    return of_all[first[inverse]] - of_all[starts][group_of_row]


def count_copies(copies: NDArray[np.void]) -> DuplicateCounts:
    """Return how many groups, images and true copies there are."""
    distinct = len(np.unique(copies[["group", "content"]]))
    groups = len(np.unique(copies["group"]))
    return DuplicateCounts(groups=groups, images=len(copies), copies=len(copies) - distinct)
