"""The folders in a folder, for a person who chooses one: only where images may be read.

What is outside is not shown, nor whether it exists. A folder is opened once, and its place checked
once it is open: a link that is changed meanwhile leads nowhere.
"""

import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from shoal.producer.submission.folder import explain_unlistable, resolve_source
from shoal.producer.submission.walk import is_passed_over
from shoal.shared.errors import SourceError
from shoal.shared.images.files import is_missing, opened_path
from shoal.shared.images.kinds import kind_of, readable_kinds

MOST_FOLDERS = 1000
# Entries that are looked at in the folder itself, and in each of its folders.
MOST_ENTRIES = 200_000
MOST_COUNTED = 1000
# After this time, no more of its folders are looked into.
MOST_SECONDS = 2.0
FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
NUMBERS = re.compile(r"([0-9]{1,18})")


@dataclass(frozen=True, kw_only=True)
class Crumb:
    """A folder that another one is in.

    Attributes:
        name: Its name; of the first, its path.
        path: Its path.
    """

    name: str
    path: str


@dataclass(frozen=True, kw_only=True)
class Subfolder:
    """A folder in another one.

    Attributes:
        name: Its name.
        path: Its path; None where no text can hold it, as its name is not UTF-8.
        images: Number of images directly in it; None where nobody looked.
        folders: Number of folders directly in it, without links; None where nobody looked.
        has_more: Whether only some of what is in it was counted.
        is_readable: Whether it can be listed.
    """

    name: str
    path: str | None
    images: int | None = None
    folders: int | None = None
    has_more: bool = False
    is_readable: bool = True


@dataclass(frozen=True, kw_only=True)
class FolderContents:
    """What a person sees of a folder.

    Attributes:
        path: Its path, links resolved; "" for the list of all folders that images may be read in.
        parents: The folders it is in, the outermost first, and itself.
        folders: The folders in it, by name; hidden ones are left out.
        images: Number of images directly in it.
        has_more: Whether only some of it is shown.
    """

    path: str
    parents: list[Crumb] = field(default_factory=list)
    folders: list[Subfolder] = field(default_factory=list)
    images: int = 0
    has_more: bool = False


def list_subfolders(path: str, roots: Sequence[Path]) -> FolderContents:
    """List the folders in a folder, or with "" those that one can begin with.

    Args:
        path: Absolute, or beginning with ``~/``.
        roots: Where folders may be listed, links resolved.

    Raises:
        SourceError: The path is invalid, in none of ``roots`` or in a hidden folder of them, or
            cannot be listed.
    """
    if path or len(roots) == 1:
        return _Listing(tuple(roots), time.monotonic() + MOST_SECONDS).read(path or str(roots[0]))
    return FolderContents(path="", folders=[_name_folder(str(root), str(root)) for root in roots])


@dataclass
class _Entries:
    """What was seen of a folder."""

    folders: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    images: int = 0
    has_more: bool = False


@dataclass(frozen=True)
class _Listing:
    """One look at a folder; it ends at ``deadline``, of the monotonic clock."""

    roots: tuple[Path, ...]
    deadline: float

    def read(self, path: str) -> FolderContents:
        with self._open(path) as folder:
            here = Path(opened_path(folder))
            root = self._find_root(here)
            if not root:
                raise _refuse(self.roots)
            seen = self._scan(folder, MOST_ENTRIES)
            names = sorted([*seen.folders, *seen.links], key=_make_key)
            links = set(seen.links)
            shown = [self._look(folder, here, name, name in links) for name in names[:MOST_FOLDERS]]
        return FolderContents(
            path=str(here),
            parents=list(_list_parents(root, here)),
            folders=[each for each in shown if each],
            images=seen.images,
            has_more=seen.has_more or len(names) > MOST_FOLDERS,
        )

    @contextmanager
    def _open(self, path: str) -> Iterator[int]:
        """Open a folder that may be listed; nothing is told of any other."""
        if "\0" in path or not path.startswith(("/", "~/")):
            raise SourceError("Give the full path of the folder, beginning with / or ~/.")
        resolved = resolve_source(Path(path))
        if not self._find_root(resolved):
            raise _refuse(self.roots)
        try:
            descriptor = os.open(resolved, FLAGS)
        except OSError as error:
            raise SourceError(f"{resolved} {explain_unlistable(resolved, error)}") from error
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _find_root(self, path: Path) -> Path | None:
        """Find the root that a path is in, by a way on which nothing is hidden."""
        for root in self.roots:
            if path.is_relative_to(root):
                way = path.relative_to(root).parts
                if not any(name.startswith(".") for name in way):
                    return root
        return None

    def _scan(self, folder: int, most: int) -> _Entries:
        """Look at the entries of an open folder, at most so many."""
        seen = _Entries()
        with os.scandir(folder) as entries:
            for number, entry in enumerate(entries):
                if number == most or (number % 1000 == 999 and self._is_over()):
                    seen.has_more = True
                    break
                if is_passed_over(entry):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    seen.folders.append(entry.name)
                elif kind_of(entry.name) in readable_kinds():
                    seen.images += 1
                elif entry.is_symlink():
                    seen.links.append(entry.name)
        return seen

    def _look(self, folder: int, here: Path, name: str, is_link: bool) -> Subfolder | None:
        """Look into a folder of an open one; None if it is none, is gone or is not to be seen."""
        found = _name_folder(name, f"{str(here).rstrip('/')}/{name}")
        if self._is_over() and not is_link:
            return found
        try:
            below = os.open(name, FLAGS, dir_fd=folder)
        except OSError as error:
            is_gone = is_link or is_missing(error) or isinstance(error, NotADirectoryError)
            return None if is_gone else replace(found, is_readable=False)
        try:
            if not self._find_root(Path(opened_path(below))):
                return None
            seen = self._scan(below, MOST_COUNTED)
        except OSError:
            return replace(found, is_readable=False)
        finally:
            os.close(below)
        return replace(found, images=seen.images, folders=len(seen.folders), has_more=seen.has_more)

    def _is_over(self) -> bool:
        return time.monotonic() > self.deadline


def _refuse(roots: Sequence[Path]) -> SourceError:
    places = ", ".join(map(str, roots)) or "no folder"
    return SourceError(f"Only what is in {places} is listed here, and nothing that is hidden.")


def _name_folder(name: str, path: str) -> Subfolder:
    return Subfolder(name=name, path=path if _is_text(path) else None)


def _list_parents(root: Path, here: Path) -> Iterator[Crumb]:
    yield Crumb(name=str(root), path=str(root))
    for name in here.relative_to(root).parts:
        root /= name
        yield Crumb(name=name, path=str(root))


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _make_key(name: str) -> list[tuple[int, int | str]]:
    """Make what sorts names as people do: 9 before 10, without regard to capitals."""
    parts = NUMBERS.split(name.casefold())
    key = [(1, int(part)) if number % 2 else (2, part) for number, part in enumerate(parts)]
    return [*key, (3, name)]
