"""Live progress on a terminal."""

import sys

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from shoal.producer.cli.terminal import raw_stream
from shoal.producer.progress_line import NO_ANSWER
from shoal.shared.jobs import State, Status


class LiveDisplay:
    """A progress bar on standard error: stage, images done, images per second, time left."""

    def __init__(self) -> None:
        self.progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description:<9}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("images"),
            TextColumn("{task.fields[rate]}"),
            TextColumn("{task.fields[failed]}", style="red"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}", style="yellow"),
            console=Console(file=raw_stream(sys.stderr)),
        )
        self.bar = self.progress.add_task("queued", total=None, rate="", failed="", note="")

    def __enter__(self) -> "LiveDisplay":
        self.progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.progress.stop()

    def show(self, status: Status | None, note: str = "") -> None:
        """Update the bar."""
        if status is None:
            self.progress.update(self.bar, note="; ".join(filter(None, [NO_ANSWER, note])))
            return
        images = status.images
        self.progress.update(
            self.bar,
            description=status.state,
            total=images.total,
            completed=images.loaded + images.failed,
            rate=describe_rate(status),
            failed=f"{images.failed:,} failed" if images.failed else "",
            note=note,
        )


def describe_rate(status: Status) -> str:
    """Return the images per second and, if known, the time left."""
    if not status.images_per_second:
        return ""
    rate = f"{status.images_per_second:,.0f}/s"
    if status.eta_seconds is None or status.state is State.QUEUED:
        return rate
    minutes, seconds = divmod(round(status.eta_seconds), 60)
    return f"{rate}, {minutes}:{seconds:02} left"
