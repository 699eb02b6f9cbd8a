"""What the outcomes of the scripts tell: copies that were found, files that were not read."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.peers.folders import BROKEN, READABLE
from benchmarks.peers.measuring import Run


def read_outcome(run: Run) -> dict[str, Any]:
    """Return what a script printed last."""
    outcome: dict[str, Any] = json.loads(run.output.strip().splitlines()[-1])
    return outcome


def find_error(run: Run) -> str:
    """Return in a few words why a run has no outcome; empty if it has one."""
    if run.exit_code is None:
        return f"did not end within {run.seconds:.0f} s"
    if run.exit_code:
        lines = run.messages.strip().splitlines() or [f"exit code {run.exit_code}"]
        return lines[-1].strip()
    return ""


def judge_broken(run: Run) -> str:
    """Return what a program did with a folder that has an unreadable file."""
    if find_error(run):
        return "ends with an error"
    outcome = read_outcome(run)
    if BROKEN in outcome["failed"]:
        return "listed"
    if outcome["images"] > READABLE:
        return "counted as an image"
    return "in messages only" if BROKEN in run.messages + run.output else "left out without a word"


def share_of_copies(pairs: Iterable[Sequence[str]], originals: Mapping[str, str]) -> float:
    """Return the share of copies that are in a group with their original.

    Args:
        pairs: Images that are alike: what is connected by pairs is a group.
        originals: The original of each copy.
    """
    groups = connect(pairs)
    found = [
        copy in groups and groups[copy] is groups.get(name) for copy, name in originals.items()
    ]
    return sum(found) / len(found)


def count_others(pairs: Iterable[Sequence[str]], originals: Mapping[str, str]) -> int:
    """Return how many images are in a group that are neither a copy nor an original of one."""
    return len(connect(pairs).keys() - originals.keys() - set(originals.values()))


def connect(pairs: Iterable[Sequence[str]]) -> dict[str, set[str]]:
    """Return the group of each name in ``pairs``; members of a group have the same set."""
    groups: dict[str, set[str]] = {}
    for first, second in pairs:
        group = groups.setdefault(first, {first})
        other = groups.setdefault(second, {second})
        if group is not other:
            group |= other
            groups.update(dict.fromkeys(other, group))
    return groups
