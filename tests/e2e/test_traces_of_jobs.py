"""Traces of jobs, as a collector of OpenTelemetry gets them."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from polling import wait_until
from servers import Server
from shoal_command import Shoal
from worker_process import Worker

SECONDS = 60
EXPECTED = {
    *(("job", None), ("fit_job", None), ("finish_job", None)),
    *((name, batch) for name in ("load_batch", "label_batch") for batch in (0, 1)),
}

pytestmark = [pytest.mark.slow]


@contextmanager
def collector() -> Iterator[tuple[str, list[Span]]]:
    """Collect spans meanwhile; yield where they are to be sent, and those that have come."""
    spans: list[Span] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            for part in ExportTraceServiceRequest.FromString(body).resource_spans:
                spans.extend(span for scope in part.scope_spans for span in scope.spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", spans
        server.shutdown()


def read_attributes(span: Span) -> dict[str, str | int]:
    return {a.key: a.value.string_value or a.value.int_value for a in span.attributes}


def name_span(span: Span) -> tuple[str, str | int | None]:
    return span.name, read_attributes(span).get("shoal.batch")


def test_a_job_is_one_trace_with_a_span_for_each_batch_fit_and_finish(
    redis_server: Server, tmp_path: Path, photographs: Path
) -> None:
    with collector() as (url, spans):
        shoal = Shoal(tmp_path / "home", SHOAL_REDIS_URL=redis_server.url)
        shoal.environment |= {
            "OTEL_EXPORTER_OTLP_ENDPOINT": url,
            "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
        }
        with Worker(shoal):
            job = shoal.submit(photographs, "--batch-size", 60)
            shoal.output("wait", job)
            # A callback may be delivered twice: the second one steps aside, and has a span, too.
            wait_until(lambda: {name_span(span) for span in spans} >= EXPECTED, SECONDS, "a trace")
    assert {name_span(span) for span in spans} == EXPECTED
    assert len({span.trace_id for span in spans}) == 1
    # As that of a callback, it may come twice: it is the same one then.
    whole, *again = (span for span in spans if span.name == "job")
    assert all(span == whole for span in again)
    parts = [span for span in spans if span.name != "job"]
    assert not whole.parent_span_id
    assert {span.parent_span_id for span in parts} == {whole.span_id}
    assert all(whole.start_time_unix_nano <= span.start_time_unix_nano for span in parts)
    assert read_attributes(whole) == {"shoal.job": job, "shoal.images": 120}
