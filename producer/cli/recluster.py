"""``shoal recluster``: other clusters among the images of a job.

As in ``main``, the command itself imports what takes long to import.
"""

from pathlib import Path
from typing import Any

import click

from shoal.producer.cli.group import Command
from shoal.producer.cli.options import (
    cluster_options,
    concurrency_option,
    json_option,
    out_option,
)


@click.command(cls=Command)
@click.argument("job")
@click.option(
    "--cluster", type=int, help="Divide this cluster of JOB; -1 is what is in none.  [default: all]"
)
@cluster_options
@click.option(
    "--components",
    type=int,
    help="Principal components, as many as JOB has or less.  [default: its]",
)
@click.option("--random-state", type=int, help="Seed.  [default: that of JOB]")
@out_option("Directory to write all results to.")
@concurrency_option
@click.option(
    "--force",
    is_flag=True,
    help="Run again even if these clusters were already found, and replace any files in the way of"
    " --out.",
)
@json_option
def recluster(
    job: str,
    out: Path | None,
    concurrency: int | None,
    force: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Find other clusters among the images of JOB, in seconds. No image is loaded again.

    This is a job of its own. For example:

    shoal recluster last --clusters 12

    shoal recluster last --cluster 3 --out divided
    """
    from shoal.producer.cli.printing import print_message
    from shoal.producer.cli.run import Means, Submission, print_outcome, submit_and_watch
    from shoal.producer.client import Client
    from shoal.producer.export.directory import prepare_directory, write_directory
    from shoal.producer.export.files import find_folders

    with Client(start_workers=False).check_connection() as client:
        parent = client.job(job)
        if out:
            prepare_directory(out, find_folders(parent), force=force)
        what = Submission(lambda: parent.recluster(force=force, notify=print_message, **options))
        found, status = submit_and_watch(
            client, what, Means(concurrency), as_json=as_json, will_write=bool(out)
        )
        if out:
            write_directory(found, out, force=force)
        print_outcome(found, status, out, as_json)
