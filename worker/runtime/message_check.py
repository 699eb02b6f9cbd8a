"""The check of each message before Celery takes it; what fails is dropped and logged.

A message whose body is not a list ends the whole worker of Celery 5.7, which puts the message
back, and the next worker ends, too. A header of an unexpected form costs a slot of its pool.
"""

import logging
import re
import reprlib
from collections.abc import Callable, Mapping
from typing import Any

from celery.exceptions import InvalidTaskError
from celery.worker.consumer import Consumer
from kombu.exceptions import ContentDisallowed, DecodeError

from shoal.shared.messaging.channel import MOST_CHARACTERS
from shoal.shared.redis.client import LOST
from shoal.shared.tasks import (
    BATCH_TASK,
    CALLBACK_TASK,
    DRAW_PLOTS,
    FIRST,
    KNOWN,
    PROJECT_IMAGES,
    PROTOCOL_HEADER,
    SWEEP,
)

logger = logging.getLogger(__name__)

PLAUSIBLE_JOB_ID = re.compile(r"[\w-]{1,64}", re.ASCII)
# From here on, Lua and JSON do not count exactly: no batch has such a number.
LEAST_INEXACT = 2**53
# Headers that none of our messages has.
TIMES = ("eta", "expires", "timelimit")
# What a body of an unexpected form raises.
REFUSED = (
    *(AttributeError, LookupError, TypeError, ValueError),
    *(ContentDisallowed, DecodeError, InvalidTaskError),
)


class CheckingConsumer(Consumer):
    """Celery's consumer, which checks each message first."""

    def create_task_handler(self, *arguments: Any, **options: Any) -> Callable[[Any], Any]:
        """Return the function that receives a message."""
        receive = super().create_task_handler(*arguments, **options)

        def receive_sound(message: Any) -> Any:
            try:
                _check_message(message, self.app.tasks)
            except REFUSED as error:
                _log_dropped(message, error)
                return message.reject_log_error(logger, LOST)
            return receive(message)

        return receive_sound


def _check_message(message: Any, tasks: Mapping[str, object]) -> None:
    """Check that a message asks for something that can be done, and at once.

    Raises:
        InvalidTaskError: It does not.
        ContentDisallowed: Its body is no JSON; it was not decoded.
        DecodeError: Its body cannot be decoded.
    """
    task = message.headers["task"]
    # Nobody sends one here; nothing is lost, since the ledger has what is to be done.
    if (protocol := message.headers.get(PROTOCOL_HEADER, FIRST)) not in KNOWN:
        raise InvalidTaskError(
            f"of protocol {reprlib.repr(protocol)}, which workers of another version take"
        )
    if task not in tasks or not isinstance(message.headers["id"], str):
        raise InvalidTaskError(f"no task {reprlib.repr(task)} with an id")
    if found := [name for name in TIMES if message.headers.get(name) not in (None, [None, None])]:
        raise InvalidTaskError(f"{' and '.join(found)} of no use here")
    match message.payload:
        case [list() as arguments, {**named}, {}] if not named:
            if not _are_sound(task, arguments):
                raise InvalidTaskError(f"arguments {reprlib.repr(arguments)}")
        case _:
            raise InvalidTaskError("the body is not [arguments, {}, {…}]")


def _are_sound(task: str, arguments: list[Any]) -> bool:
    """Return whether a task takes these arguments: a job's id; a batch's number, or a token."""
    match arguments:
        # A bool is an int, too.
        case [str() as job_id, int() as batch] if type(batch) is int:
            known = task in BATCH_TASK.values() and 0 <= batch < LEAST_INEXACT
        case [str() as job_id, str() as token]:
            known = task == PROJECT_IMAGES and bool(PLAUSIBLE_JOB_ID.fullmatch(token))
        case [str() as job_id]:
            known = task in (*CALLBACK_TASK.values(), DRAW_PLOTS)
        case _:
            return not arguments and task == SWEEP
    return known and bool(PLAUSIBLE_JOB_ID.fullmatch(job_id))


def _log_dropped(message: Any, error: Exception) -> None:
    """Note that a message is dropped, its job where it names one, and why."""
    cause = f"{type(error).__name__}: {error}"[:MOST_CHARACTERS]
    logger.error("message dropped", extra={"job": _name_job(message), "cause": cause})


def _name_job(message: Any) -> str | None:
    """Return the job that a message seems to be about; None where it names none."""
    try:
        job_id = message.payload[0][0]
    except REFUSED:
        return None
    return job_id[:MOST_CHARACTERS] if isinstance(job_id, str) else None
