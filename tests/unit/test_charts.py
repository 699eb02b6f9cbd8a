"""Charts of report and page: what they say, and that all of it is within them."""

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from shoal.producer.components import load_templates
from shoal.producer.components.bars import make_sizes
from shoal.producer.components.charts import make_charts
from shoal.producer.components.curves import make_choice, make_variance
from shoal.shared.findings import ClusterChoice, ClusterSummary, Summary

CHOICE = ClusterChoice(
    n_clusters=7,
    reason="7: the best of the numbers tried (silhouette 0.40, stability 0.86)",
    finer=40,
    tried=(2, 4, 7, 20, 40, 60),
    scores=(0.1, 0.2, 0.34, 0.25, 0.3, 0.12),
)


def make_summary(*sizes: int, noise: int = 0, choice: ClusterChoice | None = CHOICE) -> Summary:
    return Summary(
        clusters=[
            ClusterSummary(label=label, size=size, representatives=[])
            for label, size in enumerate(sizes)
        ],
        outliers=[],
        rows_fitted=sum(sizes),
        n_components=3,
        explained_variance_ratio=[0.5, 0.25, 0.2],
        inertia=1.0,
        versions={},
        duplicates=None,
        noise=noise,
        choice=choice,
    )


def render(summary: Summary) -> str:
    templates = load_templates("shoal.producer.report")
    macros = templates.get_template("charts.html").module
    return str(macros.show_charts(make_charts(summary)))  # type: ignore[attr-defined]


def test_sizes_are_to_scale_largest_first_and_say_the_largest() -> None:
    chart = make_sizes(make_summary(10, 40, noise=50))
    assert chart.finding == "50 images in 2 clusters; the largest holds 40 (40 %); 50 in none."
    assert [(bar.label, bar.size, bar.length) for bar in chart.bars] == [
        (1, "40 (40 %)", 80),
        (0, "10 (10 %)", 20),
        (None, "50 (50 %)", 100),
    ]


def test_clusters_beyond_the_fortieth_are_one_bar() -> None:
    chart = make_sizes(make_summary(*range(1, 110)))
    assert len(chart.bars) == 41
    assert (chart.bars[-1].name, chart.bars[-1].size) == (
        "69 smaller clusters together",
        "2,415 (40 %)",
    )


def test_the_choice_marks_the_number_chosen_and_other_levels() -> None:
    curve = make_choice(CHOICE)
    assert curve.finding == "7 clusters: the best of the numbers tried."
    assert curve.detail == "Silhouette 0.40, stability 0.86."
    assert [(mark.words, mark.side) for mark in curve.marks] == [
        ("7 chosen", "above"),
        ("40 finer", "above"),
    ]
    assert [words for _, words in curve.x_ticks] == ["2", "3", "5", "10", "20", "60"]
    assert curve.y_ticks == [(0.0, "0.4"), (50.0, "0.2"), (100.0, "0")]


@pytest.mark.parametrize(
    "choice",
    [replace(CHOICE, tried=(7,), scores=(-0.5,), finer=None), replace(CHOICE, scores=(0.0,) * 6)],
)
def test_odd_scores_stay_within_the_chart(choice: ClusterChoice) -> None:
    curve = make_choice(choice)
    assert all(0 <= value <= 100 for dot in curve.dots for value in dot)


def test_the_variance_is_summed_up_and_marked_at_two_at_nine_tenths_and_at_all() -> None:
    curve = make_variance([0.5, 0.25, 0.2])
    assert curve.finding == "3 components keep 95 % of the variance."
    assert curve.detail == "The first two components keep 75 % of the variance."
    assert curve.points == "0,100 33.33,50 66.67,25 100,5"
    assert [mark.words for mark in curve.marks] == ["2: 75 %", "3: 95 %"]


@pytest.mark.parametrize("shares", [[float("nan")], [0.0, 0.0], [1.0], [1 / 4096] * 4096])
def test_any_variance_has_a_chart_of_few_points(shares: list[float]) -> None:
    curve = make_variance(shares)
    places = [float(value) for value in re.split("[ ,]", curve.points)]
    assert len(places) <= 2 * 210
    assert all(0 <= place <= 100 for place in places)


def test_a_job_whose_number_of_clusters_was_given_has_no_chart_of_the_choice() -> None:
    assert make_charts(make_summary(3, choice=None)).choice is None
    no_trial = ClusterChoice(n_clusters=1, reason="1: there is no difference to see")
    html = render(make_summary(3, choice=no_trial))
    assert "1 cluster: there is no difference to see." in html
    assert html.count("<polyline") == 1


def test_names_are_escaped_and_no_style_or_script_is_inline() -> None:
    summary = make_summary(3, 2)
    named = [replace(cluster, name="<b>&\u202e") for cluster in summary.clusters]
    html = render(replace(summary, clusters=named))
    assert "<b>" not in html
    assert "<bdi>&lt;b&gt;&amp;\u202e</bdi>" in html
    assert not re.search(r"\bstyle=|<script|\bon\w+=", html)
    ElementTree.fromstring(f"<div>{html}</div>")  # noqa: S314  ours; every element is closed


def test_each_curve_says_in_words_what_it_shows() -> None:
    labels = re.findall('aria-label="([^"]*)"', render(make_summary(3, 2)))
    assert labels == [
        "Images in each cluster",
        "Score by number of clusters. 7 clusters: the best of the numbers tried. Silhouette 0.40,"
        " stability 0.86.",
        "Variance kept by principal components. 3 components keep 95 % of the variance. The first"
        " two components keep 75 % of the variance.",
    ]
