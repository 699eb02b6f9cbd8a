import re
import shlex
from base64 import b64decode
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from producer.report import FAILURES_SHOWN, make_report
from shared.jobs import (
    PLOTS,
    ClusterSummary,
    DuplicateCounts,
    Failure,
    FailureReason,
    ImageCounts,
    JobRequest,
    State,
    Status,
    Summary,
)

STATUS = Status(
    job_id="ab12",
    state=State.FINISHED,
    images=ImageCounts(total=1502, loaded=1500, failed=2),
    progress=1.0,
    images_per_second=100.0,
    eta_seconds=None,
    created_at=1.0,
    started_at=2.0,
    finished_at=3.0,
    expires_at=4.0,
    error=None,
    request=JobRequest(source="/my photos/<b>", clusters=2, random_state=7, image_size=16),
)
SUMMARY = Summary(
    clusters=[
        ClusterSummary(label=0, size=1400, representatives=["<script>.png", "b.png"]),
        ClusterSummary(label=1, size=100, representatives=[]),
    ],
    outliers=["z.png"],
    rows_fitted=1500,
    n_components=12,
    explained_variance_ratio=[0.5],
    inertia=1234.5,
    versions={"numpy": "2.1"},
    duplicates=DuplicateCounts(groups=0, images=0, copies=0),
)
FAILURES = [Failure(f"{n}&.png", FailureReason.EMPTY, "0 bytes") for n in range(2)]
PNGS = {name: b"\x89PNG" + name.encode() for name in PLOTS}


@pytest.fixture
def report():
    return make_report(STATUS, SUMMARY, FAILURES, PNGS)


def test_it_tells_images_and_clusters(report):
    assert "<h1>1,500 images in 2 clusters</h1>" in report
    assert "<td>1,400</td>" in report


def test_every_plot_is_inside(report):
    images = re.findall(r"data:image/png;base64,([^']+)", report)
    assert {b64decode(image) for image in images} == set(PNGS.values())


def test_it_needs_no_network(report):
    assert not re.search(r"(src|href)='(?!data:)", report)


def test_names_are_text_and_never_markup(report):
    assert "<script>" not in report
    assert "&lt;script&gt;.png" in report
    assert "0&amp;.png" in report
    assert "/my photos/&lt;b&gt;" in report


def test_every_element_that_opens_closes(report):
    opened = []

    class Balance(HTMLParser):
        def handle_starttag(self, tag, *_):
            if tag not in {"meta", "img"}:
                opened.append(tag)

        def handle_endtag(self, tag):
            assert opened.pop() == tag

    Balance().feed(report)
    assert opened == []


def test_failures_are_counted_and_as_many_listed_as_there_is_room():
    many = FAILURES * FAILURES_SHOWN
    report = make_report(STATUS, SUMMARY, many, PNGS)
    assert f"<td>{len(many)}</td>" in report
    assert report.count("0 bytes") == FAILURES_SHOWN
    assert f"… and {FAILURES_SHOWN} more: see failures.csv" in report


def test_no_failure_is_said_so():
    assert "None: every image was loaded." in make_report(STATUS, SUMMARY, [], PNGS)


def test_the_command_that_repeats_it_works_in_a_shell(report):
    command = re.search("<pre>(.*)</pre>", report)[1]
    words = shlex.split(command.replace("&lt;", "<").replace("&gt;", ">").replace("&#x27;", "'"))
    assert words[:3] == ["shoal", "run", "/my photos/<b>"]
    options = dict(zip(words[3::2], words[4::2], strict=True))
    assert options == {
        "--features": "pixels",
        "--image-size": "16",
        "--components": "12",
        "--clusters": "2",
        "--algorithm": "kmeans",
        "--random-state": "7",
    }


def test_names_that_are_not_utf8_can_be_written():
    strange = replace(
        SUMMARY,
        outliers=[],
        clusters=[ClusterSummary(label=0, size=1, representatives=["caf\udce9.png"])],
    )
    assert b"caf?.png" in make_report(STATUS, strange, [], {}).encode(errors="replace")
