"""Watching the memory of the processes of a run, by what they do in it."""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

LOOK_SECONDS = 0.2
# What stands in the command of a process, by its role; the first that fits counts.
ROLES = {
    "fit": ("shoal.2.callbacks",),
    "worker": ("shoal.2.batches",),
    "producer": ("shoal run", "made_up producer"),
}


@contextmanager
def watched(redis: int) -> Iterator[dict[str, int]]:
    """Yield the peak of each role's largest process so far, in bytes.

    They are processes that this one or a descendant has started, and that with the id ``redis``.

    It is anonymous memory, ``RssAnon`` of Linux: without the pages of mapped files, such as shards
    and libraries, which the system drops where it needs them. What a process shares with those
    that it was forked from counts for each of them.
    """
    peaks, ended = dict.fromkeys([*ROLES, "redis"], 0), threading.Event()

    def look() -> None:
        while not ended.wait(LOOK_SECONDS):
            for role, taken in _read_roles():
                peaks[role] = max(peaks[role], taken)
            peaks["redis"] = max(peaks["redis"], _read_status(redis)["RssAnon"] * 1024)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield peaks
    finally:
        ended.set()
        thread.join()


def _read_roles() -> Iterator[tuple[str, int]]:
    parents = dict(_read_parents())
    for pid in parents:
        with suppress(OSError, KeyError, StopIteration):
            command = os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes()).replace("\0", " ")
            role = next(r for r, words in ROLES.items() if any(word in command for word in words))
            if _descends(pid, parents):
                yield role, _read_status(pid)["RssAnon"] * 1024


def _read_parents() -> Iterator[tuple[int, int]]:
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with suppress(OSError, KeyError):
                yield int(entry.name), _read_status(int(entry.name))["PPid"]


def _read_status(pid: int) -> dict[str, int]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    pairs = (line.split(":", 1) for line in lines)
    return {name: int(value.split()[0]) for name, value in pairs if name in {"PPid", "RssAnon"}}


def _descends(pid: int, parents: Mapping[int, int]) -> bool:
    while pid and pid != os.getpid():
        pid = parents.get(pid, 0)
    return bool(pid)
