"""The failures of a job: counted by reason, and the first of them."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from shoal.producer.report.text import show_name
from shoal.shared.findings import Failure

FAILURES_SHOWN = 200


@dataclass(frozen=True)
class _Failures:
    """The images that could not be used.

    Attributes:
        total: Number of these images.
        reasons: Reasons with the number of images each, the most common first.
        first: Path, reason and detail of the first images.
    """

    total: int
    reasons: list[tuple[str, int]]
    first: list[tuple[str, str, str]]


def summarize_failures(failures: Iterable[Failure]) -> _Failures:
    """Count failures, of which there may be millions, and keep the first 200."""
    reasons: Counter[str] = Counter()
    first: list[tuple[str, str, str]] = []
    for failure in failures:
        reasons[failure.reason.value] += 1
        if len(first) < FAILURES_SHOWN:
            shown = (failure.path, failure.reason.value, failure.detail)
            first.append((show_name(shown[0]), shown[1], show_name(shown[2])))
    return _Failures(reasons.total(), reasons.most_common(), first)
