"""Matches: images that were found, with how alike they are in percent and in words."""

from dataclasses import dataclass
from math import sqrt

from shoal.producer.results.catalogue import Catalogue
from shoal.producer.web.pages.gallery import Picture
from shoal.shared.findings import Match, Summary

# Up to these likenesses; above the last, two images look the same.
WORDS = ((0.4, "hardly alike"), (0.55, "somewhat alike"), (0.75, "alike"), (0.97, "very alike"))


@dataclass(frozen=True)
class Found:
    """An image that was found, as the page shows it.

    Attributes:
        picture: The image.
        label: Number of its cluster.
        likeness: From 0 to 1, the same.
        words: The likeness in words.
        distance: By principal components.
    """

    picture: Picture
    label: int
    likeness: float
    words: str
    distance: float


def show_match(catalogue: Catalogue, match: Match, scale: float) -> Found:
    """Show a match; ``scale`` is the distance of half a likeness."""
    likeness = measure_likeness(match.distance, scale)
    words = next((words for most, words in WORDS if likeness <= most), "nearly the same")
    number = catalogue.number(match.path)
    return Found(Picture(number, match.path), match.label, likeness, words, match.distance)


def measure_scale(summary: Summary) -> float:
    """Return how far two images of the same cluster usually are from each other.

    The mean square of the distance of two images of a cluster is twice that to their centroid.
    """
    return sqrt(2 * summary.inertia / max(summary.rows_fitted, 1))


def measure_likeness(distance: float, scale: float) -> float:
    """Return how alike two images are: 1 if they are the same, 1/2 as two of a cluster usually."""
    return scale / (scale + distance) if scale > 0 else float(distance == 0)
