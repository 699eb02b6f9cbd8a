import platform
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from shoal.worker.memory import LIMIT, keep_freed_memory, limit_memory

ROOM = 2**27

pytestmark = pytest.mark.skipif(sys.platform == "darwin", reason="knows no such limit")

COUNT_FAULTS = """
import numpy, resource
from shoal.worker.memory import keep_freed_memory
assert keep_freed_memory()
numpy.ones(2**24, numpy.uint8)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    numpy.ones(2**24, numpy.uint8)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


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
    monkeypatch.setattr("shoal.worker.memory.STATM", Path("/nowhere"))
    with limit_memory(ROOM):
        assert len(bytearray(2 * ROOM)) == 2 * ROOM


def test_bound_for_good_is_one_that_only_a_privileged_process_could_lift() -> None:
    code = (
        "import resource; from shoal.worker.memory import *; limit_memory_for_good(2**30);"
        "soft, hard = resource.getrlimit(LIMIT); print(2**30 < soft == hard < 2**40)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "True\n"


def test_freed_memory_serves_the_next_array_without_the_kernel() -> None:
    if platform.libc_ver()[0] != "glibc":
        assert not keep_freed_memory()
        pytest.skip("only glibc can be told")
    done = subprocess.run([sys.executable, "-c", COUNT_FAULTS], capture_output=True, check=True)
    assert int(done.stdout) < 20
