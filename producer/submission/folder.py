"""Listing the images of a folder."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shoal.producer.submission.paths import sort_by_bytes
from shoal.producer.submission.walk import Walk
from shoal.shared.errors import SourceError
from shoal.shared.images.kinds import UNREAD, missing_packages, readable_kinds
from shoal.shared.jobs import LeftOut

# Kinds of files that are no images, of which a folder can have any number, while a job is to keep
# few; and what all the others are called, and files without one.
MOST_KINDS = 50
OTHER = "other"


@dataclass(frozen=True)
class Folder:
    """The images beneath a folder.

    Attributes:
        source: Absolute path of the folder, links resolved.
        paths: Paths of the images, relative to ``source``, sorted by their bytes; bytes that are
            not UTF-8 are surrogates, as ``os.fsdecode`` makes them.
        skipped: Files of kinds that are not read, by lower-case extension without its dot.
        unreadable: Directories that could not be listed and broken links, relative to
            ``source``: images may be missing.
        repeated: Number of links to what is listed already.
    """

    source: Path
    paths: Sequence[str]
    skipped: Counter[str]
    unreadable: list[str]
    repeated: int = 0

    @property
    def left_out(self) -> LeftOut:
        """What the folder has beside the images, by kind the most common first."""
        commonest = sorted(self.skipped.items(), key=lambda item: (-item[1], item[0]))
        extras = missing_packages()
        images = {kind: n for kind, n in commonest if kind in UNREAD or kind in extras}
        packages = {kind: extras[kind] for kind in images if kind in extras}
        others = [(kind, n) for kind, n in commonest if kind not in images]
        files = Counter({kind: n for kind, n in others[:MOST_KINDS] if kind})
        if rest := sum(n for _, n in others) - files.total():
            files[OTHER] += rest
        return LeftOut(
            images=images,
            packages=packages,
            files=files,
            links=self.repeated,
            unreadable=len(self.unreadable),
        )


def read_folder(source: Path) -> Folder:
    """List the images in ``source`` and its sub-directories, in the same order on every machine.

    Hidden files and directories are left out. Links are followed, and no file is listed twice.

    Raises:
        SourceError: The folder is missing, unreadable, not a folder, or has no images.
    """
    root = resolve_source(source)
    _check_is_folder(root)
    walk = Walk(os.fspath(root))
    walk.list_tree("", walk.root)
    walk.follow_links()
    unreadable = sort_by_bytes(walk.unreadable)
    folder = Folder(root, walk.paths.pack(), walk.skipped, unreadable, walk.repeated)
    _check_has_images(folder)
    return folder


def resolve_source(source: Path) -> Path:
    """Return the absolute path of ``source``, with ``~`` and links resolved."""
    # Not every shell expands the ~ of `make run SOURCE=~/Pictures`.
    home = source.expanduser() if source.parts[:1] == ("~",) else source
    return Path(os.path.realpath(home))  # Path.resolve raises if links form a loop


def _check_is_folder(root: Path) -> None:
    """Raise SourceError unless ``root`` is a directory that can be listed."""
    try:
        os.scandir(root).close()
    except OSError as error:
        raise SourceError(f"{root} {explain_unlistable(root, error)}") from error


def explain_unlistable(root: Path, error: OSError) -> str:
    """Say why ``root`` cannot be listed, and what to do about it."""
    match error:
        case FileNotFoundError():
            return f"does not exist; check the spelling after {_nearest_folder(root)}"
        case NotADirectoryError():
            return (
                f"is not a folder; give the folder of the images, such as {_nearest_folder(root)}"
            )
        case PermissionError():
            return "is not readable by you; ask its owner, or run chmod u+rx on it"
    return f"cannot be listed: {error.strerror}; is its disk still connected?"


def _nearest_folder(path: Path) -> Path:
    """Return the deepest directory above ``path`` that exists."""
    return next(parent for parent in path.parents if parent.is_dir())


def _check_has_images(folder: Folder) -> None:
    """Raise SourceError if there is no image; the message says what the folder has instead."""
    if folder.paths:
        return
    seen = [f"no images in {folder.source}", *folder.left_out.lines]
    kinds = " ".join(f".{kind}" for kind in sorted(readable_kinds()))
    raise SourceError(f"{'; '.join(seen)}; give a folder with images: {kinds}")
