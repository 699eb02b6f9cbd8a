"""The plan of a job: its batches, and the memory that they need."""

from collections.abc import Mapping
from dataclasses import dataclass

from shoal.producer.submission.admission import admit
from shoal.producer.submission.batches import measure_image_bytes, split_batches
from shoal.producer.submission.estimate import Estimate, estimate_memory
from shoal.producer.submission.folder import Folder
from shoal.producer.submission.request import choose_batch_size
from shoal.shared.jobs import JobRequest


@dataclass(frozen=True)
class Plan:
    """What a job would come to.

    Attributes:
        batches: Paths of each.
        estimate: Memory that it needs.
        message: That in words, and what is free.
    """

    batches: list[list[str]]
    estimate: Estimate
    message: str


def make_plan(
    folder: Folder,
    request: JobRequest,
    fit_memory: int,
    memory: Mapping[str, int | str],
    is_embedded: bool,
) -> Plan:
    """Return what a job would come to; nothing is made.

    Args:
        folder: The images.
        request: What is asked for.
        fit_memory: As the setting.
        memory: What the server tells of its memory.
        is_embedded: Whether the server is ours.

    Raises:
        UsageError: The job would not fit into Redis, or its batches into one message.
    """
    size = choose_batch_size(request, len(folder.paths), measure_image_bytes(folder))
    batches = split_batches(folder.paths, size, tapered=request.batch_size is None)
    estimate = estimate_memory(request, batches, fit_memory, memory)
    return Plan(batches, estimate, admit(estimate, memory, is_embedded))
