"""Traces: one a job, with a span for each batch, fit and finish, sent as ``OTEL_`` variables say.

All workers make the ids of a job's trace from the job's own, so that no message carries any. The
span of the whole job is sent when it has finished.
"""

import logging
import os
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from celery.signals import task_postrun, task_prerun, worker_process_shutdown
from xxhash import xxh3_64_intdigest, xxh3_128_intdigest

from shoal.shared.errors import ShoalError
from shoal.shared.jobs import Status
from shoal.shared.tasks import BATCH_TASK, CALLBACK_TASK, FINISH_JOB
from shoal.worker.runtime.context import WorkerContext

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

logger = logging.getLogger(__name__)

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
TRACED = {*BATCH_TASK.values(), *CALLBACK_TASK.values()}
NANOSECONDS = 1_000_000_000
# Imported by the main process, whose memory the others share.
SDK = ("opentelemetry.sdk.trace.export", "opentelemetry.exporter.otlp.proto.http.trace_exporter")


def start_tracing(context: WorkerContext, environ: Mapping[str, str] = os.environ) -> None:
    """Trace the tasks of this worker from now on, if the environment says where to send traces."""
    is_off = environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    if is_off or environ.get("OTEL_TRACES_EXPORTER") == "none":
        return
    if not any(environ.get(name) for name in ENDPOINTS):
        return
    try:
        for module in SDK:
            import_module(module)
    except ImportError:
        packages = "opentelemetry-sdk opentelemetry-exporter-otlp-proto-http"
        logger.warning("no traces are sent, which need more packages: pip install %s", packages)
        return
    traces = Traces(context)
    task_prerun.connect(traces.begin, weak=False)
    task_postrun.connect(traces.end, weak=False)
    worker_process_shutdown.connect(traces.flush, weak=False)


class Traces:
    """The spans of one process, which does one task at a time."""

    def __init__(self, context: WorkerContext) -> None:
        self.context = context
        self.span: Span | None = None
        self.providers: dict[int, TracerProvider] = {}

    @property
    def provider(self) -> "TracerProvider":
        """Return what sends the spans of this process: its thread survives no fork."""
        pid = os.getpid()
        if pid not in self.providers:
            self.providers = {pid: _make_provider()}
        return self.providers[pid]

    def begin(self, task: Any, args: Any, **_: object) -> None:
        """Begin the span of a task."""
        if task.name not in TRACED:
            return
        job_id, batch = (*args, None)[:2]
        attributes = {"shoal.job": job_id} | ({} if batch is None else {"shoal.batch": batch})
        self.span = self.provider.get_tracer("shoal").start_span(
            task.name.removeprefix("shoal."), _make_parent(job_id), attributes=attributes
        )

    def end(self, task: Any, args: Any, state: str | None = None, **_: object) -> None:
        """End the span of a task; with the last one, send that of the job."""
        if not self.span:
            return
        if state != "SUCCESS":
            from opentelemetry.trace import StatusCode

            self.span.set_status(StatusCode.ERROR, str(state))
        self.span.end()
        self.span = None
        if task.name == FINISH_JOB:
            self._end_job(args[0])

    def _end_job(self, job_id: str) -> None:
        try:
            status = self.context.ledger(job_id).status()
        except ShoalError as error:
            logger.warning("the span of a job is not sent", extra={"job": job_id, "cause": error})
            return
        if status.finished_at:
            self._send_job(job_id, status, status.finished_at)

    def _send_job(self, job_id: str, status: Status, finished_at: float) -> None:
        ids: Any = self.provider.id_generator
        ids.job_id = job_id
        span = self.provider.get_tracer("shoal").start_span(
            "job",
            start_time=int(status.created_at * NANOSECONDS),
            attributes={"shoal.job": job_id, "shoal.images": status.images.total},
        )
        ids.job_id = ""
        span.end(int(finished_at * NANOSECONDS))

    def flush(self, **_: object) -> None:
        """Send what is left, at the end of a process."""
        for provider in self.providers.values():
            provider.shutdown()


def _make_provider() -> "TracerProvider":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    class JobIds(RandomIdGenerator):
        """Gives the span of a job the ids that those of its tasks know; all others get any."""

        job_id = ""

        def generate_trace_id(self) -> int:
            return _make_trace_id(self.job_id) if self.job_id else super().generate_trace_id()

        def generate_span_id(self) -> int:
            return _make_span_id(self.job_id) if self.job_id else super().generate_span_id()

    os.environ.setdefault("OTEL_SERVICE_NAME", "shoal-worker")
    provider = TracerProvider(id_generator=JobIds(), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def _make_parent(job_id: str) -> "Context":
    from opentelemetry.trace import (
        NonRecordingSpan,
        SpanContext,
        TraceFlags,
        set_span_in_context,
    )

    flags = TraceFlags(TraceFlags.SAMPLED)
    parent = SpanContext(_make_trace_id(job_id), _make_span_id(job_id), True, flags)
    return set_span_in_context(NonRecordingSpan(parent))


def _make_trace_id(job_id: str) -> int:
    return xxh3_128_intdigest(job_id.encode())


def _make_span_id(job_id: str) -> int:
    return xxh3_64_intdigest(job_id.encode())
