"""The picture of what ``benchmarks.scale`` measured: ``docs/scale.png``.

``python -m benchmarks.scale_picture`` draws ``benchmarks/figures/scale.json``.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from benchmarks.scale import FIGURES_FILE
from shoal.shared.palette import COLOURS

PICTURE = Path(__file__).parent.parent / "docs" / "scale.png"
STAGES = ("submit", "loading", "fitting", "labelling", "finishing", "writing")
ROLES = {"producer": "command", "worker": "process that loads", "fit": "fit", "redis": "Redis"}
# How the points of each kind are filled.
KINDS = {"photographs": "full", "made up": "none"}


def draw_scale(rows: Sequence[Mapping[str, Any]], picture: Path = PICTURE) -> None:
    """Draw the time of each stage and the memory of each process against the images of a job."""
    figure = Figure(figsize=(10, 4), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    times, memory = figure.subplots(1, 2)
    _draw_lines(times, rows, {f"{name}_seconds": name for name in STAGES})
    _draw_lines(memory, rows, {f"{role}_megabytes": words for role, words in ROLES.items()})
    times.set_yscale("log")
    times.set_ylim(top=10 * times.get_ylim()[1])  # room for the legend
    memory.set_ylim(0, 1.3 * memory.get_ylim()[1])
    times.set_title("Seconds of each stage", loc="left")
    memory.set_title("Megabytes of each process at most", loc="left")
    figure.savefig(picture)


def _draw_lines(axes: Axes, rows: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> None:
    """Draw a line for each of ``names``, with hollow points where the images are made up."""
    for colour, (name, words) in zip(COLOURS, names.items(), strict=False):
        for kind, fill in KINDS.items():
            points = [(row["images"], max(row[name], 0.01)) for row in rows if row["kind"] == kind]
            label = words if kind == "photographs" else None
            if points:
                xs, ys = zip(*points, strict=True)
                axes.plot(xs, ys, "o-", fillstyle=fill, color=colour, label=label)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_xlabel("images (hollow: made up)")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="upper left", ncols=2, fontsize="small")


if __name__ == "__main__":
    draw_scale(json.loads(FIGURES_FILE.read_text()))
