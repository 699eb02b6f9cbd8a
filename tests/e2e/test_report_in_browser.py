"""A report opened from a file, as whoever was sent it opens it."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from browser import UPPERMOST, Window, open_browser
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from polling import wait_until
from shoal_command import FinishedRun

from benchmarks.report import make_points, make_status, make_summary
from shoal.producer.report import Contents, render_report

MEAN = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const sums = [0, 0, 0];
  for (let i = 0; i < data.length; i++) if (i % 4 < 3) sums[i % 4] += data[i];
  return sums.map(sum => sum * 4 / data.length);
}"""
# Of the layers' canvas, the pixels that something is drawn on.
INKED = """() => {
  const { canvas } = Bokeh.index.roots[0].canvas_view.primary;
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.filter((value, i) => i % 4 === 3 && value).length;
}"""
BACKEND = """() => {
  const { model, webgl } = Bokeh.index.roots[0].canvas_view;
  return [model.output_backend, webgl !== null];
}"""
CARD = """for (const gl of [WebGLRenderingContext, WebGL2RenderingContext]) {
  const ask = gl.prototype.getParameter, name = 0x9246;
  gl.prototype.getParameter = function (what) {
    return what === name ? "A graphics card" : ask.call(this, what);
  };
}"""
VIEWS = ("likeness", "components")
AXIS = """() => {
  const { x_range: range, below } = Bokeh.index.roots[0].model;
  return [range.start, range.end, below[0].visible];
}"""
# Of 255, between a thumbnail and its image.
CLOSE = 12


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    yield page
    page.close()


@pytest.fixture(scope="module")
def window(page: Page) -> Window:
    return Window(page)


@pytest.fixture(scope="module")
def report(embedded_run: FinishedRun, window: Window, page: Page) -> Page:
    """The report of 120 photographs, opened once: each test leaves it as it was."""
    page.goto((embedded_run.out / "report.html").as_uri())
    page.wait_for_selector(".map[data-ready]")
    return page


@pytest.fixture(scope="module")
def large_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of 5,000 points, of no images."""
    points = make_points(5_000)
    summary, status = make_summary(points, pictures_each=0), make_status(len(points))
    report = render_report(Contents(status, summary, points, [], {}, []))
    file = tmp_path_factory.mktemp("large") / "report.html"
    file.write_bytes(report)
    return file


def read_labels(out: Path) -> list[dict[str, str]]:
    with (out / "labels.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def mean_colour(path: Path) -> list[float]:
    return list(np.asarray(Image.open(path).convert("RGB")).mean(axis=(0, 1)))


def test_pointing_at_an_image_shows_its_thumbnail_path_and_cluster(
    report: Page, embedded_run: FinishedRun, window: Window
) -> None:
    place = report.evaluate(UPPERMOST)
    image = read_labels(embedded_run.out)[place["point"]]
    report.mouse.move(place["x"], place["y"])
    card = report.locator(".card")
    expect(card).to_be_visible()
    expect(card.locator(".path")).to_have_text(image["path"])
    expect(card.locator("strong")).to_have_text(f"Cluster {image['label']}")
    expect(card.locator("canvas")).to_have_attribute("data-drawn", str(place["point"]))
    shown = card.locator("canvas").evaluate(MEAN)
    expected = mean_colour(embedded_run.source / image["path"])
    assert np.abs(np.subtract(shown, expected)).max() < CLOSE
    report.mouse.move(5, 5)
    expect(card).to_be_hidden()
    assert (window.faults, window.asked) == ([], set())


def test_a_cluster_is_hidden_and_shown_from_the_keyboard(report: Page) -> None:
    visible = "() => Bokeh.index.roots[0].model.renderers.map(layer => layer.visible)"
    button = report.get_by_role("button", name=re.compile("Cluster 0"))
    button.focus()
    report.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-pressed", "false")
    assert report.evaluate(visible) == [False, True, True, True, True]
    report.get_by_role("button", name="Show or hide all").click()
    assert report.evaluate(visible) == [True] * 5


def test_the_map_zooms_and_comes_back(report: Page) -> None:
    width = "() => { const r = Bokeh.index.roots[0].model.x_range; return r.end - r.start; }"
    whole = report.evaluate(width)
    report.get_by_role("button", name="Zoom in").click()
    assert report.evaluate(width) == pytest.approx(0.6 * whole)
    report.get_by_role("button", name="Reset").click()
    assert report.evaluate(width) == pytest.approx(whole)


def test_without_a_graphics_card_a_canvas_is_drawn_on_and_webgl_with_one(
    browser: Browser, report: Page
) -> None:
    assert report.evaluate(BACKEND) == ["canvas", False]
    page = browser.new_page()
    window = Window(page)
    page.add_init_script(CARD)
    page.goto(report.url)
    page.wait_for_selector(".map[data-ready]")
    assert page.evaluate(BACKEND) == ["webgl", True]
    assert page.evaluate(INKED) > 0
    page.close()
    assert window.faults == []


def test_a_map_that_is_dragged_moves_with_few_points_and_then_has_all_again(
    browser: Browser, large_report: Path
) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(large_report.as_uri())
    page.wait_for_selector(".map[data-ready]")
    start = "Bokeh.index.roots[0].model.x_range.start"
    inked, left = page.evaluate(INKED), page.evaluate(start)
    place = page.evaluate(UPPERMOST)
    page.mouse.move(place["x"], place["y"])
    expect(page.locator(".card")).to_be_visible()
    page.mouse.down()
    page.mouse.move(place["x"] + 20, place["y"])
    page.mouse.move(place["x"] + 40, place["y"])
    wait_until(lambda: page.evaluate(INKED) < 0.7 * inked, 30, "few points")
    expect(page.locator(".card")).to_be_hidden()
    page.mouse.up()
    wait_until(lambda: page.evaluate(INKED) > 0.9 * inked, 30, "all points again")
    assert page.evaluate(start) < left
    page.mouse.move(place["x"] + 41, place["y"])
    expect(page.locator(".card")).to_be_visible()
    page.close()


def test_the_points_are_arranged_by_likeness_and_by_components(
    browser: Browser, large_report: Path
) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    window = Window(page)
    page.goto(large_report.as_uri())
    page.wait_for_selector(".map[data-ready]")
    likeness, components = (page.get_by_role("button", name=f"By {n}") for n in VIEWS)
    points = make_points(5_000)
    for button, horizontal in ((components, points.pc1s), (likeness, points.xs)):
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
        expect(page.locator("[data-about]:not([hidden])")).to_have_count(1)
        start, end, has_axis = page.evaluate(AXIS)
        assert start < min(horizontal) < max(horizontal) < end
        assert has_axis == (button == components)
        place = page.evaluate(UPPERMOST)
        page.mouse.move(place["x"], place["y"])
        expect(page.locator(".card .path")).to_have_text(points.paths[place["point"]])
        page.mouse.move(5, 5)
    assert window.faults == []
    page.close()


def test_each_picture_of_a_cluster_can_be_seen(report: Page) -> None:
    pictures = report.locator(".gallery img")
    assert pictures.count() == report.locator(".gallery li").count() > 20
    pictures.last.scroll_into_view_if_needed()
    expect(pictures.last).to_have_js_property("complete", True)
    assert pictures.last.evaluate("picture => picture.naturalWidth") > 16


def test_a_picture_is_enlarged_and_the_others_follow_by_keyboard(report: Page) -> None:
    gallery = report.locator(".gallery").first
    paths = [figure.get_attribute("data-path") for figure in gallery.locator("figure").all()]
    view = report.get_by_role("dialog", name="Larger view")
    gallery.locator("[data-enlarge]").first.focus()
    report.keyboard.press("Enter")
    expect(view.locator(".path")).to_have_text(paths[0] or "")
    report.keyboard.press("ArrowLeft")  # there is none before
    report.keyboard.press("ArrowRight")
    expect(view.locator(".path")).to_have_text(paths[1] or "")
    expect(view).to_contain_text(f"2 of {len(paths)}")
    expect(view.get_by_role("img")).to_have_js_property("complete", True)
    view.get_by_role("button", name="Copy path").click()
    expect(view.get_by_role("status")).to_have_text(re.compile("Copied|Press Ctrl"))
    assert Window(report).barriers() == []
    report.keyboard.press("Escape")
    expect(view).to_be_hidden()
    expect(gallery.locator("[data-enlarge]").nth(1)).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_has_no_serious_fault_of_accessibility(
    report: Page, scheme: Literal["light", "dark"]
) -> None:
    report.emulate_media(color_scheme=scheme)
    assert Window(report).barriers() == []


def test_an_image_is_tapped_on_a_telephone(browser: Browser, report: Page) -> None:
    telephone = browser.new_context(
        viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True
    )
    page = telephone.new_page()
    page.goto(report.url)
    page.wait_for_selector(".map[data-ready]")
    place = page.evaluate(UPPERMOST)
    page.touchscreen.tap(place["x"], place["y"])
    expect(page.locator(".card canvas")).to_have_attribute("data-drawn", str(place["point"]))
    expect(page.locator(".card")).to_be_visible()
    telephone.close()


def test_it_fits_a_telephone(report: Page) -> None:
    report.set_viewport_size({"width": 360, "height": 740})
    width = "document.documentElement.scrollWidth"
    wait_until(lambda: report.evaluate(width) == 360, 30, "no wider than the telephone")
