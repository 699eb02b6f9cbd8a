"""``shoal run``: submit a folder, show the progress and write the results in one command."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from shoal.producer.cli.duration import Duration
from shoal.producer.cli.printing import (
    describe_known,
    print_left_out,
    print_message,
    print_status,
    print_status_on_error,
)
from shoal.producer.cli.progress import watch_job
from shoal.producer.cli.sources import read_given
from shoal.producer.cli.terminal import print_line, print_note
from shoal.producer.client import Client
from shoal.producer.export.directory import (
    prepare_directory,
    preparing_report,
    write_directory,
)
from shoal.producer.job import Job
from shoal.producer.local.processes import WorkerProcesses
from shoal.producer.results.names import group_clusters
from shoal.producer.signals import uninterrupted
from shoal.producer.submission.defaults import NETWORK, WITHOUT_NETWORK, can_embed
from shoal.producer.submission.listing import Listing
from shoal.producer.submission.request import make_request
from shoal.shared.cores import count_cores
from shoal.shared.findings import PlotName
from shoal.shared.jobs import DEFAULTS, Status
from shoal.shared.text import show_count


@dataclass(frozen=True)
class Means:
    """What a run works with on this machine.

    Attributes:
        concurrency: Number of processes that load images; None is one per core.
        started: Workers that were started already; None where none were.
    """

    concurrency: int | None = None
    started: WorkerProcesses | None = None

    def provide(self, client: Client) -> None:
        """Give the embedded server its workers; those of another Redis are started elsewhere."""
        if not client.is_embedded:
            if self.concurrency:
                print_note(
                    "--concurrency has no effect: the workers of SHOAL_REDIS_URL do the work."
                )
        elif self.started and self.started.processes:
            client.workers.adopt(self.started)
        else:
            client.workers.start(self.concurrency)

    def hold_back(self) -> None:
        """Kill the workers that were started already."""
        if self.started:
            self.started.stop(at_once=True)


def run_folder(
    source: Sequence[str], options: dict[str, Any], *, out: Path | None, means: Means, as_json: bool
) -> None:
    """Cluster the images of a source, write results to ``out`` if given, and print the clusters.

    Raises:
        ShoalError: The job could not finish; nothing is left running on this machine.
    """
    listing = read_given(source, options)
    print_left_out(listing)
    if out:
        prepare_directory(out, listing.folders, force=options["force"])
    with Client(start_workers=False).check_connection() as client:
        what = Submission(
            lambda: client.submit_listing(listing, notify=print_message, **options),
            lambda: _find_duration(client, listing, options, means.concurrency),
        )
        job, status = submit_and_watch(client, what, means, as_json=as_json, will_write=bool(out))
        if out:
            write_directory(job, out, force=options["force"])
        print_outcome(job, status, out, as_json)
        if not as_json and not options["recipe"]:
            _print_advice(status.request.features)


@dataclass(frozen=True)
class Submission:
    """What a command submits.

    Attributes:
        submit: Submits it.
        find_duration: Returns what measures how long the job takes, if it may be minutes here.
    """

    submit: Callable[[], Job]
    find_duration: Callable[[], Duration | None] = lambda: None


def submit_and_watch(
    client: Client, what: Submission, means: Means, *, as_json: bool, will_write: bool
) -> tuple[Job, Status]:
    """Submit a job and show its progress; cancel it on Ctrl-C.

    A job that was also submitted before, or elsewhere since, is not cancelled.
    """
    job = None
    try:
        if duration := what.find_duration():
            means.hold_back()  # they would slow down what is measured
        else:
            means.provide(client)
        with uninterrupted():  # else the next worker might run a job whose id nobody knows
            job = what.submit()
        print_note(f"Job {job.id}: {_describe_images(job.status())}")
        if duration:
            if not job.is_found and (line := duration.describe()):
                print_message(line)
            means.provide(client)
        preparing = preparing_report() if will_write else nullcontext()
        with print_status_on_error(job, as_json), preparing:
            return job, watch_job(client, job)
    except KeyboardInterrupt:
        if job is None:
            raise
        told = _stop(job)
        if as_json:
            print_status(job.status(), as_json)
        raise KeyboardInterrupt(told) from None


def _describe_images(status: Status) -> str:
    request, n_images = status.request, show_count(status.images.total, "image")
    return (
        f"{n_images} of {request.images_of}"
        if request.images_of
        else (f"{n_images} in {request.title}")
    )


def _find_duration(
    client: Client, listing: Listing, options: dict[str, Any], concurrency: int | None
) -> Duration | None:
    """Return what measures how long a job takes, if it may be minutes on this machine.

    The workers of another Redis are on machines of which nothing can be measured here.
    """
    if not client.is_embedded:
        return None
    asked = {name: value for name, value in options.items() if name != "force"}
    request = make_request(listing, asked)
    duration = Duration(listing, request, client.settings, concurrency or count_cores())
    return duration if duration.may_be_minutes() else None


def _stop(job: Job) -> str:
    """Cancel an interrupted job, unless somebody else wants it too; return what to tell."""
    if job.is_found or job.ledger.is_shared():
        return (
            f"Interrupted. Job {job.id} was submitted before or elsewhere, too, and was not"
            f" cancelled: see `shoal wait {job.id}`."
        )
    job.cancel()
    return (
        f"Interrupted. Job {job.id} was cancelled; what was loaded is kept, and"
        f" `shoal retry {job.id}` goes on."
    )


def print_outcome(job: Job, status: Status, out: Path | None, as_json: bool) -> None:
    """Print the clusters, and where to find the results."""
    if as_json:
        print_status(status, as_json)
        return
    summary = job.summary()
    if line := describe_known(status.images):
        print_line(line)
    if summary.choice:
        print_line(f"clusters: {summary.choice.reason}")
    clusters = list(chain(*group_clusters(summary.clusters)))
    names = [f"cluster {each.label}{each.name and f': {each.name}'}" for each in clusters]
    width = max(map(len, [*names, "no cluster" if summary.noise else ""]))
    for name, cluster in zip(names, clusters, strict=True):
        example = f"  such as {cluster.representatives[0]}" if cluster.representatives else ""
        print_line(f"{name:<{width}}  {_show_size(cluster.size)}{example}".rstrip())
    if summary.noise:
        print_line(f"{'no cluster':<{width}}  {_show_size(summary.noise)}".rstrip())
    if status.images.failed:
        print_line(
            f"{show_count(status.images.failed, 'image')} failed: see `shoal failures {job.id}`"
        )
    for note in summary.notes:
        print_line(note)
    plots = job.plots()
    name = PlotName.SCATTER if PlotName.SCATTER in plots else min(plots, default="")
    if not out:
        print_line(f"Labels: shoal result {job.id}")
    print_line(f"Report: {out / 'report.html' if out else f'shoal report {job.id}'}")
    if plots:
        print_line(f"Plots:  {out / 'plots' if out else f'shoal plot {job.id} {name}'}")


def _print_advice(features: str) -> None:
    """Print what sees more than the features of a job, if these see least."""
    if features == WITHOUT_NETWORK:
        first = "" if can_embed() else f", after pip install {NETWORK}"
        better = DEFAULTS.features
        print_line(
            f"Pixels compare layout and colour. What pictures show: --features {better}{first}"
        )


def _show_size(n_images: int) -> str:
    """Show a number of images in a column."""
    return f"{n_images:>9,} {'image ' if n_images == 1 else 'images'}"
