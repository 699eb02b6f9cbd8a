import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from PIL import Image

from shoal.shared.palette import COLOURS
from shoal.shared.text import describe_plane, describe_sizes, describe_variance, show_share
from shoal.worker.plots import (
    Tile,
    encode_png,
    plot_contact_sheet,
    plot_scatter,
    plot_sizes,
    plot_variance,
)
from shoal.worker.plots.contact_sheet import choose_badge, make_captions_figure, make_rows
from shoal.worker.plots.marks import UNNAMED_COLOUR, choose_marks
from shoal.worker.plots.names import fit_name
from shoal.worker.plots.points import MAX_POINTS, choose_frame, sample_rows, spread_apart
from shoal.worker.plots.scatter import describe_axis, describe_limits, make_scatter_figure
from shoal.worker.plots.sizes import make_sizes_figure
from shoal.worker.plots.style import HEADER_PIXELS, draw, find_colour, find_marker
from shoal.worker.plots.variance import make_variance_figure


def make_points(n_clusters, n_samples=2_000, tail=1e9):
    """Coordinates, labels, sizes and variance of a finished job; ``tail`` 2 has far outliers."""
    generator = np.random.default_rng(n_clusters)
    labels = np.sort(generator.integers(0, n_clusters, n_samples)).astype(np.int32)
    centres = generator.normal(size=(n_clusters, 2)) * (30, 18)
    points = centres[labels] + generator.standard_t(tail, size=(n_samples, 2)) * 2
    sizes = np.bincount(labels, minlength=n_clusters)
    return points.astype(np.float32), labels, sizes, np.array([0.31, 0.12, 0.05])


def make_tile(colour, copies=0, size=(32, 32)):
    colour = (colour, colour, colour) if isinstance(colour, int) else colour
    return Tile(Image.new("RGB", size, colour), copies)


def make_tiles(n_clusters, count=8):
    return [[make_tile(label % 200)] * count for label in range(n_clusters)]


def make_contact_sheet_figure(tiles, sizes, outliers=()):
    return make_captions_figure(make_rows(tiles, sizes, outliers), sizes)


def read_texts(figure):
    return [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]


def read_words(figure):
    return " | ".join(text.get_text() for text in read_texts(figure))


def make_all_figures(n_clusters):
    points, labels, sizes, variance = make_points(n_clusters)
    return [
        make_scatter_figure(points, labels, sizes * 1_000, variance),
        make_contact_sheet_figure(make_tiles(n_clusters), sizes * 1_000, make_tiles(1)[0]),
        make_sizes_figure(sizes * 1_000),
        make_variance_figure(np.full(50, 0.0199)),
    ]


@pytest.mark.parametrize("n_clusters", [1, 5, 13, 300])
def test_no_text_is_cut_no_two_collide_and_no_plot_grows_without_bounds(n_clusters):
    for figure in make_all_figures(n_clusters):
        height, width, _ = np.asarray(draw(figure)).shape
        assert width == 1500
        assert height <= 2200
        drawn = figure.get_tightbbox()
        assert 0 <= drawn.x0 < drawn.x1 <= width / figure.dpi
        assert 0 <= drawn.y0 < drawn.y1 <= height / figure.dpi
        texts = [*figure.texts, *(text for axes in figure.axes for text in axes.texts)]
        boxes = [text.get_window_extent() for text in texts]
        for place, box in enumerate(boxes):
            assert box.count_overlaps(boxes[place + 1 :]) == 0


@pytest.mark.parametrize("n_clusters", [1, 8])
def test_a_scatter_shows_the_colour_of_every_cluster_in_its_plane(n_clusters):
    points, labels, sizes, variance = make_points(n_clusters)
    plane = np.asarray(plot_scatter(points, labels, sizes, variance))[140:1000, 160:1150]
    opacity = choose_marks(len(points))[1]
    for label in range(n_clusters):
        over_white = 255 * (opacity * np.array(to_rgb(find_colour(label))) + 1 - opacity)
        assert (np.abs(plane - over_white).max(axis=2) < 4).sum() > 50


def test_forty_clusters_differ_in_colour_or_marker():
    assert len({(find_colour(label), find_marker(label)) for label in range(40)}) == 40
    assert len(set(COLOURS)) == 8


def test_every_cluster_of_a_scatter_is_numbered_and_listed_with_its_size():
    points, labels, sizes, variance = make_points(5)
    figure = make_scatter_figure(points, labels, sizes, variance)
    assert [text.get_text() for text in figure.axes[0].texts] == ["0", "1", "2", "3", "4"]
    listed = {text.get_text() for text in figure.texts}
    assert {f"{size:,}" for size in sizes} <= listed


NAMES = {0: "kitchen", 1: "Holiday pictures of the old harbour, scanned in 2019 (042)", 2: "台所"}


def test_plots_have_the_names_of_clusters_cut_in_the_middle_beside_their_numbers():
    points, labels, sizes, variance = make_points(4)
    sheet = make_captions_figure(make_rows(make_tiles(4), sizes, (), NAMES), sizes)
    scatter = make_scatter_figure(points, labels, sizes, variance, NAMES)
    for figure in (scatter, make_sizes_figure(sizes, NAMES), sheet):
        draw(figure)
        words = read_words(figure)
        assert "kitchen" in words
        assert re.search(r"Holi[^|]*…[^|]*042\)", words)
        assert "台" not in words  # which the font lacks
        boxes = [text.get_window_extent() for text in figure.texts]
        for place, box in enumerate(boxes):
            assert box.count_overlaps(boxes[place + 1 :]) == 0
    assert f"0 · {sizes[0]} images" in read_words(sheet)


def test_a_name_that_cannot_be_written_is_left_out():
    assert fit_name("Küche & Bad", 500) == "Küche & Bad"
    assert [fit_name(name, 500) for name in ("", "台所", "مطبخ", "a\u0301🐟")] == [""] * 4
    assert fit_name("x" * 100, 60, 10).count("x") < 8


def test_the_axes_of_a_scatter_say_how_much_of_the_variance_they_show():
    figure = make_scatter_figure(*make_points(3))
    assert figure.axes[0].get_xlabel() == "Principal component 1 (31 % of variance)"
    assert figure.axes[0].get_ylabel() == "Principal component 2 (12 % of variance)"
    assert describe_axis(1, np.array([np.nan])) == "Principal component 1"


def test_a_scatter_says_what_it_leaves_out_or_moves():
    assert describe_limits(2_000, 2_000, 0) == []
    assert describe_limits(50_000, 20_000, 0) == [
        "20,000 of 50,000 images drawn, evenly from each cluster"
    ]
    assert describe_limits(9, 9, 1) == ["1 lies beyond the frame: triangles at its edge"]


def test_above_the_limit_the_number_of_images_drawn_stands_in_the_plot():
    points, labels, sizes, variance = make_points(4, n_samples=30_000)
    drawn = len(sample_rows(labels))
    figure = make_scatter_figure(points, labels, sizes, variance)
    assert 0.99 * MAX_POINTS <= drawn <= MAX_POINTS
    assert f"{drawn:,} of 30,000 images drawn" in read_words(figure)


@pytest.mark.parametrize("n_clusters", [1, 3, 10_000])
def test_a_sample_is_even_mixed_and_never_larger_than_the_limit(n_clusters):
    _, labels, sizes, _ = make_points(n_clusters, n_samples=60_000)
    rows = sample_rows(labels)
    assert len(np.unique(rows)) == len(rows) <= MAX_POINTS
    drawn = np.bincount(labels[rows], minlength=n_clusters)
    shares = drawn[sizes > 0] / sizes[sizes > 0]
    assert shares.min() > 0
    assert n_clusters > 3 or np.ptp(shares) < 0.01
    assert abs(np.corrcoef(rows, np.arange(len(rows)))[0, 1]) < 0.05


def test_a_tiny_cluster_is_drawn_whole_in_a_sample():
    sizes = np.array([999_980, 20])
    labels = np.repeat(np.array([0, 1], dtype=np.int32), sizes)
    assert (labels[sample_rows(labels)] == 1).sum() == 20


def test_noise_is_sampled_as_one_more_cluster():
    labels = np.repeat(np.array([-1, 0, 2], dtype=np.int32), (30_000, 20_000, 10_000))
    drawn = labels[sample_rows(labels)]
    assert [(drawn == label).sum() / 20_000 for label in (-1, 0, 2)] == pytest.approx(
        [1 / 2, 1 / 3, 1 / 6], abs=0.01
    )


def test_far_outliers_do_not_squeeze_the_rest_into_a_corner():
    points = np.random.default_rng(0).normal(size=(1_000, 2))
    points[:3] = [[1e6, 0], [-1e5, 2], [0, -1e7]]
    frame = choose_frame(points)
    assert frame.is_outside(points).tolist() == [True] * 3 + [False] * 997
    assert np.abs([frame.low, frame.high]).max() < 8


def test_a_small_cluster_far_from_a_dense_one_stays_in_the_frame():
    points = np.zeros((1_000, 2))
    points[:50] += 100
    assert (
        not choose_frame(points + np.random.default_rng(0).normal(size=(1_000, 2)))
        .is_outside(points)
        .any()
    )


@pytest.mark.parametrize("outliers", [0, 1])
def test_a_dozen_points_are_framed_whole_unless_one_is_far_away(outliers):
    points = np.stack([np.arange(12.0), np.arange(12.0) % 5], axis=1)
    points[:outliers] = 1e4
    assert choose_frame(points).is_outside(points).sum() == outliers


def test_numbers_keep_apart_within_the_plane_and_off_what_is_taken():
    wanted = np.full((40, 2), (0.5, 0.01))
    taken = np.array([[0.5, 0.02]])
    placed = np.vstack([taken, spread_apart(wanted, taken, 0.05)])
    gaps = np.abs(placed[:, None] - placed).max(axis=2) + np.eye(41) * 1e9
    assert gaps.min() >= 0.05 - 1e-9
    assert placed[1:].min() >= 0.025


def test_a_number_stays_at_its_centroid_unless_another_is_there():
    wanted = np.array([[0.3, 0.4], [0.7, 0.6], [0.7, 0.61]])
    settled = spread_apart(wanted, np.empty((0, 2)), 0.05)
    assert np.array_equal(settled[:2], wanted[:2])
    assert 0.05 <= np.abs(settled[2] - wanted[1]).max() < 0.1


@pytest.mark.parametrize("n_samples", [40, 2_000])
def test_no_two_numbers_overlap_though_all_clusters_share_a_centroid(n_samples):
    points, labels, sizes, variance = make_points(40, n_samples)
    points[:] = np.random.default_rng(0).normal(size=(n_samples, 2))
    figure = make_scatter_figure(points, labels, sizes, variance)
    axes, (discs,) = figure.axes[0], figure.axes[0].findobj(PathCollection)
    centres = axes.transAxes.transform(discs.get_offsets())
    diameter = np.sqrt(discs.get_sizes()[0]) * figure.dpi / 72
    distances = np.hypot(*(centres[:, None] - centres).T) + np.eye(len(centres)) * 1e9
    assert len(centres) == len(axes.texts) == (sizes > 0).sum()
    assert distances.min() > diameter
    assert (centres - diameter / 2 > axes.bbox.min).all()
    assert (centres + diameter / 2 < axes.bbox.max).all()


def test_a_single_component_is_spread_out_and_says_so():
    points, labels, sizes, variance = make_points(3)
    points[:, 1] = 0
    figure = make_scatter_figure(points, labels, sizes, variance[:1])
    assert "One component keeps 31 % of the variance" in read_words(figure)
    assert "at random" in figure.axes[0].get_ylabel()
    assert plot_scatter(points, labels, sizes, variance[:1]) == draw(figure)


@pytest.mark.parametrize("sizes", [[3], [2, 1, 0], [1, 1, 1]])
def test_few_images_empty_clusters_and_images_all_alike_are_drawn(sizes):
    labels = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    same = np.zeros((3, 2), dtype=np.float32)
    pictures = [
        plot_scatter(same, labels, np.array(sizes), [np.nan, np.nan]),
        plot_contact_sheet([[Tile(None)] * size for size in sizes], np.array(sizes)),
        plot_sizes(np.array(sizes)),
        plot_variance([np.nan, np.nan]),
    ]
    assert all(np.asarray(picture).std() > 0 for picture in pictures)


def test_a_contact_sheet_shows_every_tile_and_grey_for_a_missing_one():
    colours = [(250, 0, 0), (0, 250, 0), (0, 0, 250)]
    tiles = [[make_tile(colour) for colour in colours], [Tile(None)]]
    sheet = np.asarray(plot_contact_sheet(tiles, np.array([3, 1])))
    areas = [(sheet == colour).all(axis=2).sum() for colour in [*colours, (225, 225, 225)]]
    assert areas == [148 * 148] * 4  # with a hairline around each


def find_box(sheet, colour):
    rows, columns = np.nonzero((np.abs(np.asarray(sheet, int) - colour) < 8).all(axis=2))
    return rows.max() - rows.min() + 3, columns.max() - columns.min() + 3


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((16, 16), (150, 150)),
        ((192, 108), (150, 150)),
        ((108, 192), (150, 150)),
        ((192, 38), (32, 150)),
        ((64, 192), (150, 52)),
        ((192, 1), (3, 150)),
    ],
)
def test_a_contact_sheet_cuts_pictures_to_squares_and_shows_long_ones_whole(size, expected):
    sheet = plot_contact_sheet([[make_tile((250, 0, 0), size=size)]], np.array([1]))
    assert find_box(sheet, (250, 0, 0)) == expected


def test_all_of_a_drawing_is_shown_on_a_contact_sheet():
    drawing = replace(make_tile((250, 0, 0), size=(96, 64)), is_whole=True)
    sheet = plot_contact_sheet([[drawing]], np.array([1]))
    assert find_box(sheet, (250, 0, 0)) == (102, 150)


def test_a_white_picture_is_seen_on_a_contact_sheet():
    white, missing = (
        np.asarray(plot_contact_sheet([[tile]], np.array([1])))
        for tile in (make_tile(255), Tile(None))
    )
    edge = (missing == (208, 215, 222)).all(axis=2)
    assert edge.sum() == 4 * 149
    assert (white[edge] < 255).all()


def test_a_contact_sheet_ends_with_the_outliers():
    job = make_tiles(2), np.array([3, 1]), [make_tile((250, 0, 0))]
    assert "Outliers | far from all" in read_words(make_contact_sheet_figure(*job))
    red = (np.asarray(plot_contact_sheet(*job)) == (250, 0, 0)).all(axis=2)
    assert red[-200:].sum() == red.sum() == 140 * 140
    without = make_contact_sheet_figure(make_tiles(2), np.array([3, 1]))
    assert "Outliers" not in read_words(without)


@pytest.mark.parametrize("colour", [(255, 255, 255), (0, 0, 0), (200, 30, 90)])
@pytest.mark.parametrize("n_clusters", [2, 14])
def test_a_tile_says_how_many_copies_it_has(colour, n_clusters):
    """Dark words on white, in the lower right corner of the tile and nowhere else."""
    sizes = np.full(n_clusters, 8)
    plain, marked = (
        np.asarray(plot_contact_sheet([[make_tile(colour, n)] * 8] * n_clusters, sizes))
        for n in (0, 12_345)
    )
    inside = np.asarray(plot_contact_sheet([[make_tile((1, 2, 3))] * 8] * n_clusters, sizes))
    changed = (plain != marked).any(axis=2)
    assert (inside == (1, 2, 3)).all(axis=2)[changed].all()
    assert {(31, 35, 40)} < {tuple(pixel) for pixel in marked[changed].tolist()}
    assert changed[: HEADER_PIXELS + 25].sum() == 0


def test_small_tiles_have_short_words():
    assert [choose_badge(4, room) for room in (150, 51)] == ["+4 copies", "+4"]
    assert [choose_badge(12_345, room) for room in (150, 90, 51)] == [
        "+12,345 copies",
        "+12,345",
        "+12k",
    ]


@pytest.mark.parametrize("count", [1, 8, 30])
def test_a_contact_sheet_takes_any_number_of_tiles(count):
    for n_clusters in (2, 40):
        sheet = plot_contact_sheet(make_tiles(n_clusters, count), np.ones(n_clusters, int))
        assert sheet.width == 1500


def test_beyond_forty_clusters_the_plots_say_how_many_they_show():
    points, labels, sizes, variance = make_points(300)
    scatter = read_words(make_scatter_figure(points, labels, sizes, variance))
    assert "2,000 images in 300 clusters, the 40 largest numbered" in scatter
    assert f"rest | {np.sort(sizes)[:-40].sum():,}" in scatter
    for figure in (make_sizes_figure(sizes), make_contact_sheet_figure(make_tiles(300), sizes)):
        words = read_words(figure)
        assert "the 40 largest shown" in words
        assert f"Cluster {sizes.argmax()}" in words
        assert f"Cluster {sizes.argmin()} " not in words
        assert words.count("Cluster ") == 40


def test_plots_show_the_largest_clusters_under_their_numbers():
    sizes = np.arange(1, 46)  # numbered backwards, as may be after a folder has grown
    for figure in (make_sizes_figure(sizes), make_contact_sheet_figure(make_tiles(45), sizes)):
        words = read_words(figure)
        assert "the 40 largest shown" in words
        assert "Cluster 44" in words
        assert "Cluster 4 " not in words
        assert "Cluster 5 " in words


@pytest.mark.parametrize("n_samples", [0, 1, 30_000])
def test_a_scatter_without_any_cluster_is_drawn(n_samples):
    labels = np.full(n_samples, -1, np.int32)
    points = np.zeros((n_samples, 2), np.float32)
    picture = plot_scatter(points, labels, np.zeros(2, np.intp), [0.5, 0.5])
    assert picture.size == (1500, 1130)


def test_images_in_no_cluster_are_grey_and_counted():
    points, labels, sizes, variance = make_points(3)
    labels[sizes[0] :] = -1
    sizes = np.array([sizes[0], 0, 0])
    figure = make_scatter_figure(points, labels, sizes, variance)
    assert f"{sizes[0]:,} images in 3 clusters; {2_000 - sizes[0]:,} images in none" in (
        read_words(figure)
    )
    assert f"none | {2_000 - sizes[0]:,}" in read_words(figure)
    grey = np.rint(255 * np.array(to_rgb(UNNAMED_COLOUR)))
    assert (np.asarray(draw(figure)) == grey).all(axis=2).sum() > 100


def test_sizes_are_printed_with_their_share_and_drawn_to_scale():
    figure = make_sizes_figure(np.array([3_000, 1_000]))
    assert "3,000  (75 %)" in read_words(figure)
    pixels = np.asarray(draw(figure))
    lengths = [
        (pixels == np.rint(255 * np.array(to_rgb(colour)))).all(axis=2).sum(axis=1).max()
        for colour in COLOURS[:2]
    ]
    assert lengths[0] == pytest.approx(3 * lengths[1], abs=4)


def test_titles_say_what_the_plots_show():
    assert describe_variance([0.3]) == "1 component keeps 30 % of the variance"
    assert describe_variance([0.05] * 20) == (
        "20 components keep 100 % of the variance; the first 18 keep 90 %"
    )
    assert describe_variance([1 / 2048] * 2048) == (
        "2,048 components keep 100 % of the variance; the first 1,844 keep 90 %"
    )
    assert describe_plane([0.2, 0.11, 0.3]) == (
        "The first two components keep 31 % of the variance"
    )
    assert describe_plane([0.0, 0.0]) == "The images do not differ: all lie in one place"
    assert describe_sizes([24, 8]) == "32 images in 2 clusters; the largest holds 24 (75 %)"
    assert describe_sizes([3]) == "3 images in 1 cluster"
    assert describe_sizes([5, 4], 991) == (
        "9 images in 2 clusters; the largest holds 5 (0.5 %); 991 in none"
    )


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.234, "23 %"), (0.0961, "9.6 %"), (0.0996, "10 %"), (0.0004, "< 0.1 %"), (0, "0 %")],
)
def test_shares_have_as_many_digits_as_they_deserve(share, words):
    assert show_share(share) == words


def test_thousands_of_components_are_drawn_as_fast_as_a_few():
    figure = make_variance_figure(np.full(4_096, 1 / 4_096))
    assert len(figure.axes[1].patches) == 1


def test_the_same_input_gives_the_same_bytes_in_every_thread():
    job = make_points(5, n_samples=25_000, tail=2)
    with ThreadPoolExecutor(4) as threads:
        pictures = set(threads.map(lambda _: encode_png(plot_scatter(*job)), range(4)))
    assert pictures == {encode_png(plot_scatter(*job))}
