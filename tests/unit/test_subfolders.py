"""Folders that a person chooses one of: what is shown of them, and nothing outside of the roots."""

import os
from pathlib import Path

import pytest

from shoal.producer.submission import subfolders
from shoal.producer.submission.subfolders import Crumb, FolderContents, list_subfolders
from shoal.shared.errors import SourceError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with albums, beside a folder that is not to be seen."""
    root = tmp_path.resolve() / "root"
    for name in ("Album 10", "album 9", ".hidden", "empty", "@eaDir", "album 9/day 1"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in ("a.jpg", "b.PNG", "notes.txt", ".c.jpg"):
        (root / "album 9" / name).touch()
    (root / "d.webp").touch()
    (tmp_path / "outside" / "secret").mkdir(parents=True)
    (root / "out").symlink_to(tmp_path / "outside")
    (root / "in").symlink_to(root / "album 9")
    (root / "nowhere").symlink_to(tmp_path / "missing")
    (root / "to hidden").symlink_to(root / ".hidden")
    return root


def show(contents: FolderContents) -> list[tuple[str, int | None, int | None]]:
    return [(each.name, each.images, each.folders) for each in contents.folders]


def test_folders_come_as_people_count_with_what_is_in_them(root: Path) -> None:
    found = list_subfolders(str(root), [root])
    expected = [("album 9", 2, 1), ("Album 10", 0, 0), ("empty", 0, 0), ("in", 2, 1)]
    assert show(found) == expected
    assert (found.images, found.has_more) == (1, False)
    assert found.folders[0].path == str(root / "album 9")
    below = list_subfolders(f"{root}/in", [root])
    assert (below.path, show(below)) == (str(root / "album 9"), [("day 1", 0, 0)])
    names = [Crumb(name=str(root), path=str(root)), Crumb(name="album 9", path=below.path)]
    assert below.parents == names


def test_one_begins_at_the_root_or_at_a_list_of_the_roots(root: Path) -> None:
    assert list_subfolders("", [root]).path == str(root)
    several = list_subfolders("", [root, root / "empty"])
    assert (several.path, [each.path for each in several.folders]) == (
        "",
        [str(root), str(root / "empty")],
    )
    assert list_subfolders("", []).folders == []
    with pytest.raises(SourceError, match="Only what is in no folder"):
        list_subfolders("/", [])


@pytest.mark.parametrize(
    "path",
    [
        *("{root}/..", "{root}/../outside", "{root}/../missing", "{root}/out", "{root}/out/secret"),
        *("{root}/out/missing", "{root}/nowhere", "{root}/to hidden", "{root}/.hidden", "/", "~/"),
        *("{root}x", "/proc/self/root", "{root}/empty/../../outside"),
    ],
)
def test_all_that_is_outside_or_hidden_is_refused_in_the_same_words(root: Path, path: str) -> None:
    with pytest.raises(SourceError) as refusal:
        list_subfolders(path.format(root=root), [root])
    assert str(refusal.value) == (
        f"Only what is in {root} is listed here, and nothing that is hidden."
    )


@pytest.mark.parametrize(
    ("path", "remedy"),
    [
        ("relative", "full path"),
        ("{root}/a\0b", "full path"),
        ("{root}/missing", r"does not exist; check the spelling after .*/root$"),
        ("{root}/d.webp", "is not a folder"),
        ("{root}/" + "x" * 300, "cannot be listed"),
    ],
)
def test_what_cannot_be_listed_is_told_with_its_remedy(root: Path, path: str, remedy: str) -> None:
    with pytest.raises(SourceError, match=remedy):
        list_subfolders(path.format(root=root), [root])


def test_a_folder_that_becomes_a_link_while_it_is_opened_leads_nowhere(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, outside = os.open, root.parent / "outside"

    def swap(path: str | Path, flags: int, **place: int) -> int:
        # After the name was checked, before it is opened.
        for name in ("empty", "album 9/day 1"):
            if Path(path).name == Path(name).name and not (root / name).is_symlink():
                (root / name).rmdir()
                (root / name).symlink_to(outside)
        return real(path, flags, **place)

    monkeypatch.setattr(os, "open", swap)
    with pytest.raises(SourceError, match="Only what is in"):
        list_subfolders(str(root / "empty"), [root])
    assert list_subfolders(str(root / "album 9"), [root]).folders == []


def test_unreadable_and_strange_names_are_shown_and_cannot_be_chosen(root: Path) -> None:
    (root / "caf\udce9").mkdir()
    (root / '"><b>\u202e').mkdir()
    locked = root / "locked"
    locked.mkdir()
    locked.chmod(0)
    found = {each.name: each for each in list_subfolders(str(root), [root]).folders}
    locked.chmod(0o700)
    assert found["caf\udce9"].path is None
    assert found['"><b>\u202e'].path == str(root / '"><b>\u202e')
    # Nothing is locked for who runs tests as root.
    assert found["locked"].is_readable == (os.geteuid() == 0)


def test_a_huge_folder_is_listed_in_part(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(30):
        (root / "album 9" / f"{number}.jpg").touch()
    monkeypatch.setattr(subfolders, "MOST_FOLDERS", 1)
    monkeypatch.setattr(subfolders, "MOST_COUNTED", 5)
    found = list_subfolders(str(root), [root])
    assert ([each.name for each in found.folders], found.has_more) == (["album 9"], True)
    first = found.folders[0]
    assert first.has_more
    assert first.images is not None
    assert first.images <= 5
    monkeypatch.setattr(subfolders, "MOST_SECONDS", -1.0)
    assert list_subfolders(str(root / "album 9"), [root]).folders[0].images is None
    monkeypatch.setattr(subfolders, "MOST_ENTRIES", 2)
    assert list_subfolders(str(root / "album 9"), [root]).has_more
