"""The command line: ``shoal``, or ``python -m producer``.

What takes long to import is imported by the command that needs it: ``shoal --help`` and
``shoal status`` answer at once.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from producer.commands import Commands
from producer.options import force_option, job_options, json_option, out_option, source_argument
from shared.errors import ConnectionLostError, UsageError
from shared.jobs import CHOICE_PLOT, PLOTS

if TYPE_CHECKING:
    from producer.client import Client


def connect_client() -> "Client":
    """Return a client of the Redis that is set, or of the embedded server.

    Raises:
        ConnectionLostError: Redis does not answer.
    """
    from producer.client import Client
    from shared.connection import LOST, hide_password

    client = Client(employs=False)
    try:
        client.redis.ping()
    except LOST as error:
        raise ConnectionLostError(
            f"No Redis answers at {hide_password(client.url)} ({error}):"
            " start it, or set SHOAL_REDIS_URL."
        ) from error
    return client


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="shoal")
def main() -> None:
    """Sort large image folders into clusters, on one laptop or on many machines."""


@main.command()
@source_argument
@out_option
@click.option("--concurrency", type=click.IntRange(1), help="Processes.  [default: one a core]")
@job_options
@force_option
@json_option
def run(
    source: Path, out: Path | None, concurrency: int | None, as_json: bool, **options: Any
) -> None:
    """Cluster the images in SOURCE here and now: everything in one command."""
    from producer.run import run_folder

    run_folder(connect_client, source, options, out=out, concurrency=concurrency, as_json=as_json)


@main.command()
@source_argument
@job_options
@force_option
@json_option
def submit(source: Path, as_json: bool, **options: Any) -> None:
    """Submit the images in SOURCE and print the job's id."""
    from producer.display import print_status, tell, tell_idle, warn_about
    from producer.folder import find_images

    folder = find_images(source)
    warn_about(folder)
    with connect_client() as client:
        job = client.submit_folder(folder, tell=tell, **options)
        if as_json:
            print_status(job.status(), as_json)
        else:
            click.echo(job.id)
        tell_idle(client)


@main.command()
@click.argument("job")
@click.option("--watch", is_flag=True, help="Go on until the job has ended.")
@json_option
def status(job: str, watch: bool, as_json: bool) -> None:
    """Print where JOB stands."""
    from producer.display import last_status, print_status, watch_job

    with connect_client() as client:
        known = client.job(job)
        if watch:
            with last_status(known, as_json):
                watch_job(client, known)
        else:
            client.sweeper.sweep()
        print_status(known.status(), as_json)


@main.command()
@click.argument("job")
@click.option("--timeout", "timeout_seconds", type=float, help="Seconds to wait at most.")
@json_option
def wait(job: str, timeout_seconds: float | None, as_json: bool) -> None:
    """Wait until JOB has ended; exit with 1 if it failed or was cancelled."""
    from producer.display import last_status, print_status, watch_job

    with connect_client() as client:
        known = client.job(job)
        with last_status(known, as_json):
            ended = watch_job(client, known, timeout_seconds)
        print_status(ended, as_json)


@main.command()
@json_option
def jobs(as_json: bool) -> None:
    """List the jobs that have not expired, newest first."""
    from producer.display import print_jobs

    with connect_client() as client:
        print_jobs(list(client.jobs()), as_json)


@main.command()
@click.argument("job")
@click.option("--format", "form", type=click.Choice(["csv", "json", "parquet"]), default="csv")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File.  [default: print]")
@out_option
def result(job: str, form: str, output: Path | None, out: Path | None) -> None:
    """Print the label of each image of JOB, or write all results as `shoal run` does."""
    from producer.output import prepare_directory, write_directory, write_labels

    with connect_client() as client:
        known = client.job(job)
        if out:
            prepare_directory(out, Path(known.status().request.source))
            write_directory(known, out)
        if output or not out:
            write_labels(known.labels(), form, output)


@main.command()
@click.argument("job")
@click.argument("name", type=click.Choice((*PLOTS, CHOICE_PLOT)))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File.  [default: NAME.png]")
def plot(job: str, name: str, output: Path | None) -> None:
    """Write a plot of JOB as PNG; with `-o -` to standard output."""
    from producer.output import write_plot

    with connect_client() as client:
        write_plot(client.job(job).plot(name), output or Path(f"{name}.png"))


@main.command()
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
    """Write what JOB found as one HTML file that opens anywhere; with `-o -` print it."""
    from producer.output import write_report

    with connect_client() as client:
        write_report(client.job(job), output)


@main.command()
@click.argument("job")
@json_option
def failures(job: str, as_json: bool) -> None:
    """List the images of JOB that could not be used, each with its cause."""
    from producer.output import print_rows
    from shared.jobs import Failure

    with connect_client() as client:
        print_rows(client.job(job).failures(), Failure, as_json)


@main.command()
@click.argument("job")
@json_option
def duplicates(job: str, as_json: bool) -> None:
    """List the images of JOB that are copies of each other or look alike, by group."""
    from producer.output import print_rows
    from shared.jobs import Duplicate

    with connect_client() as client:
        print_rows(client.job(job).duplicates(), Duplicate, as_json)


@main.command()
@click.argument("job")
@click.option(
    "--labels",
    "known",
    required=True,
    metavar="folders|CSV",
    help="The folder that each image is in, or a table with the columns path and label.",
)
@json_option
def evaluate(job: str, known: str, as_json: bool) -> None:
    """Score the clusters of JOB against labels that are known."""
    from producer.scores import print_evaluation, score_job

    with connect_client() as client:
        print_evaluation(score_job(client.job(job), known), as_json)


@main.command()
@click.argument("job")
@json_option
def cancel(job: str, as_json: bool) -> None:
    """Cancel JOB; what was loaded stays."""
    from producer.display import print_status

    with connect_client() as client:
        known = client.job(job)
        known.cancel()
        print_status(known.status(), as_json)


@main.command()
@click.argument("job")
@click.option("--failed-only", is_flag=True, help="Only the images that failed.")
@json_option
def retry(job: str, failed_only: bool, as_json: bool) -> None:
    """Let JOB, which failed or was cancelled, go on with what is missing."""
    from producer.display import print_status, tell_idle

    with connect_client() as client:
        print_status(client.job(job).retry(failed_only=failed_only), as_json)
        tell_idle(client)


@main.command()
@click.option("--concurrency", type=click.IntRange(1), help="Processes.  [default: one a core]")
def worker(concurrency: int | None) -> None:
    """Work on the jobs of the Redis that is set, until told to stop."""
    from producer.local import become_worker

    become_worker(concurrency)


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True)
def serve(host: str, port: int) -> None:
    """Serve a page to watch jobs, submit them and see their results."""
    try:
        from producer.web.server import serve as serve_page
    except ImportError as error:
        raise UsageError(
            "The page needs more packages: pip install fastapi uvicorn jinja2 prometheus-client."
        ) from error

    serve_page(host, port)
