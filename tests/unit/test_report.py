"""The report and its parts: complete, harmless, and never too large."""

import json
import os
import re
import shlex
import subprocess
from base64 import b64decode, b64encode
from collections import Counter
from dataclasses import fields, replace
from html import escape, unescape
from html.parser import HTMLParser
from importlib.resources import files

import numpy as np
import pytest
from quick import make_quick_request
from statuses import make_status

from shoal.producer.cli.main import main
from shoal.producer.report import Contents, render_report
from shoal.producer.report.clusters import ROWS, make_clusters
from shoal.producer.report.colours import measure_colours
from shoal.producer.report.command import make_repeat_command
from shoal.producer.report.duplicates import make_duplicates
from shoal.producer.report.failures import FAILURES_SHOWN, REMEDIES, summarize_failures
from shoal.producer.report.map import make_item, make_layers, make_map
from shoal.producer.report.page import MOST_BYTES
from shoal.producer.report.pictures import PictureBudget
from shoal.producer.report.points import PATHS_BYTES, Points, pack_names
from shoal.producer.report.scripts import map_script
from shoal.producer.report.sheets import choose_sheets
from shoal.producer.submission.listing import Listing
from shoal.producer.submission.request import make_request
from shoal.shared.findings import (
    ClusterChoice,
    ClusterSummary,
    Duplicate,
    DuplicateCounts,
    Failure,
    FailureReason,
    Summary,
    Turn,
)
from shoal.shared.jobs import (
    DEFAULTS,
    IMAGES,
    Algorithm,
    ImageCounts,
    JobRequest,
    LeftOut,
    Level,
    Previous,
    State,
)
from shoal.shared.palette import MAX_NAMED
from shoal.worker.images.thumbnails import make_sheet, make_tiles

HOSTILE = ["</script><script>alert(1)</script>.png", "\"'><img src=x>\n.png", "caf\udce9<!--.png"]
STATUS = make_status(
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
    request=make_quick_request(source="/my photos/<b>", clusters=2, random_state=7, image_size=16),
)
SUMMARY = Summary(
    clusters=[
        ClusterSummary(label=0, size=1400, representatives=HOSTILE),
        ClusterSummary(label=1, size=100, representatives=[]),
    ],
    outliers=HOSTILE[:1],
    rows_fitted=1500,
    n_components=12,
    explained_variance_ratio=[0.5, 0.25],
    inertia=1234.5,
    versions={"numpy": "2.1"},
    duplicates=DuplicateCounts(groups=0, images=0, exact_copies=0),
)
FAILURES = [Failure(f"{path}&.png", FailureReason.EMPTY, "0 bytes") for path in HOSTILE[:2]]
NONE = PictureBudget({})
# Two tiles: one red, one half blue and a quarter green and black.
TILES = np.zeros((2, 32, 32, 3), np.uint8)
TILES[0, :, :, 0] = TILES[1, :, :16, 2] = TILES[1, :16, 16:, 1] = 255
SHEET = make_sheet(make_tiles(TILES), total=1500)
CONTENTS = Contents(
    status=STATUS,
    summary=SUMMARY,
    points=Points(HOSTILE, [0, 1, 0], [0.0, 1.0, 2.0], [3.0, 4.0, 5.0], [0, 2]),
    failures=FAILURES,
    pictures={HOSTILE[0]: b"\xff\xd8small"},
    sheets=[SHEET, b""],
)


def cluster(label, size=1):
    return ClusterSummary(label=label, size=size, representatives=[f"{label}.png"])


def text_of(report):
    return re.sub(r"<script.*?</script>|<style.*?</style>", "", report, flags=re.DOTALL)


def unpack(packed):
    names = [""]
    for shared, rest in zip(packed[::2], packed[1::2], strict=True):
        names.append(names[-1][:shared] + rest)
    return names[1:]


@pytest.fixture(scope="module")
def report():
    return render_report(CONTENTS).decode()


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        (None, "the search failed: see the workers&#39; log"),
        (DuplicateCounts(groups=0, images=0, exact_copies=0), "none"),
        (
            DuplicateCounts(groups=1, images=3, exact_copies=1),
            "3 images in 1 group, 1 of them exact copies of an earlier one",
        ),
    ],
)
def test_it_tells_how_many_duplicates_there_are(counts, words):
    summary = replace(SUMMARY, duplicates=counts)
    report = render_report(replace(CONTENTS, summary=summary)).decode()
    assert re.search(rf"<th scope=.row.>Duplicates</th><td>{words}</td>", report)


def test_a_picture_says_how_many_copies_it_has_beside_it():
    copied = [replace(SUMMARY.clusters[0], copies={HOSTILE[0]: 4}), SUMMARY.clusters[1]]
    summary = replace(SUMMARY, clusters=copied, copies={HOSTILE[0]: 1})
    report = render_report(replace(CONTENTS, summary=summary)).decode()
    assert re.findall(r'<p class="badge">(.*?)</p>', report) == ["+4 copies", "+1 copy"]
    assert '<p class="badge">' not in render_report(CONTENTS).decode()


def test_it_tells_images_clusters_and_failures(report):
    assert "<h1>1,500 images in 2 clusters</h1>" in report
    assert "1,400 images · 93 %" in report
    assert "2 images could not be used." in report


def test_it_tells_where_the_clusters_have_their_numbers_from(report):
    assert "their numbers from job" not in report
    after = replace(STATUS, previous=Previous(job_id="8f3a51c0d2be", n_shared=1500))
    told = render_report(replace(CONTENTS, status=after)).decode()
    assert "Clusters have their numbers from job 8f3a51c0d2be, the one before." in told


def test_it_tells_what_the_folder_has_beside_the_images(report):
    assert "links to what" not in report
    left_out = LeftOut(images={"heic": 2, "nef": 1}, links=1)
    told = render_report(replace(CONTENTS, status=replace(STATUS, left_out=left_out))).decode()
    assert [f"<li>{line}</li>" in told for line in left_out.lines] == [True, True]


def test_it_asks_for_nothing_from_outside(report):
    assert "default-src 'none'" in report
    assert set(re.findall(r'(?:src|href)="([a-z]*[:#])', text_of(report))) == {"data:", "#"}


def test_names_are_text_and_never_markup(report):
    shown = text_of(report)
    assert "<img src=x>" not in shown
    assert "alert(1)</script>" not in report
    assert HOSTILE[0] in unescape(shown)
    assert "caf\\xe9<!--.png" in unescape(shown)
    assert "/my photos/&lt;b&gt;" in shown


def read_numbers(text, dtype):
    return np.frombuffer(b64decode(text), dtype).tolist()


def test_the_map_has_every_name_and_place(report):
    items = dict(re.findall(r'<script type="application/json" data-(\w+)>(.*?)</script>', report))
    assert unpack(json.loads(items["paths"])) == [*HOSTILE[:2], "caf\\xe9<!--.png"]
    item = json.loads(items["item"])
    assert item["starts"] == [0, 2]
    assert list(item["places"]) == ["components"]
    right, up = (read_numbers(axis, "<f4") for axis in item["places"]["components"])
    # A twentieth of their extent is empty around them, on either side.
    assert right == up == pytest.approx([0.05 / 1.1, 0.5, 1.05 / 1.1])
    assert read_numbers(item["layers"], np.uint8) == [0, 1, 0]


def test_the_map_has_two_arrangements_numbers_and_copies():
    points = replace(CONTENTS.points, pc1s=[5.0, 5, 5], pc2s=[2.0, 1, 0], numbers=[3, 4, 9])
    item = make_item(replace(points, copies={2: 4}), replace(SUMMARY, map_landmarks=3))
    assert list(item["places"]) == ["likeness", "components"]
    right, up = (read_numbers(axis, "<f4") for axis in item["places"]["components"])
    assert right == [0.5] * 3
    assert up == sorted(up, reverse=True)
    assert (item["numbers"], item["copies"]) == ([4, 1, 5], {2: 4})
    assert make_item(points, SUMMARY) == make_item(points, SUMMARY)


def test_a_map_without_points_or_without_names_can_be_made():
    assert make_map(Points(), replace(SUMMARY, map_landmarks=0)).n_points == 0
    assert make_map(CONTENTS.points, SUMMARY, paths_bytes=0).names == ""


def test_pictures_and_sheets_are_inside(report):
    sheets = re.findall(r'data-sheet="(\d+)">(.*?)<', report)
    assert [(batch, b64decode(sheet)) for batch, sheet in sheets] == [("0", SHEET)]
    pictures = [b64decode(p) for p in re.findall('src="data:image/jpeg;base64,([^"$]+)"', report)]
    assert pictures == [b"\xff\xd8small"] * 2  # typical and an outlier


def test_every_element_that_opens_closes_and_headings_go_down_by_one(report):
    opened: list[str] = []
    headings: list[int] = []
    ids: list[str] = []

    class Balance(HTMLParser):
        def handle_starttag(self, tag, attributes):
            ids.extend(value for name, value in attributes if name == "id")
            if re.fullmatch(r"h\d", tag):
                headings.append(int(tag[1]))
            if tag not in {"meta", "img", "wbr"}:
                opened.append(tag)

        def handle_endtag(self, tag):
            assert opened.pop() == tag

    Balance().feed(re.sub(r"<(/?)svg.*?>|<(circle|path).*?/>", "", report))
    assert opened == []
    assert headings[0] == 1
    assert max(np.diff(headings)) == 1
    assert max(Counter(ids).values()) == 1
    assert set(re.findall('href="#([^"]+)"', report)) <= set(ids)


def test_a_job_without_thumbnails_has_a_map_and_says_so():
    report = render_report(replace(CONTENTS, sheets=[b"", b""], failures=[])).decode()
    assert "thumbnails of this job cannot be read here" in report
    assert "data-sheet=" not in text_of(report)
    assert "Nothing: every image of the folder is in this report." in report


def test_the_report_of_a_sample_says_so_and_how_clusters_were_chosen(report):
    assert "A sample of 3 images is shown" in report
    choice = ClusterChoice(n_clusters=2, reason="2: best <silhouette>")
    chosen = render_report(replace(CONTENTS, summary=replace(SUMMARY, choice=choice))).decode()
    assert "2 clusters: best &lt;silhouette&gt;." in chosen


def test_the_report_of_a_huge_folder_stays_below_its_limit():
    rng = np.random.default_rng(0)
    n_points, n_clusters = 18_000, 1_000
    names = [f"{rng.bytes(60).hex()}/{n:06}.jpg" for n in range(n_points)]
    labels = rng.integers(0, n_clusters, n_points).tolist()
    first, second = rng.normal(size=(2, n_points)).tolist()
    points = Points(names, labels, first, second, [0, 2])
    clusters = [replace(cluster(n), representatives=names[8 * n :][:8]) for n in range(n_clusters)]
    huge = replace(
        CONTENTS,
        summary=replace(SUMMARY, clusters=clusters, outliers=names[:20]),
        points=points,
        failures=(Failure("x" * 4000, FailureReason.EMPTY, "y" * 4000) for _ in range(1_000)),
        pictures=dict.fromkeys(names, b"\xff" * 6000),
        sheets=[SHEET, b"", *[b"\xff" * 300_000] * 49],
    )
    report = render_report(huge)
    assert 0.9 * MOST_BYTES < len(report) <= MOST_BYTES
    assert b"of the points have no picture" in report
    assert b"are cut in the middle" in report


def test_long_paths_lose_their_middle_to_fit_their_bytes():
    packed, most = pack_names([f"{'d' * 90}{n:05}{'é' * 90}{n:06}.jpg" for n in range(20_000)])
    names = unpack(packed)
    assert most < 195
    assert all(len(name) == most and name[:9] == "d" * 9 for name in names)
    assert [name[-10:] for name in names[:2]] == ["000000.jpg", "000001.jpg"]
    assert len(json.dumps(packed, ensure_ascii=False).encode()) <= 1.2 * PATHS_BYTES


def test_clusters_beyond_the_largest_share_a_layer_and_a_table():
    clusters = [cluster(n, size=n + 1) for n in range(MAX_NAMED + ROWS + 7)]
    shown = make_clusters(replace(SUMMARY, clusters=clusters, outliers=[]), NONE, {})
    assert [c.label for c in shown.shown] == list(range(ROWS + 7, MAX_NAMED + ROWS + 7))
    assert (len(shown.rows), shown.left_out, shown.total) == (ROWS, 7, len(clusters))
    layers = make_layers(replace(SUMMARY, clusters=clusters))
    assert [layer.labels[0] for layer in layers] == [-2, *(c.label for c in shown.shown)]
    assert sum(layer.size for layer in layers) == sum(c.size for c in clusters)


def test_the_map_calls_a_cluster_by_the_name_that_it_was_given():
    first, *others = SUMMARY.clusters
    named = replace(SUMMARY, clusters=[replace(first, name="<b>Küche"), *others])
    report = render_report(replace(CONTENTS, summary=named)).decode()
    assert 'data-layer="0" data-title="Cluster 0: &lt;b&gt;Küche"' in report
    assert '<span class="title">Cluster 0: &lt;b&gt;Küche</span>' in report
    assert 'data-layer="1" data-title="Cluster 1"' in report
    assert '<span class="title">Cluster 1</span>' in report


def test_clusters_of_one_name_are_one_on_the_map():
    sizes = {0: 5, 1: 9, 2: 7, 3: 1}
    clusters = [replace(cluster(n, size), name="" if n == 1 else "b") for n, size in sizes.items()]
    layers = make_layers(replace(SUMMARY, clusters=clusters))
    together, alone = sorted(layers, key=lambda layer: len(layer.labels), reverse=True)
    assert (together.labels, together.size, together.colour) == ((2, 0, 3), 13, 2)
    assert (together.title, alone.title) == ("Cluster 2 + 0 + 3: b", "Cluster 1")
    points = replace(CONTENTS.points, labels=[3, 1, 2])
    item = make_item(points, replace(SUMMARY, clusters=clusters))
    places = {layer.labels: number for number, layer in enumerate(layers)}
    numbers = [places[labels] for labels in ((2, 0, 3), (1,), (2, 0, 3))]
    assert read_numbers(item["layers"], np.uint8) == numbers


def describe_channels(colours):
    """Which of red, green and blue are bright in each colour."""
    return [
        "".join("rgb"[n] for n, v in enumerate(bytes.fromhex(c[1:])) if v > 128) for c in colours
    ]


def test_a_cluster_shows_the_colours_of_its_images_the_commonest_first():
    colours = measure_colours(CONTENTS.points, CONTENTS.sheets)
    assert describe_channels(colours[0]) == ["r"]
    assert describe_channels(colours[1])[0] == "b"
    assert set(describe_channels(colours[1])) == {"b", "g", ""}
    shown = make_clusters(SUMMARY, NONE, colours).shown
    assert [cluster.colours for cluster in shown] == [colours[0], colours[1]]
    assert measure_colours(CONTENTS.points, [b"", b""]) == {}


def test_a_cluster_shows_its_own_outliers_as_far_as_there_is_room():
    far = replace(cluster(0), outliers=["far.png"])
    budget = PictureBudget({"0.png": b"near", "far.png": b"far"})
    shown = make_clusters(replace(SUMMARY, clusters=[far], outliers=[]), budget, {}).shown[0]
    assert [picture.path for picture in shown.outliers] == ["far.png"]
    assert shown.outliers[0].source.endswith(b64encode(b"far").decode())


def test_an_outlier_of_the_job_is_not_shown_again_in_its_cluster():
    own = replace(cluster(0), outliers=["far.png", "both.png"])
    summary = replace(SUMMARY, clusters=[own], outliers=["both.png"], far=3)
    shown = make_clusters(summary, NONE, {})
    assert [picture.path for picture in shown.shown[0].outliers] == ["far.png"]
    assert [picture.path for picture in shown.outliers] == ["both.png"]
    assert shown.far == "3 images"


def test_clusters_of_one_name_are_shown_together():
    named = [replace(cluster(n, n + 1), name="Küche" if n % 2 else "") for n in range(4)]
    groups = make_clusters(replace(SUMMARY, clusters=named, outliers=[]), NONE, {}).groups
    assert [(group.title, [c.label for c in group.clusters]) for group in groups] == [
        *(("Cluster 0", [0]), ("Küche", [1, 3]), ("Cluster 2", [2]))
    ]
    assert (groups[1].size, groups[1].share) == ("6 images", "60 %")
    report = render_report(replace(CONTENTS, summary=replace(SUMMARY, clusters=named))).decode()
    assert "Küche <small>clusters 1, 3 · 6 images" in report


def duplicate(group, path, content, turn=Turn.NONE):
    return Duplicate(group, path, content, "a.png", 0, turn)


def test_the_largest_groups_of_duplicates_are_shown_by_what_differs():
    pairs = [duplicate(n, f"{n}-{copy}.png", 0) for n in range(20) for copy in "ab"]
    large = [duplicate(20, f"{n}.png", n // 2) for n in range(10)]
    turned = [duplicate(21, "m.png", 0, Turn.MIRRORED), duplicate(21, "n.png", 1, Turn.BY_90)]
    counts = DuplicateCounts(groups=22, images=52, exact_copies=25)
    found = make_duplicates(counts, [*pairs, *large, *turned], NONE)
    assert [group.number for group in found.groups] == [20, *range(11)]
    assert (found.groups[0].size, found.groups[0].left_out) == ("10 images", 2)
    assert found.groups[0].kinds == "5 exact copies, 4 nearly the same"
    (first,) = found.groups[1].pictures
    assert (first.path, first.copies, first.note) == ("0-a.png", "+1 copy", "also 0-b.png")
    assert found.left_out == 10
    (group,) = make_duplicates(counts, turned, NONE).groups
    assert group.kinds == "mirrored or turned"
    assert [picture.note for picture in group.pictures] == ["", "turned 90°"]


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        (None, "The search for duplicates failed"),
        (DuplicateCounts(groups=0, images=0, exact_copies=0), "None: no image is there twice."),
        (
            DuplicateCounts(groups=1, images=2, exact_copies=1),
            "2 images in 1 group show the same as another one; 1 is a copy, byte for byte,",
        ),
    ],
)
def test_duplicates_are_told_with_the_command_that_acts_on_them(counts, words):
    rows = [duplicate(0, HOSTILE[0], 0), duplicate(0, "b.png", 0)] if counts else []
    contents = replace(CONTENTS, summary=replace(SUMMARY, duplicates=counts), duplicates=rows)
    report = render_report(contents).decode()
    assert words in report
    assert ("shoal duplicates ab12 --keep largest --move extra" in report) == ("1 group" in words)


def test_a_job_without_a_cluster_says_so():
    noise = replace(SUMMARY, clusters=[], outliers=[], noise=1500)
    report = render_report(replace(CONTENTS, summary=noise)).decode()
    assert "<h1>1,500 images, none in a cluster</h1>" in report
    assert "No image is like enough others to be in a cluster." in report


def test_every_reason_of_a_failure_has_words():
    assert set(REMEDIES) == set(FailureReason)


def test_images_in_no_cluster_have_a_layer_and_a_share_of_their_own():
    noisy = replace(SUMMARY, noise=500)
    assert [(layer.labels[0], layer.size) for layer in make_layers(noisy)] == [
        *((-1, 500), (0, 1400), (1, 100))
    ]
    shown = make_clusters(noisy, NONE, {})
    assert (shown.noise, shown.shown[0].share) == ("500 images · 25 %", "70 %")


def test_failures_are_counted_and_as_many_listed_as_there_is_room():
    late = Failure("z.png", FailureReason.DAMAGED, "")
    found = summarize_failures(iter([*FAILURES * FAILURES_SHOWN, late]))
    assert found.total == 2 * FAILURES_SHOWN + 1
    reasons = [(reason.reason, reason.images) for reason in found.reasons]
    assert reasons == [("empty", 2 * FAILURES_SHOWN), ("damaged", 1)]
    assert found.reasons[0].remedy == "Copy it once more from where it came."
    assert len(found.first) == FAILURES_SHOWN


@pytest.mark.parametrize(("room", "kept"), [(10**6, [1, 3, 4, 5]), (2400, [3, 5]), (0, [])])
def test_sheets_are_kept_evenly_as_far_as_there_is_room(room, kept):
    sheets = [b"", b"a" * 750, b"", b"b" * 750, b"c" * 750, b"d" * 750]
    assert [sheet.batch for sheet in choose_sheets(sheets, room)] == kept


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"features": "hog+color", "image_size": 48, "batch_size": 9, "renumber": True},
        {"components": 12, "clusters": 2, "random_state": 7, "keep_model": True},
        {"algorithm": "hdbscan"},
        {"level": "finer"},
    ],
)
def test_the_command_that_repeats_it_asks_for_the_same_job(tmp_path, options):
    (tmp_path / "it's <b>").mkdir()
    paths = [f"{number}.png" for number in range(20)]
    folder = Listing(str(tmp_path / "it's <b>"), paths, Counter(), [])
    request = make_request(folder, options)
    program, command, *words = shlex.split(make_repeat_command(request))
    assert (program, command) == ("shoal", "run")
    given = main.commands[command].make_context(command, words).params
    names = {field.name for field in fields(JobRequest)} - {*IMAGES}
    again = {name: value for name, value in given.items() if name in names}
    assert make_request(replace(folder, source=given["source"][0]), again) == request


@pytest.mark.parametrize(
    "options",
    [
        {"clusters": 12, "components": 4},
        {"cluster": -1, "algorithm": Algorithm.HDBSCAN, "random_state": 7},
        {"cluster": 3, "level": Level.FINER, "algorithm": Algorithm.MINIBATCH},
    ],
)
def test_the_command_that_finds_other_clusters_has_all_options(options):
    request = replace(DEFAULTS, source="/x", coordinates_of="8f3a51c0d2be", **options)
    program, command, *words = shlex.split(make_repeat_command(request))
    assert (program, command) == ("shoal", "recluster")
    given = main.commands[command].make_context(command, words).params
    assert given["job"] == "8f3a51c0d2be"
    names = ("cluster", "clusters", "components", "level", "algorithm", "random_state")
    again = {name: given[name] for name in names if given[name] is not None}
    assert replace(DEFAULTS, source="/x", coordinates_of=given["job"], **again) == request


def test_the_command_that_repeats_it_names_a_folder_of_any_bytes():
    raw = b"/o'ld \\x \xe9\xff0 \n$HOME"
    request = replace(STATUS.request, source=os.fsdecode(raw))
    command = make_repeat_command(request).replace("shoal run", "printf %s", 1)
    printed = subprocess.run(["/bin/bash", "-c", command], capture_output=True, check=True).stdout
    assert printed.startswith(raw + b"--features")
    report = render_report(replace(CONTENTS, status=replace(STATUS, request=request))).decode()
    assert escape(make_repeat_command(request)).replace("&#x27;", "&#39;") in report


def test_the_modules_of_the_map_are_one_script_in_a_report(report):
    script = map_script()
    assert not re.search(r"^(import|export) ", script, re.MULTILINE)
    assert "</" not in script
    assert f'<script type="module">\n{script}' in report
    names = re.findall(r"^(?:async )?(?:function|class|const) (\w+)", script, re.MULTILINE)
    assert max(Counter(names).values()) == 1


def test_the_templates_are_in_the_package():
    found = {file.name for file in (files("shoal.producer.report") / "templates").iterdir()}
    assert {"document.html", "report.html", "report.css", "map_start.js"} <= found
