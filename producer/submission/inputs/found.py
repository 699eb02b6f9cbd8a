"""What the inputs of a submission have, as one input after the other finds it."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TypeVar

from shoal.producer.submission.inputs.exclusion import Excludes
from shoal.producer.submission.listing import Listing
from shoal.producer.submission.located import LocatedSorter, pack_located
from shoal.producer.submission.paths import pack_sorted, sort_by_bytes
from shoal.producer.submission.walk import Walk
from shoal.shared.errors import SourceError
from shoal.shared.images.kinds import kind_of, readable_kinds
from shoal.shared.settings import Settings
from shoal.shared.sources.locations import Location
from shoal.shared.sources.members import Omitted
from shoal.shared.sources.paths import is_url, join, scheme_of

# Folders whose real paths are remembered: lines of a list go through one folder after the other.
FOLDERS_KEPT = 10_000
# Damaged archives that are named.
MOST_DAMAGED = 10
Image = TypeVar("Image")


class Found:
    """Images that were found, and what the source of all of them is.

    Attributes:
        settings: Those of this process.
        column: Column of tables that has the paths; None finds it by its name.
        roots: Directories that nothing may lead out of; empty is anywhere.
        excludes: Tells whether a path is left out.
        walk: Files of this machine, relative to the root directory, without a location.
        skipped: Number of files of kinds that are not read, by extension.
        n_excluded: Number of paths that the patterns left out.
        n_repeated: Number of images that were given again.
        members: Number of members of archives that are never read, by what they are.
        damaged: What is wrong with archives of which a part was listed.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        column: str | None = None,
        roots: tuple[Path, ...] = (),
        excludes: Excludes | None = None,
    ) -> None:
        self.settings, self.column, self.roots, self.excludes = settings, column, roots, excludes
        self.walk = Walk("")
        self.skipped = self.walk.skipped
        self.n_excluded = self.n_repeated = 0
        self.members = Counter[str]()
        self.damaged: list[str] = []
        self._located = LocatedSorter()
        self._base: str | None = None
        self._folders: list[str] = []  # whose paths the patterns see
        self.resolve_folder = lru_cache(FOLDERS_KEPT)(self._resolve_folder)
        if excludes:
            self.walk.excludes = self._excludes_file

    def reach(self, base: str) -> None:
        """Widen the source of the images, so that ``base`` is in it: a folder, archive or URL.

        Raises:
            SourceError: There are images of another kind of place already.
        """
        if self._base is None:
            self._base = base
        elif not (base == self._base or base.startswith(join(self._base, ""))):
            self._base = find_common(self._base, base)

    def _resolve_folder(self, folder: str) -> str:
        """Return the real path of a folder; it may be checked, and it becomes part of the source.

        Raises:
            SourceError: It is not under one of the roots.
        """
        real = os.path.realpath(folder)
        check_roots(real, self.roots)
        return real

    def add_folder(self, folder: str) -> None:
        """Add the images in a folder, whose path is real, and below it."""
        self.reach(folder)
        prefix = join(folder, "")[1:]
        self._folders.append(prefix)
        self.walk.list_tree(prefix, folder)

    def add_file(self, path: str, base: str = "/") -> None:
        """Add an image of this machine, or count it as left out by its name.

        Args:
            path: Its absolute path.
            base: The folder whose paths the patterns see.
        """
        folder, _, name = path.rpartition("/")
        if not self._takes(path, base):
            return
        _check_name(path)
        real = self.resolve_folder(folder or "/")
        self.reach(real)
        self.walk.paths.add([join(real, name)[1:]])

    def add_located(self, base: str, path: str, location: Location) -> None:
        """Add an image in an archive or at a URL, or count it as left out by its name.

        Args:
            base: What was given: an archive, a URL or the beginning of one.
            path: Of the image, relative to that.
            location: Of the image; ``archive`` is the whole path or URL of the archive.
        """
        if self.takes(path):
            self.add_image(base, path, location)

    def add_image(self, base: str, path: str, location: Location) -> None:
        """Add an image as ``add_located`` does, whatever it is called."""
        _check_name(path)
        self.reach(base)
        self._located.add([(join(base, path), location)])

    def note_omitted(self, archive: str, omitted: Omitted) -> None:
        """Note what an archive has beside regular files."""
        self.members += omitted.kinds
        if omitted.damage and len(self.damaged) < MOST_DAMAGED:
            self.damaged.append(f"{archive} {omitted.damage}")

    def takes(self, path: str) -> bool:
        """Return whether an image with this path is wanted; count it as left out if not."""
        kind = kind_of(path)
        if kind not in readable_kinds():
            self.skipped[kind] += 1
            return False
        if self.excludes and self.excludes(path):
            self.n_excluded += 1
            return False
        return True

    def _takes(self, path: str, base: str) -> bool:
        return self.takes(path.removeprefix(join(base, "")).lstrip("/"))

    def _excludes_file(self, path: str) -> bool:
        """Return whether a path, relative to the root directory, is left out of its folder."""
        folder = max((each for each in self._folders if path.startswith(each)), key=len, default="")
        excluded = bool(self.excludes and self.excludes(path[len(folder) :]))
        self.n_excluded += excluded
        return excluded

    def make_listing(self) -> Listing:
        """Return all images that were found, each once."""
        self.walk.follow_links()
        source = self._base or "/"
        cut = len(join(source, ""))
        unreadable = sort_by_bytes(f"/{path}"[cut:] or "." for path in self.walk.unreadable)
        left = self.skipped, unreadable, self.walk.repeated
        if self._located.is_empty:
            files = self.walk.paths.merge()
            paths = pack_sorted(self._each_once((path[cut - 1 :], path) for path in files))
            return Listing(source, paths, *left)
        for path in self.walk.paths.merge():
            self._located.add([(f"/{path}", Location())])
        rows = ((row[0], (row[0][cut:], _shorten(row[1], source))) for row in self._located.merge())
        paths, locations = pack_located(self._each_once((row, path) for path, row in rows))
        return Listing(source, paths, *left, locations, self.members, tuple(self.damaged))

    def _each_once(self, images: Iterable[tuple[Image, str]]) -> Iterator[Image]:
        """Yield sorted images, each with its whole path; of those that come again, the last one."""
        for _, same in groupby(images, itemgetter(1)):
            found = list(same)
            self.n_repeated += len(found) - 1
            yield found[-1][0]


def _shorten(location: Location, source: str) -> Location:
    """Return a location whose archive is named relative to the source."""
    if not location.archive:
        return location
    archive = "." if location.archive == source else location.archive[len(join(source, "")) :]
    return Location(
        *(location.size, location.version, archive, location.offset),
        *(location.method, location.length, location.checksum),
    )


def find_common(one: str, other: str) -> str:
    """Return the nearest folder, or beginning of a URL, that both are in.

    Raises:
        SourceError: There is none.
    """
    if scheme_of(one) != scheme_of(other):
        kinds = sorted(scheme_of(each) or "files" for each in (one, other))
        raise SourceError(
            f"A job has images of one kind of place, not of {' and '.join(kinds)}: submit each"
            " alone."
        )
    start = one.index("://") + 3 if is_url(one) else 1
    parts = zip(one[start:].split("/"), other[start:].split("/"), strict=False)
    same = []
    for mine, its in parts:
        if mine != its:
            break
        same.append(mine)
    return one[:start] + "/".join(same)


def _check_name(path: str) -> None:
    """Check that a path can be one's, as those of a job are kept with NULs between them.

    Raises:
        SourceError: It has a NUL in it.
    """
    if "\0" in path:
        raise SourceError(
            f"No file's name has a NUL in it, as {path!r} has: divide the lines of a list all by"
            " NULs, or all by line feeds."
        )


def check_roots(path: str, roots: tuple[Path, ...]) -> None:
    """Check that a path, with links resolved, is under one of the roots, if there are any.

    Raises:
        SourceError: It is not.
    """
    if roots and not any(Path(path).is_relative_to(root) for root in roots):
        allowed = os.pathsep.join(map(str, roots))
        raise SourceError(f"Not under a directory of SHOAL_IMAGE_ROOTS: {allowed}.")
