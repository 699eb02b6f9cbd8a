"""The colours and shapes of clusters, the same in plots and on pages."""

from collections.abc import Sequence

# Okabe and Ito (2008), "Color universal design": colour-blind people can tell these apart.
COLOURS = (
    *("#0072b2", "#e69f00", "#009e73", "#d55e00"),
    *("#cc79a7", "#56b4e9", "#f0e442", "#000000"),
)
N_SHAPES = 8
# Further clusters are counted, not drawn one by one: nobody could tell more of them apart.
MAX_NAMED = 40


def choose_named(sizes: Sequence[int]) -> list[int]:
    """Choose the largest clusters, 40 at most, that are drawn; return their labels, ascending.

    Those are not always the first ones: clusters keep their numbers when a folder grows.
    """
    by_size = sorted(range(len(sizes)), key=lambda label: (-sizes[label], label))
    return sorted(by_size[:MAX_NAMED])


def colour_number(label: int) -> int:
    """Return the index of a cluster's colour; each comes again every eight clusters."""
    return label % len(COLOURS)


def shape_number(label: int) -> int:
    """Return the index of a cluster's shape, the same for eight clusters in a row."""
    return label // len(COLOURS) % N_SHAPES
