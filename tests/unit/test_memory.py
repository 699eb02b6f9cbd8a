import resource
import subprocess
import sys
from pathlib import Path

import pytest

from worker.memory import LIMIT, limit_memory

ROOM = 2**27

pytestmark = pytest.mark.skipif(sys.platform == "darwin", reason="knows no such limit")


def test_what_is_beyond_the_bound_is_a_memory_error() -> None:
    with limit_memory(ROOM), pytest.raises(MemoryError):
        bytearray(2 * ROOM)


def test_what_is_within_the_bound_is_there() -> None:
    with limit_memory(2 * ROOM):
        assert len(bytearray(ROOM)) == ROOM


def test_bound_is_lifted_afterwards_whatever_happened() -> None:
    before = resource.getrlimit(LIMIT)
    with pytest.raises(MemoryError), limit_memory(ROOM):
        bytearray(2 * ROOM)
    assert resource.getrlimit(LIMIT) == before
    assert len(bytearray(2 * ROOM)) == 2 * ROOM


def test_bound_of_an_operator_is_not_exceeded() -> None:
    with limit_memory(ROOM):
        narrow = resource.getrlimit(LIMIT)
        with limit_memory(8 * ROOM):
            assert resource.getrlimit(LIMIT) == narrow


def test_system_without_such_a_limit_goes_on_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.memory.STATM", Path("/nowhere"))
    with limit_memory(ROOM):
        assert len(bytearray(2 * ROOM)) == 2 * ROOM


def test_bound_for_good_is_one_that_only_a_privileged_process_could_lift() -> None:
    code = (
        "import resource; from worker.memory import *; limit_memory_for_good(2**30);"
        "soft, hard = resource.getrlimit(LIMIT); print(2**30 < soft == hard < 2**40)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "True\n"
