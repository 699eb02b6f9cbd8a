"""A preview of organizing: folders, with some of their images and how much room they need."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from shoal.producer.organizing.organizing import list_folders, make_plan
from shoal.producer.organizing.plan import Placement
from shoal.producer.results import JobResults
from shoal.shared.settings import Settings
from shoal.shared.store.images import JobImages

EXAMPLES = 3


@dataclass
class FolderPreview:
    """A folder that would be made.

    Attributes:
        folder: Its name.
        labels: Numbers of the clusters whose images it has; -1 is noise.
        images: How many images it would have.
        size_bytes: Of their files, as far as these are there.
        examples: What the first images would be called in it.
    """

    folder: str
    labels: list[int]
    images: int
    size_bytes: int = 0
    examples: list[str] = field(default_factory=list)


@dataclass
class Preview:
    """What organizing a job would do, wherever it is done.

    Attributes:
        folders: The folders, by their first label.
        n_missing: Images whose files are not there any more.
        missing: Paths of the first of these.
        is_here: Whether the job's folder is on this machine.
    """

    folders: list[FolderPreview]
    n_missing: int = 0
    missing: list[str] = field(default_factory=list)
    is_here: bool = True

    @property
    def images(self) -> int:
        """How many images there would be in all folders."""
        return sum(folder.images for folder in self.folders)

    @property
    def size_bytes(self) -> int:
        """Size of the files of all folders."""
        return sum(folder.size_bytes for folder in self.folders)


def preview_folders(job: JobResults, *, flat: bool = False, most_missing: int = 20) -> Preview:
    """Look at what organizing a finished job would do: at each file's size, but not into it.

    Args:
        job: The job.
        flat: Whether images lose the folders that they are in.
        most_missing: Most paths of missing images that are listed.
    """
    summary, source = job.summary(), Path(job.status().request.source)
    folders = [FolderPreview(f.folder, f.labels, f.images) for f in list_folders(summary)]
    images = JobImages(job.results, os.fspath(source), Settings())
    preview = Preview(folders, is_here=source.is_dir() and images.are_files)
    _look(preview, make_plan(job, summary, flat=flat).placements(), source)
    del preview.missing[most_missing:]
    return preview


def _look(preview: Preview, placements: Iterable[Placement], source: Path) -> None:
    by_name = {folder.folder: folder for folder in preview.folders}
    for placement in placements:
        name, _, within = placement.target.partition("/")
        folder = by_name[name]
        if len(folder.examples) < EXAMPLES:
            folder.examples.append(within)
        if preview.is_here:
            try:
                folder.size_bytes += os.stat(source / placement.path).st_size  # noqa: PTH116  faster
            except OSError:
                preview.n_missing += 1
                preview.missing.append(placement.path)
