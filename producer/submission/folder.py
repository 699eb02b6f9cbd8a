"""Listing the images of a folder."""

import os
from pathlib import Path

from shoal.producer.submission.listing import Listing
from shoal.producer.submission.paths import sort_by_bytes
from shoal.producer.submission.walk import Walk
from shoal.shared.errors import SourceError
from shoal.shared.images.kinds import readable_kinds
from shoal.shared.jobs import INPUTS_SHOWN, STDIN
from shoal.shared.sources.members import archive_kind


def read_folder(source: Path) -> Listing:
    """List the images in ``source`` and its sub-directories, in the same order on every machine.

    Hidden files and directories are left out. Links are followed, and no file is listed twice.

    Raises:
        SourceError: The folder is missing, unreadable, not a folder, or has no images.
    """
    root = resolve_source(source)
    check_is_folder(root)
    walk = Walk(os.fspath(root))
    walk.list_tree("", walk.root)
    walk.follow_links()
    unreadable = sort_by_bytes(walk.unreadable)
    listing = Listing(walk.root, walk.paths.pack(), walk.skipped, unreadable, walk.repeated)
    check_has_images(listing)
    return listing


def resolve_source(source: Path) -> Path:
    """Return the absolute path of ``source``, with ``~`` and links resolved."""
    # Not every shell expands the ~ of `make run SOURCE=~/Pictures`.
    home = source.expanduser() if source.parts[:1] == ("~",) else source
    return Path(os.path.realpath(home))  # Path.resolve raises if links form a loop


def check_is_folder(root: Path) -> None:
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


def check_has_images(listing: Listing) -> None:
    """Raise SourceError if there is no image; the message says what the folder has instead."""
    if listing.paths:
        return
    given = listing.inputs[:INPUTS_SHOWN] or (listing.source,)
    where = ", ".join("standard input" if each == STDIN else each for each in given)
    seen = [f"no images in {where}", *listing.left_out.lines]
    kinds = " ".join(f".{kind}" for kind in sorted(readable_kinds()))
    raise SourceError(f"{'; '.join(seen)}; {_find_remedy(listing)}: {kinds}")


def _find_remedy(listing: Listing) -> str:
    """Say what to give in place of what has no images; the kinds of images follow."""
    if any(archive_kind(f"a.{kind}") for kind in listing.skipped):
        return "archives among them are not opened: give each by its name, or what has images"
    given = listing.inputs or (listing.source,)
    is_folder = all(map(os.path.isdir, given))
    return "give a folder with images" if is_folder else "give what has images"
