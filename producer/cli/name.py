"""The command that names clusters."""

import click

from shoal.producer.cli.group import Command, connect_client
from shoal.producer.cli.options import json_option
from shoal.producer.cli.printing import print_message
from shoal.producer.cli.terminal import print_line
from shoal.shared.errors import UsageError

# Workers that are not at work draw plots within a second or two, once they have started.
PATIENCE_SECONDS = 15.0


@click.command(cls=Command)
@click.argument("job")
@click.argument("number", type=int, required=False)
@click.argument("name", metavar="[NAME]", required=False)
@json_option
def name(job: str, number: int | None, name: str | None, as_json: bool) -> None:
    """Name cluster NUMBER of JOB, or list the names. An empty NAME takes it away.

    Example: `shoal name last 3 kitchen`.
    """
    from shoal.producer.export.models import export_json

    if number is not None and name is None:
        raise UsageError(f"Give cluster {number} a name: `shoal name {job} {number} NAME`.")
    with connect_client(start_workers=number is not None) as client:
        known = client.job(job)
        names = known.names() if number is None else known.name_clusters({number: name or ""})
        if number is not None and not known.redraw_plots(PATIENCE_SECONDS):
            print_message("The plots have the names once a worker has time to draw them.")
    if as_json:
        print_line(export_json(names))
    else:
        for label, given in names.items():
            print_line(f"{label}  {given}")
