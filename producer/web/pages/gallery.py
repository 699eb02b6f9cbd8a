"""The gallery: images of a job as a page shows them, a slice of them a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Query

from shoal.producer.catalogue import Catalogue

# Of a page, from 1.
Number = Annotated[int, Query(alias="page", ge=1, le=10**9)]


@dataclass(frozen=True)
class Slice:
    """One page of many things.

    Attributes:
        number: From 1.
        size: Things a page.
        total: Things in all.
    """

    number: int
    size: int
    total: int

    @property
    def start(self) -> int:
        """The first thing of the page, from 0."""
        return (self.number - 1) * self.size

    @property
    def end(self) -> int:
        """The thing after the last of the page."""
        return min(self.start + self.size, self.total)

    @property
    def last(self) -> int:
        """The number of the last page."""
        return max(-(-self.total // self.size), 1)


@dataclass(frozen=True)
class Picture:
    """An image of a job as a page shows it.

    Attributes:
        number: Its place in the job's manifest, from 0.
        path: Relative to the job's source.
        note: What else there is to say.
    """

    number: int
    path: str
    note: str = ""


def show_images(catalogue: Catalogue, paths: Sequence[str]) -> list[Picture]:
    """Return images by their paths."""
    return [Picture(catalogue.number(path), path) for path in paths]
