"""The API's description: whatever it allows, and whatever it does not, is answered as it says."""

import json
from contextlib import suppress
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from web_server import WebServer

from shoal.producer.job import Job

CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
]
MODES = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
EXAMPLES = 5


def find_operations(web: WebServer, job: Job) -> list[Any]:
    # Of a job that is there, or most requests would end at its name; a stream has no end.
    description = json.loads(web.http.get("/api/v1/openapi.json").text)
    paths = {path: item for path, item in description["paths"].items() if "/events" not in path}
    for item in paths.values():
        for operation in item.values():
            named = operation.get("parameters", [])
            operation["parameters"] = [p for p in named if p["name"] != "job_id"]
    description["paths"] = {p.replace("{job_id}", job.id): item for p, item in paths.items()}
    schema: Any = schemathesis.openapi.from_dict(description)
    operations = [result.ok() for result in schema.get_all_operations()]
    # What retries the job comes last: without a result most answers are the same.
    return sorted(operations, key=lambda operation: operation.method == "post")


def test_any_request_is_answered_as_described(web: WebServer, finished: Job) -> None:
    web.site.submit_limit.burst = web.site.estimate_limit.burst = 100_000
    operations = find_operations(web, finished)
    assert len(operations) >= 13
    for operation in operations:
        for mode in MODES:
            try_requests(web, operation.as_strategy(generation_mode=mode))


def try_requests(web: WebServer, strategy: Any) -> None:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def ask(case: Any) -> None:
        case.call_and_validate(base_url=web.url, checks=CHECKS)

    with suppress(Unsatisfiable):  # nothing can be wrong with what takes no argument
        ask()
