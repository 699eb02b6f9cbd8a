"""Organizing: the images of a job, each in the folder of its cluster."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from shoal.producer.organizing.journal import FILE_NAME, FOLDER_NAME
from shoal.producer.organizing.plan import Placement, Plan, name_folders
from shoal.producer.organizing.run import foresee_steps, run_steps
from shoal.producer.organizing.steps import Header, Mode, Progress, Skipped, find_place
from shoal.producer.organizing.tasks import Outcome
from shoal.producer.results import JobResults
from shoal.producer.results.names import group_clusters
from shoal.shared.errors import UsageError
from shoal.shared.findings import NOISE, Summary
from shoal.shared.settings import Settings
from shoal.shared.sources.given import list_given_folders
from shoal.shared.store.images import JobImages


@dataclass(frozen=True, kw_only=True)
class ClusterFolder:
    """The folder of a cluster, or of several that have one name.

    Attributes:
        folder: Its name.
        labels: Numbers of the clusters, ascending; -1 is noise.
        images: How many images they have.
    """

    folder: str
    labels: list[int]
    images: int


@dataclass(frozen=True, kw_only=True)
class Organization:
    """What became of the images of a job.

    Attributes:
        job_id: Id of the job.
        source: The job's folder.
        directory: Where the clusters' folders are.
        mode: How images got there.
        is_flat: Whether they lost the folders that they were in.
        is_dry_run: Whether nothing was done.
        done: Images that are there, by this call or by earlier ones; in a dry run, those that
            would be.
        present: Images of which the same link or copy was there before.
        skipped: Images that were left as they are, with the reasons.
        failed: Images that the job could not read: they have no cluster, and stay where they are.
        folders: The folders of the clusters, by their first label.
        journal: The file by which ``shoal.undo`` takes it all back.
    """

    job_id: str
    source: str
    directory: str
    mode: Mode
    is_flat: bool
    is_dry_run: bool
    done: int
    present: int
    skipped: list[Skipped]
    failed: int
    folders: list[ClusterFolder] = field(default_factory=list)
    journal: str


def organize(
    job: JobResults,
    directory: str | os.PathLike[str],
    mode: str = Mode.SYMLINK,
    *,
    flat: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> Organization:
    """Put each image of a finished job into the folder of its cluster.

    Args:
        job: The job.
        directory: Where the folders shall be.
        mode: ``"symlink"``, ``"hardlink"``, ``"copy"`` or ``"move"``.
        flat: Whether images lose the folders that they are in.
        dry_run: Whether to look only at what would be done, without reading an image.
        progress: Called with the number of images that were looked at, and of all.

    Raises:
        UsageError: It cannot be done there; nothing was done, and the message says what to change.
        ShoalError: The disk is full, read-only or broken; the same call goes on later.
    """
    status, summary = job.status(), job.summary()
    if mode not in list(Mode):
        raise UsageError(f"No mode {mode!r}: choose {', '.join(Mode)}.")
    JobImages(job.results, status.request.source, Settings()).check_files()
    place = find_place(directory)
    purpose = "organize, flat" if flat else "organize"
    header = Header(purpose, job.id, status.request.source, Mode(mode))
    plan = make_plan(job, summary, flat=flat)
    act = foresee_steps if dry_run else run_steps
    folders = list_given_folders(status.request.source, status.request.inputs)
    outcome: Outcome = act(place, header, plan, progress, folders)
    return Organization(
        job_id=job.id,
        source=header.source,
        directory=str(place),
        mode=header.mode,
        is_flat=flat,
        is_dry_run=dry_run,
        done=outcome.done,
        present=outcome.present,
        skipped=outcome.skipped,
        failed=status.images.failed,
        folders=list(list_folders(summary)),
        journal=str(place / FOLDER_NAME / FILE_NAME),
    )


def make_plan(job: JobResults, summary: Summary, *, flat: bool = False) -> Plan:
    """Make the plan of a finished job."""
    names = {cluster.label: cluster.name for cluster in summary.clusters}
    return Plan(job.results, name_folders(len(names), names), is_flat=flat)


def list_folders(summary: Summary) -> Iterator[ClusterFolder]:
    """List the folders of the clusters, and that of the noise if there is any."""
    names = {cluster.label: cluster.name for cluster in summary.clusters}
    folders = name_folders(len(names), names)
    for group in group_clusters(summary.clusters):
        labels = [cluster.label for cluster in group]
        images = sum(cluster.size for cluster in group)
        yield ClusterFolder(folder=folders[labels[0]], labels=labels, images=images)
    if summary.noise:
        yield ClusterFolder(folder=folders[NOISE], labels=[NOISE], images=summary.noise)


def list_placements(job: JobResults, *, flat: bool = False) -> Iterator[Placement]:
    """List where each image of a finished job would go, in the order of the folder."""
    return make_plan(job, job.summary(), flat=flat).placements()
