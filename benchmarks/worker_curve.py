"""The picture of what ``benchmarks.workers`` measured: ``docs/workers.png``."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator, PercentFormatter, ScalarFormatter

from shoal.shared.palette import COLOURS

PICTURE = Path(__file__).parent.parent / "docs" / "workers.png"
KINDS = {"camera": "photographs of a camera, 35 ms each", "small": "small ones, 10 ms each"}
PLACES = {"files": ("features in files", "-"), "redis": ("features in Redis", "--")}
LEAST_SHARE = 0.8


def draw_curve(rows: Iterable[dict[str, Any]], picture: Path = PICTURE) -> None:
    """Draw the share of the ideal against the number of processes."""
    rows = list(rows)
    figure = Figure(figsize=(8, 4), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for colour, (kind, images) in zip(COLOURS, KINDS.items(), strict=False):
        for place, (words, line) in PLACES.items():
            points = [
                (row["processes"], row["share"])
                for row in rows
                if (row["kind"], row["place"]) == (kind, place)
            ]
            if points:
                label = f"{images}, {words}"
                axes.plot(*zip(*points, strict=True), line, color=colour, marker="o", label=label)
    axes.set_xscale("log", base=2)
    axes.set_xticks(sorted({row["processes"] for row in rows}))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.yaxis.set_major_locator(MultipleLocator(0.05))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_ylim(min(LEAST_SHARE, *(row["share"] for row in rows)), 1.005)
    axes.set_xlabel("processes on one Redis")
    axes.set_ylabel("share of the time")
    axes.set_title("Time at work, of processes that wait in place of decoding", loc="left")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower left", frameon=False)
    figure.savefig(picture)
