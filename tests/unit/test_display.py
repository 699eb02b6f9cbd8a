import io
import json
import signal
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from quick import make_quick_request
from statuses import make_status

from shoal import Client, Job
from shoal.producer.cli import progress
from shoal.producer.cli.live import LiveDisplay, describe_rate
from shoal.producer.cli.printing import (
    print_jobs,
    print_left_out,
    print_status,
    print_status_on_error,
)
from shoal.producer.cli.progress import (
    START_WORKER,
    STILL_SECONDS,
    LineDisplay,
    make_display,
    make_worker_note,
    watch_job,
)
from shoal.producer.local.workers import LocalWorkers
from shoal.producer.progress_line import NO_ANSWER, ProgressLine, describe
from shoal.producer.signals import interruptible
from shoal.producer.submission.listing import Listing
from shoal.shared.errors import JobFailedError
from shoal.shared.jobs import Algorithm, ImageCounts, State, Status
from shoal.shared.settings import Settings

LOADING = make_status()
QUEUED = make_status(
    state=State.QUEUED,
    images=ImageCounts(total=12_000, loaded=0, failed=0),
    images_per_second=None,
    eta_seconds=None,
)


def test_a_status_in_one_line():
    assert describe(QUEUED) == "queued: 0 of 12,000 images"
    single = replace(QUEUED, images=ImageCounts(total=1, loaded=0, failed=0))
    assert describe(single) == "queued: 0 of 1 image"
    expected = "loading: 6,000 of 12,000 images, 1,234 images/s, 65 s left, 10 failed"
    assert describe(LOADING) == expected


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_one_line_that_changes_on_a_terminal():
    shown = Terminal()
    with ProgressLine(shown) as line:
        for status in (LOADING, LOADING, QUEUED, None):
            line.show(status)
    long, short = describe(LOADING), describe(QUEUED)
    expected = f"\r{long}\r{short.ljust(len(long))}\r{NO_ANSWER.ljust(len(short))}\n"
    assert shown.getvalue() == expected


def test_progress_is_lines_of_news_where_nothing_can_change(capsys, monkeypatch):
    with ProgressLine() as line:
        for status in (QUEUED, QUEUED, LOADING, replace(LOADING, progress=0.6), None):
            line.show(status)
        monkeypatch.setattr("shoal.producer.progress_line.NEWS_SECONDS", 0)
        line.show(None)
    printed = capsys.readouterr()
    assert printed.err.splitlines() == [describe(QUEUED), describe(LOADING), *[NO_ANSWER] * 2]
    assert printed.out == ""


def test_progress_goes_to_the_output_of_a_notebook(monkeypatch):
    kernel = type("OutStream", (io.StringIO,), {"__module__": "ipykernel.iostream"})()
    monkeypatch.setattr("sys.stdout", kernel)
    with ProgressLine() as line:
        line.show(QUEUED)
    assert kernel.getvalue() == f"\r{describe(QUEUED)}\n"


def test_lines_are_printed_when_there_is_news_and_only_then(capsys):
    with LineDisplay() as lines:
        for status in (QUEUED, QUEUED, LOADING, LOADING, None, None, LOADING):
            lines.show(status)
    printed = capsys.readouterr().err.splitlines()
    assert printed == [describe(QUEUED), describe(LOADING), NO_ANSWER, describe(LOADING)]


def test_a_note_is_news(capsys):
    lines = LineDisplay()
    lines.show(QUEUED)
    lines.show(QUEUED, START_WORKER)
    assert capsys.readouterr().err.splitlines()[1] == f"{describe(QUEUED)}; {START_WORKER}"


def test_a_state_that_lasts_is_told_again_now_and_then(capsys, monkeypatch):
    monkeypatch.setattr(progress, "LINE_SECONDS", 0)
    lines = LineDisplay()
    lines.show(LOADING)
    lines.show(LOADING)
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_a_terminal_gets_a_bar_and_a_file_gets_lines(monkeypatch):
    assert isinstance(make_display(), LineDisplay)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert isinstance(make_display(), LiveDisplay)


def test_the_bar_follows_the_status():
    with LiveDisplay() as live:
        live.show(LOADING, "note")
        (bar,) = live.progress.tasks
        assert (bar.description, bar.completed, bar.total) == ("loading", 6_000, 12_000)
        assert bar.fields == {"rate": "1,234/s, 1:05 left", "failed": "10 failed", "note": "note"}
        live.show(None)
        assert bar.fields["note"] == NO_ANSWER
        live.show(QUEUED)
        assert bar.fields == {"rate": "", "failed": "", "note": ""}


@pytest.mark.parametrize(
    ("eta_seconds", "expected"),
    [(None, "1,234/s"), (0.4, "1,234/s, 0:00 left"), (3661, "1,234/s, 61:01 left")],
)
def test_the_rate_tells_the_time_left_where_it_is_known(eta_seconds, expected):
    assert describe_rate(replace(LOADING, eta_seconds=eta_seconds)) == expected


def test_a_printed_status_tells_what_went_wrong(capsys):
    failed = replace(LOADING, state=State.FAILED, error="why", eta_seconds=None)
    print_status(failed, as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        f"ab12  {describe(failed)}",
        "source  /photographs",
        "error   why",
    ]


def test_a_status_as_json_has_every_field(capsys):
    print_status(LOADING, as_json=True)
    printed = json.loads(capsys.readouterr().out)
    assert list(printed) == list(Status.__dataclass_fields__)
    assert printed["images"] == {"total": 12_000, "loaded": 5_990, "failed": 10, "known": 0}


def test_jobs_are_a_line_each_or_a_json_array(capsys):
    print_jobs([LOADING, QUEUED], as_json=False)
    assert [line[:4] for line in capsys.readouterr().out.splitlines()] == ["ab12", "ab12"]
    print_jobs([], as_json=True)
    assert json.loads(capsys.readouterr().out) == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "pixels, 32 px, 5 clusters"),
        ({"features": "hog+color", "image_size": 64, "clusters": 1}, "hog+color, 64 px, 1 cluster"),
        (
            {"algorithm": Algorithm.HDBSCAN, "clusters": "auto"},
            "pixels, 32 px, auto clusters, hdbscan",
        ),
        (
            {"components": 9, "random_state": 3, "batch_size": 40},
            "pixels, 32 px, 5 clusters, components 9, random state 3, batch size 40",
        ),
    ],
)
def test_jobs_are_listed_with_what_was_asked_for(capsys, options, expected):
    request = make_quick_request(**options)
    print_jobs([replace(LOADING, request=request)], as_json=False)
    assert capsys.readouterr().out.endswith(f"{describe(LOADING)}  {expected}  /photographs\n")


def test_what_is_left_out_of_a_folder_is_said(capsys):
    unreadable = [f"locked{n}" for n in range(7)]
    skipped = Counter({"txt": 1200, "": 1, "xcf": 2})
    print_left_out(Listing("/p", ["a.png"], skipped, unreadable, 3))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("Left out 2 images that Shoal cannot read: 2 xcf (convert to")
    assert lines[1] == "Left out 1,201 other files: 1,200 txt, 1 other"
    assert lines[2] == "Left out 3 links to what is listed already"
    assert lines[3] == "Cannot be read: /p/locked0"
    assert lines[-1] == "… and 2 more"


def test_of_an_archive_that_is_cut_off_the_line_says_so_by_itself(capsys):
    listing = Listing("/p", ["a.png"], Counter({"": 5}), damaged=("/p/a.tar is cut off",))
    print_left_out(listing)
    assert capsys.readouterr().err.splitlines() == ["Left out 5 other files", "/p/a.tar is cut off"]


def test_nothing_left_out_is_nothing_said(capsys):
    print_left_out(Listing("/p", ["a.png"], Counter(), []))
    assert capsys.readouterr().err == ""


def give_workers(names: list[str]) -> Any:
    return SimpleNamespace(workers=lambda *_: names)


@pytest.mark.parametrize("state", State)
def test_missing_workers_are_told_of_in_any_state_that_is_not_the_end(state):
    status = replace(LOADING, state=state)
    idle, busy = (
        cast(Client, SimpleNamespace(workers=LocalWorkers(registry, Settings(), may_start=False)))
        for registry in map(give_workers, ([], ["one@host"]))
    )
    expected = f"no worker is running{START_WORKER}"
    assert make_worker_note(idle, status) == ("" if state.is_final else expected)
    assert make_worker_note(busy, status) == ""


@pytest.mark.parametrize("as_json", [True, False])
def test_a_job_without_a_result_prints_its_last_status_for_a_script(capsys, as_json):
    job = cast(Job, SimpleNamespace(status=lambda: replace(LOADING, state=State.FAILED)))
    with pytest.raises(JobFailedError), print_status_on_error(job, as_json):
        raise JobFailedError
    printed = capsys.readouterr().out
    assert (json.loads(printed)["state"] == "failed") if as_json else (printed == "")


def test_signals_end_a_run_in_order_and_mean_what_they_meant_afterwards():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), interruptible():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def test_who_watches_hears_how_long_ago_redis_answered(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: False)
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)

    def wait(_timeout, on_status):
        nonlocal now
        on_status(LOADING)
        now += 42
        on_status(None)
        return LOADING

    client = SimpleNamespace(workers=SimpleNamespace(describe_lack=lambda _: ""))
    watch_job(cast(Client, client), cast(Job, SimpleNamespace(wait=wait)))
    printed = capsys.readouterr().err.splitlines()
    assert printed[-1] == f"{NO_ANSWER}; last heard of 42 s ago"


def test_who_watches_a_job_that_stands_still_is_told_why(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: False)
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    loaded = [0.4, 0.4, 0.4, 0.5]

    def wait(_timeout, on_status):
        nonlocal now
        for share in loaded:
            on_status(replace(LOADING, progress=share))
            now += STILL_SECONDS / 2 + 0.1
        return LOADING

    client = SimpleNamespace(workers=SimpleNamespace(describe_lack=lambda _: ""))
    ledger = SimpleNamespace(refusal=lambda: "on host, /shards cannot be used")
    watch_job(cast(Client, client), cast(Job, SimpleNamespace(wait=wait, ledger=ledger)))
    told = ["cannot be used" in line for line in capsys.readouterr().err.splitlines()]
    assert told == [False, True, False]
