"""A worker that suffers faults at named points: ``celery -A faulty_worker worker``.

A file in ``FAULTS`` that has the name of a point holds the fault that waits there. The
process that renames it takes it, so that each fault happens once.
"""

import os
import signal
import time
from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from types import ModuleType
from typing import Any

import poison_decoder
from celery.backends.redis import RedisBackend
from unreliable_broker import deliver_unreliably

from shoal.shared.messaging import messages
from shoal.shared.messaging.broker import ChordBackend
from shoal.shared.messaging.envelope import Part, Task
from shoal.shared.shards import FileShards
from shoal.shared.store import Lease, Ledger, Results
from shoal.shared.store.batches import BatchLedger
from shoal.shared.tasks import LABEL_BATCH
from shoal.worker.app import app
from shoal.worker.images.isolation import IsolatedLoader
from shoal.worker.images.loading import load_with_digest
from shoal.worker.stages.loading import reading

FAULTS = Path(os.environ["FAULTS"])
TAKEN = ".taken"
# Messages of a wave that are sent before the point in its middle.
SENT_FIRST = 7
# Have the seconds that each batch and each image is to take longer.
PACE, IMAGE_PACE = FAULTS / "pace", FAULTS / "image-pace"
# So that what a lost worker had is seen to leave, once its visibility has been ended by hand.
app.conf.broker_transport_options["unacked_restore_interval"] = 1

Method = Callable[..., Any]
PointOf = Callable[..., str]


def kill_child() -> None:
    """End this process as the kernel does when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


def kill_worker() -> None:
    """End this worker with all of its processes, as when a machine is lost."""
    os.killpg(0, signal.SIGKILL)


ACTIONS = {"kill child": kill_child, "kill worker": kill_worker}


def suffer(point: str) -> None:
    """Suffer the fault that waits at ``point``, if there is one."""
    armed = FAULTS / point
    taken = armed.with_suffix(TAKEN)
    try:
        armed.rename(taken)
    except FileNotFoundError:
        return
    if action := ACTIONS.get(taken.read_text()):
        action()
    while taken.exists():  # held until the test removes it
        time.sleep(0.01)


def before(owner: type | ModuleType, name: str, point_of: PointOf) -> None:
    """Put a point before a method or function; ``point_of`` names it by the arguments."""
    method: Method = getattr(owner, name)

    @wraps(method)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        suffer(point_of(*args, **kwargs))
        return method(*args, **kwargs)

    setattr(owner, name, wrapper)


def after(owner: type, name: str, point_of: PointOf) -> None:
    """Put a point after a method."""
    method: Method = getattr(owner, name)

    @wraps(method)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        value = method(*args, **kwargs)
        suffer(point_of(*args, **kwargs))
        return value

    setattr(owner, name, wrapper)


def note_advances() -> None:
    """Write down each change of state that a lease brought about."""
    method = Ledger.advance

    def advance(ledger: Ledger, lease: Lease, *args: Any) -> bool:
        if not method(ledger, lease, *args):
            return False
        with (FAULTS / "advances").open("a") as notes:
            notes.write(f"{ledger.job_id} {lease.state} {lease.token}\n")
        return True

    Ledger.advance = advance  # type: ignore[assignment, method-assign]


def of_state(when: str) -> PointOf:
    """Return what names the point at which a lease's state is left."""
    return lambda _, lease, *__: f"{lease.state}-{when}-advance"


def of_shard(when: str) -> PointOf:
    """Return what names the point at which a shard is written: its kind, such as ``index``."""
    return lambda _, name, *__, **___: f"{name.split('/')[-2]}-{when}-write"


def of_task(when: str) -> PointOf:
    """Return what names the point at which a task is counted in its chord."""
    return lambda _, request, *__, **___: f"{request.task.split('.')[-1]}-{when}-counting"


def of_message(task: Task, part: Part) -> str:
    """Return what names the point at which the first batches to label are sent, and no more."""
    is_next = task.name == LABEL_BATCH and part.index == SENT_FIRST
    return "labelling-half-sent" if is_next else "other-message"


def keep_pace(*_: object, pace: Path = PACE, **__: object) -> str:
    """Take as long as the test wants; return the point that follows."""
    if pace.exists():
        time.sleep(float(pace.read_text()))
    return "loading-paced"


def keep_pace_of_images() -> None:
    """Let each image take as long as the test wants."""
    load = load_with_digest

    def load_slowly(*args: Any, **kwargs: Any) -> Any:
        keep_pace(pace=IMAGE_PACE)
        return load(*args, **kwargs)

    reading.load_with_digest = load_slowly  # type: ignore[attr-defined]


note_advances()
keep_pace_of_images()
deliver_unreliably(FAULTS)
before(BatchLedger, "commit_loading", keep_pace)
for wave in ("loading", "labelling"):
    before(BatchLedger, f"commit_{wave}", lambda *_, s=wave, **__: f"{s}-before-commit")
    after(BatchLedger, f"commit_{wave}", lambda *_, s=wave, **__: f"{s}-after-commit")
before(FileShards, "write", of_shard("before"))
after(FileShards, "write", of_shard("after"))
before(Results, "put_model", lambda *_: "fitting-before-output")
before(Results, "put_findings", lambda *_: "finishing-before-output")
before(Ledger, "advance", of_state("before"))
after(Ledger, "advance", of_state("after"))
before(ChordBackend, "on_chord_part_return", of_task("before"))
after(ChordBackend, "on_chord_part_return", of_task("after"))
before(RedisBackend, "_chord_publish_claim_expires", lambda *_: "callback-claimed")
# In one round trip, so that the point is between two.
messages.AT_ONCE = SENT_FIRST
before(messages, "encode_task", of_message)
# The sub-process decodes as this process does: with a fault where an image asks for it.
isolated = partial(IsolatedLoader, function=f"{poison_decoder.__name__}:load_packed")
reading.IsolatedLoader = isolated  # type: ignore[assignment, attr-defined]
