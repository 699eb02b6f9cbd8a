"""The command line: ``shoal``, or ``python -m producer``.

What takes long to import is imported by the command that needs it: ``shoal --help`` and
``shoal status`` answer at once.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from producer.options import job_options, json_option, out_option, source_argument
from shared.errors import ConnectionLostError, ShoalError, UsageError
from shared.jobs import PLOTS

if TYPE_CHECKING:
    from producer.client import Client


class Commands(click.Group):
    """Commands in the order of their use, whose errors end in a message and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """Return the commands as they were declared."""
        return list(self.commands)

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the command line; file names that are not UTF-8 are printed as they are."""
        # Standard error needs no such care: what it cannot print, it escapes.
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="surrogateescape")
        return super().main(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; exit with 2 for wrong use, and with 1 for what failed."""
        try:
            return super().invoke(ctx)
        except UsageError as error:
            end(error, 2)
        except ShoalError as error:
            end(error, 1)
        except Exception as error:
            from shared.connection import is_lost  # loads redis-py, which --help does without

            if not is_lost(error):
                raise
            end(ConnectionLostError(f"Redis does not answer any more: {error}"), 1)


def end(error: Exception, code: int) -> None:
    """Print ``error`` and exit with ``code``."""
    click.echo(f"Error: {error}", err=True)
    raise SystemExit(code)


def connect_client() -> "Client":
    """Return a client of the Redis that is set, or of the embedded server.

    Raises:
        ConnectionLostError: Redis does not answer.
    """
    from producer.client import Client
    from shared.connection import LOST, hide_password

    client = Client()
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
@json_option
def submit(source: Path, as_json: bool, **options: Any) -> None:
    """Submit the images in SOURCE and print the job's id."""
    from producer.display import print_status, warn_about
    from producer.folder import find_images

    folder = find_images(source)
    warn_about(folder)
    with connect_client() as client:
        job = client.submit_folder(folder, **options)
        if as_json:
            print_status(job.status(), as_json)
        else:
            click.echo(job.id)
        if not client.has_workers():
            click.echo("No worker is running yet: start one with `shoal worker`.", err=True)


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
@click.argument("name", type=click.Choice(PLOTS))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File.  [default: NAME.png]")
def plot(job: str, name: str, output: Path | None) -> None:
    """Write a plot of JOB as PNG; with `-o -` to standard output."""
    from producer.output import write_plot

    with connect_client() as client:
        write_plot(client.job(job).plot(name), output or Path(f"{name}.png"))


@main.command()
@click.argument("job")
@json_option
def failures(job: str, as_json: bool) -> None:
    """List the images of JOB that could not be used, each with its cause."""
    from producer.output import write_failures

    with connect_client() as client:
        write_failures(client.job(job).failures(), as_json)


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
@click.option("--concurrency", type=click.IntRange(1), help="Processes.  [default: one a core]")
def worker(concurrency: int | None) -> None:
    """Work on the jobs of the Redis that is set, until told to stop."""
    from producer.local import QUIET
    from shared.connection import check_url
    from shared.cores import count_cores
    from shared.settings import read_settings

    if url := read_settings().redis_url:
        check_url(url)
    # The worker is Celery's own, in this process: signals reach it as any Celery worker.
    # Two workers of one machine need two names.
    name = f"worker-{os.getpid()}@%h"
    options = ["-c", str(concurrency or count_cores()), "-n", name, "-l", "info", *QUIET]
    # -P, and our own import before Celery's: both it and Python look in the current directory
    # first, where anybody's `worker` or `celery` may lie.
    code = "import worker.app; from celery.__main__ import main; main()"
    command = [sys.executable, "-P", "-c", code, "-A", "worker.app", "worker", *options]
    os.execv(sys.executable, command)  # noqa: S606  no shell is wanted
