"""Rows of a job as a DataFrame, for whoever has pandas."""

import subprocess
import sys
from typing import Any

import numpy as np
import pandas
import pytest

from shoal.shared.findings import Assignment, Columns, Duplicate, Failure, FailureReason, Rows, Turn

LABELS: list[Columns] = [
    [
        ["a.jpg", "caf\udce9.jpg"],
        [0, -1],
        [0.5, 0.1],
        *[[-1.5, 2.0]] * 4,
        [False, True],
        ["", "cats"],
    ],
    [["b.jpg"], [7], [3.5], *[[0.0]] * 4, [False], ["=1"]],
]


def frame_of(model: type[Any], parts: list[Columns]) -> pandas.DataFrame:
    return Rows(model, parts).to_frame()


def test_labels_are_columns_with_the_types_of_parquet() -> None:
    frame = frame_of(Assignment, LABELS)
    columns = ["path", "label", "distance", "pc1", "pc2", "x", "y", "far", "name"]
    assert list(frame.columns) == columns
    assert list(map(str, frame.dtypes)) == ["object", "int32", *["float32"] * 5, "bool", "object"]
    assert list(frame["path"]) == ["a.jpg", "caf\udce9.jpg", "b.jpg"]
    assert list(frame["label"]) == [0, -1, 7]
    assert frame["distance"].iloc[1] == np.float32(0.1)
    assert list(frame["far"]) == [False, True, False]


def test_reasons_are_categories_of_plain_words() -> None:
    reasons = [FailureReason.EMPTY, FailureReason.DAMAGED, FailureReason.EMPTY]
    frame = frame_of(Failure, [[["a", "b", "c"], reasons, ["0 bytes", "", ""]]])
    assert str(frame["reason"].dtype) == "category"
    assert frame["reason"].value_counts().to_dict() == {"empty": 2, "damaged": 1}
    assert all(type(name) is str for name in frame["reason"].cat.categories)


def test_turns_are_categories_of_plain_words() -> None:
    turns = [Turn.NONE, Turn.MIRRORED, Turn.NONE]
    parts: list[Columns] = [[[0] * 3, ["a", "b", "c"], [0] * 3, ["b", "a", "a"], [0] * 3, turns]]
    frame = frame_of(Duplicate, parts)
    assert str(frame["turn"].dtype) == "category"
    assert frame["turn"].value_counts().to_dict() == {"": 2, "mirrored": 1}
    assert all(type(name) is str for name in frame["turn"].cat.categories)
    assert str(frame_of(Duplicate, [])["turn"].dtype) == "category"


def test_no_rows_have_the_same_columns_and_types() -> None:
    assert len(frame_of(Assignment, [])) == 0
    assert frame_of(Assignment, []).dtypes.equals(frame_of(Assignment, LABELS).dtypes)
    assert list(map(str, frame_of(Duplicate, []).dtypes))[:3] == ["int64", "object", "int64"]


def test_rows_that_were_read_are_not_in_the_frame_and_none_are_left_after() -> None:
    rows = Rows(Assignment, LABELS)
    assert [next(rows).path, next(rows).path] == ["a.jpg", "caf\udce9.jpg"]
    assert list(rows.to_frame()["path"]) == ["b.jpg"]
    assert list(rows) == []


def test_without_pandas_the_message_says_how_to_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        frame_of(Assignment, LABELS)


def test_pandas_is_imported_by_those_who_ask_for_a_frame_only() -> None:
    code = "import sys, shoal.producer.job; assert 'pandas' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
