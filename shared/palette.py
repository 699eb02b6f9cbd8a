"""The colours and shapes of clusters, the same in plots and on pages."""

from collections.abc import Sequence

# Any two of a scheme differ by 12 (CIEDE2000) or more, for normal and for colour-blind eyes, and
# each has a contrast of 3:1 with its ground, white or nearly black (tests/unit/test_palette.py).
# Both have the same hues: blue, orange, green, magenta, cyan, red, olive or yellow, purple.
COLOURS = (
    *("#1644d8", "#bc7d19", "#367751", "#a70281"),
    *("#159cb7", "#dd2c5b", "#606700", "#8f61f4"),
)
DARK_COLOURS = (
    *("#0b8ffc", "#dd9314", "#32c98f", "#ef16ba"),
    *("#a5ebed", "#e81b32", "#f6d32b", "#c5afee"),
)
# Of images in no cluster, and of all clusters that have no colour of their own.
GREYS, DARK_GREYS = ("#aeb5bc", "#737c86"), ("#6e7781", "#9da7b1")
N_SHAPES = 8
# Further clusters are counted, not drawn one by one: nobody could tell more of them apart.
MAX_NAMED = 40
# The number of the grey of all other clusters; that of images in no cluster is -1.
REST = -2


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
