"""Error responses, as JSON or as a page, with messages that name no commands and calls."""

import math
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from redis import ConnectionError as RedisConnectionError
from redis import TimeoutError as RedisTimeoutError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from shoal.producer.web.rendering import Json, Page
from shoal.shared.errors import (
    ConnectionLostError,
    JobCancelledError,
    JobFailedError,
    NotFinishedError,
    ShoalError,
    StoreFullError,
    UnknownJobError,
    UnreadableImageError,
    UsageError,
    leave_out_calls,
)

# An error has the status of the first class here that it is an instance of.
STATUSES: dict[type[Exception], int] = {
    UnknownJobError: 404,
    UsageError: 422,
    NotFinishedError: 409,
    JobFailedError: 409,
    JobCancelledError: 409,
    UnreadableImageError: 404,
    StoreFullError: 507,
    ConnectionLostError: 503,
}
NO_ANSWER = "Redis does not answer; trying again may help."


class BusyError(ShoalError):
    """Too many requests.

    Attributes:
        wait_seconds: Time to wait before the next request.
    """

    def __init__(self, wait_seconds: float) -> None:
        self.wait_seconds = math.ceil(wait_seconds)
        super().__init__(f"Too many requests: try again in {self.wait_seconds} s.")


@dataclass(frozen=True)
class Problem:
    """What went wrong; the message names the remedy."""

    error: str


def install(app: FastAPI) -> None:
    """Install the handlers that turn the errors of an application's routes into responses."""
    app.add_exception_handler(ShoalError, _answer_error)
    app.add_exception_handler(RedisConnectionError, _answer_lost)
    app.add_exception_handler(RedisTimeoutError, _answer_lost)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(Exception, _answer_defect)


def make_problem_response(request: Request, status: int, error: str) -> Response:
    """Make an error response: JSON for the API, else a page."""
    error = leave_out_calls(error)
    if request.url.path.startswith(("/api/", "/metrics", "/healthz", "/readyz")):
        return Json(Problem(error), status)
    title = HTTPStatus(status).phrase
    return Page("problem.html", status, title=title, error=error)


def _answer_error(request: Request, error: Exception) -> Response:
    """Answer an error that Shoal raises on purpose."""
    if isinstance(error, BusyError):
        response = make_problem_response(request, 429, str(error))
        response.headers["Retry-After"] = str(error.wait_seconds)
        return response
    status = next((code for kind, code in STATUSES.items() if isinstance(error, kind)), 500)
    return make_problem_response(request, status, str(error))


def _answer_lost(request: Request, _error: Exception) -> Response:
    """Answer an error of the connection to Redis."""
    response = make_problem_response(request, 503, NO_ANSWER)
    response.headers["Retry-After"] = "2"
    return response


def _answer_http(request: Request, error: Exception) -> Response:
    """Answer an error of the framework: an unknown path, a wrong method."""
    assert isinstance(error, HTTPException)  # noqa: S101  as registered
    response = make_problem_response(request, error.status_code, f"{error.detail}.")
    response.headers.update(error.headers or {})
    return response


def _answer_invalid(request: Request, error: Exception) -> Response:
    """Answer a request that does not match the API's description."""
    assert isinstance(error, RequestValidationError)  # noqa: S101  as registered
    faults = [f"{'.'.join(map(str, e['loc'][1:]))}: {e['msg']}" for e in error.errors()]
    return make_problem_response(request, 422, "; ".join(faults) + ".")


def _answer_defect(request: Request, error: Exception) -> Response:
    """Answer an unexpected error, a defect of Shoal; the log has its traceback."""
    return make_problem_response(
        request, 500, f"Unexpected {type(error).__name__}: see the server's log."
    )
