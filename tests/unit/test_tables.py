from collections.abc import Iterator, Sequence

import pytest

from shoal.shared.findings import Assignment, Duplicate, Failure, FailureReason, Turn
from shoal.shared.store.rows import DUPLICATE_ROW, LABEL_ROW, FailedImage
from shoal.shared.store.tables import (
    FIRST_ROWS,
    BatchPaths,
    list_assignments,
    list_duplicates,
    list_failures,
)

LOST = FailedImage(1, FailureReason.EMPTY, "0 bytes")
BATCHES = [
    BatchPaths(["a.jpg", "b.jpg", "c.jpg"], [LOST]),
    BatchPaths(["d.jpg", "e.jpg"], [FailedImage(0, FailureReason.EMPTY, ""), LOST]),
    BatchPaths(["f.jpg"], []),
]
# Of the last batch, nothing is known.
FAR = [b"\0\1", b"", b""]


def test_labels_belong_to_the_images_that_were_loaded() -> None:
    rows = [LABEL_ROW.pack(label, label / 2, -1.0, 0.25, 3.0, 4.0) for label in range(3)]
    assert list(list_assignments(BATCHES, [rows[0] + rows[1], b"", rows[2]], FAR, {1: "cats"})) == [
        Assignment("a.jpg", 0, 0.0, -1.0, 0.25, 3.0, 4.0),
        Assignment("c.jpg", 1, 0.5, -1.0, 0.25, 3.0, 4.0, far=True, name="cats"),
        Assignment("f.jpg", 2, 1.0, -1.0, 0.25, 3.0, 4.0),
    ]


def test_labels_of_other_images_are_refused() -> None:
    with pytest.raises(ValueError, match="1 rows of labels for 2 images"):
        list(list_assignments(BATCHES[:1], [LABEL_ROW.pack(0, 0, 0, 0, 0, 0)], [b"\0"], {}))


def test_failures_come_with_their_paths() -> None:
    assert list(list_failures(BATCHES)) == [
        Failure("b.jpg", FailureReason.EMPTY, "0 bytes"),
        Failure("d.jpg", FailureReason.EMPTY, ""),
        Failure("e.jpg", FailureReason.EMPTY, "0 bytes"),
    ]


def test_duplicates_of_any_batches_are_listed_with_few_looks_at_each() -> None:
    read: list[Sequence[int]] = []

    def read_paths(batches: Sequence[int]) -> Iterator[BatchPaths]:
        read.append(batches)
        return (
            BatchPaths([f"{batch}/{place}.jpg" for place in range(40)], []) for batch in batches
        )

    n_rows = FIRST_ROWS * 3
    places = [(row % 50, row % 40) for row in range(n_rows)]
    raw = b"".join(
        DUPLICATE_ROW.pack(row, 0, *place, 49, 39, 7 + (row % 8 << 5))
        for row, place in enumerate(places)
    )
    found = list(list_duplicates(raw, read_paths))
    assert found == [
        Duplicate(row, f"{batch}/{place}.jpg", 0, "49/39.jpg", 7, tuple(Turn)[row % 8])
        for row, (batch, place) in enumerate(places)
    ]
    assert list(map(len, read)) == [50, 50]
