"""Duplicates: the images of a job that it has more than once, as rows of the store."""

import logging

import numpy as np
from numpy.typing import NDArray
from redis import RedisError

from shoal.shared.errors import NotFinishedError, StoreUnavailableError
from shoal.shared.findings import DuplicateCounts
from shoal.shared.jobs import State
from shoal.shared.store.rows import DUPLICATE_ROW, HASH_ROW
from shoal.worker import Checkpoint
from shoal.worker.images.hashes import HASH_DTYPE
from shoal.worker.runtime.heartbeat import WorkLostError
from shoal.worker.stages.finishing.findings import Findings

logger = logging.getLogger(__name__)

# Attempts to finish that may kill their process before duplicates are left out.
MOST_SEARCH_ATTEMPTS = 2

# A row of duplicates, as it is stored.
DUPLICATE_DTYPE = np.dtype(
    [
        *(("group", "<u4"), ("content", "<u4"), ("batch", "<u4"), ("place", "<u4")),
        *(("like_batch", "<u4"), ("like_place", "<u4"), ("distance", "u1")),
    ]
)
assert DUPLICATE_DTYPE.itemsize == DUPLICATE_ROW.size  # noqa: S101  both sides of the store agree
assert HASH_DTYPE.itemsize == HASH_ROW.size  # noqa: S101  as above


def search_duplicates(
    findings: Findings, attempt: int, checkpoint: Checkpoint
) -> NDArray[np.void] | None:
    """Return the rows of duplicates; None, and the reason in the log, rather than fail the job.

    Raises:
        WorkLostError: The job was cancelled or taken over meanwhile.
    """
    event = {"job": findings.results.job_id, "stage": State.FINISHING}
    try:
        if attempt <= MOST_SEARCH_ATTEMPTS:
            return _find_duplicate_rows(findings, checkpoint)
        why = f"{attempt - 1} processes were lost while they finished the job"
    except MemoryError:
        why = "not enough memory"
    except NotFinishedError:
        why = "a worker of another version stored no hashes"
    except (WorkLostError, RedisError, StoreUnavailableError):
        raise
    except Exception as error:
        logger.exception("the search for duplicates failed", extra=event)
        why = f"unexpected {type(error).__name__}"
    logger.error("duplicates are left out: %s", why, extra=event)
    return None


def _find_duplicate_rows(findings: Findings, checkpoint: Checkpoint) -> NDArray[np.void]:
    """Return the images that are copies of each other or look alike, of DUPLICATE_DTYPE.

    Raises:
        WorkLostError: The job was cancelled or taken over meanwhile.
    """
    # scipy's graphs are slow to import, and most processes never finish a job.
    from shoal.worker.findings.duplicates import group_duplicates

    hashes = np.frombuffer(b"".join(findings.results.hashes()), HASH_DTYPE)
    contents, perceptual = (np.ascontiguousarray(hashes[name]) for name in HASH_DTYPE.names or ())
    found = group_duplicates(contents, perceptual, checkpoint)
    rows = np.empty(len(found.rows), DUPLICATE_DTYPE)
    rows["group"] = found.groups
    rows["content"] = _number_contents(contents[found.rows], found.groups)
    rows["batch"], rows["place"] = findings.places(found.rows)
    rows["like_batch"], rows["like_place"] = findings.places(found.partners)
    rows["distance"] = found.distances
    return rows


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


def count_duplicates(rows: NDArray[np.void]) -> DuplicateCounts:
    """Count groups, images and exact copies."""
    distinct = len(np.unique(rows[["group", "content"]]))
    groups = len(np.unique(rows["group"]))
    return DuplicateCounts(groups=groups, images=len(rows), exact_copies=len(rows) - distinct)
