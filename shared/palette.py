"""The clusters' colours and shapes, the same in plots and pages."""

# Okabe and Ito (2008), "Color universal design": eight colours that colour-blind people tell apart.
COLOURS = (
    *("#0072b2", "#e69f00", "#009e73", "#d55e00"),
    *("#cc79a7", "#56b4e9", "#f0e442", "#000000"),
)
N_SHAPES = 8
# More clusters than this are counted, not drawn: a picture is to be taken in at a glance.
MAX_NAMED = 40


def colour_number(label: int) -> int:
    """Return which of the colours a cluster has; each comes again every eight clusters."""
    return label % len(COLOURS)


def shape_number(label: int) -> int:
    """Return which of the shapes a cluster has, the same for eight clusters in a row."""
    return label // len(COLOURS) % N_SHAPES
