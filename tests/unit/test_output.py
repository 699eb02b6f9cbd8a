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
from shoal.producer.export.files import NewFiles, check_output, check_outside, new_file
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
LABELS = [Assignment(name, i, i / 2, -1.5, 0.25, 3.0, 4.0) for i, name in enumerate(NAMES)]


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
        "x": "3.0",
        "y": "4.0",
        "far": "false",
        "name": "",
    }


def test_csv_is_what_other_tools_read_line_by_line(tmp_path):
    write_labels(LABELS[:1], "csv", tmp_path / "labels.csv")
    expected = (
        b"path,label,distance,pc1,pc2,x,y,far,name\nplain.png,0,0.0,-1.5,0.25,3.0,4.0,false,\n"
    )
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
    (tmp_path / "duplicates.csv").write_bytes(to_csv(rows, Duplicate))
    for row, name in zip(read_csv(tmp_path / "duplicates.csv"), FORMULAS, strict=True):
        assert row["path"] == row["like"] == f"./{name}"


def test_no_other_cell_is_a_formula_and_numbers_stay_numbers(tmp_path):
    (tmp_path / "x.csv").write_bytes(to_csv([Failure("a", FailureReason.DAMAGED, "=1")], Failure))
    assert read_csv(tmp_path / "x.csv")[0]["detail"] == "'=1"
    assert b",-1.5," in to_csv(LABELS[:1], Assignment)


def test_a_name_is_one_cell_where_semicolons_or_tabs_separate(tmp_path):
    rows = [replace(LABELS[0], path="a;=1+1.png"), replace(LABELS[0], path="a\t=1+1.png")]
    assert to_csv(rows, Assignment).splitlines()[1:] == [
        b'"a;=1+1.png",0,0.0,-1.5,0.25,3.0,4.0,false,',
        b'"a\t=1+1.png",0,0.0,-1.5,0.25,3.0,4.0,false,',
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
    types = ["string", "int32", *["float"] * 5, "bool", "string"]
    assert [str(field.type) for field in table.schema] == types
    assert table["label"].to_pylist() == list(range(len(NAMES)))
    assert table["path"].to_pylist() == VALID


def test_parquet_without_pyarrow_says_how_to_have_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with (
        pytest.raises(UsageError, match=r"pip install pyarrow"),
        new_file(tmp_path / "x") as file,
    ):
        write_parquet(LABELS, file)
    assert list(tmp_path.iterdir()) == []


def test_parquet_is_not_for_a_terminal(monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with pytest.raises(UsageError, match="as `out`"):
        write_labels(LABELS, "parquet")


@pytest.mark.parametrize("form", ["csv", "json"])
def test_labels_are_printed_where_no_file_is_named(tmp_path, capfdbinary, form):
    write_labels(LABELS, form, tmp_path / "file")
    write_labels(LABELS, form)
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
    with new_file(path) as file:
        file.write(b"old")
    with new_file(path, force=True) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


def test_files_written_at_once_into_one_directory_do_not_mix(tmp_path):
    # As in containers that share a directory, in each of which the process has the same number.
    with new_file(tmp_path / "one") as one, new_file(tmp_path / "two") as two:
        one.write(b"1" * 9)
        two.write(b"2")
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["one", "two"]
    assert (tmp_path / "one").read_bytes() == b"1" * 9
    assert (tmp_path / "two").read_bytes() == b"2"


def test_a_file_that_exists_is_replaced_only_by_force(tmp_path):
    (tmp_path / "file").write_text("old")
    (tmp_path / "link").symlink_to("file")
    for name in ("file", "link"):
        with pytest.raises(UsageError, match=f"{name} exists, .*`force=True` replaces it"):
            check_output(tmp_path / name, force=False)
        with pytest.raises(UsageError, match="force=True"):
            write_output(b"new", tmp_path / name)
        check_output(tmp_path / name, force=True)
    assert (tmp_path / "file").read_text() == "old"


def test_a_file_that_appears_while_another_is_made_is_not_replaced(tmp_path):
    def write(path):
        with new_file(path) as file:
            file.write(b"new")
            path.write_text("appeared")

    with pytest.raises(UsageError, match="force=True"):
        write(tmp_path / "file")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"file": "appeared"}


def test_files_take_their_places_together_or_not_at_all(tmp_path):
    for name in ("a", "outdated"):
        (tmp_path / name).write_text("old")

    def write(last):
        with NewFiles(lambda path: path.name == "a") as files:
            files.remove(tmp_path / "outdated")
            for name in ("a", "b", last):
                files.write(tmp_path / name, b"new")
                assert (tmp_path / "a").read_text() == "old"

    for last in ("outdated", "a/c"):
        with pytest.raises(ShoalError, match=last):
            write(last)
        found = {path.name: path.read_text() for path in tmp_path.iterdir()}
        assert found == {"a": "old", "outdated": "old"}
    write("c")
    found = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert found == dict.fromkeys("abc", "new")


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path):
    (tmp_path / "link").symlink_to("file")
    for content in (b"old", b"new"):
        write_output(content, tmp_path / "link", force=True)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"new"


def test_a_pipe_or_a_device_is_written_to_and_stays(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with ThreadPoolExecutor() as pool:
        read = pool.submit((tmp_path / "pipe").read_bytes)
        check_output(tmp_path / "pipe", force=False)
        write_output(b"plot", tmp_path / "pipe")
        assert read.result(timeout=30) == b"plot"
    assert [path.is_fifo() for path in tmp_path.iterdir()] == [True]
    write_output(b"plot", Path(os.devnull))
    assert Path(os.devnull).is_char_device()


def test_a_file_that_cannot_be_made_leaves_the_old_one_and_no_rest(tmp_path):
    (tmp_path / "file").write_text("old")

    def break_off():
        yield LABELS[0]
        raise RuntimeError

    for write in (write_rows, write_json):
        with pytest.raises(RuntimeError), new_file(tmp_path / "file", force=True) as file:
            write(break_off(), Assignment, file)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"old"


def test_a_file_that_cannot_be_written_is_a_failure_with_its_name(tmp_path):
    (tmp_path / "plots").write_text("in the way")
    with pytest.raises(ShoalError, match=r"plots/sizes\.png cannot be written: \w"):
        write_output(b"", tmp_path / "plots" / "sizes.png")
    (tmp_path / "directory" / "inner").mkdir(parents=True)
    with pytest.raises(UsageError, match="directory is a directory"):
        write_output(b"", tmp_path / "directory", force=True)
    assert {path.name for path in tmp_path.iterdir()} == {"plots", "directory"}


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_a_dash_is_standard_output(tmp_path, monkeypatch, capfdbinary, form):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-").touch()
    write_labels(LABELS, form, tmp_path / "file")
    check_output(Path("-"), force=False)
    write_labels(LABELS, form, Path("-"))
    sys.stdout.flush()
    assert capfdbinary.readouterr().out == (tmp_path / "file").read_bytes()
    assert (tmp_path / "-").read_bytes() == b""


def test_a_plot_is_named_where_it_is_written_and_alone_where_it_is_printed(tmp_path, capfdbinary):
    write_output(b"\x89PNG", tmp_path / "plot.png")
    assert capfdbinary.readouterr().out == bytes(tmp_path / "plot.png") + b"\n"
    write_output(b"\x89PNG", Path("-"))
    assert capfdbinary.readouterr().out == b"\x89PNG"


def test_a_directory_for_results_is_made_and_left_empty(tmp_path):
    prepare_directory(tmp_path / "deep" / "out", [f"{tmp_path}/photographs"])
    assert list((tmp_path / "deep" / "out").iterdir()) == []


@pytest.mark.parametrize("name", [".", "out", "deep/out", "../link/out"])
def test_results_among_the_images_are_refused(tmp_path, name):
    source = tmp_path / "photographs"
    source.mkdir()
    (tmp_path / "link").symlink_to(source)
    with pytest.raises(UsageError, match=r"inside .*photographs.*an `out` outside"):
        prepare_directory(source / name, [str(source)])
    assert list(source.iterdir()) == []


def test_a_directory_that_cannot_be_written_to_is_refused(tmp_path):
    (tmp_path / "file").touch()
    for directory in (tmp_path / "file", tmp_path / "file" / "out", Path("/proc/out")):
        with pytest.raises(UsageError, match=r"cannot be written to .*another `out`"):
            prepare_directory(directory, [f"{tmp_path}/photographs"])


def test_plots_among_the_images_are_refused_where_only_they_would_be(tmp_path):
    (tmp_path / "plots").mkdir()
    with pytest.raises(UsageError, match=r"plots is inside .*an `out` outside"):
        prepare_directory(tmp_path, [f"{tmp_path}/plots"])


@pytest.mark.parametrize("name", ["labels.csv", "report.html", "plots/choice.png", "job.json"])
def test_a_directory_with_a_file_of_the_users_is_refused(tmp_path, name):
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("mine")
    with pytest.raises(UsageError, match=f"{name} exists, .*`force=True` replaces it"):
        prepare_directory(tmp_path, [f"{tmp_path}/photographs"])
    prepare_directory(tmp_path, [f"{tmp_path}/photographs"], force=True)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [file]


@pytest.mark.parametrize("text", ["{}", "[]", "null", '{"files": {}}', "[" * 10**5, "\xff"])
def test_a_job_file_of_the_users_own_is_not_taken_for_ours(tmp_path, text):
    (tmp_path / "job.json").write_text(text)
    with pytest.raises(UsageError, match=r"job\.json exists"):
        prepare_directory(tmp_path, [f"{tmp_path}/photographs"])


def test_a_place_that_a_file_or_a_directory_is_in_is_refused_also_by_force(tmp_path):
    (tmp_path / "a" / "job.json").mkdir(parents=True)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "plots").touch()
    for name, words in (
        ("a", "is a directory: .*`out`"),
        ("b", "cannot be written to .*another `out`"),
    ):
        with pytest.raises(UsageError, match=words):
            prepare_directory(tmp_path / name, [f"{tmp_path}/photographs"], force=True)


def test_no_picture_comes_among_the_images_of_a_job(tmp_path, monkeypatch):
    (tmp_path / "photos" / "day").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "photos" / "day")
    source = str(tmp_path / "photos")
    for name in ("photos/map.png", "photos/day/map.png", "link/map.png"):
        with pytest.raises(UsageError, match="the next run would cluster this picture, too"):
            check_outside(tmp_path / name, [str(source)])
    monkeypatch.chdir(tmp_path / "photos")
    with pytest.raises(UsageError, match="outside by `sheet`"):
        check_outside(Path("found.png"), [str(source)], option="sheet")
    for name in ("photos.png", "photos2/map.png"):
        check_outside(tmp_path / name, [str(source)])
    check_outside(Path("-"), [str(source)])
