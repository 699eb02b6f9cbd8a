"""The commands that show the results of a job.

As in ``main``, each command itself imports what takes long to import.
"""

from functools import partial
from pathlib import Path

import click

from shoal.producer.cli.duplicates import duplicates
from shoal.producer.cli.group import Command, connect_client
from shoal.producer.cli.options import json_option, out_option, replace_option
from shoal.shared.errors import UsageError
from shoal.shared.findings import PlotName

FORMATS = ("csv", "json", "parquet")
# A column, as viewers of embeddings call it.
NEIGHBORS = "__neighbors"


@click.command(cls=Command)
@click.argument("job")
@out_option("Directory for all results, or file for the labels: NAME.csv, .json or .parquet.")
@click.option(
    "--format", "file_format", type=click.Choice(FORMATS), help="Print or write only the labels."
)
@click.option(
    "--neighbors", type=click.IntRange(1), help="With Parquet: also list this many like each image."
)
@replace_option
def result(
    job: str, out: Path | None, file_format: str | None, neighbors: int | None, force: bool
) -> None:
    """Print the cluster of each image of JOB. With --out, write all results instead."""
    from shoal.producer.export.directory import prepare_directory, write_directory
    from shoal.producer.export.files import check_output, find_folders
    from shoal.producer.export.neighbours import make_column
    from shoal.producer.export.tables import write_labels

    path = out or Path("-")
    labels_as = file_format or _choose_format(path)
    if neighbors and labels_as != "parquet":
        raise UsageError("Neighbours are a column of Parquet: give --format parquet, too.")
    if labels_as:
        check_output(path, force=force)
    with connect_client() as client:
        known = client.job(job)
        if labels_as:
            make = partial(make_column, known.neighbors(neighbors)) if neighbors else None
            more = {NEIGHBORS: make} if make else None
            write_labels(known.labels(), labels_as, path, force=force, more=more)
        else:
            prepare_directory(path, find_folders(known), force=force)
            write_directory(known, path, force=force)


def _choose_format(path: Path) -> str | None:
    """Choose the format of labels by the ending of a file; None for a directory."""
    ending = path.suffix.lower().removeprefix(".")
    if path == Path("-"):
        return FORMATS[0]
    return ending if ending in FORMATS and not path.is_dir() else None


@click.command(cls=Command)
@click.argument("job")
@click.argument("name", type=click.Choice([name.value for name in PlotName]))
@out_option("File.  [default: NAME.png]")
@replace_option
def plot(job: str, name: str, out: Path | None, force: bool) -> None:
    """Write a plot of JOB as a PNG file. `-o -` writes it to standard output."""
    from shoal.producer.export.files import check_output, check_outside, find_folders
    from shoal.producer.export.tables import write_output

    path = out or Path(f"{name}.png")
    check_output(path, force=force)
    with connect_client() as client:
        known = client.job(job)
        check_outside(path, find_folders(known))
        write_output(known.plot(name), path, force=force)


@click.command(cls=Command)
@click.argument("job")
@out_option("File.  [default: report.html]")
@replace_option
def report(job: str, out: Path | None, force: bool) -> None:
    """Write the report of JOB: one HTML file that opens anywhere. `-o -` prints it."""
    from shoal.producer.export.files import check_output
    from shoal.producer.export.tables import write_output
    from shoal.producer.report import make_report

    path = out or Path("report.html")
    check_output(path, force=force)
    with connect_client() as client:
        write_output(make_report(client.job(job)), path, force=force)


@click.command(cls=Command)
@click.argument("job")
@json_option
def failures(job: str, as_json: bool) -> None:
    """List the images of JOB that could not be used. Each has its reason."""
    from shoal.producer.export.tables import print_rows
    from shoal.shared.findings import Failure

    with connect_client() as client:
        print_rows(client.job(job).failures(), Failure, as_json)


@click.command(cls=Command)
@click.argument("job")
@click.option(
    "--labels",
    "known",
    required=True,
    metavar="folders|CSV",
    help="`folders`: an image's label is the first folder of its path, not counting those that all"
    " images have in common. Else a CSV file with the columns path and label.",
)
@json_option
def evaluate(job: str, known: str, as_json: bool) -> None:
    """Score how well the clusters of JOB match known labels."""
    from shoal.producer.cli.scores import print_evaluation
    from shoal.producer.evaluation import score_job

    with connect_client() as client:
        print_evaluation(score_job(client.job(job), known), as_json)


COMMANDS = (result, plot, report, failures, duplicates, evaluate)
