"""``shoal assign``: new images are assigned to the clusters of a job.

As in ``main``, the command itself imports what takes long to import.
"""

from pathlib import Path
from typing import Any

import click

from shoal.producer.cli.group import Command
from shoal.producer.cli.options import (
    concurrency_option,
    json_option,
    out_option,
    source_argument,
)


@click.command(cls=Command)
@click.argument("job")
@source_argument
@out_option("Directory to write all results to.")
@concurrency_option
@click.option(
    "--force",
    is_flag=True,
    help="Run again even if these images were already assigned, and replace any files in the way"
    " of --out.",
)
@json_option
def assign(
    job: str,
    source: tuple[str, ...],
    out: Path | None,
    concurrency: int | None,
    force: bool,
    as_json: bool,
    **selection: Any,
) -> None:
    """Assign the images of SOURCE to the clusters of JOB. Nothing is fitted anew.

    SOURCE is as for `shoal run`. This is a job of its own, with the options of JOB. For example:

    shoal assign last inbox --out assigned
    """
    from shoal.producer.cli.start import starting_workers

    with starting_workers(source, concurrency) as started:
        from shoal.producer.cli.printing import print_left_out, print_message
        from shoal.producer.cli.run import Means, Submission, print_outcome, submit_and_watch
        from shoal.producer.cli.sources import read_given
        from shoal.producer.client import Client
        from shoal.producer.export.directory import prepare_directory, write_directory

        listing = read_given(source, selection)
        print_left_out(listing)
        if out:
            prepare_directory(out, listing.folders, force=force)
        with Client(start_workers=False).check_connection() as client:
            parent = client.job(job)
            what = Submission(
                lambda: parent.assign_listing(listing, force=force, notify=print_message)
            )
            assigned, status = submit_and_watch(
                client, what, Means(concurrency, started), as_json=as_json, will_write=bool(out)
            )
            if out:
                write_directory(assigned, out, force=force)
            print_outcome(assigned, status, out, as_json)
