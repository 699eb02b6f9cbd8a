"""Copies among the images of a job, from their hashes; a job goes on without them."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from redis import RedisError

from shoal.shared.errors import NotFinishedError, StoreUnavailableError
from shoal.shared.jobs import State
from shoal.shared.store import Results
from shoal.shared.store.rows import HASH_ROW
from shoal.worker.images.hashes import HASH_DTYPE
from shoal.worker.model.likeness import Likeness
from shoal.worker.model.statistics import FeatureStatistics
from shoal.worker.runtime.heartbeat import WorkLostError
from shoal.worker.stages.feature_rows import FeatureRows

# Of the squared distance of any two images. By embedding, copies of photographs were within 0.05 in
# half the size, within 0.2 in poor quality or another brightness, and at 0.22 in a fifth of the
# size; drawings in a third to two thirds of theirs were at 0.17. Of different drawings, 99 % were
# above 0.47. (Medians, and 99 % of 99 photographs and 35 drawings.)
MOST_DIFFERENCE = 0.3

Found = TypeVar("Found")
Hashes = NDArray[np.uint64]

logger = logging.getLogger(__name__)

assert HASH_DTYPE.itemsize == HASH_ROW.size  # noqa: S101  both sides of the store agree


@dataclass(frozen=True)
class FoundCopies:
    """Images that are further copies of another one.

    Attributes:
        positions: Of all of them among the rows that were compared, ascending; the first image of
            each group is not among them.
        near: Digests of those whose content is another than that of the first one.
    """

    positions: NDArray[np.intp]
    near: Hashes


NO_COPIES = FoundCopies(np.empty(0, np.intp), np.empty(0, np.uint64))


def find_copies(
    features: FeatureRows,
    chosen: NDArray[np.int64],
    statistics: FeatureStatistics,
    names: str,
) -> FoundCopies:
    """Find which images are further copies of another one, which alone is to be fitted.

    A copy has the same content, or a near hash and features that differ little: near hashes alone
    are those of many pictures with one layout, too, such as forms, icons or digits.

    Args:
        features: Of all images.
        chosen: Rows of those that are compared, ascending, shape (n_rows,).
        statistics: Of all features.
        names: The extractors, as in a job's request.

    Returns:
        Those among ``chosen``. None are found if the search fails: the log says why.

    Raises:
        WorkLostError: The job was cancelled or taken over meanwhile.
    """

    def search() -> FoundCopies:
        # scipy's graphs are slow to import, and most processes never fit a model.
        from shoal.worker.findings.duplicates import group_copies

        contents, hashes = read_hashes(features.results, features.split(chosen))
        further, firsts = group_copies(contents, hashes, features.checkpoint).pair_with_first()
        is_near = contents[further] != contents[firsts]
        further, firsts = further[is_near], firsts[is_near]
        distinct, pairs = np.unique(firsts, return_inverse=True)
        likeness = Likeness(statistics, names, features.form.widths)
        rows, others = features.read(chosen[further]), features.read(chosen[distinct])
        alike = further[likeness.measure(rows, others, pairs) <= MOST_DIFFERENCE]
        positions = np.union1d(alike, list_repeated(contents))
        return FoundCopies(positions, np.unique(contents[alike]))

    return try_search(search, features.results.job_id, State.FITTING) or NO_COPIES


def list_known_copies(
    results: Results, positions: Sequence[NDArray[np.int64]], near: bytes
) -> NDArray[np.intp]:
    """List which images another job has found to be further copies.

    Args:
        results: Of the job that has the images.
        positions: Those wanted of each batch.
        near: Digests of the near copies that ``find_copies`` found.

    Returns:
        Positions among the images wanted, ascending.
    """
    contents, _ = read_hashes(results, positions)
    is_near = np.isin(contents, np.frombuffer(near, np.uint64))
    return np.union1d(np.flatnonzero(is_near), list_repeated(contents))


def list_repeated(contents: Hashes) -> NDArray[np.intp]:
    """List the positions of contents that were there before, ascending."""
    return np.delete(np.arange(len(contents)), np.unique(contents, return_index=True)[1])


def read_hashes(
    results: Results, positions: Sequence[NDArray[np.int64]] | None = None
) -> tuple[Hashes, Hashes]:
    """Read the digests of the files and the perceptual hashes of the loaded images.

    Args:
        results: Of the job.
        positions: Those wanted of each batch; None: all.

    Returns:
        Two arrays of shape (n_images,), in manifest order.

    Raises:
        NotFinishedError: A worker of another version stored no hashes.
    """
    contents, perceptual = list[Hashes](), list[Hashes]()
    for batch, raw in enumerate(results.hashes()):
        part = np.frombuffer(raw, HASH_DTYPE)
        wanted = slice(None) if positions is None else positions[batch]
        contents.append(part["content"][wanted].copy())
        perceptual.append(part["perceptual"][wanted].copy())
    return np.concatenate(contents), np.concatenate(perceptual)


def try_search(search: Callable[[], Found], job_id: str, stage: State) -> Found | None:
    """Return what ``search`` finds; None, and the reason in the log, rather than fail the job.

    Raises:
        WorkLostError: The job was cancelled or taken over meanwhile.
        RedisError: Redis is unavailable or refuses.
        StoreUnavailableError: The same, in our words.
    """
    event = {"job": job_id, "stage": stage}
    try:
        return search()
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
