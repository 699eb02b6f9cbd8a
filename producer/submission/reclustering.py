"""Requests for jobs that cluster the coordinates of another job again."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from shoal.producer.submission.derived import derive_request
from shoal.producer.submission.listing import Listing
from shoal.producer.submission.located import pack_located
from shoal.producer.submission.paths import pack_sorted
from shoal.producer.submission.request import check_algorithm, check_level, convert_request
from shoal.shared.errors import OptionError, UsageError
from shoal.shared.findings import NOISE, Summary
from shoal.shared.jobs import AUTO, DEFAULTS, JobRequest, Status
from shoal.shared.sources.locations import Location
from shoal.shared.store import Kind, Results
from shoal.shared.store.rows import LABEL_ROW
from shoal.shared.store.tables import BatchPaths
from shoal.shared.text import show_count

OPTIONS = ("cluster", "clusters", "algorithm", "level", "components", "random_state")
# Those that a user does not give are as in any job, and not as in the one before.
OWN_OPTIONS = ("clusters", "algorithm", "level")


def make_recluster_request(
    status: Status, summary: Summary, listing: Listing, options: dict[str, Any]
) -> JobRequest:
    """Make the request for other clusters of the images of a job.

    Args:
        status: Of that job.
        summary: Of that job.
        listing: Its images, those of one cluster if there is one among the options.
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
    parent = derive_request(status.request, listing, **own, coordinates_of=status.job_id)
    request = convert_request({**vars(parent), **given})
    most = summary.n_components
    if request.components is not None and request.components > most:
        raise OptionError(
            "components",
            f"Job {status.job_id} has {show_count(most, 'component')} of each image, not"
            f" {request.components}: use `components={most}` or less.",
        )
    n_images = len(listing.paths)
    if request.clusters != AUTO and request.clusters > n_images:
        raise OptionError(
            "clusters",
            f"{request.clusters} clusters need as many images, not {n_images}:"
            f" use `clusters={n_images}` or less.",
        )
    return request


def list_images(
    results: Results, request: JobRequest, summary: Summary, cluster: int | None
) -> Listing:
    """List the images of a job, or those of one of its clusters, without a look at their source.

    Args:
        results: Of that job.
        request: Of that job.
        summary: Of that job.
        cluster: Number of the cluster; None is all images.

    Raises:
        NotFinishedError: Its labels have expired.
        UsageError: There is no such cluster, or the coordinates are gone or will soon be.
    """
    _check_there(results)
    if cluster is not None:
        _check_cluster(results.job_id, summary, cluster)
    places = _find_members(results, cluster)
    if results.locations(0) is None:
        paths = (batch.paths[p] for batch, chosen in places for p in chosen)
        listing = Listing(request.source, pack_sorted(paths))
    else:
        located, locations = pack_located(_locate(results, places))
        listing = Listing(request.source, located, locations=locations)
    return replace(listing, inputs=request.inputs, exclude=request.exclude, column=request.column)


def _find_members(
    results: Results, cluster: int | None
) -> Iterator[tuple[BatchPaths, Sequence[int]]]:
    """Yield each batch with the positions of its images that are in a cluster; None is all."""
    if cluster is None:
        yield from ((batch, range(len(batch.paths))) for batch in results.batch_paths())
        return
    for batch, raw in zip(results.batch_paths(), results.labels(), strict=True):
        labels = (label for label, *_ in LABEL_ROW.iter_unpack(raw))
        pairs = zip(batch.loaded_positions(), labels, strict=True)
        yield batch, [position for position, label in pairs if label == cluster]


def _locate(
    results: Results, places: Iterable[tuple[BatchPaths, Sequence[int]]]
) -> Iterator[tuple[str, Location]]:
    """Yield the images at these places, each with its location."""
    for number, (batch, chosen) in enumerate(places):
        locations = results.locations(number) or [Location()] * len(batch.paths)
        yield from ((batch.paths[p], locations[p]) for p in chosen)


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
