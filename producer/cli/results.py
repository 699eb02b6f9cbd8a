"""The commands that show the results of a job.

As in ``main``, each command itself imports what takes long to import.
"""

from pathlib import Path

import click

from shoal.producer.cli.group import Command, connect_client
from shoal.producer.cli.options import json_option, out_option
from shoal.shared.findings import PlotName


@click.command(cls=Command)
@click.argument("job")
@click.option(
    "--format", "file_format", type=click.Choice(["csv", "json", "parquet"]), default="csv"
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File.  [default: print]")
@out_option
def result(job: str, file_format: str, output: Path | None, out: Path | None) -> None:
    """Print the cluster of each image of JOB. With --out, write all results instead."""
    from shoal.producer.export.directory import prepare_directory, write_directory
    from shoal.producer.export.tables import write_labels

    with connect_client() as client:
        known = client.job(job)
        if out:
            prepare_directory(out, Path(known.status().request.source))
            write_directory(known, out)
        if output or not out:
            write_labels(known.labels(), file_format, output)


@click.command(cls=Command)
@click.argument("job")
@click.argument("name", type=click.Choice([name.value for name in PlotName]))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File.  [default: NAME.png]")
def plot(job: str, name: str, output: Path | None) -> None:
    """Write a plot of JOB as a PNG file. `-o -` writes it to standard output."""
    from shoal.producer.export.tables import write_output

    with connect_client() as client:
        write_output(client.job(job).plot(name), output or Path(f"{name}.png"))


@click.command(cls=Command)
@click.argument("job")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("report.html"),
    show_default=True,
    help="File.",
)
def report(job: str, output: Path) -> None:
    """Write the report of JOB: one HTML file that opens anywhere. `-o -` prints it."""
    from shoal.producer.export.tables import write_output
    from shoal.producer.report import make_report

    with connect_client() as client:
        write_output(make_report(client.job(job)), output)


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
@json_option
def duplicates(job: str, as_json: bool) -> None:
    """List the images of JOB that are copies or look alike, in groups."""
    from shoal.producer.export.tables import print_rows
    from shoal.shared.findings import Duplicate

    with connect_client() as client:
        print_rows(client.job(job).duplicates(), Duplicate, as_json)


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
