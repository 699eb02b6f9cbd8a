"""Error responses, as JSON or as a page, with messages that name no commands and calls."""

import math
import re
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from shoal.producer.web.rendering import Json, OpenApiResponses, Page, in_page_words
from shoal.shared.errors import (
    ConnectionLostError,
    JobCancelledError,
    JobFailedError,
    NotFinishedError,
    OptionError,
    ShoalError,
    SourceError,
    StoreUnavailableError,
    UnknownJobError,
    UnreadableImageError,
    UsageError,
    VersionError,
)

# What programs ask; of the rest, a person sees the answer.
PROGRAM_PATHS = ("/api/", "/metrics", "/healthz", "/readyz")
# How a page is headed that says what went wrong.
TITLES = {
    404: "Not here",
    409: "Not there, yet or any more",
    421: "Another address",
    422: "This cannot work",
    500: "Something went wrong",
    503: "Not available for now",
}
JOB_PATH = re.compile(r"(?:/api/v1)?/jobs/([0-9a-f]{12})/")
NO_ANSWER = "Redis does not answer; trying again may help."
RETRY_SECONDS = 2
GUESSES = "Too many wrong tokens (the right one is let in at any time)"


class BusyError(ShoalError):
    """Too many requests.

    Attributes:
        wait_seconds: Time to wait before the next request.
    """

    def __init__(self, wait_seconds: float, what: str = "Too many requests") -> None:
        self.wait_seconds = math.ceil(wait_seconds)
        super().__init__(f"{what}: try again in {self.wait_seconds} s.")


class OverloadedError(ShoalError):
    """The server has too much to do for now; the message says what."""


# An error has the status of the first class here that it is an instance of.
STATUSES: dict[type[Exception], int] = {
    UnknownJobError: 404,
    UsageError: 422,
    NotFinishedError: 409,
    VersionError: 409,
    JobFailedError: 409,
    JobCancelledError: 409,
    UnreadableImageError: 404,
    OverloadedError: 503,
    StoreUnavailableError: 503,
}


@dataclass(frozen=True)
class Problem:
    """What went wrong.

    Attributes:
        error: The message, which names the remedy.
        option: The option of a job that it is about; None if it is about none, or several.
    """

    error: str
    option: str | None = None


DESCRIPTIONS: OpenApiResponses = {
    code: {"model": Problem, "description": meaning}
    for code, meaning in {
        400: "The body is not JSON.",
        401: "The token is missing or wrong.",
        403: "The request comes from another site.",
        404: "There is no such job or image.",
        409: "The job has no result (yet), or is of another version.",
        413: "The body is too large.",
        421: "The host name is not one of this server.",
        422: "The request cannot work; the message names the remedy.",
        429: "Too many requests.",
        503: "Redis does not answer or refuses for now, or the server has too much to do.",
    }.items()
}


def install(app: FastAPI) -> None:
    """Install the handlers that turn the errors of an application's routes into responses."""
    app.add_exception_handler(ClientDisconnect, _answer_nobody)
    app.add_exception_handler(ShoalError, _answer_error)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(Exception, _answer_defect)


def make_problem_response(
    request: Request, status: int, error: str, option: str | None = None
) -> Response:
    """Make an error response: a page for a person, JSON for a program."""
    error = in_page_words(error)
    path = request.scope["path"]
    if path.startswith(PROGRAM_PATHS) and not _is_followed_link(request):
        return Json(Problem(error, option), status)
    job = JOB_PATH.match(path)
    title = TITLES.get(status, HTTPStatus(status).phrase)
    # A page about a job that is not there would lead nowhere.
    job_id = job[1] if job and status != HTTPStatus.NOT_FOUND else ""
    return Page("problem.html", status, title=title, error=error, job_id=job_id)


def _is_followed_link(request: Request) -> bool:
    """Return whether a browser shows the answer, as of a link to a file."""
    return request.method == "GET" and "text/html" in request.headers.get("accept", "")


def make_busy_response(request: Request, error: BusyError) -> Response:
    """Make the response to one request too many."""
    response = make_problem_response(request, 429, str(error))
    response.headers["Retry-After"] = str(error.wait_seconds)
    return response


def _answer_error(request: Request, error: Exception) -> Response:
    """Answer an error that Shoal raises on purpose."""
    if isinstance(error, BusyError):
        return make_busy_response(request, error)
    status = next((code for kind, code in STATUSES.items() if isinstance(error, kind)), 500)
    response = make_problem_response(request, status, explain(error), _find_option(error))
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = str(RETRY_SECONDS)
    return response


def _find_option(error: Exception) -> str | None:
    if isinstance(error, SourceError):
        return "source"
    return error.option if isinstance(error, OptionError) else None


def explain(error: Exception) -> str:
    """Return the message of an error, without the address of Redis, which is not for everybody."""
    return NO_ANSWER if isinstance(error, ConnectionLostError) else str(error)


def _answer_http(request: Request, error: Exception) -> Response:
    """Answer an error of the framework: an unknown path, a wrong method."""
    assert isinstance(error, HTTPException)  # noqa: S101  as registered
    response = make_problem_response(request, error.status_code, f"{error.detail}.")
    response.headers.update(error.headers or {})
    return response


def _answer_nobody(_request: Request, _error: Exception) -> Response:
    """Answer a client that has gone, or was sent away, before its request had come."""
    return Response(status_code=400)


def _answer_invalid(request: Request, error: Exception) -> Response:
    """Answer a request that does not match the API's description."""
    assert isinstance(error, RequestValidationError)  # noqa: S101  as registered
    # What is wrong with all of the body has no place in it.
    places = ((".".join(map(str, e["loc"][1:] or e["loc"])), e["msg"]) for e in error.errors())
    faults = [f"{place}: {fault}" for place, fault in places]
    names = {e["loc"][1] for e in error.errors() if e["loc"][0] == "body" and len(e["loc"]) > 1}
    option = str(names.pop()) if len(names) == 1 else None
    return make_problem_response(request, 422, "; ".join(faults) + ".", option)


def _answer_defect(request: Request, error: Exception) -> Response:
    """Answer an unexpected error, a defect of Shoal; the log has its traceback."""
    return make_problem_response(
        request, 500, f"Unexpected {type(error).__name__}: see the server's log."
    )
