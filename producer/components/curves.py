"""Lines over numbers, which a template draws: the choice of a number of clusters, and variance."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from shoal.shared.findings import ClusterChoice
from shoal.shared.text import (
    count_components,
    describe_plane,
    describe_variance,
    show_share,
    split_reason,
)

# Numbers of clusters that are marked on the axis, if there is room: as far apart as this.
MARKED = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000)
APART_PERCENT = 9.0
# Points nearer than this to an end have their words towards the middle.
EDGE_PERCENT = 15.0
# Words beside a point need so much.
SIDE_PERCENT = 18.0
# Between the numbers of components on the axis, of which there are as many as this.
STEPS = tuple(factor * 10**power for power in range(6) for factor in (1, 2, 5))
MOST_STEPS = 6
# A line of more points looks the same.
MOST_POINTS = 200


@dataclass(frozen=True)
class Mark:
    """A point of a curve with words beside it.

    Attributes:
        x: From the left, in percent of the width.
        y: From the top, in percent of the height.
        words: Beside the point.
        side: Where the words are: ``"above"``, ``"left"``, ``"right"`` or ``"below"`` it.
        anchor: The SVG anchor of the words.
    """

    x: float
    y: float
    words: str
    side: str
    anchor: str


@dataclass(frozen=True)
class Curve:
    """A line over numbers.

    Attributes:
        finding: What the chart shows, in a sentence.
        detail: What was measured; "" if there is nothing more to say.
        points: Of the line, as SVG takes them, in a square of 100 from its upper left corner; ""
            if there is nothing to draw.
        dots: Places of the points that were measured, in percent; none if there are too many.
        marks: Points with words.
        x_ticks: Place in percent, and number, of the marks below.
        y_ticks: The same at the left.
        x_name: What runs to the right.
        y_name: What runs upwards.
    """

    finding: str
    detail: str
    points: str
    dots: list[tuple[float, float]]
    marks: list[Mark]
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    x_name: str
    y_name: str


def make_choice(choice: ClusterChoice) -> Curve:
    """Make the chart of the scores of all numbers of clusters that were tried.

    If none was, as where all images are alike, it has words only.
    """
    finding, measured = split_reason(choice.reason)
    if not choice.scores:
        return Curve(f"{finding}.", "", "", [], [], [], [], "", "")
    low, high = math.log(min(choice.tried)), math.log(max(choice.tried))
    top = _round_up(max(choice.scores))

    def place(number: int, score: float = 0.0) -> tuple[float, float]:
        x = (math.log(number) - low) / (high - low) if high > low else 0.5
        return round(100 * x, 2), round(100 * (1 - max(score, 0.0) / top), 2)

    scored = dict(zip(choice.tried, choice.scores, strict=True))
    dots = [place(number, score) for number, score in scored.items()]
    others = (("coarser", choice.coarser), ("finer", choice.finer), ("best", choice.best))
    marked = {choice.n_clusters: f"{choice.n_clusters} chosen"}
    for word, number in others:
        if number:
            marked.setdefault(number, f"{number} {word}")
    marks = [
        _make_mark(*place(number, scored[number]), words, _choose_side(number, choice.n_clusters))
        for number, words in marked.items()
        if number in scored
    ]
    lowest, highest = min(scored), max(scored)
    within = sorted({lowest, highest, *(n for n in MARKED if lowest <= n <= highest)})
    return Curve(
        finding=f"{finding}.",
        detail=f"{measured}." if measured else "",
        points=_join(dots),
        dots=dots,
        marks=marks,
        x_ticks=_thin_out([(place(number)[0], str(number)) for number in within]),
        y_ticks=[(0.0, f"{top:.1f}"), (50.0, f"{top / 2:.2g}"), (100.0, "0")],
        x_name="Number of clusters",
        y_name="Score",
    )


def make_variance(shares: Sequence[float]) -> Curve:
    """Make the chart of the variance that the first components keep together."""
    kept = list(accumulate(share if share > 0 else 0.0 for share in shares))
    count = len(kept)

    def place(number: int) -> tuple[float, float]:
        share = kept[number - 1] if number else 0.0
        return round(100 * number / count, 2), round(100 * (1 - min(share, 1.0)), 2)

    step = max(1, count // MOST_POINTS)
    numbers = sorted({*range(0, count, step), count})
    noted = sorted({min(2, count), min(count_components(shares, 0.9), count), count})
    apart = next(step for step in STEPS if count <= MOST_STEPS * step)
    ticks = sorted({1, *range(apart, count, apart), count})
    return Curve(
        finding=f"{describe_variance(shares)}.",
        detail=f"{describe_plane(shares)}." if count > 2 else "",
        points=_join(map(place, numbers)),
        dots=[],
        marks=[
            _make_mark(*place(number), f"{number}: {show_share(kept[number - 1])}", "below")
            for number in noted
        ],
        x_ticks=_thin_out([(place(number)[0], str(number)) for number in ticks]),
        y_ticks=[(0.0, "100 %"), (50.0, "50 %"), (100.0, "0 %")],
        x_name="Principal components",
        y_name="Variance kept",
    )


def _choose_side(number: int, chosen: int) -> str:
    """Choose where words hide no line, if scores fall on both sides of the chosen number."""
    return "above" if number == chosen else "left" if number < chosen else "right"


def _make_mark(x: float, y: float, words: str, side: str) -> Mark:
    """Place words beside a point so that they stay within the chart."""
    ends = {x < EDGE_PERCENT: "start", x > 100 - EDGE_PERCENT: "end"}
    if side == "left" and x < SIDE_PERCENT:
        side = "above"
    if side == "right" and x > 100 - SIDE_PERCENT:
        side = "above"
    anchors = {"left": "end", "right": "start"}
    return Mark(x, y, words, side, anchors.get(side, ends.get(True, "middle")))


def _thin_out(ticks: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    """Leave out the ticks that are too near to the one before, or to the last one."""
    *others, last = ticks
    kept = list[tuple[float, str]]()
    for place, words in others:
        before = kept[-1][0] if kept else -APART_PERCENT
        if place - before >= APART_PERCENT and last[0] - place >= APART_PERCENT:
            kept.append((place, words))
    return [*kept, last]


def _round_up(score: float) -> float:
    """Round up to a tenth: the top of an axis."""
    return max(0.1, math.ceil(round(10 * score, 6)) / 10)


def _join(places: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in places)
