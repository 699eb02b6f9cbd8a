"""Runs in the background: how they end, and how many there are."""

from pathlib import Path
from threading import Event

import pytest
from polling import wait_until

from shoal.producer.organizing import (
    Action,
    BackgroundRuns,
    Ending,
    Run,
    RunState,
    Skipped,
    SkipReason,
)
from shoal.producer.organizing.background import MOST_LISTED
from shoal.producer.organizing.steps import Progress
from shoal.shared.errors import ShoalError, UsageError


def has_ended(run: Run) -> bool:
    return run.state is not RunState.RUNNING


def test_a_run_says_how_far_it_is_and_what_it_has_done() -> None:
    runs, left = BackgroundRuns(), [Skipped("a", SkipReason.EXISTS, "taken")] * 150

    def work(progress: Progress) -> Ending:
        progress(3, 4)
        return Ending(4, left)

    run = runs.start(Path("/a"), "1a2b", Action.ORGANIZE, work)
    wait_until(lambda: has_ended(run))
    assert (run.state, run.seen, run.total, run.done) == (RunState.DONE, 3, 4, 4)
    assert (run.n_skipped, len(run.skipped)) == (150, MOST_LISTED)
    assert runs.find(Path("/a")) is run
    assert runs.of_job("1a2b") == [run]


@pytest.mark.parametrize(
    ("error", "told"),
    [(ShoalError("The disk is full."), "The disk is full."), (KeyError(), "Unexpected KeyError")],
)
def test_an_error_is_what_has_become_of_a_run(error: Exception, told: str) -> None:
    def work(_progress: Progress) -> Ending:
        raise error

    run = BackgroundRuns().start(Path("/a"), "1a2b", Action.UNDO, work)
    wait_until(lambda: has_ended(run))
    assert (run.state, told in run.error) == (RunState.FAILED, True)


def test_too_many_runs_are_refused_and_all_stop_at_a_step_when_the_server_does() -> None:
    runs, go = BackgroundRuns(), Event()

    def work(progress: Progress) -> Ending:
        go.wait(30)
        progress(1, 2)
        return Ending(2, [])

    first, second = (runs.start(Path(p), "1a2b", Action.ORGANIZE, work) for p in ("/a", "/b"))
    for place in ("/a", "/c"):
        with pytest.raises(UsageError, match=r"wait until it has ended|try again later"):
            runs.start(Path(place), "1a2b", Action.ORGANIZE, work)
    runs._closing.set()
    go.set()
    runs.close()
    assert {first.state, second.state} == {RunState.FAILED}
    assert "The server was stopped" in first.error
