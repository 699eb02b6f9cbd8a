"""The command that shows duplicates, and moves away those that are not kept.

As in ``main``, the command itself imports what takes long to import.
"""

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import click

from shoal.producer.cli.group import Command, connect_client
from shoal.producer.cli.options import NonEmptyPath, json_option
from shoal.producer.cli.terminal import print_line, print_note
from shoal.producer.duplicates.decisions import KeepRule
from shoal.shared.errors import ShoalError, UsageError
from shoal.shared.text import show_count

if TYPE_CHECKING:
    from shoal.producer.duplicates.decisions import Kind
    from shoal.producer.job import Job
    from shoal.producer.organizing import Skipped


@click.command(cls=Command)
@click.argument("job")
@click.option(
    "--keep",
    type=click.Choice([rule.value for rule in KeepRule]),
    help="Decide which image of each group is kept, and show what each one is.",
)
@click.option("--exact", is_flag=True, help="Only files of the same bytes.")
@click.option("--list", "listed", is_flag=True, help="Print the files that are not kept.")
@click.option("-0", "--null", is_flag=True, help="With --list: end each with a NUL.")
@click.option(
    "--move",
    "directory",
    type=NonEmptyPath(path_type=Path),
    metavar="DIR",
    help="Move the files that are not kept to DIR. `shoal undo DIR` takes them back.",
)
@click.option("--dry-run", is_flag=True, help="With --move: only say what would be moved.")
@json_option
def duplicates(
    job: str,
    keep: str | None,
    directory: Path | None,
    as_json: bool,
    **flags: bool,
) -> None:
    """List the images of JOB that are copies or look alike, in groups.

    For example, `shoal duplicates last --keep largest --move extra`.
    """
    _check_options(keep, directory, as_json=as_json, **flags)
    exact = flags["exact"]
    with connect_client() as client:
        known = client.job(job)
        if keep is None or not (directory or flags["listed"]):
            _print_table(known, keep, as_json, exact=exact)
        elif directory and not flags["dry_run"]:
            _move(known, keep, directory, as_json, exact=exact)
        else:
            if directory:
                plan = known.plan_duplicates(keep, exact=exact)
                _print_skipped(plan.skipped)
                files = f"{show_count(len(plan.files), 'file')}{_show_kinds(plan.kinds)}"
                print_note(f"{files} would be moved to {directory}:")
                paths = plan.files
            else:
                paths = known.extra_duplicates(keep, exact=exact)
            _print_paths(paths, as_json, null=flags["null"])


def _check_options(
    keep: str | None,
    directory: Path | None,
    *,
    as_json: bool,
    exact: bool,
    listed: bool,
    null: bool,
    dry_run: bool,
) -> None:
    """Refuse options that say nothing together.

    Raises:
        UsageError: The message says what is missing.
    """
    if keep is None and (directory or listed or exact):
        raise UsageError("Say which image of each group is kept: --keep largest, first or newest.")
    if directory and listed:
        raise UsageError("Choose one of --list and --move.")
    if dry_run and not directory:
        raise UsageError("--dry-run goes with --move.")
    if null and (not (listed or dry_run) or as_json):
        raise UsageError("-0 goes with --list, and not with --json.")


def _print_table(job: "Job", keep: str | None, as_json: bool, *, exact: bool) -> None:
    from shoal.producer.duplicates.decisions import DecidedDuplicate
    from shoal.producer.export.tables import print_rows
    from shoal.shared.findings import Duplicate

    if keep is None:
        print_rows(job.duplicates(), Duplicate, as_json)
    else:
        print_rows(job.decide_duplicates(keep, exact=exact), DecidedDuplicate, as_json)


def _print_paths(paths: list[Path], as_json: bool, *, null: bool) -> None:
    """Print paths, one a line, or as JSON.

    Raises:
        UsageError: A name has a line break, so that its line would be two.
    """
    from shoal.producer.export.models import export_json

    if as_json:
        print_line(export_json([str(path) for path in paths]))
        return
    end = b"\0" if null else b"\n"
    names = [os.fsencode(path) for path in paths]
    if not null and (odd := [name for name in names if end in name]):
        raise UsageError(f"A name has a line break, {odd[0]!r}: use -0.")
    sys.stdout.buffer.write(b"".join(name + end for name in names))


def _move(job: "Job", keep: str, directory: Path, as_json: bool, *, exact: bool) -> None:
    from shoal.producer.export.models import export_json

    try:
        outcome = job.move_duplicates(directory, keep, exact=exact)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "Interrupted: the same command goes on, and"
            f" `shoal undo {quote(str(directory))}` takes back what is done."
        ) from None
    if as_json:
        print_line(export_json(outcome))
    elif outcome.done:
        moved = f"{show_count(outcome.done, 'file')}{_show_kinds(outcome.kinds)}"
        back = f"shoal undo {quote(str(directory))}"
        print_line(f"{moved} moved to {directory}. To take it back: {back}")
    else:
        print_line("No file had to be moved.")
    _print_skipped(() if as_json else outcome.skipped)
    if outcome.skipped:
        left_out = show_count(len(outcome.skipped), "file")
        raise ShoalError(f"{left_out} left out: see the reasons.")


def _show_kinds(kinds: Mapping["Kind", int]) -> str:
    """Show how many files are duplicates in which way, as in " (2 exact, 1 near)"."""
    return f" ({', '.join(f'{count:,} {kind}' for kind, count in kinds.items())})" if kinds else ""


def _print_skipped(skipped: Iterable["Skipped"]) -> None:
    for left in skipped:
        print_note(f"{left.path}: {left.reason}: {left.detail}")
