"""The plan of a job: its batches and the memory it needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from shoal.producer.submission.admission import admit
from shoal.producer.submission.batches import choose_batch_size, measure_image_bytes, split_batches
from shoal.producer.submission.estimate import Estimate, estimate_locations, estimate_memory
from shoal.producer.submission.listing import Listing
from shoal.producer.submission.paths import split_rows
from shoal.shared.jobs import JobRequest
from shoal.shared.server.embedded import Disk
from shoal.shared.sources.locations import Location


@dataclass(frozen=True)
class Room:
    """What there is for a job.

    Attributes:
        memory: Redis's ``INFO memory``.
        disk: That of the embedded server; None for another Redis.
        shards_disk: That of the shards, if they are files.
        shards_in_redis: Whether they are in Redis instead.
    """

    memory: Mapping[str, int | str]
    disk: Disk | None = None
    shards_disk: Disk | None = None
    shards_in_redis: bool = True


@dataclass(frozen=True)
class Plan:
    """A job before it is submitted.

    Attributes:
        batches: Paths of each batch.
        locations: Of the images of each batch; None for files in a folder.
        estimate: Memory that the job needs.
        message: The estimate in a line for the user, with what is free.
        is_near: Whether so little is free that the user should know.
    """

    batches: Sequence[Sequence[str]]
    locations: Sequence[Sequence[Location]] | None
    estimate: Estimate
    message: str
    is_near: bool


def make_plan(
    listing: Listing,
    request: JobRequest,
    fit_memory: int,
    room: Room,
) -> Plan:
    """Plan the batches and the memory of a job.

    Args:
        listing: The images.
        request: The job's options.
        fit_memory: The setting of this name, in bytes.
        room: What there is for it.

    Raises:
        UsageError: The job would not fit into memory or on the disk, or its batches into one
            message.
    """
    loads = request.coordinates_of is None
    image_bytes = measure_image_bytes(listing) if loads else 0.0
    size = choose_batch_size(request, len(listing.paths), image_bytes)
    batches = split_batches(listing.paths, size, tapered=loads and request.batch_size is None)
    sizes = list(map(len, batches))
    locations = None if listing.locations is None else split_rows(listing.locations, sizes)
    estimate = estimate_memory(
        request, batches, fit_memory, room.memory, shards_in_redis=room.shards_in_redis
    )
    if locations is not None:
        more = estimate_locations(locations)
        estimate = replace(estimate, redis_bytes=estimate.redis_bytes + more)
    admission = admit(estimate, room.memory, room.disk, room.shards_disk)
    return Plan(batches, locations, estimate, admission.message, admission.is_near)
