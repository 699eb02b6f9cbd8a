"""The commands that put images into folders, and take that back."""

import time
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import click

from shoal.producer.cli.group import Command, connect_client
from shoal.producer.cli.options import NonEmptyPath, json_option
from shoal.producer.cli.progress import LINE_SECONDS
from shoal.producer.cli.terminal import print_line, print_note
from shoal.shared.errors import ShoalError
from shoal.shared.text import show_count

if TYPE_CHECKING:
    from shoal.producer.organizing import Organization, Skipped, Undone

# As ``Mode``, which takes long to import.
MODES = ("symlink", "hardlink", "copy", "move")
# Files that are listed; --json lists all.
MOST_LISTED = 20
UNDONE = {
    "symlink": "links removed",
    "hardlink": "links removed",
    "copy": "copies removed",
    "move": "images moved back",
}


@click.command(cls=Command)
@click.argument("job")
@click.argument("dest", type=NonEmptyPath(path_type=Path))
@click.option(
    "--mode",
    type=click.Choice(MODES),
    default=MODES[0],
    show_default=True,
    help="Links to the images, second names of the same files, copies; or move the images.",
)
@click.option("--flat", is_flag=True, help="Leave out the folders that images are in.")
@click.option("--dry-run", is_flag=True, help="Only print what would be done.")
@json_option
def organize(job: str, dest: Path, mode: str, flat: bool, dry_run: bool, as_json: bool) -> None:
    """Put each image of JOB into a folder of its cluster, in the directory DEST.

    Nothing is replaced; `shoal undo DEST` takes all of it back.

    Example: `shoal organize last ~/Sorted --dry-run`.
    """
    from shoal.producer.export.models import export_json

    with connect_client() as client:
        known = client.job(job)
        try:
            done = known.organize(dest, mode, flat=flat, dry_run=dry_run, on_progress=_Lines().show)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                "Interrupted: the same command goes on, and"
                f" `shoal undo {quote(str(dest))}` takes back what is done."
            ) from None
    if as_json:
        print_line(export_json(done))
    else:
        _print_organization(done)
    if done.skipped:
        raise ShoalError(f"{show_count(len(done.skipped), 'image')} left out: see the reasons.")


@click.command(cls=Command)
@click.argument("dest", type=NonEmptyPath(path_type=Path))
@json_option
def undo(dest: Path, as_json: bool) -> None:
    """Take back what `organize` or `duplicates --move` did in DEST, without a server.

    Example: `shoal undo ~/Sorted`.
    """
    from shoal.producer.export.models import export_json
    from shoal.producer.organizing import undo as take_back

    try:
        undone = take_back(dest, _Lines().show)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("Interrupted: the same command goes on.") from None
    if as_json:
        print_line(export_json(undone))
    else:
        _print_undone(undone)
    if undone.kept or undone.damaged:
        stays = "" if undone.is_complete else f"; the journal stays in {undone.directory}"
        raise ShoalError(f"Not all could be taken back{stays}.")


class _Lines:
    """Prints to standard error how far it is, every few seconds."""

    def __init__(self) -> None:
        self.shown_at = time.monotonic()

    def show(self, done: int, total: int) -> None:
        """Print a line, if it is time."""
        if time.monotonic() - self.shown_at >= LINE_SECONDS:
            self.shown_at = time.monotonic()
            print_note(f"{done:,} of {show_count(total, 'image')}")


def _print_organization(done: "Organization") -> None:
    verb = "would be" if done.is_dry_run else "are"
    print_line(f"{show_count(done.done, 'image')} {verb} in {done.directory} ({done.mode})")
    width = max(len(folder.folder) for folder in done.folders)
    for folder in done.folders if done.done else ():
        print_line(f"  {folder.folder:<{width}}  {show_count(folder.images, 'image')}")
    if done.present:
        print_line(f"{show_count(done.present, 'image')} had been there before")
    _print_skipped(done.skipped, "left out")
    if done.failed:
        remedy = f"`shoal failures {done.job_id}`"
        print_line(f"{show_count(done.failed, 'image')} could not be read, and stay ({remedy})")
    if not done.is_dry_run:
        print_line(f"Journal: {done.journal}")
        print_line(f"To take it back: shoal undo {quote(done.directory)}")


def _print_undone(undone: "Undone") -> None:
    print_line(f"{undone.undone:,} {UNDONE[undone.mode]}")
    _print_skipped(undone.kept, "stay")
    if undone.damaged:
        print_line(f"{show_count(undone.damaged, 'line')} of the journal could not be read")


def _print_skipped(skipped: "list[Skipped]", verb: str) -> None:
    if skipped:
        print_line(f"{show_count(len(skipped), 'image')} {verb}:")
    for item in skipped[:MOST_LISTED]:
        print_line(f"  {item.path}: {item.reason}: {item.detail}")
    if len(skipped) > MOST_LISTED:
        print_line(f"  … and {len(skipped) - MOST_LISTED:,} more (--json lists all)")
