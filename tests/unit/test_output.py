import csv
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryFile

import pytest

from shoal.producer.export.directory import prepare_directory
from shoal.producer.export.files import replacing, write_file
from shoal.producer.export.tables import (
    print_rows,
    write_json,
    write_labels,
    write_output,
    write_parquet,
    write_rows,
)
from shoal.shared.errors import ShoalError, UsageError
from shoal.shared.findings import Assignment, Duplicate, Failure, FailureReason

NAMES = ["plain.png", "a\nb.png", "c\rd.png", 'e,"f".png', "caf\udce9.png", "日本.png", " g .png"]
VALID = [*NAMES[:4], "caf\\xe9.png", *NAMES[5:]]
LABELS = [Assignment(name, i, i / 2, -1.5, 0.25) for i, name in enumerate(NAMES)]


def read_csv(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def to_csv(rows, model):
    with TemporaryFile() as file:
        write_rows(rows, model, file)
        file.seek(0)
        return file.read()


def test_csv_has_a_row_for_each_label_whatever_its_name(tmp_path):
    write_labels(LABELS, "csv", tmp_path / "labels.csv")
    rows = read_csv(tmp_path / "labels.csv")
    assert [row["path"] for row in rows] == VALID
    assert rows[3] == {
        "path": NAMES[3],
        "label": "3",
        "distance": "1.5",
        "pc1": "-1.5",
        "pc2": "0.25",
    }


def test_csv_is_what_other_tools_read_line_by_line(tmp_path):
    write_labels(LABELS[:1], "csv", tmp_path / "labels.csv")
    expected = b"path,label,distance,pc1,pc2\nplain.png,0,0.0,-1.5,0.25\n"
    assert (tmp_path / "labels.csv").read_bytes() == expected


FORMULAS = [
    "=1+1.png",
    "+1.png",
    "-rf.png",
    "@a.png",
    "\t=1.png",
    "\r=1.png",
    "  =1.png",
    "＝1.png",
]


def test_no_path_in_csv_is_a_formula_and_each_still_names_its_file(tmp_path):
    rows = [Duplicate(0, name, 1, name, 2) for name in FORMULAS]
    write_file(tmp_path / "duplicates.csv", to_csv(rows, Duplicate))
    for row, name in zip(read_csv(tmp_path / "duplicates.csv"), FORMULAS, strict=True):
        assert row["path"] == row["like"] == f"./{name}"


def test_no_other_cell_is_a_formula_and_numbers_stay_numbers(tmp_path):
    write_file(tmp_path / "x.csv", to_csv([Failure("a", FailureReason.DAMAGED, "=1")], Failure))
    assert read_csv(tmp_path / "x.csv")[0]["detail"] == "'=1"
    assert b",-1.5," in to_csv(LABELS[:1], Assignment)


def test_a_name_is_one_cell_where_semicolons_or_tabs_separate(tmp_path):
    rows = [replace(LABELS[0], path="a;=1+1.png"), replace(LABELS[0], path="a\t=1+1.png")]
    assert to_csv(rows, Assignment).splitlines()[1:] == [
        b'"a;=1+1.png",0,0.0,-1.5,0.25',
        b'"a\t=1+1.png",0,0.0,-1.5,0.25',
    ]


@pytest.mark.parametrize("n_rows", [0, 1, len(LABELS)])
def test_json_is_an_array_with_a_line_for_each_row(tmp_path, n_rows):
    write_labels(LABELS[:n_rows], "json", tmp_path / "labels.json")
    text = (tmp_path / "labels.json").read_text()
    assert [row["path"] for row in json.loads(text)] == VALID[:n_rows]
    assert len(text.splitlines()) == (n_rows + 2 if n_rows else 1)


def test_parquet_has_the_same_rows_with_types(tmp_path):
    from pyarrow import parquet

    write_labels(LABELS, "parquet", tmp_path / "labels.parquet")
    table = parquet.read_table(tmp_path / "labels.parquet")
    assert [str(field.type) for field in table.schema] == ["string", "int32", *["float"] * 3]
    assert table["label"].to_pylist() == list(range(len(NAMES)))
    assert table["path"].to_pylist() == VALID


def test_parquet_without_pyarrow_says_how_to_have_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with (
        pytest.raises(UsageError, match=r"pip install pyarrow"),
        replacing(tmp_path / "x") as file,
    ):
        write_parquet(LABELS, file)
    assert list(tmp_path.iterdir()) == []


def test_parquet_is_not_for_a_terminal():
    with pytest.raises(UsageError, match="--output"):
        write_labels(LABELS, "parquet", None)


@pytest.mark.parametrize("form", ["csv", "json"])
def test_labels_are_printed_where_no_file_is_named(tmp_path, capfdbinary, form):
    write_labels(LABELS, form, tmp_path / "file")
    write_labels(LABELS, form, None)
    sys.stdout.flush()
    assert capfdbinary.readouterr().out == (tmp_path / "file").read_bytes()


@pytest.mark.parametrize("as_json", [True, False])
def test_failures_are_printed_with_reason_and_detail(capfdbinary, as_json):
    print_rows([Failure("a\udce9.png", FailureReason.EMPTY, "0 bytes")], Failure, as_json)
    sys.stdout.flush()
    out = capfdbinary.readouterr().out
    if as_json:
        row = json.loads(out)[0]
        assert row == {"path": "a\\xe9.png", "reason": "empty", "detail": "0 bytes"}
    else:
        assert out == b"path,reason,detail\na\\xe9.png,empty,0 bytes\n"


def test_a_file_appears_once_it_is_whole(tmp_path):
    path = tmp_path / "deep" / "file"
    write_file(path, b"old")
    with replacing(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path):
    (tmp_path / "link").symlink_to("file")
    write_file(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"new"


def test_a_pipe_or_a_device_is_written_to_and_stays(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with ThreadPoolExecutor() as pool:
        read = pool.submit((tmp_path / "pipe").read_bytes)
        write_file(tmp_path / "pipe", b"plot")
        assert read.result(timeout=30) == b"plot"
    assert [path.is_fifo() for path in tmp_path.iterdir()] == [True]
    write_file(Path(os.devnull), b"plot")
    assert Path(os.devnull).is_char_device()


def test_a_file_that_cannot_be_made_leaves_the_old_one_and_no_rest(tmp_path):
    write_file(tmp_path / "file", b"old")

    def break_off():
        yield LABELS[0]
        raise RuntimeError

    for write in (lambda rows, file: write_rows(rows, Assignment, file), write_json):
        with pytest.raises(RuntimeError), replacing(tmp_path / "file") as file:
            write(break_off(), file)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"old"


def test_a_file_that_cannot_be_written_is_a_failure_with_its_name(tmp_path):
    (tmp_path / "plots").write_text("in the way")
    with pytest.raises(ShoalError, match=r"plots/sizes\.png cannot be written: \w"):
        write_file(tmp_path / "plots" / "sizes.png", b"")
    (tmp_path / "directory" / "inner").mkdir(parents=True)
    with pytest.raises(ShoalError, match="directory cannot be written"):
        write_file(tmp_path / "directory", b"")
    assert {path.name for path in tmp_path.iterdir()} == {"plots", "directory"}


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_a_dash_is_standard_output(tmp_path, monkeypatch, capfdbinary, form):
    monkeypatch.chdir(tmp_path)
    write_labels(LABELS, form, tmp_path / "file")
    write_labels(LABELS, form, Path("-"))
    sys.stdout.flush()
    assert capfdbinary.readouterr().out == (tmp_path / "file").read_bytes()
    assert not (tmp_path / "-").exists()


def test_a_plot_is_named_where_it_is_written_and_alone_where_it_is_printed(tmp_path, capfdbinary):
    write_output(b"\x89PNG", tmp_path / "plot.png")
    assert capfdbinary.readouterr().out == bytes(tmp_path / "plot.png") + b"\n"
    write_output(b"\x89PNG", Path("-"))
    assert capfdbinary.readouterr().out == b"\x89PNG"


def test_a_directory_for_results_is_made_and_left_empty(tmp_path):
    prepare_directory(tmp_path / "deep" / "out", tmp_path / "photographs")
    assert list((tmp_path / "deep" / "out").iterdir()) == []


@pytest.mark.parametrize("name", [".", "out", "deep/out", "../link/out"])
def test_results_among_the_images_are_refused(tmp_path, name):
    source = tmp_path / "photographs"
    source.mkdir()
    (tmp_path / "link").symlink_to(source)
    with pytest.raises(UsageError, match=r"inside .*photographs.*outside with --out"):
        prepare_directory(source / name, source)
    assert list(source.iterdir()) == []


def test_a_directory_that_cannot_be_written_to_is_refused(tmp_path):
    (tmp_path / "file").touch()
    for directory in (tmp_path / "file", tmp_path / "file" / "out", Path("/proc/out")):
        with pytest.raises(UsageError, match=r"cannot be written to .*--out"):
            prepare_directory(directory, tmp_path / "photographs")
