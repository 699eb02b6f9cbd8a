"""Listings: the images of a submission, and what was left out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from shoal.shared.images.kinds import UNREAD, missing_packages
from shoal.shared.jobs import IMAGES, OTHER, LeftOut
from shoal.shared.sources.given import list_given_folders
from shoal.shared.sources.locations import Location

# Kinds of files that are no images, of which a folder can have any number, while a job is to keep
# few.
MOST_KINDS = 50


@dataclass(frozen=True)
class Listing:
    """The images of a submission.

    Attributes:
        source: What the paths are relative to: the absolute path of a folder or of an archive,
            links resolved, or a URL.
        paths: Paths of the images, relative to ``source``, sorted by their bytes; bytes that are
            not UTF-8 are surrogates, as ``os.fsdecode`` makes them.
        skipped: Files of kinds that are not read, by lower-case extension without its dot.
        unreadable: Directories that could not be listed and broken links, relative to
            ``source``: images may be missing.
        repeated: Number of links to what is listed already.
        locations: Of each image; None for files in a folder, whose paths say it.
        members: Number of members of archives that are never read, by what they are.
        damaged: What is wrong with archives of which a part was listed.
        inputs: What was given instead of a folder; empty for a folder.
        exclude: Patterns of what was left out.
        column: Column of a table that has the paths; None was found by its name.
        excluded: Number of files and folders that they left out.
        given_again: Number of images that were given more than once.
    """

    source: str
    paths: Sequence[str]
    skipped: Counter[str] = field(default_factory=Counter)
    unreadable: list[str] = field(default_factory=list)
    repeated: int = 0
    locations: Sequence[Location] | None = None
    members: Counter[str] = field(default_factory=Counter)
    damaged: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    column: str | None = None
    excluded: int = 0
    given_again: int = 0

    @property
    def given(self) -> dict[str, Any]:
        """What a request says of the images, by its fields."""
        return {name: getattr(self, name) for name in IMAGES}

    @property
    def folders(self) -> list[str]:
        """The folders that were asked for: where no results may be written."""
        return list_given_folders(self.source, self.inputs)

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
            excluded=self.excluded,
            given_again=self.given_again,
            unreadable=len(self.unreadable),
            members=dict(sorted(self.members.items())),
            damaged=self.damaged,
        )
