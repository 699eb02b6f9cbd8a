"""The failures of a job: counted by reason, with the remedy of each, and the first of them."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from shoal.producer.report.text import show_name
from shoal.shared.findings import Failure, FailureReason

FAILURES_SHOWN = 200

# What the reason means, and what to do before the failed images are tried again.
REMEDIES = {
    FailureReason.MISSING: (
        "The file is not there any more, or a link leads nowhere.",
        "Bring it back.",
    ),
    FailureReason.CHANGED: (
        "Its content is another one than when the job was submitted.",
        "Submit the source again as a new job.",
    ),
    FailureReason.NO_PERMISSION: ("A worker may not read it.", "Let the workers read it."),
    FailureReason.NOT_A_FILE: ("A pipe, a device or a directory with the name of an image.", ""),
    FailureReason.OUTSIDE_ROOTS: (
        "It is outside of what workers may read.",
        "Add its directory to SHOAL_IMAGE_ROOTS or its server to SHOAL_IMAGE_URLS on the workers.",
    ),
    FailureReason.EMPTY: ("The file has 0 bytes.", "Copy it once more from where it came."),
    FailureReason.TOO_MANY_BYTES: (
        "The file is larger than workers read.",
        "Raise SHOAL_MAX_IMAGE_BYTES on the workers.",
    ),
    FailureReason.TOO_MANY_PIXELS: (
        "It has more pixels than workers decode.",
        "Raise SHOAL_MAX_IMAGE_PIXELS on the workers.",
    ),
    FailureReason.TOO_MUCH_MEMORY: (
        "It took more memory to decode than allowed.",
        "Raise SHOAL_IMAGE_MEMORY on the workers.",
    ),
    FailureReason.NOT_AN_IMAGE: (
        "The content is no image of a format that is read.",
        "Convert it to JPEG, PNG or TIFF, if it is an image.",
    ),
    FailureReason.UNSUPPORTED: (
        "A format or a variant that workers cannot read.",
        "Do what the detail says, or convert it to JPEG, PNG or TIFF.",
    ),
    FailureReason.TRUNCATED: (
        "The file ends before the image does.",
        "Copy it once more from where it came.",
    ),
    FailureReason.DAMAGED: (
        "It cannot be decoded, or the file cannot be read.",
        "Copy it once more from where it came, or open and save it in an editor.",
    ),
    FailureReason.KILLED_DECODER: (
        "The process that decoded it died.",
        "Convert it to JPEG, PNG or TIFF.",
    ),
    FailureReason.TIMED_OUT: (
        "It took longer to decode than allowed.",
        "Raise SHOAL_IMAGE_SECONDS on the workers, or make it smaller.",
    ),
    FailureReason.LOST_WORKER: (
        "The workers that had it were lost, most likely because memory ran out.",
        "Give the workers more memory.",
    ),
}


@dataclass(frozen=True)
class _Reason:
    """The failures of one reason: what it ``means``, and what to do; "" if nothing helps."""

    reason: str
    images: int
    meaning: str
    remedy: str


@dataclass(frozen=True)
class _Failures:
    """The images that could not be used.

    Attributes:
        total: Number of these images.
        reasons: The most common first.
        first: Path, reason and detail of the first images.
    """

    total: int
    reasons: list[_Reason]
    first: list[tuple[str, str, str]]


def summarize_failures(failures: Iterable[Failure]) -> _Failures:
    """Count failures, of which there may be millions, and keep the first 200."""
    reasons: Counter[FailureReason] = Counter()
    first: list[tuple[str, str, str]] = []
    for failure in failures:
        reasons[failure.reason] += 1
        if len(first) < FAILURES_SHOWN:
            shown = (failure.path, failure.reason.value, failure.detail)
            first.append((show_name(shown[0]), shown[1], show_name(shown[2])))
    shown_reasons = [
        _Reason(reason.value, images, *REMEDIES[reason]) for reason, images in reasons.most_common()
    ]
    return _Failures(reasons.total(), shown_reasons, first)
