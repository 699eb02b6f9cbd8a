"""The command that names clusters."""

from collections.abc import Sequence

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
@click.argument("numbers_and_name", nargs=-1, metavar="[NUMBER… NAME]")
@json_option
def name(job: str, numbers_and_name: tuple[str, ...], as_json: bool) -> None:
    """Name clusters of JOB, or list the names. Clusters of one name are one group.

    An empty NAME takes names away.

    Example: `shoal name last 3 5 kitchen`.
    """
    from shoal.producer.export.models import export_json

    given = _parse(job, numbers_and_name)
    with connect_client(start_workers=bool(given)) as client:
        known = client.job(job)
        names = known.name_clusters(given) if given else known.names()
        if given and not known.redraw_plots(PATIENCE_SECONDS):
            print_message("The plots have the names once a worker has time to draw them.")
    if as_json:
        print_line(export_json(names))
    else:
        for label, cluster_name in names.items():
            print_line(f"{label}  {cluster_name}")


def _parse(job: str, numbers_and_name: Sequence[str]) -> dict[int, str]:
    """Parse the numbers of clusters, and after them the name for all of them.

    Raises:
        UsageError: There is no name, or what comes before it are no numbers.
    """
    if len(numbers_and_name) == 1:
        number = numbers_and_name[0] if numbers_and_name[0].isdecimal() else "NUMBER"
        raise UsageError(f"Give cluster {number} a name: `shoal name {job} {number} NAME`.")
    *numbers, name = numbers_and_name or [""]
    if odd := [number for number in numbers if not number.isdecimal()]:
        raise UsageError(
            f"{odd[0]!r} is no number of a cluster. Quote a name that has spaces:"
            f" `shoal name {job} 3 'NAME OF CLUSTERS'`."
        )
    return {int(number): name for number in numbers}
