"""Walking a folder: every image once, in spite of links, cycles and unreadable directories."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain, groupby

from shoal.producer.submission.paths import PathSorter, sort_by_bytes
from shoal.shared.images.kinds import kind_of, readable_kinds

# Names of directories that systems and file servers create, of which hidden ones are left out
# anyway: they have copies and deleted files at most. After a sign that no album begins with, the
# letters count alone: #recycle, @Recycle and $Recycle.Bin, @Recently-Snapshot, $Trash-1000.
RUBBISH_SIGNS = ("#", "@", "$", "~")
RUBBISH_WORDS = (
    frozenset({"recycle", "recyclebin", "recycler", "recycled", "trash", "trashbox", "tmp"})
    | {"snapshot", "snapshots", "recentlysnapshot"}  # of Synology, QNAP, NetApp, btrfs
    | {"eadir", "thumb", "thumbs", "thumbnails", "transcode", "sharebin"}
)
RUBBISH_NAMES = frozenset({"__macosx", "lost+found"})
# Images of one directory that are put in their order with its sub-directories; of more, some are
# put away before.
MOST_TOGETHER = 100_000


@dataclass(frozen=True)
class _Directory:
    """A directory that is to be listed; ``prefix`` precedes the names in it."""

    prefix: str
    path: str


@dataclass
class Walk:
    """What was found so far in ``root``, and which links are left to follow.

    Directories are listed before links are followed, and links in sorted order: which of two
    names a file gets must not depend on the order in which the file system lists them.
    """

    root: str
    paths: PathSorter = field(default_factory=PathSorter)
    links: list[str] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    repeated: int = 0  # links to what is listed already
    unreadable: list[str] = field(default_factory=list)
    listed: set[str] = field(default_factory=set)  # real paths of directories: no cycles
    # Tells whether a path is left out, relative to the root; of a directory, it ends in a slash.
    excludes: Callable[[str], bool] | None = None

    def list_tree(self, prefix: str, directory: str) -> None:
        """Add all in ``directory`` and its sub-directories; ``prefix`` precedes the names."""
        # In the order of the paths: then they need no sorting once there are millions of them.
        pending: list[_Directory | list[str]] = [_Directory(prefix, directory)]
        while pending:
            item = pending.pop()
            if not isinstance(item, _Directory):
                self.paths.add(item)
            elif item.path not in self.listed:
                pending += reversed(self._list_directory(item))

    def _list_directory(self, directory: "_Directory") -> list["_Directory | list[str]"]:
        """Note the links of one directory; return its images and sub-directories, in order."""
        prefix = directory.prefix
        images, below = list[str](), dict[str, str]()
        try:
            with os.scandir(directory.path) as entries:
                for entry in entries:
                    if is_passed_over(entry) or (
                        self.excludes and self._is_excluded(prefix, entry)
                    ):
                        continue
                    # None of these checks costs a system call: the directory has the types.
                    if entry.is_dir(follow_symlinks=False):
                        below[f"{prefix}{entry.name}/"] = entry.path
                    elif entry.is_symlink():
                        self.links.append(prefix + entry.name)
                    elif self._is_image(entry.name):
                        images.append(prefix + entry.name)
                    if len(images) == MOST_TOGETHER:
                        self.paths.add(images)
                        images = []
        except OSError:
            self.unreadable.append(prefix.rstrip("/") or ".")
            return []
        self.listed.add(directory.path)
        return list(_arrange(images, below))

    def _is_excluded(self, prefix: str, entry: os.DirEntry[str]) -> bool:
        slash = "/" if entry.is_dir() else ""
        return self.excludes is not None and self.excludes(f"{prefix}{entry.name}{slash}")

    def _is_image(self, name: str) -> bool:
        """Return whether a file is an image by its name; count it as skipped if not."""
        kind = kind_of(name)
        if kind in readable_kinds():
            return True
        self.skipped[kind] += 1
        return False

    def _add_file(self, path: str) -> None:
        if self._is_image(path):
            self.paths.add([path])

    def follow_links(self) -> None:
        """Add what the links lead to, and the links found on the way."""
        files: list[str] = []
        while self.links:
            links, self.links = sort_by_bytes(self.links), []
            for link in links:
                target = self._target(link)
                if os.path.isdir(target):  # noqa: PTH112 - Path's raises where a parent is locked
                    self.repeated += target in self.listed
                    self.list_tree(f"{link}/", target)
                else:
                    files.append(link)
        self._add_linked_files(sort_by_bytes(files))

    def _add_linked_files(self, links: list[str]) -> None:
        """Add the links to files, except to files that are listed under another path."""
        seen: set[str] = set()
        for link in links:
            target, is_image = self._target(link), kind_of(link) in readable_kinds()
            present = os.path.exists(target)  # noqa: PTH110 - as above
            if (is_image and target in seen) or (present and self._is_listed_image(target)):
                self.repeated += 1
            # A broken link with an image's name is a lost image: listed, it becomes a failure. Any
            # other may have been an album on a disk that is not connected.
            elif present or is_image:
                self._add_file(link)
            else:
                self.unreadable.append(link)
            if is_image:
                seen.add(target)

    def _target(self, link: str) -> str:
        """Return the real path behind a link."""
        return os.path.realpath(f"{self.root}/{link}")

    def _is_listed_image(self, file: str) -> bool:
        """Return whether the file with this real path is an image in a listed directory."""
        directory, name = os.path.split(file)
        return (
            directory in self.listed and not _is_hidden(name) and kind_of(name) in readable_kinds()
        )


def _arrange(images: list[str], below: dict[str, str]) -> Iterator[_Directory | list[str]]:
    """Yield what a directory has in the order of the paths.

    Args:
        images: Their paths.
        below: The real path of each sub-directory, by the prefix of the names in it.
    """
    for is_directory, paths in groupby(sort_by_bytes(chain(images, below)), below.__contains__):
        if is_directory:
            yield from (_Directory(prefix, below[prefix]) for prefix in paths)
        else:
            yield list(paths)


def is_passed_over(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is hidden, or a directory that no user made, or a link to one."""
    if not _is_rubbish(entry.name):
        return _is_hidden(entry.name)
    return entry.is_dir(follow_symlinks=False) or entry.is_symlink()


def is_path_passed_over(path: str) -> bool:
    """Return whether a file in an archive is hidden, or in a directory that no user made."""
    directory, _, name = path.rpartition("/")
    return _is_hidden(name) or _is_directory_passed_over(directory)


@lru_cache(maxsize=1024)
def _is_directory_passed_over(directory: str) -> bool:
    return any(_is_hidden(name) or _is_rubbish(name) for name in directory.split("/"))


def _is_rubbish(name: str) -> bool:
    if name.startswith(RUBBISH_SIGNS):
        return "".join(filter(str.isalpha, name.casefold())) in RUBBISH_WORDS
    return name.casefold() in RUBBISH_NAMES


def _is_hidden(name: str) -> bool:
    return name.startswith(".")
