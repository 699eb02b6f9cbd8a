"""The commands that find images like others: search, recommend.

As in ``main``, each command itself imports what takes long to import.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shoal.producer.cli.group import Command, connect_client
from shoal.producer.cli.options import F, NonEmptyPath, json_option, replace_option
from shoal.producer.cli.terminal import print_note
from shoal.shared.errors import UsageError

if TYPE_CHECKING:
    from shoal.producer.job import Job
    from shoal.shared.findings import Match

_OPTIONS = [
    click.option(
        *("-n", "--count"), type=int, default=20, show_default=True, help="Most images to find."
    ),
    click.option(
        "--duplicates",
        is_flag=True,
        help="Find each of the images that are copies or look alike, not one of a group.",
    ),
    click.option(
        "--sheet",
        type=NonEmptyPath(path_type=Path),
        help="PNG file to draw what was found to, each image with rank and distance.",
    ),
    replace_option,
    json_option,
]


def result_options(command: F) -> F:
    """Add the options that both commands have."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command(cls=Command, epilog="Example: shoal search last new.jpg -n 50 --sheet found.png")
@click.argument("job")
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@click.option("--max-distance", type=float, help="Find no image that is farther than this.")
@result_options
def search(
    job: str,
    images: tuple[str, ...],
    max_distance: float | None,
    sheet: Path | None,
    force: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Find the images of JOB that are most like IMAGE, or like any of several.

    IMAGE is a path in the job, or any other image file, which needs a worker.
    """

    def find(known: "Job") -> "list[Match]":
        return known.search(*images, max_distance=max_distance, **options)

    _show(job, find, sheet, force=force, as_json=as_json)


@click.command(cls=Command, epilog="Example: shoal recommend last a.jpg b.jpg --dislike c.jpg")
@click.argument("job")
@click.argument("liked", nargs=-1, metavar="[LIKED]...")
@click.option("--like", multiple=True, metavar="IMAGE", help="Image that is liked, as LIKED.")
@click.option("--dislike", multiple=True, metavar="IMAGE", help="Image that is not liked.")
@click.option(
    "--rocchio",
    is_flag=True,
    help="Look near the mean of what is liked: for images that are all of one kind.",
)
@result_options
def recommend(
    job: str,
    liked: tuple[str, ...],
    like: tuple[str, ...],
    dislike: tuple[str, ...],
    sheet: Path | None,
    force: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Recommend images of JOB like those you like, and unlike those you do not.

    Give --like and --dislike as often as you want. Images are as for `shoal search`.
    """

    def find(known: "Job") -> "list[Match]":
        return known.recommend([*liked, *like], dislike, **options)

    _show(job, find, sheet, force=force, as_json=as_json)


def _show(
    job: str,
    find: "Callable[[Job], list[Match]]",
    sheet: Path | None,
    *,
    force: bool,
    as_json: bool,
) -> None:
    """Print what ``find`` finds, and draw it if a file is given for that."""
    from shoal.producer.export.files import (
        STDOUT_PATH,
        check_output,
        check_outside,
        find_folders,
        new_file,
    )
    from shoal.producer.export.tables import print_rows
    from shoal.shared.findings import Match

    if sheet:
        if sheet == STDOUT_PATH:
            raise UsageError("A sheet goes to a file: `sheet='found.png'`.")
        check_output(sheet, force=force, option="sheet")
    with connect_client(start_workers=True) as client:
        known = client.job(job)
        if sheet:
            check_outside(sheet, find_folders(known), option="sheet")
        matches = find(known)
        if sheet and matches:
            picture = known.draw_sheet(matches)
            with new_file(sheet, force=force) as file:
                file.write(picture)
            print_note(f"Sheet: {sheet}")
    print_rows(matches, Match, as_json)
    if not matches:
        print_note("No image was found: allow a larger --max-distance, or give other images.")


COMMANDS = (search, recommend)
