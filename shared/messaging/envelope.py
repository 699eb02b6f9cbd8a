"""A message as Celery 5.7 and kombu 5.7 put it into a queue of Redis (task protocol 2).

Celery takes 0.2 s to import, which is most of what submitting a small folder takes, and a third of
a millisecond for each message. A test holds these messages to those that Celery itself would send.
"""

import os
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from socket import gethostname
from typing import Any
from uuid import uuid4

import msgspec

from shoal.shared.tasks import PROTOCOL, PROTOCOL_HEADER

JSON = {"content-encoding": "utf-8", "content-type": "application/json"}
# What ours make no use of.
UNUSED_HEADERS: dict[str, Any] = {
    "lang": "py",
    "shadow": None,
    "eta": None,
    "expires": None,
    "retries": 0,
    "timelimit": [None, None],
    "parent_id": None,
    "kwargsrepr": "{}",
    "replaced_task_nesting": 0,
    "stamped_headers": None,
    "stamps": {},
}
PERSISTENT = 2

Signature = Mapping[str, Any]


@dataclass(frozen=True)
class Task:
    """A call of a task, and where it goes.

    Attributes:
        name: Of the task.
        args: Its arguments.
        queue: Where it waits.
        task_id: Its id; "" makes one.
        priority: The smallest goes first.
        ignores_result: Whether Celery is told so with the message; None leaves it to the task.
        protocol: That of its job.
    """

    name: str
    args: tuple[str | int, ...]
    queue: str
    task_id: str = ""
    priority: int = 0
    ignores_result: bool | None = None
    protocol: int = PROTOCOL

    def sign(self, **options: object) -> Signature:
        """Make the signature by which another message names this task."""
        return {
            "task": self.name,
            "args": self.args,
            "kwargs": {},
            "options": {
                "queue": self.queue,
                "headers": {PROTOCOL_HEADER: self.protocol},
                **options,
            },
            "subtask_type": None,
            "immutable": True,
        }


@dataclass(frozen=True)
class Part:
    """A task's place in a chord.

    Attributes:
        group: Id of the chord's header.
        index: Number of the task among those of the header.
        body: Signature of the callback.
    """

    group: str | None = None
    index: int | None = None
    body: Signature | None = None


NO_PART = Part()


def make_body(group: str, callback: Task, errback: Task) -> Signature:
    """Make the signature of a chord's callback; ``errback`` is called if the chord fails."""
    link_error = [errback.sign()]
    return callback.sign(link_error=link_error, task_id=callback.task_id, group_id=group)


def encode_task(task: Task, part: Part = NO_PART) -> bytes:
    """Encode the message of a task."""
    task_id = task.task_id or str(uuid4())
    embedded = {"callbacks": None, "errbacks": None, "chain": None, "chord": part.body}
    message = {
        "body": b64encode(msgspec.json.encode((task.args, {}, embedded))).decode(),
        **JSON,
        "headers": {
            **UNUSED_HEADERS,
            PROTOCOL_HEADER: task.protocol,
            "task": task.name,
            "id": task_id,
            "group": part.group,
            "group_index": part.index,
            "root_id": task_id,
            "argsrepr": repr(task.args),
            "origin": _name_process(os.getpid()),
            "ignore_result": task.ignores_result,
        },
        "properties": {
            "correlation_id": task_id,
            "delivery_mode": PERSISTENT,
            "delivery_info": {"exchange": "", "routing_key": task.queue},
            "priority": task.priority,
            "body_encoding": "base64",
            "delivery_tag": str(uuid4()),
        },
    }
    return msgspec.json.encode(message)


@cache
def _name_process(pid: int) -> str:
    return f"gen{pid}@{gethostname()}"
