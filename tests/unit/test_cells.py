import csv
import json
import tracemalloc
from dataclasses import replace
from io import BytesIO, StringIO
from tempfile import TemporaryFile
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shoal.producer.export.cells import format_csv_rows, shorten
from shoal.producer.export.models import export_json
from shoal.producer.export.tables import write_json, write_parquet, write_rows
from shoal.shared.encoding import escape_name
from shoal.shared.findings import Assignment, Columns, Duplicate, Failure, FailureReason, Rows

FORMULAS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
# Names of ordinary files, among which few are strange: then whole columns are made text at once.
names = st.one_of(
    st.from_regex(r"[a-z0-9/]{1,12}\.jpg", fullmatch=True),
    st.text('=+-@＝a.\\x5c,;"\t\r\n \udce9é', max_size=6),
)
numbers = st.one_of(
    st.floats(width=32, allow_nan=False, allow_infinity=False),
    st.floats(-50, 50, width=32),
    st.sampled_from([0.0, -0.0, 1e-5, 1e-4, 123456789012345680.0, 1e16, 0.00001234]),
)
labels = st.builds(Assignment, names, st.integers(-1, 10**6), *[numbers] * 5, st.booleans(), names)
failures = st.builds(Failure, names, st.sampled_from(FailureReason), names)
duplicates = st.builds(
    Duplicate, st.integers(0, 99), names, st.integers(0, 9), names, st.integers(0, 63)
)
some_rows = st.one_of(*(st.lists(rows, max_size=20) for rows in (labels, failures, duplicates)))


def expect_csv(rows, model) -> bytes:
    """Write CSV cell by cell: what is written a column at a time must be the same."""
    columns = list(model.__dataclass_fields__)
    text = StringIO()
    quoted = ";\t\r\n"  # the writer quotes characters of the ends of lines
    writer = csv.writer(text, lineterminator=quoted)
    lines = []
    for cells in [columns, *([getattr(row, name) for name in columns] for row in rows)]:
        made = [expect_cell(name, cell) for name, cell in zip(columns, cells, strict=True)]
        text.seek(0)
        text.truncate()
        writer.writerow(made)
        lines.append(text.getvalue().removesuffix(quoted) + "\n")
    return "".join(lines).encode()


def expect_cell(column: str, value: object) -> object:
    if isinstance(value, float):
        return shorten([value])[0]
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        return value
    text = escape_name(value)
    if not (text.startswith(("\t", "\r", "\n")) or text.lstrip().startswith(FORMULAS)):
        return text
    return f"./{text}" if column in {"path", "like"} else f"'{text}"


def written(write, rows, model) -> bytes:
    with BytesIO() as file:
        write(rows, model, file)
        return file.getvalue()


def as_columns(rows, model, n_rows: int = 3) -> Rows[Any]:
    fields = list(model.__dataclass_fields__)
    starts = range(0, len(rows), n_rows)
    parts = (rows[start : start + n_rows] for start in starts)
    return Rows(
        model, ([[getattr(row, name) for row in part] for name in fields] for part in parts)
    )


@given(some_rows)
@example(
    [
        Assignment("a.jpg", 0, 1e-05, -1e-07, 3.4e38, 3.0, 4.0),
        Assignment("b.jpg", 1, 1e16, 0.1, -0.0, 3.0, 4.0),
    ]
)
@example(
    [
        Assignment("a\nb.jpg", 0, 1.0, 1.0, 1.0, 3.0, 4.0),
        Assignment("c.jpg", 1, 1.0, 1.0, 1.0, 3.0, 4.0),
    ]
)
def test_columns_are_written_as_single_cells_are(rows) -> None:
    model = type(rows[0]) if rows else Assignment
    assert written(write_rows, rows, model) == expect_csv(rows, model)
    assert written(write_rows, as_columns(rows, model), model) == expect_csv(rows, model)


def shortened(row):
    values = {name: getattr(row, name) for name in type(row).__dataclass_fields__}
    floats = {name: value for name, value in values.items() if isinstance(value, float)}
    return replace(row, **{name: shorten([value])[0] for name, value in floats.items()})


@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1))
@example([0.0, -0.0, 2.0**-149, -3.4028234663852886e38, 1.1754943508222875e-38, 16777217.0])
@example([float("inf"), 8388608.5, 9.999999e-5, 1e16, 33554434.0])
def test_a_number_of_single_precision_is_read_again_as_it_was(numbers) -> None:
    rows = [Assignment("a.jpg", 0, number, -number, 0.0, 3.0, 4.0) for number in numbers]
    read = list(csv.DictReader(written(write_rows, rows, Assignment).decode().splitlines()))
    for dtype in (np.float32, np.float64):  # whoever reads it as double precision rounds later
        found = np.array([row["distance"] for row in read]).astype(dtype).astype(np.float32)
        assert found.tobytes() == np.array(numbers, np.float32).tobytes()
    usual = [cell["distance"] for cell in read if 1e-4 <= abs(float(cell["distance"])) < 1e9]
    assert all(len(cell.replace(".", "").strip("-0")) <= 9 for cell in usual)


def test_numbers_are_as_short_as_single_precision_is_and_others_stay() -> None:
    singles = [float(np.float32(number)) for number in (0.1, -2.5, 1 / 3, 123456.789, 7e-5)]
    assert shorten(singles) == [0.1, -2.5, 0.33333334, 123456.79, 7e-05]
    assert shorten([1 / 3, 0.1, 1e300, 2.0**-200]) == [1 / 3, 0.1, 1e300, 2.0**-200]
    assert str(shorten([float("nan")])) == "[nan]"
    assert shorten([]) == []


@given(some_rows)
@example(
    [
        Assignment('a", "b.jpg', 0, 1e-05, float("inf"), 0.5, 3.0, 4.0),
        Assignment("c", 1, 1.0, 2.0, 3.0, 3.0, 4.0),
    ]
)
def test_json_is_that_of_single_rows(rows) -> None:
    model = type(rows[0]) if rows else Assignment
    lines = b",\n".join(map(export_json, map(shortened, rows)))
    expected = b"[\n" + lines + b"\n]\n" if rows else b"[]\n"
    assert written(write_json, rows, model) == expected
    assert written(write_json, as_columns(rows, model), model) == expected


def test_json_can_be_read_where_names_look_like_json() -> None:
    rows = [
        Failure('", "', FailureReason.EMPTY, "\\"),
        Failure("\n", FailureReason.DAMAGED, '"\n"'),
    ]
    read = json.loads(written(write_json, rows, Failure))
    assert [row["path"] for row in read] == ['", "', "\n"]


@pytest.mark.parametrize("n_rows", [1, 7, 100])
def test_parquet_is_the_same_whatever_parts_the_rows_come_in(n_rows, monkeypatch) -> None:
    monkeypatch.setattr("shoal.producer.export.tables.ROW_GROUP", 20)
    rows = [Assignment(f"{i}.jpg", i, i / 2, -1.5, 0.25, 3.0, 4.0) for i in range(50)]
    whole, parts = BytesIO(), BytesIO()
    write_parquet(rows, whole)
    write_parquet(as_columns(rows, Assignment, n_rows), parts)
    assert parts.getvalue() == whole.getvalue()


def test_rows_are_read_once_as_objects_or_as_columns() -> None:
    rows = [Failure("a", FailureReason.EMPTY, "0 bytes"), Failure("b", FailureReason.EMPTY, "")]
    assert list(as_columns(rows, Failure)) == rows
    (part,) = as_columns(rows, Failure).parts
    assert part[0] == ["a", "b"]


@pytest.mark.parametrize("write", [write_rows, write_json])
def test_a_table_of_any_length_is_written_in_little_memory(write) -> None:
    numbers = [0.125 * i for i in range(1000)]
    columns: Columns = [
        [f"{i}.jpg" for i in range(1000)],
        *[numbers] * 6,
        [False] * 1000,
        [""] * 1000,
    ]
    with TemporaryFile() as file:
        tracemalloc.start()
        try:
            write(Rows(Assignment, (columns for _ in range(50))), Assignment, file)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert file.tell() > 2_000_000
    assert peak < 2_000_000


def test_empty_cells_are_written_one_by_one_however_many_follow() -> None:
    # Looked at from each to the last, as many would take hours.
    lines = format_csv_rows(["turn"], [[""] * 2_000_000])
    assert next(lines) == ""
