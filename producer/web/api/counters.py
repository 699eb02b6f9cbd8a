"""Counters and histograms for Prometheus: what Redis has counted since it began."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

from shoal.shared.findings import FailureReason
from shoal.shared.jobs import State, Wave
from shoal.shared.store import Counts
from shoal.shared.store.counts import BATCH_SECONDS, CALLBACK_SECONDS

OUTCOMES = ("committed", "failed", "lost", "returned")


def make_counters(counts: Counts) -> Iterator[Metric]:
    """Yield all of them, those that are still 0 too: an increase from nothing is not seen."""
    yield _count("shoal_jobs_submitted", "Jobs that were submitted.", counts.number("submitted"))
    yield _count("shoal_jobs_retried", "Jobs that were let go on.", counts.number("retried"))
    ended = _counter("shoal_jobs_ended", "Jobs that ended.", "state")
    for state in (State.FINISHED, State.FAILED, State.CANCELLED):
        ended.add_metric([state], counts.number("ended", state))
    yield ended
    images = _counter("shoal_images", "Images of the batches that were loaded.", "outcome")
    for outcome in ("loaded", "failed"):
        images.add_metric([outcome], counts.number("images", outcome))
    yield images
    meaning = "Those of these images whose rows were in the cache."
    yield _count("shoal_images_known", meaning, counts.number("known"))
    failures = _counter("shoal_failures", "Images that could not be used.", "reason")
    for reason in FailureReason:
        failures.add_metric([reason], counts.number("failures", reason))
    yield failures
    yield _count_attempts(counts)
    lost = counts.number("lost_workers")
    yield _count("shoal_workers_lost", "Workers whose heartbeats ended unannounced.", lost)
    yield _time("shoal_batch_seconds", "Time that batches took.", "wave", counts, BATCH_SECONDS)
    meaning = "Time that fits and last stages took."
    yield _time("shoal_callback_seconds", meaning, "state", counts, CALLBACK_SECONDS)


def _counter(name: str, meaning: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(name, meaning, labels=labels)


def _count(name: str, meaning: str, value: int) -> CounterMetricFamily:
    return CounterMetricFamily(name, meaning, value)


def _count_attempts(counts: Counts) -> Metric:
    attempts = _counter("shoal_batch_attempts", "Attempts at batches.", "wave", "outcome")
    for wave in Wave:
        for outcome in OUTCOMES:
            attempts.add_metric([wave, outcome], counts.number("attempts", wave, outcome))
    return attempts


def _time(name: str, meaning: str, label: str, counts: Counts, kind: str) -> Metric:
    """Make a histogram of one kind of work, by wave or state."""
    family = HistogramMetricFamily(name, meaning, labels=[label])
    for of in Wave if label == "wave" else (State.FITTING, State.FINISHING):
        times = counts.histogram(kind, of)
        family.add_metric([of], list(times.buckets), times.seconds)
    return family
