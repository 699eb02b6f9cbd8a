"""Walking a folder: every image once, in spite of links, cycles and unreadable directories."""

import os
from collections import Counter
from dataclasses import dataclass, field

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


@dataclass
class Walk:
    """What was found so far in ``root``, and which links are left to follow.

    Directories are listed before links are followed, and links in sorted order: which of two
    names a file gets must not depend on the order in which the file system lists them.
    """

    root: str
    paths: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    repeated: int = 0  # links to what is listed already
    unreadable: list[str] = field(default_factory=list)
    listed: set[str] = field(default_factory=set)  # real paths of directories: no cycles

    def list_tree(self, prefix: str, directory: str) -> None:
        """Add all in ``directory`` and its sub-directories; ``prefix`` precedes the names."""
        pending = [(prefix, directory)]
        while pending:
            prefix, directory = pending.pop()
            if directory not in self.listed:
                pending += self._list_directory(prefix, directory)

    def _list_directory(self, prefix: str, directory: str) -> list[tuple[str, str]]:
        """Add the files and links of one directory and return its sub-directories."""
        try:
            with os.scandir(directory) as entries:
                found = [entry for entry in entries if not _is_passed_over(entry)]
        except OSError:
            self.unreadable.append(prefix.rstrip("/") or ".")
            return []
        self.listed.add(directory)
        return [(f"{prefix}{e.name}/", e.path) for e in found if self._add_entry(prefix, e)]

    def _add_entry(self, prefix: str, entry: os.DirEntry[str]) -> bool:
        """Add one entry of a directory; return whether it is a directory that must be listed."""
        # None of these checks costs a system call: the directory has the types of its entries.
        if entry.is_dir(follow_symlinks=False):
            return True
        if entry.is_symlink():
            self.links.append(prefix + entry.name)
        else:
            self._add_file(prefix + entry.name)
        return False

    def _add_file(self, path: str) -> None:
        kind = kind_of(path)
        if kind in readable_kinds():
            self.paths.append(path)
        else:
            self.skipped[kind] += 1

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


def sort_by_bytes(paths: list[str]) -> list[str]:
    """Sort paths by their bytes, which no locale changes."""
    return sorted(paths, key=os.fsencode)


def _is_passed_over(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is hidden, or a directory that no user made, or a link to one."""
    if not _is_rubbish(entry.name):
        return _is_hidden(entry.name)
    return entry.is_dir(follow_symlinks=False) or entry.is_symlink()


def _is_rubbish(name: str) -> bool:
    if name.startswith(RUBBISH_SIGNS):
        return "".join(filter(str.isalpha, name.casefold())) in RUBBISH_WORDS
    return name.casefold() in RUBBISH_NAMES


def _is_hidden(name: str) -> bool:
    return name.startswith(".")
