"""Galleries: images of a job as a page shows them, one slice per page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Query

from shoal.producer.results.catalogue import Catalogue
from shoal.shared.text import show_copies

IMAGES_PER_PAGE = 60

# The number of a slice, from 1; the address of a page calls it ``page``.
Number = Annotated[int, Query(alias="page", ge=1, le=10**9)]


@dataclass(frozen=True)
class Slice:
    """The part of a long list that one page shows.

    Attributes:
        number: Number of the slice, from 1.
        size: Items per slice.
        total: Items of the whole list.
    """

    number: int
    size: int
    total: int

    @property
    def start(self) -> int:
        """Index of the first item, from 0."""
        return (self.number - 1) * self.size

    @property
    def end(self) -> int:
        """Index after the last item."""
        return min(self.start + self.size, self.total)

    @property
    def last(self) -> int:
        """Number of the last slice."""
        return max(-(-self.total // self.size), 1)


@dataclass(frozen=True)
class Picture:
    """An image of a job as a page shows it.

    Attributes:
        number: Its place in the job's manifest, from 0.
        path: Its path, relative to the job's source.
        note: A remark below the path; may be empty.
        copies: How many copies it has beside it, as in "+4 copies"; may be empty.
    """

    number: int
    path: str
    note: str = ""
    copies: str = ""


def show_images(
    catalogue: Catalogue, paths: Sequence[str], copies: Mapping[str, int]
) -> list[Picture]:
    """Make pictures of the images with these paths, each with how many copies it has beside it.

    ``copies`` are the numbers of those that have any, by path.
    """
    return [
        Picture(catalogue.number(path), path, copies=show_copies(copies.get(path, 0)))
        for path in paths
    ]
