"""Watching the memory of the processes of a run, by what they do in it."""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

LOOK_SECONDS = 0.2
# What stands in the command of a process, by its role; the first that fits counts.
ROLES = {
    "redis": ("valkey-server", "redis-server"),
    "fit": ("shoal.callbacks",),
    "worker": ("shoal.batches",),
    "producer": ("shoal run", "made_up producer"),
}


@contextmanager
def watched(ancestor: int | None = None) -> Iterator[dict[str, int]]:
    """Yield the peak of each role's largest process so far, in bytes; of descendants only.

    It is anonymous memory, ``RssAnon`` of Linux: without the pages of mapped files, such as shards
    and libraries, which the system drops where it needs them. What a process shares with those
    that it was forked from counts for each of them.
    """
    peaks, ended = dict.fromkeys(ROLES, 0), threading.Event()

    def look() -> None:
        while not ended.wait(LOOK_SECONDS):
            for role, taken in _read_roles(ancestor or os.getpid()):
                peaks[role] = max(peaks[role], taken)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield peaks
    finally:
        ended.set()
        thread.join()


def _read_roles(ancestor: int) -> Iterator[tuple[str, int]]:
    parents = dict(_read_parents())
    for pid in parents:
        with suppress(OSError, KeyError, StopIteration):
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            role = next(r for r, words in ROLES.items() if any(word in command for word in words))
            # The server outlives the command that started it.
            if role == "redis" or _descends(pid, ancestor, parents):
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


def _descends(pid: int, ancestor: int, parents: Mapping[int, int]) -> bool:
    while pid and pid != ancestor:
        pid = parents.get(pid, 0)
    return pid == ancestor
