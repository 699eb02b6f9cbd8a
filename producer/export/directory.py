"""The directory of a job's results."""

import os
from pathlib import Path
from tempfile import TemporaryFile

from shoal.producer.export.files import remove, replacing, write_file
from shoal.producer.export.models import export_json
from shoal.producer.export.tables import write_rows
from shoal.producer.job import Job
from shoal.shared.errors import UsageError
from shoal.shared.findings import Assignment, Duplicate, Failure, PlotName


def prepare_directory(directory: Path, source: Path) -> None:
    """Create ``directory`` and check that results of the images in ``source`` may go there.

    Raises:
        UsageError: It cannot be written to, or is inside ``source``.
    """
    if Path(os.path.realpath(directory)).is_relative_to(source):
        raise UsageError(
            f"{directory} is inside {source}: the next run would cluster the plots, too."
            " Choose a directory outside with --out."
        )
    try:
        directory.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=directory).close()
    except OSError as error:
        raise UsageError(
            f"{directory} cannot be written to ({error.strerror}): choose another with --out."
        ) from error


def write_directory(job: Job, directory: Path) -> None:
    """Write all results of a finished job to ``directory``; ``job.json`` is written last.

    Files of another job there are replaced, or removed if this job has no such result.

    Raises:
        ShoalError: A file cannot be written or removed.
    """
    from shoal.producer.report import make_report

    status, summary, plots = job.status(), job.summary(), job.plots()
    remove(directory / "job.json")
    for absent in set(PlotName) - plots.keys():
        remove(directory / "plots" / f"{absent}.png")
    if not summary.duplicates:
        remove(directory / "duplicates.csv")
    with replacing(directory / "labels.csv") as file:
        write_rows(job.labels(), Assignment, file)
    with replacing(directory / "failures.csv") as file:
        write_rows(job.failures(), Failure, file)
    if summary.duplicates:
        with replacing(directory / "duplicates.csv") as file:
            write_rows(job.duplicates(), Duplicate, file)
    for name, png in plots.items():
        write_file(directory / "plots" / f"{name}.png", png)
    write_file(directory / "model.npz", job.model())
    write_file(directory / "report.html", make_report(job))
    write_file(directory / "job.json", export_json({"status": status, "summary": summary}))
