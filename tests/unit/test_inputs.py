"""What SOURCE can be: folders, files, patterns, lists and URLs become one listing."""

import csv
import io
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from shoal.producer.submission.fingerprint import make_fingerprint
from shoal.producer.submission.inputs import Selection, read_sources
from shoal.producer.submission.inputs.found import find_common
from shoal.producer.submission.inputs.lists import split_lines
from shoal.producer.submission.previous import make_series
from shoal.producer.submission.request import make_request
from shoal.shared.errors import OptionError, SourceError
from shoal.shared.settings import Settings
from shoal.shared.sources.locations import Location

FILES = ("a/1.jpg", "a/sub/2.jpg", "b/3.png", "b/notes.doc", "c.webp")


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in FILES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(*sources, **selection):
    return read_sources(sources, Settings(), Selection(**selection))


def pipe(monkeypatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))


def test_a_folder_is_as_it_always_was(tree):
    listing = read("a")
    assert (listing.source, list(listing.paths)) == (f"{tree}/a", ["1.jpg", "sub/2.jpg"])
    assert (listing.inputs, listing.locations) == ((), None)


@pytest.mark.parametrize(
    "folders", [("a", "b"), ("b", "a"), ("b", "a", "a/sub"), ("a/sub", "b", "a")]
)
def test_several_folders_are_one_source_in_any_order_and_each_image_counts_once(tree, folders):
    listing = read(*folders)
    assert listing.source == str(tree)
    assert list(listing.paths) == ["a/1.jpg", "a/sub/2.jpg", "b/3.png"]
    assert listing.inputs == tuple(f"{tree}/{folder}" for folder in folders)
    assert listing.locations is None
    assert listing.skipped == {"doc": 1}


def test_links_lead_to_no_image_twice_though_its_folder_comes_later(tree):
    (tree / "a/link").symlink_to(tree / "b")
    (tree / "a/9.png").symlink_to(tree / "b/3.png")
    listing = read("a", "b")
    assert list(listing.paths) == ["a/1.jpg", "a/sub/2.jpg", "b/3.png"]
    assert listing.repeated == 2


def test_files_are_images_of_their_nearest_folder(tree):
    assert list(read("a/sub/2.jpg", "a/1.jpg", "a/1.jpg").paths) == ["1.jpg", "sub/2.jpg"]
    assert read("a/1.jpg", "a/1.jpg").given_again == 1


def test_a_pattern_matches_files_and_folders_as_in_a_shell(tree):
    assert list(read("a/*.jpg").paths) == ["1.jpg"]
    listing = read("**/*.jpg")
    assert (listing.source, list(listing.paths)) == (str(tree), ["a/1.jpg", "a/sub/2.jpg"])
    assert list(read("[ab]").paths) == ["a/1.jpg", "a/sub/2.jpg", "b/3.png"]


def test_a_folder_whose_name_looks_like_a_pattern_is_a_folder(tree):
    (tree / "photos [2019]").mkdir()
    (tree / "photos [2019]/a.jpg").touch()
    assert list(read("photos [2019]").paths) == ["a.jpg"]
    assert list(read("photos [2019]", "a").folders) == [f"{tree}/photos [2019]", f"{tree}/a"]


def test_what_matches_nothing_or_is_missing_is_named(tree):
    with pytest.raises(SourceError, match=r"x\*\.jpg matches no file"):
        read("a", "x*.jpg")
    with pytest.raises(SourceError, match="nope does not exist; check the spelling after"):
        read("a", "nope")
    with pytest.raises(SourceError, match="name is empty"):
        read("a", "")
    with pytest.raises(SourceError, match=r"no images in .*notes.doc; 1 other file: 1 doc"):
        read("b/notes.doc")


def test_a_list_is_read_as_other_programs_write_it(tree):
    lines = [
        "\ufeffa/1.jpg",
        '"b/3.png"',
        "",
        "./a/../c.webp",
        "b/notes.doc",
        "a/1.jpg",
        str(tree / "a/sub/2.jpg"),
    ]
    (tree / "list.txt").write_text("\r\n".join(lines))
    listing = read("list.txt")
    assert (listing.source, listing.inputs) == (str(tree), (f"{tree}/list.txt",))
    assert list(listing.paths) == ["a/1.jpg", "a/sub/2.jpg", "b/3.png", "c.webp"]
    assert (listing.skipped, listing.given_again) == ({"doc": 1}, 1)
    assert "1 image given more than once" in listing.left_out.line


def test_a_listed_file_that_is_missing_is_not_left_out(tree):
    (tree / "list.txt").write_text("a/1.jpg\na/gone.jpg\n")
    assert list(read("list.txt").paths) == ["1.jpg", "gone.jpg"]


def test_a_list_in_another_folder_is_relative_to_that(tree, monkeypatch):
    (tree / "a/list.txt").write_text("1.jpg\n../b/3.png\n")
    assert list(read("a/list.txt").paths) == ["a/1.jpg", "b/3.png"]


@pytest.mark.parametrize("separator", [b"\n", b"\0", b"\r\n"])
def test_standard_input_is_relative_to_the_current_folder(tree, monkeypatch, separator):
    pipe(monkeypatch, separator.join([b"a/1.jpg", b"b/3.png", b""]))
    listing = read("-")
    assert list(listing.paths) == ["a/1.jpg", "b/3.png"]
    assert listing.inputs == ("-",)


def test_names_with_line_breaks_and_of_any_bytes_come_from_find_print0(tree, monkeypatch):
    names = [b"a\nb.jpg", b"caf\xe9.jpg", " 🐟.jpg".encode()]
    pipe(monkeypatch, b"\0".join(names) + b"\0")
    assert sorted(map(os.fsencode, read("-").paths)) == sorted(names)


@given(
    st.lists(st.binary(min_size=1).filter(lambda raw: not {*raw} & {0, 10}), max_size=20),
    st.sampled_from([b"\0", b"\n"]),
    st.integers(1, 9),
)
def test_lines_are_whole_wherever_a_block_ends(lines, separator, block):
    lines = [b"first", *lines]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shoal.producer.submission.inputs.lists.READ_BYTES", block + 6)
        found = list(split_lines(io.BytesIO(separator.join(lines)), "x"))
    assert list(map(os.fsencode, found)) == lines


def test_a_list_of_another_encoding_is_refused(tree):
    (tree / "list.txt").write_text("a/1.jpg\n", encoding="utf-16")
    with pytest.raises(SourceError, match=r"list.txt is UTF-16: save it as UTF-8"):
        read("list.txt")


def test_a_list_that_is_no_text_is_refused_before_it_fills_memory(tree):
    (tree / "list.txt").write_bytes(b"x" * 2**22)
    with pytest.raises(SourceError, match=r"list.txt has a line of more than 1 MB"):
        read("list.txt")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_column_of_a_csv_file_is_known_by_its_name(tree, delimiter):
    with (tree / "list.csv").open("w", newline="") as file:
        rows: list[list[object]] = [
            ["id", "File_Name", "note"],
            [1, "a/1.jpg", "it's, one"],
            [2, "b/3.png", 'two "x"'],
        ]
        csv.writer(file, delimiter=delimiter).writerows(rows)
    assert list(read("list.csv").paths) == ["a/1.jpg", "b/3.png"]


def test_a_column_can_be_named_and_an_unknown_one_tells_which_there_are(tree):
    (tree / "list.csv").write_text("path,second\na/1.jpg,b/3.png\n")
    assert list(read("list.csv", column="second").paths) == ["3.png"]
    with pytest.raises(OptionError, match="no column third; there are: path, second"):
        read("list.csv", column="third")
    (tree / "list.csv").write_text("one,two\nx,y\n")
    with pytest.raises(SourceError, match=r"name one by `column`; there are: one, two"):
        read("list.csv")


def test_a_csv_file_without_a_header_is_one_of_paths(tree):
    (tree / "list.csv").write_text("a/1.jpg,1\nb/3.png,2\n")
    assert list(read("list.csv").paths) == ["a/1.jpg", "b/3.png"]


def test_a_column_of_parquet_is_read(tree):
    table = pa.table({"key": [1, 2, 3], "url": ["a/1.jpg", None, "b/3.png"]})
    parquet.write_table(table, tree / "list.parquet")
    assert list(read("list.parquet", column="url").paths) == ["a/1.jpg", "b/3.png"]
    (tree / "list.parquet").write_bytes(b"no parquet")
    with pytest.raises(SourceError, match="is no Parquet file"):
        read("list.parquet")


def test_patterns_leave_out_as_in_gitignore(tree):
    assert list(read("a", exclude=("sub/",)).paths) == ["1.jpg"]
    listing = read(".", exclude=("/a", "*.webp", "!b/3.png"))
    assert list(listing.paths) == ["b/3.png"]
    assert (listing.excluded, listing.exclude) == (2, ("/a", "*.webp", "!b/3.png"))
    assert listing.inputs == ()
    with pytest.raises(OptionError, match=r"`exclude`: .*; expected patterns as in \.gitignore"):
        read("a", exclude=("!",))


def test_patterns_are_about_paths_in_what_was_given_not_around_it(tree):
    assert list(read("a", "b", exclude=("/sub",)).paths) == ["a/1.jpg", "b/3.png"]
    assert len(read(str(tree / "a"), "b", exclude=(tree.name,)).paths) == 3
    (tree / "list.txt").write_text("a/1.jpg\na/sub/2.jpg\n")
    assert list(read("list.txt", exclude=("a/sub/",)).paths) == ["1.jpg"]


def test_urls_have_the_source_that_all_of_them_are_below(tree):
    listing = read("s3://bucket/2019/a.jpg", "s3://bucket/2020/b.jpg")
    assert (listing.source, list(listing.paths)) == ("s3://bucket", ["2019/a.jpg", "2020/b.jpg"])
    assert list(listing.locations) == [Location(), Location()]
    assert read("s3://one/a.jpg", "s3://two/b.jpg").source == "s3://"
    (tree / "list.txt").write_text(
        "https://host/a.jpg?size=2\nhttps://host/17\nhttps://host/b.html\n"
    )
    assert list(read("list.txt").paths) == ["17", "a.jpg?size=2"]


def test_a_scheme_in_capitals_is_the_same_source():
    assert read("HTTPS://images.example/a.jpg").source == "https://images.example"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("s3://bucket/shards-*.tar", r"only braces are expanded.*\{000\.\.099\}"),
        ("gs://bucket/{a,b}/*.jpg", "as a prefix"),
        ("s3://key:secret@bucket/*.jpg", "^A URL of s3://… has credentials in it"),
        ("s3://", "names no bucket"),
        ("https://", "names no bucket or server"),
    ],
)
def test_of_a_url_that_cannot_be_meant_so_the_message_says_what_to_give(given, message):
    with pytest.raises(SourceError, match=message):
        read(given)


def test_of_a_url_on_the_web_an_asterisk_may_be_part(tree):
    assert list(read("https://host/a*.jpg").paths) == ["a*.jpg"]


def test_without_images_the_remedy_is_that_of_what_was_given(tree):
    (tree / "zips").mkdir()
    (tree / "zips/phone.zip").write_bytes(b"")
    with pytest.raises(SourceError, match=r"1 other file: 1 zip; archives .*: give each by its na"):
        read("zips")
    with pytest.raises(SourceError, match=r"excluded by your patterns; give a folder with images"):
        read_sources(["a"], Settings(), Selection(exclude=("*",)))
    (tree / "empty.txt").write_text("")
    with pytest.raises(SourceError, match=r"no images in .*empty\.txt; give what has images: \."):
        read("empty.txt")


def test_files_and_urls_are_not_mixed(tree):
    with pytest.raises(SourceError, match="one kind of place, not of files and s3"):
        read("a", "s3://bucket/a.jpg")


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        ("/a/b", "/a/bc", "/a"),
        ("/a", "/b", "/"),
        ("/a/b", "/a", "/a"),
        ("s3://b/x/y", "s3://b/x/z", "s3://b/x"),
        ("s3://b1/x", "s3://b2/x", "s3://"),
    ],
)
def test_the_nearest_common_folder_ends_at_a_slash(one, other, common):
    assert find_common(one, other) == find_common(other, one) == common


def test_nothing_leads_out_of_the_roots(tree):
    (tree / "a/list.txt").write_text("1.jpg\n../b/3.png\n")
    (tree / "a/out").symlink_to(tree / "b")
    for sources in (
        ("a", "b"),
        ("a/1.jpg", "b/3.png"),
        ("b/*.png",),
        ("a/list.txt",),
        ("a/*/*.png",),
    ):
        with pytest.raises(SourceError, match="Not under a directory of SHOAL_IMAGE_ROOTS"):
            read(*sources, roots=(tree / "a",))
    assert list(read("a/1.jpg", roots=(tree / "a",)).paths) == ["1.jpg"]


def test_more_inputs_than_anybody_reads_are_kept_as_a_list(tree):
    for number in range(101):
        (tree / f"{number}.jpg").touch()
    assert read(*(f"{number}.jpg" for number in range(101))).inputs == ("-",)


def request(listing):
    return make_request(listing, {"recipe": "tutorial", "clusters": 1, "components": 1})


def test_a_manifest_that_grows_is_one_series_and_standard_input_is_none(tree, monkeypatch):
    series = set()
    for lines in ("a/1.jpg\n", "a/1.jpg\nb/3.png\n"):
        (tree / "list.txt").write_text(lines)
        series.add(make_series(request(read("list.txt"))))
    pipe(monkeypatch, b"a/1.jpg")
    assert len(series - {make_series(request(read("a"))), ""}) == 1
    assert make_series(request(read("-"))) == ""


def test_a_fingerprint_knows_images_that_changed_and_urls_of_which_nobody_says_so(tree):
    def fingerprint(*sources):
        listing = read(*sources)
        return make_fingerprint(request(listing), listing, Settings())

    before = fingerprint("a", "b")
    assert before == fingerprint("a", "b") != fingerprint("a", "b", "c.webp")
    (tree / "a/1.jpg").write_bytes(b"other")
    assert fingerprint("a", "b") != before
    assert fingerprint("s3://bucket/a.jpg") == ""


def test_lines_take_a_few_bytes_each(tree, monkeypatch):
    lines = b"".join(b"2019/%07d.jpg\n" % number for number in range(50_000))
    pipe(monkeypatch, lines)
    listing = read("-")
    assert len(listing.paths) == 50_000
    assert sum(map(len, listing.paths.chunks)) < 6 * 50_000


@pytest.mark.parametrize("name", ["l.txt", "l.csv", "l.parquet"])
def test_a_name_with_a_nul_shifts_no_others(tree, name):
    paths = ["a/1.jpg"] * 200_000 + ["b/3.png\0evil.jpg", "c.webp"]
    if name == "l.parquet":
        parquet.write_table(pa.table({"path": paths}), name)
    else:
        Path(name).write_text("\n".join(["path.jpg", *paths]))
    with pytest.raises(SourceError, match="NUL"):
        read(name)


def test_half_a_character_is_refused(tree):
    for given_name in ("/\ud800.jpg", "https://host/\ud800.jpg"):
        with pytest.raises(SourceError, match="half a character"):
            read(given_name)


def test_the_host_of_a_url_without_a_path_is_no_file(tree):
    assert read("https://host.jpg").source == "https://"
    assert [*read("https://host.jpg").paths] == ["host.jpg"]
    with pytest.raises(SourceError, match=r"https://host\.jpg may not be read"):
        read_sources(["https://host.jpg"], Settings(image_urls=("s3://x",)))


def test_braces_lead_to_no_file_outside_the_roots_and_do_not_tell_of_it(tree):
    (tree / "secret.csv").write_text("secret,header\n1,2\n")
    (tree / "a" / "link1.csv").symlink_to(tree / "secret.csv")
    roots = (tree / "a",)
    for name in ("link{1,2}.csv", "{x/y,../../secret}/../../../{secret,none}.csv"):
        with pytest.raises(SourceError, match="Not under a directory of SHOAL_IMAGE_ROOTS"):
            read(f"{tree}/a/{name}", roots=roots)
