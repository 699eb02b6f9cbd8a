"""The command line: ``shoal``, or ``python -m shoal``.

Each command itself imports what takes long to import: ``shoal --help`` and ``shoal status``
must answer at once.
"""

from pathlib import Path
from typing import Any

import click

from shoal.producer.cli.assign import assign
from shoal.producer.cli.features import features
from shoal.producer.cli.group import Commands, connect_client
from shoal.producer.cli.name import name
from shoal.producer.cli.options import (
    concurrency_option,
    force_option,
    job_options,
    json_option,
    out_option,
    run_force_option,
    source_argument,
    verbose_option,
)
from shoal.producer.cli.organize import organize, undo
from shoal.producer.cli.recluster import recluster
from shoal.producer.cli.results import COMMANDS
from shoal.producer.cli.search import COMMANDS as SEARCHES
from shoal.producer.cli.terminal import print_line
from shoal.producer.cli.workers import workers
from shoal.shared.errors import ShoalError, UsageError
from shoal.shared.jobs import State


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(None, "-V", "--version", package_name="shoal")
def main() -> None:
    """Sort large image folders into clusters, on one laptop or on many machines."""


@main.command()
@source_argument
@out_option("Directory to write all results to.")
@concurrency_option
@job_options
@run_force_option
@verbose_option
@json_option
def run(
    source: tuple[str, ...],
    out: Path | None,
    concurrency: int | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Cluster the images of SOURCE, in one command.

    SOURCE is a folder; or several folders or files, a pattern, a list of paths (.txt, .csv,
    .parquet, or - for standard input), or a URL.
    """
    from shoal.producer.cli.start import starting_workers

    with starting_workers(source, concurrency) as started:
        from shoal.producer.cli.run import Means, run_folder

        means = Means(concurrency, started)
        run_folder(source, options, out=out, means=means, as_json=as_json)


@main.command()
@source_argument
@job_options
@force_option
@verbose_option
@json_option
def submit(source: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Submit the images of SOURCE, which is as for `shoal run`, as a job.

    Prints the job's id and does not wait. Workers must be running: see `shoal worker`.
    """
    from shoal.producer.cli.printing import (
        print_left_out,
        print_message,
        print_status,
        warn_if_idle,
    )
    from shoal.producer.cli.sources import read_given
    from shoal.producer.signals import uninterrupted

    listing = read_given(source, options)
    print_left_out(listing)
    with connect_client() as client:
        with uninterrupted():  # else there might be a job whose id nobody knows
            job = client.submit_listing(listing, notify=print_message, **options)
            if as_json:
                print_status(job.status(), as_json)
            else:
                print_line(job.id)
        warn_if_idle(client)


@main.command()
@click.argument("job")
@click.option("--watch", is_flag=True, help="Show the progress until the job has ended.")
@json_option
def status(job: str, watch: bool, as_json: bool) -> None:
    """Print the state and progress of JOB."""
    from shoal.producer.cli.printing import print_status, print_status_on_error, warn_if_idle
    from shoal.producer.cli.progress import make_refusal_note, watch_job
    from shoal.producer.cli.terminal import print_note

    with connect_client() as client:
        known = client.job(job)
        if watch:
            with print_status_on_error(known, as_json):
                watch_job(client, known)
        else:
            client.sweeper.sweep()
        found = known.status()
        print_status(found, as_json)
        warn_if_idle(client, found)
        if note := make_refusal_note(known, found):
            print_note(f"Within the last minute: {note}")


@main.command()
@click.argument("job")
@click.option("--timeout", "timeout_seconds", type=float, help="Longest time to wait, in seconds.")
@json_option
def wait(job: str, timeout_seconds: float | None, as_json: bool) -> None:
    """Wait until JOB has ended. Exit with 1 if it failed or was cancelled."""
    from shoal.producer.cli.printing import print_status, print_status_on_error
    from shoal.producer.cli.progress import watch_job

    with connect_client() as client:
        known = client.job(job)
        with print_status_on_error(known, as_json):
            ended = watch_job(client, known, timeout_seconds)
        print_status(ended, as_json)


@main.command()
@json_option
def jobs(as_json: bool) -> None:
    """List the jobs that have not expired, the last one first."""
    from shoal.producer.cli.printing import print_jobs

    with connect_client() as client:
        print_jobs(list(client.jobs()), as_json)


# Added here, since `shoal --help` lists commands in the order of their use.
for command in (*COMMANDS, features, *SEARCHES, assign, recluster, name, organize, undo):
    main.add_command(command)


@main.command()
@click.argument("job")
@json_option
def cancel(job: str, as_json: bool) -> None:
    """Cancel JOB; what was loaded is kept for `shoal retry`."""
    from shoal.producer.cli.printing import print_status

    with connect_client() as client:
        known = client.job(job)
        state = known.cancel()
        print_status(known.status(), as_json)
        if state is not State.CANCELLED:
            raise ShoalError(f"Job {known.id} had {state} before; nothing was cancelled.")


@main.command()
@click.argument("job")
@click.option("--failed-only", is_flag=True, help="Try only the failed images again.")
@json_option
def retry(job: str, failed_only: bool, as_json: bool) -> None:
    """Continue JOB after it failed or was cancelled. What was loaded is kept."""
    from shoal.producer.cli.printing import print_status, warn_if_idle

    with connect_client() as client:
        retried = client.job(job).retry(failed_only=failed_only)
        print_status(retried, as_json)
        warn_if_idle(client, retried)


@main.command()
@concurrency_option
@click.option("--events", is_flag=True, help="Send events of Celery, for monitors such as Flower.")
@click.option(
    "--check", is_flag=True, help="Only check that a worker of this host runs; exit with 1 if not."
)
def worker(concurrency: int | None, events: bool, check: bool) -> None:
    """Run a worker for all jobs, until you stop it."""
    if check:
        from shoal.producer.cli.check import find_worker

        print_line(find_worker())
        return

    from shoal.producer.cli.worker import become_worker

    become_worker(concurrency, events=events)


main.add_command(workers)


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="Port to listen on; 0 takes any free one.",
)
@click.option(
    "--proxy",
    "proxies",
    metavar="ADDRESS",
    multiple=True,
    help="Address or network of a proxy, whose X-Forwarded headers then count. May be repeated.",
)
@click.option("--access-log", is_flag=True, help="Log each request.")
def serve(host: str, port: int, proxies: tuple[str, ...], access_log: bool) -> None:
    """Serve a web page that submits jobs and shows their results."""
    try:
        from shoal.producer.web.server import serve as serve_page
    except ImportError as error:
        raise UsageError(
            "The web page needs more packages: pip install fastapi uvicorn prometheus-client."
        ) from error

    serve_page(host, port, proxies, access_log=access_log)


@main.command("help")
@click.argument("names", metavar="[COMMAND]", nargs=-1)
@click.pass_context
def show_help(context: click.Context, names: tuple[str, ...]) -> None:
    """Print the help of COMMAND, or the list of all commands."""
    root = context.find_root()
    if not names:
        click.echo(root.get_help())
        return
    name, command, _ = main.resolve_command(root, list(names))
    if command:
        click.echo(command.get_help(click.Context(command, info_name=name, parent=root)))
