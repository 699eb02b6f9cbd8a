"""Duplicates: the images of a job that it has more than once, as rows of the store."""

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shoal.shared.findings import PICTURED_GROUPS, PICTURED_OF_GROUP, DuplicateCounts
from shoal.shared.jobs import State
from shoal.shared.store.rows import DUPLICATE_ROW, TURN_SHIFT
from shoal.worker import Checkpoint
from shoal.worker.findings.copies import Copies
from shoal.worker.stages.copies import read_hashes, try_search
from shoal.worker.stages.finishing.findings import Findings

logger = logging.getLogger(__name__)

# Attempts to finish that may kill their process before duplicates are left out.
MOST_SEARCH_ATTEMPTS = 2

# A row of duplicates, as it is stored.
DUPLICATE_DTYPE = np.dtype(
    [
        *(("group", "<u4"), ("content", "<u4"), ("batch", "<u4"), ("place", "<u4")),
        *(("like_batch", "<u4"), ("like_place", "<u4"), ("distance_and_turn", "u1")),
    ]
)
assert DUPLICATE_DTYPE.itemsize == DUPLICATE_ROW.size  # noqa: S101  both sides of the store agree


@dataclass(frozen=True)
class FoundDuplicates:
    """What the search for duplicates found.

    Attributes:
        rows: Images that are copies of each other or look alike, of DUPLICATE_DTYPE.
        copies: Those of which one is shown for all of its group.
    """

    rows: NDArray[np.void]
    copies: Copies

    def count(self) -> DuplicateCounts:
        """Count groups, images and exact copies."""
        group, content = (self.rows[name].astype(np.uint64) for name in ("group", "content"))
        # Both in one number, as NumPy sorts rows of two a hundred times as slowly.
        distinct = _count_distinct(group << np.uint64(32) | content)
        groups = _count_distinct(group)
        exact = len(self.rows) - distinct
        return DuplicateCounts(groups=groups, images=len(self.rows), exact_copies=exact)

    def list_pictured(self, findings: Findings) -> list[str]:
        """List the paths of the duplicates that need a picture: the first of different content."""
        _, starts, sizes = np.unique(self.rows["group"], return_index=True, return_counts=True)
        paths: list[str] = []
        for group in np.argsort(-sizes, kind="stable")[:PICTURED_GROUPS]:
            rows = self.rows[starts[group] :][: sizes[group]]
            _, firsts = np.unique(rows["content"], return_index=True)
            first = rows[np.sort(firsts)[:PICTURED_OF_GROUP]]
            places = zip(first["batch"].tolist(), first["place"].tolist(), strict=True)
            paths += [findings.loaded_paths(batch)[place] for batch, place in places]
        return paths


def _count_distinct(values: NDArray[np.uint64]) -> int:
    return int(np.count_nonzero(np.diff(np.sort(values)))) + bool(len(values))


def search_duplicates(
    findings: Findings, attempt: int, checkpoint: Checkpoint
) -> FoundDuplicates | None:
    """Search for duplicates; None, and the reason in the log, rather than fail the job.

    Raises:
        WorkLostError: The job was cancelled or taken over meanwhile.
    """
    job_id = findings.results.job_id
    if attempt <= MOST_SEARCH_ATTEMPTS:
        return try_search(lambda: _search(findings, checkpoint), job_id, State.FINISHING)
    why = f"{attempt - 1} processes were lost while they finished the job"
    event = {"job": job_id, "stage": State.FINISHING}
    logger.error("duplicates are left out: %s", why, extra=event)
    return None


def _search(findings: Findings, checkpoint: Checkpoint) -> FoundDuplicates:
    """Search for images that are copies of each other or look alike.

    Raises:
        WorkLostError: The job was cancelled or taken over meanwhile.
    """
    # scipy's graphs are slow to import, and most processes never finish a job.
    from shoal.worker.findings.duplicates import group_duplicates

    contents, perceptual = read_hashes(findings.results)
    found = group_duplicates(contents, perceptual, checkpoint)
    rows = np.empty(len(found.rows), DUPLICATE_DTYPE)
    rows["group"] = found.groups
    rows["content"] = _number_contents(contents[found.rows], found.groups)
    rows["batch"], rows["place"] = findings.places(found.rows)
    rows["like_batch"], rows["like_place"] = findings.places(found.partners)
    rows["distance_and_turn"] = found.distances | found.turns << TURN_SHIFT
    return FoundDuplicates(rows, found.copies)


def _number_contents(contents: NDArray[np.uint64], groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number the contents of each group from 0, in the order of their first rows.

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
