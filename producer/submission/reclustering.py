"""Requests for jobs that cluster the coordinates of another job again."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shoal.producer.submission.derived import derive_request
from shoal.producer.submission.folder import Folder
from shoal.producer.submission.paths import PathSorter
from shoal.producer.submission.request import check_algorithm, check_level, convert_request
from shoal.shared.errors import OptionError, UsageError
from shoal.shared.findings import NOISE, Summary
from shoal.shared.jobs import AUTO, DEFAULTS, JobRequest, Status
from shoal.shared.store import Kind, Results
from shoal.shared.store.rows import LABEL_ROW
from shoal.shared.text import show_count

OPTIONS = ("cluster", "clusters", "algorithm", "level", "components", "random_state")
# Those that a user does not give are as in any job, and not as in the one before.
OWN_OPTIONS = ("clusters", "algorithm", "level")


def make_recluster_request(
    status: Status, summary: Summary, folder: Folder, options: dict[str, Any]
) -> JobRequest:
    """Make the request for other clusters of the images of a job.

    Args:
        status: Of that job.
        summary: Of that job.
        folder: Its images, those of one cluster if there is one among the options.
        options: As of ``Job.recluster``; None is not given.

    Raises:
        UsageError: An option cannot work with these coordinates.
    """
    if unknown := set(options) - set(OPTIONS):
        raise UsageError(f"Unknown options: {', '.join(sorted(unknown))}.")
    given = {name: value for name, value in options.items() if value is not None}
    check_algorithm(given)
    check_level(given)
    own = {name: getattr(DEFAULTS, name) for name in OWN_OPTIONS}
    parent = derive_request(status.request, folder, **own, coordinates_of=status.job_id)
    request = convert_request({**vars(parent), **given})
    most = summary.n_components
    if request.components is not None and request.components > most:
        raise OptionError(
            "components",
            f"Job {status.job_id} has {show_count(most, 'component')} of each image, not"
            f" {request.components}: use `components={most}` or less.",
        )
    n_images = len(folder.paths)
    if request.clusters != AUTO and request.clusters > n_images:
        raise OptionError(
            "clusters",
            f"{request.clusters} clusters need as many images, not {n_images}:"
            f" use `clusters={n_images}` or less.",
        )
    return request


def list_images(results: Results, source: str, summary: Summary, cluster: int | None) -> Folder:
    """List the images of a job, or those of one of its clusters, without a look at the folder.

    Raises:
        NotFinishedError: Its labels have expired.
        UsageError: There is no such cluster, or the coordinates are gone or will soon be.
    """
    _check_there(results)
    paths = PathSorter()
    if cluster is None:
        for batch in results.batch_paths():
            paths.add(batch.paths)
    else:
        _check_cluster(results.job_id, summary, cluster)
        for members in _list_members(results, cluster):
            paths.add(members)
    return Folder(Path(source), paths.pack(), Counter(), [])


def _check_there(results: Results) -> None:
    """Raise UsageError if the coordinates of a job are gone."""
    job_id, shards = results.job_id, results.shards
    if not shards.names(Kind.COORDINATES):
        raise UsageError(f"The coordinates of job {job_id} have expired: submit its folder again.")
    if lost := shards.find_lost(Kind.COORDINATES):
        raise UsageError(
            f"The coordinates of job {job_id} are lost in {shards.place.url}, those of"
            f" {len(lost)} of {results.n_batches()} batches: submit its folder again with"
            " `force=True`."
        )


def _check_cluster(job_id: str, summary: Summary, cluster: int) -> None:
    if not isinstance(cluster, int):
        raise UsageError("`cluster`: Expected the number of a cluster.")
    last = len(summary.clusters) - 1
    if cluster == NOISE and summary.noise:
        return
    if not 0 <= cluster <= last:
        noise = f", and {NOISE} for the images in none" if summary.noise else ""
        raise UsageError(f"Job {job_id} has no cluster {cluster}: there are 0 to {last}{noise}.")


def _list_members(results: Results, cluster: int) -> Iterator[list[str]]:
    """Yield the paths of the images of a cluster, by batch."""
    for batch, raw in zip(results.batch_paths(), results.labels(), strict=True):
        labels = (label for label, *_ in LABEL_ROW.iter_unpack(raw))
        pairs = zip(batch.loaded(), labels, strict=True)
        yield [path for path, label in pairs if label == cluster]
