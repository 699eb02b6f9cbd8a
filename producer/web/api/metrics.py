"""Metrics for Prometheus: counters of all jobs, and gauges of how things are now."""

import importlib.metadata
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import chain

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from shoal.producer.client import Client
from shoal.producer.web.api.counters import make_counters
from shoal.shared.jobs import State
from shoal.shared.store import Backlog, WorkerState, WorkerStatus
from shoal.shared.tasks import QUEUES


class _StoreCollector(Collector):
    """Collects what one Redis knows, in a few round trips however many workers there are."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics with their present values."""
        registry = self.client.registry
        version = importlib.metadata.version("shoal")
        yield InfoMetricFamily("shoal_build", "Version of this server.", {"version": version})
        yield from make_counters(registry.counts())
        yield _count_jobs(registry.count_jobs())
        yield from _show_backlog(registry.backlog())
        queues = _gauge("shoal_queue_messages", "Messages that wait for a worker.", "queue")
        for queue in chain.from_iterable(names.values() for names in QUEUES.values()):
            queues.add_metric([queue], registry.waiting([queue]))
        yield queues
        yield from _describe_workers(self.client.list_workers())
        yield from _measure_redis(registry.memory())


def _gauge(name: str, meaning: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, meaning, labels=labels)


def _count_jobs(numbers: Counter[str]) -> Metric:
    jobs = _gauge("shoal_jobs", "Jobs that have not expired.", "state")
    for state in State:
        jobs.add_metric([state], numbers[state])
    return jobs


def _show_backlog(backlog: Backlog) -> Iterator[Metric]:
    batches = _gauge("shoal_batches", "Batches of the waves at hand.", "status")
    batches.add_metric(["waiting"], backlog.batches_waiting)
    batches.add_metric(["running"], backlog.batches_running)
    yield batches
    callbacks = _gauge("shoal_callbacks", "Fits, last stages, searches and plots.", "status")
    callbacks.add_metric(["waiting"], backlog.callbacks_waiting)
    callbacks.add_metric(["running"], backlog.callbacks_running)
    yield callbacks
    idle = "Longest time for which nobody has worked on an active job."
    yield GaugeMetricFamily("shoal_job_idle_seconds", idle, backlog.idle_seconds)


def _describe_workers(workers: list[WorkerStatus]) -> Iterator[Metric]:
    """Yield how many workers there are, and what those that run say of themselves."""
    states = Counter(worker.state for worker in workers)
    counted = _gauge("shoal_workers", "Workers, those lost within the hour too.", "state")
    for state in WorkerState:
        counted.add_metric([state], states[state])
    yield counted
    info = InfoMetricFamily("shoal_worker", "A worker's version and machine.", labels=["worker"])
    processes = _gauge("shoal_worker_processes", "Processes of a worker.", "worker", "status")
    memory = _gauge("shoal_worker_memory_bytes", "Resident memory of its processes.", "worker")
    cpu = CounterMetricFamily(
        "shoal_worker_cpu_seconds", "Time of processors that it has taken.", labels=["worker"]
    )
    for worker in workers:
        if worker.state is not WorkerState.LOST:
            name = [worker.name]
            info.add_metric(name, {"version": worker.version, "host": worker.host})
            processes.add_metric([*name, "busy"], worker.busy)
            processes.add_metric([*name, "idle"], len(worker.processes) - worker.busy)
            sizes = [p.memory_bytes for p in worker.processes if p.memory_bytes is not None]
            if sizes:  # the system of its machine tells
                memory.add_metric(name, sum(sizes))
            if worker.cpu_seconds is not None:
                cpu.add_metric(name, worker.cpu_seconds)
    yield from (info, processes, memory, cpu)


def _measure_redis(memory: Mapping[str, int | str]) -> Iterator[Metric]:
    """Yield the memory of Redis, where it tells."""
    used = "Memory that Redis has in use."
    yield GaugeMetricFamily(
        "shoal_redis_memory_bytes", used, float(memory.get("used_memory", "NaN"))
    )
    most = "Memory that Redis may use; 0: no limit."
    yield GaugeMetricFamily(
        "shoal_redis_memory_max_bytes", most, float(memory.get("maxmemory", "NaN"))
    )


def measure(client: Client) -> tuple[bytes, str]:
    """Return all metrics as text, and its media type."""
    registry = CollectorRegistry()
    registry.register(_StoreCollector(client))
    ProcessCollector(registry=registry)
    return generate_latest(registry), CONTENT_TYPE_LATEST
