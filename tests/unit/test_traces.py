"""Whether a worker traces; what it sends is in tests/e2e/test_traces_of_jobs.py."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest
from celery.signals import task_postrun, task_prerun, worker_process_shutdown

from shoal.worker.runtime.traces import SDK, start_tracing

CONTEXT: Any = SimpleNamespace()
ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}


@pytest.fixture
def receivers(monkeypatch):
    """Those of tasks, which no other test gets to see."""
    for signal in (task_prerun, task_postrun, worker_process_shutdown):
        monkeypatch.setattr(signal, "receivers", [])
    return task_prerun


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_SERVICE_NAME": "fish"},
        {**ENDPOINT, "OTEL_SDK_DISABLED": "true"},
        {**ENDPOINT, "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_nothing_is_traced_where_nobody_says_where_to(receivers, environ):
    start_tracing(CONTEXT, environ)
    assert receivers.receivers == []


def test_a_worker_with_an_endpoint_traces(receivers):
    start_tracing(CONTEXT, ENDPOINT)
    assert len(receivers.receivers) == 1


def test_a_worker_without_the_packages_says_which_and_works_on(receivers, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, SDK[0], None)
    start_tracing(CONTEXT, ENDPOINT)
    assert receivers.receivers == []
    assert "pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http" in caplog.text
