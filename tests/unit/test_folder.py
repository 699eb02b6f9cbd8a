import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shoal.producer.submission.folder import read_folder
from shoal.shared.errors import SourceError
from shoal.shared.images.kinds import READ
from shoal.shared.jobs import LeftOut

not_as_root = pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")


def make_files(folder: Path, *paths: str | bytes) -> Path:
    for path in paths:
        file = folder / os.fsdecode(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return folder


def test_images_of_all_sub_directories_are_found(tmp_path: Path) -> None:
    make_files(tmp_path, "a.jpg", "sub/b.png", "sub/deeper/c.webp")
    assert read_folder(tmp_path).paths == ["a.jpg", "sub/b.png", "sub/deeper/c.webp"]


@pytest.mark.parametrize("kind", sorted(READ))
def test_extension_counts_in_either_case(tmp_path: Path, kind: str) -> None:
    make_files(tmp_path, f"lower.{kind}", f"UPPER.{kind.upper()}")
    assert read_folder(tmp_path).paths == [f"UPPER.{kind.upper()}", f"lower.{kind}"]


def test_paths_are_sorted_by_their_bytes(tmp_path: Path) -> None:
    make_files(tmp_path, "b.jpg", "ä.jpg", "a/z.jpg", "a.jpg", "B.jpg", "a b.jpg")
    found = read_folder(tmp_path).paths
    assert found == ["B.jpg", "a b.jpg", "a.jpg", "a/z.jpg", "b.jpg", "ä.jpg"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(
    names=st.lists(st.text("ab.-/\udcff", min_size=1, max_size=8), max_size=12),
    most=st.integers(1, 3),
)
def test_any_tree_is_listed_in_the_order_of_its_paths(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    names: list[str],
    most: int,
) -> None:
    # However few of its images are put in their order with its sub-directories.
    monkeypatch.setattr("shoal.producer.submission.walk.MOST_TOGETHER", most)
    for name in ("RUN", "CHUNK"):
        monkeypatch.setattr(f"shoal.producer.submission.paths.{name}", 1)
    parts = [[f"x{part}" for part in name.split("/")] for name in names]
    paths = {"/".join(["z", *part]) + ".jpg" for part in parts}
    folder = make_files(tmp_path_factory.mktemp("tree"), "a.jpg", *paths)
    assert read_folder(folder).paths == sorted({"a.jpg", *paths}, key=os.fsencode)


@pytest.mark.parametrize("name", [b"caf\xe9.jpg", "line\nbreak.jpg", " .jpg", "🐟.jpg"])
def test_strange_names_lead_back_to_their_files(tmp_path: Path, name: str | bytes) -> None:
    try:
        make_files(tmp_path, name)
    except OSError:
        pytest.skip("this file system does not take the name")
    [path] = read_folder(tmp_path).paths
    assert os.fsencode(path) == os.fsencode(name)
    assert (tmp_path / path).exists()


def test_hidden_files_and_rubbish_are_left_out(tmp_path: Path) -> None:
    make_files(tmp_path, "a.jpg", "._a.jpg", ".git/b.jpg", "__MACOSX/a.jpg", "@eaDir/a.jpg/S.jpg")
    folder = read_folder(tmp_path)
    assert folder.paths == ["a.jpg"]
    assert folder.skipped == Counter()


@pytest.mark.parametrize(
    "name",
    [
        "@eaDir",
        "@EADIR",
        "#recycle",
        "@Recycle",
        "$Recycle.Bin",
        "$RECYCLE.BIN",
        "#snapshot",
        "@Recently-Snapshot",
        "~snapshot",
        "@Transcode",
        "@tmp",
        "#Trash",
        "$Trash-1000",
        "__MACOSX",
        "__macosx",
        "lost+found",
        "LOST+FOUND",
        ".Trash-1000",
        ".thumbnails",
    ],
)
def test_a_directory_of_the_system_is_no_album_in_any_spelling(tmp_path: Path, name: str) -> None:
    make_files(tmp_path, "a.jpg", f"{name}/b.jpg", f"trip/{name}/sub/c.jpg", ".kept/d.jpg")
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / name).symlink_to(tmp_path / ".kept")
    folder = read_folder(tmp_path)
    assert folder.paths == ["a.jpg"]
    assert (folder.skipped, folder.unreadable) == (Counter(), [])
    assert read_folder(tmp_path / name).paths == ["b.jpg"], "it was asked for by its own name"


@pytest.mark.parametrize(
    "name",
    [
        "snapshots",
        "Recycled art",
        "trash",
        "thumbnails",
        "#1",
        "@home",
        "$",
        "~",
        "__best__",
        "#snapshots of Rome",
        "@eaDirk",
    ],
)
def test_an_album_is_no_directory_of_the_system_because_of_a_word(
    tmp_path: Path, name: str
) -> None:
    make_files(tmp_path, f"{name}/b.jpg")
    assert read_folder(tmp_path).paths == [f"{name}/b.jpg"]


def test_other_files_are_counted_by_extension(tmp_path: Path) -> None:
    make_files(tmp_path, "a.jpg", "b.TXT", "sub/c.txt", "Thumbs.db", "README", "v1.2/notes")
    assert read_folder(tmp_path).skipped == Counter({"txt": 2, "db": 1, "": 2})


def test_directory_named_like_an_image_is_a_directory(tmp_path: Path) -> None:
    make_files(tmp_path, "album.jpg/a.jpg")
    assert read_folder(tmp_path).paths == ["album.jpg/a.jpg"]


def test_link_to_an_image_that_is_listed_anyway_adds_nothing(tmp_path: Path) -> None:
    make_files(tmp_path, "z.jpg")
    (tmp_path / "a.jpg").symlink_to("z.jpg")
    assert read_folder(tmp_path).paths == ["z.jpg"]


def test_of_links_to_one_outside_file_the_first_is_listed(tmp_path: Path) -> None:
    outside = make_files(tmp_path / "outside", "object-5f3a") / "object-5f3a"
    inside = make_files(tmp_path / "inside", "own.jpg")
    for name in ("b.jpg", "a.jpg", "c.jpg"):
        (inside / name).symlink_to(outside)
    assert read_folder(inside).paths == ["a.jpg", "own.jpg"]


def test_link_to_a_hidden_image_is_listed(tmp_path: Path) -> None:
    make_files(tmp_path, ".annex/5f3a.jpg")
    (tmp_path / "a.jpg").symlink_to(".annex/5f3a.jpg")
    assert read_folder(tmp_path).paths == ["a.jpg"]


def test_broken_link_with_the_name_of_an_image_is_listed(tmp_path: Path) -> None:
    make_files(tmp_path, "b.jpg")
    (tmp_path / "a.jpg").symlink_to("lost.jpg")
    (tmp_path / "loop.png").symlink_to("loop.png")
    assert read_folder(tmp_path).paths == ["a.jpg", "b.jpg", "loop.png"]


def test_broken_link_that_may_have_been_an_album_is_reported(tmp_path: Path) -> None:
    make_files(tmp_path, "b.jpg")
    (tmp_path / "album").symlink_to("/mnt/disk-that-is-not-there/album")
    folder = read_folder(tmp_path)
    assert (folder.paths, folder.unreadable) == (["b.jpg"], ["album"])
    assert folder.skipped == Counter()


def test_linked_directory_is_listed_under_the_name_of_the_link(tmp_path: Path) -> None:
    make_files(tmp_path / "outside", "a.jpg", "sub/b.jpg")
    inside = make_files(tmp_path / "inside", "own.jpg")
    (inside / "more").symlink_to(tmp_path / "outside")
    assert read_folder(inside).paths == ["more/a.jpg", "more/sub/b.jpg", "own.jpg"]


def test_cycles_of_links_end_with_every_image_once(tmp_path: Path) -> None:
    inside = make_files(tmp_path / "inside", "a.jpg", "sub/b.jpg")
    make_files(tmp_path, "sibling.jpg")
    (inside / "again").symlink_to(inside)
    (inside / "sub" / "up").symlink_to(tmp_path)
    assert read_folder(inside).paths == ["a.jpg", "sub/b.jpg", "sub/up/sibling.jpg"]


def test_source_may_be_a_link_and_is_resolved(tmp_path: Path) -> None:
    make_files(tmp_path / "photos", "a.jpg")
    (tmp_path / "link").symlink_to("photos")
    assert read_folder(tmp_path / "link").source == str((tmp_path / "photos").resolve())


def test_relative_source_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_files(tmp_path / "photos", "a.jpg")
    monkeypatch.chdir(tmp_path)
    assert read_folder(Path("photos")).source == str((tmp_path / "photos").resolve())


def test_tilde_is_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_files(tmp_path / "Pictures", "a.jpg")
    monkeypatch.setenv("HOME", os.fspath(tmp_path))
    assert read_folder(Path("~/Pictures")).paths == ["a.jpg"]


def test_directory_that_cannot_be_listed_is_reported_not_fatal(tmp_path: Path) -> None:
    # Longer than any system takes a path in one piece: unreadable for root, too.
    make_files(tmp_path, "a.jpg")
    descriptor = os.open(tmp_path, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * 250, dir_fd=descriptor)
        below = os.open("d" * 250, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    os.close(descriptor)
    folder = read_folder(tmp_path)
    assert folder.paths == ["a.jpg"]
    assert [set(path) for path in folder.unreadable] == [{"d", "/"}]


@not_as_root
def test_locked_directory_is_reported_not_fatal(tmp_path: Path) -> None:
    make_files(tmp_path, "a.jpg", "locked/b.jpg")
    (tmp_path / "locked").chmod(0)
    folder = read_folder(tmp_path)
    (tmp_path / "locked").chmod(0o700)
    assert (folder.paths, folder.unreadable) == (["a.jpg"], ["locked"])


@not_as_root
def test_locked_source_names_a_remedy(tmp_path: Path) -> None:
    tmp_path.chmod(0)
    with pytest.raises(SourceError, match="chmod"):
        read_folder(tmp_path)
    tmp_path.chmod(0o700)


def test_missing_folder_says_how_far_its_path_is_right(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=f"check the spelling after {tmp_path}$"):
        read_folder(tmp_path / "photso" / "2024")


def test_file_instead_of_a_folder_names_its_folder(tmp_path: Path) -> None:
    make_files(tmp_path, "a.jpg")
    with pytest.raises(SourceError, match=f"not a folder; .* {tmp_path}$"):
        read_folder(tmp_path / "a.jpg")


def test_link_loop_instead_of_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(SourceError, match="cannot be listed"):
        read_folder(tmp_path / "loop")


def test_folder_without_images_says_what_it_has(tmp_path: Path) -> None:
    make_files(tmp_path, "a.xcf", "b.XCF", "c.mov")
    with pytest.raises(
        SourceError,
        match=r"2 images that Shoal cannot read: 2 xcf \(convert to JPEG, PNG or TIFF\);"
        r" 1 other file: 1 mov; .* \.jpg",
    ):
        read_folder(tmp_path)


def test_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no images in .*; give a folder with images"):
        read_folder(tmp_path)


def test_links_to_what_is_listed_already_are_counted(tmp_path: Path) -> None:
    outside = make_files(tmp_path / "outside", "object-5f3a", "notes.txt")
    inside = make_files(tmp_path / "inside", "own.jpg", "trip/b.jpg", "c.txt")
    (inside / "again.jpg").symlink_to("own.jpg")
    (inside / "best").symlink_to("trip")
    for name in ("x.jpg", "y.jpg", "w.txt"):
        (inside / name).symlink_to(outside / "object-5f3a")
    (inside / "n.txt").symlink_to(outside / "notes.txt")
    folder = read_folder(inside)
    assert folder.paths == ["own.jpg", "trip/b.jpg", "x.jpg"]
    assert folder.left_out == LeftOut(files={"txt": 3}, links=3)


def test_images_that_cannot_be_read_are_told_from_files_that_are_none(tmp_path: Path) -> None:
    make_files(tmp_path, "a.jpg", "b.XCF", "c.xcf", "d.SVG", "e.txt", "Thumbs.db")
    (tmp_path / "album").symlink_to("/mnt/disk-that-is-not-there/album")
    expected = LeftOut(images={"xcf": 2, "svg": 1}, files={"db": 1, "txt": 1}, unreadable=1)
    assert read_folder(tmp_path).left_out == expected
