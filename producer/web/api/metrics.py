"""Metrics for Prometheus, summed up from the ledgers of all jobs."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from shoal.producer.client import Client
from shoal.shared.jobs import State
from shoal.shared.store import Tally
from shoal.shared.tasks import BATCHES, CALLBACKS


class _JobsCollector(Collector):
    """Collects gauges of the jobs that have not expired; they fall when a job expires."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics with their present values."""
        registry = self.client.registry
        tally = registry.tally()
        yield from _count_jobs(tally)
        yield from _time_work(tally)
        queues = _gauge("shoal_queue_messages", "Messages waiting for a worker.", "queue")
        for queue in (BATCHES, CALLBACKS):
            queues.add_metric([queue], registry.waiting([queue]))
        yield queues
        workers = registry.workers(within_seconds=self.client.settings.sweep_seconds * 3)
        yield GaugeMetricFamily(
            "shoal_workers", "Workers that sent a heartbeat lately.", len(workers)
        )


def _gauge(name: str, meaning: str, label: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, meaning, labels=[label])


def _count_jobs(tally: Tally) -> Iterator[Metric]:
    """Yield the numbers of jobs and images."""
    jobs = _gauge("shoal_jobs", "Jobs that have not expired.", "state")
    for state in State:
        jobs.add_metric([state], tally.jobs[state])
    yield jobs
    images = _gauge("shoal_images", "Images of these jobs.", "outcome")
    images.add_metric(["loaded"], tally.loaded)
    images.add_metric(["failed"], tally.failed)
    yield images


def _time_work(tally: Tally) -> Iterator[Metric]:
    """Yield number and total time of the batches and callbacks of these jobs."""
    kinds = {
        "batch": (State.LOADING, State.LABELLING),
        "fit": (State.FITTING,),
        "finish": (State.FINISHING,),
    }
    for kind, states in kinds.items():
        times = SummaryMetricFamily(
            f"shoal_{kind}_seconds", f"Time that each {kind} of these jobs took.", labels=["state"]
        )
        for state in states:
            times.add_metric([state], tally.timed[state], tally.seconds[state])
        yield times


def measure(client: Client) -> tuple[bytes, str]:
    """Return all metrics as text, and its media type."""
    registry = CollectorRegistry()
    registry.register(_JobsCollector(client))
    return generate_latest(registry), CONTENT_TYPE_LATEST
