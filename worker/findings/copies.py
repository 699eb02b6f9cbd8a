"""Copies: groups of images of which one is shown, or fitted, for all of its group."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Copies:
    """Images that are copies of each other, sorted by group.

    Attributes:
        rows: Their row numbers, ascending within each group, shape (n,).
        groups: The number of each one's group, ascending from 0, shape (n,).
    """

    rows: Rows
    groups: Rows

    def pair_with_first(self) -> tuple[Rows, Rows]:
        """List the rows that are not the first of their group, each with the group's first row.

        Returns:
            The rows, ascending, and the first one of each one's group.
        """
        is_first = np.diff(self.groups, prepend=-1) > 0
        further, firsts = self.rows[~is_first], self.rows[is_first][self.groups[~is_first]]
        order = np.argsort(further)
        return further[order], firsts[order]

    def count_others(self, n_rows: int) -> Rows:
        """Count for each of ``n_rows`` images the others of its group, shape (n_rows,)."""
        others = np.zeros(n_rows, np.intp)
        if len(self.rows):
            others[self.rows] = np.bincount(self.groups)[self.groups] - 1
        return others

    def list_shown(self, labels: NDArray[np.int32], distances: NDArray[np.float32]) -> Rows:
        """List the rows to show: of each group's rows of one label, that of the least distance.

        Args:
            labels: Of all images, shape (n_rows,).
            distances: The same; of equal ones, the lower row is shown.

        Returns:
            Row numbers in ascending order, with all images that have no copy.
        """
        rows, groups = self.rows, self.groups
        order = np.lexsort((rows, distances[rows], groups, labels[rows]))
        rows, groups = rows[order], groups[order]
        is_further = (np.diff(labels[rows]) == 0) & (np.diff(groups) == 0)
        shown = np.ones(len(labels), np.bool_)
        shown[rows[1:][is_further]] = False
        return np.flatnonzero(shown)


def no_copies() -> Copies:
    """Make the copies of a job that has none."""
    return Copies(np.empty(0, np.intp), np.empty(0, np.intp))
