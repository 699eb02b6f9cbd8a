from pathlib import Path

import pytest

from shoal.worker.memory import (
    LIMIT_REACHED,
    count_kills,
    describe_kills,
    describe_shortage,
    read_memory_limit,
)

V2, EVENTS = "memory.max", "memory.events"
V1, CONTROL = "memory/memory.limit_in_bytes", "memory/memory.oom_control"


def write(cgroups: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (cgroups / name).parent.mkdir(exist_ok=True)
        (cgroups / name).write_text(text)
    return cgroups


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({}, None),
        ({V2: "max\n"}, None),
        ({V2: "268435456\n"}, 2**28),
        ({V1: "9223372036854771712\n"}, None),
        ({V1: "268435456\n"}, 2**28),
        ({V2: ""}, None),
    ],
)
def test_the_limit_of_a_container_is_read(
    tmp_path: Path, files: dict[str, str], limit: int | None
) -> None:
    assert read_memory_limit(write(tmp_path, files)) == limit


@pytest.mark.parametrize(
    ("files", "kills"),
    [
        ({}, 0),
        ({EVENTS: "low 0\nhigh 0\nmax 9\noom 4\noom_kill 3\noom_group_kill 1\n"}, 3),
        ({CONTROL: "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"}, 2),
        ({CONTROL: "oom_kill_disable 0\nunder_oom 0\n"}, 0),
    ],
)
def test_kills_at_the_limit_are_counted(tmp_path: Path, files: dict[str, str], kills: int) -> None:
    assert count_kills(write(tmp_path, files)) == kills


def test_only_a_limit_that_was_reached_is_told(tmp_path: Path) -> None:
    write(tmp_path, {V2: "268435456\n", EVENTS: "oom_kill 0\n"})
    assert describe_kills(tmp_path) == ""
    write(tmp_path, {EVENTS: "oom_kill 3\n"})
    told = describe_kills(tmp_path)
    assert told.startswith(f"{LIMIT_REACHED} (256.0 MB) was reached")
    assert "(3 so far)" in told
    assert "raise the limit" in told


@pytest.mark.parametrize(("limit", "is_short"), [("max", False), (2**29, False), (2**28, True)])
def test_a_limit_that_is_too_low_for_the_processes_is_told(
    tmp_path: Path, limit: object, is_short: bool
) -> None:
    told = describe_shortage(2, write(tmp_path, {V2: f"{limit}\n"}))
    assert is_short is told.startswith("This container may use 256.0 MB of memory.")
    assert is_short is bool(told)
