"""``shoal workers``: who does the work, and what each process does."""

from typing import TYPE_CHECKING

import click

from shoal.producer.cli.group import Command, connect_client
from shoal.producer.cli.options import json_option
from shoal.producer.cli.terminal import print_line
from shoal.shared.text import show_bytes, show_duration

if TYPE_CHECKING:  # imports redis-py
    from shoal.shared.store import PoolProcess, WorkerStatus

# By the state of a worker that gives no heartbeats.
CAUSES = {
    "silent": "it is frozen, or cannot reach Redis",
    "lost": "it was killed, is frozen, or cannot reach Redis; what it did goes to others",
}


@click.command(cls=Command)
@json_option
def workers(as_json: bool) -> None:
    """List the workers: machine, version, and what each of their processes does."""
    from shoal.producer.cli.printing import warn_if_idle
    from shoal.producer.export.models import export_json

    with connect_client() as client:
        found = client.list_workers()
        if as_json:
            print_line(export_json(found))
            return
        for worker in found:
            print_line(_describe_worker(worker))
            for process in worker.processes:
                print_line(f"  {_describe_process(process)}")
        warn_if_idle(client)


def _describe_worker(worker: "WorkerStatus") -> str:
    """Describe a worker in a line; of an earlier version's, neither is known."""
    parts = [worker.name, worker.state]
    if worker.processes:
        parts.append(f"{worker.busy} of {len(worker.processes)} busy")
    protocols = ", ".join(map(str, worker.protocols))
    parts.append(f"Shoal {worker.version or 'of an earlier version'}")
    parts.append(f"protocol{'s' * (len(worker.protocols) > 1)} {protocols}")
    parts.append(f"up {show_duration(worker.up_seconds)}")
    sign = f"last sign of life {show_duration(worker.silent_seconds)} ago"
    cause = CAUSES.get(worker.state)
    return "  ".join([*parts, f"{sign}: {cause}" if cause else sign])


def _describe_process(process: "PoolProcess") -> str:
    parts = [f"process {process.pid}"]
    if work := process.work:
        parts.append(work.stage)
        parts += [f"job {work.job_id}"] if work.job_id else []
        parts += [f"batch {work.batch}"] if work.batch is not None else []
        parts.append(f"for {show_duration(work.seconds)}")
    else:
        parts.append("idle")
    if process.memory_bytes is not None:
        parts.append(show_bytes(process.memory_bytes))
    return "  ".join(parts)
