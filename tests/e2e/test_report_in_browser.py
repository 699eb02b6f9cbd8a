"""A report opened from a file, as whoever was sent it opens it."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from browser import PICTURED, UPPERMOST, Window, open_browser
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
VIEWS = ("likeness", "components")
CAMERA = """() => {
  const { x, y, span } = document.querySelector(".map[data-ready]").map.camera;
  return { x, y, span };
}"""
# Where points are, as shares of the map.
PLACES = "() => [...document.querySelector('.map[data-ready]').map.points.xs.slice(0, 5)]"
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
    wait_until(lambda: report.evaluate(PICTURED) > 20, 30, "thumbnails in place of dots")
    place = report.evaluate(UPPERMOST)
    image = read_labels(embedded_run.out)[place["point"]]
    report.mouse.move(place["x"], place["y"])
    card = report.locator(".point")
    expect(card).to_be_visible()
    expect(card.locator(".path")).to_have_text(image["path"])
    expect(card.locator("strong")).to_have_text(f"Cluster {image['label']}")
    expect(card.locator("canvas")).to_have_attribute("data-drawn", str(place["point"]))
    shown = card.locator("canvas").evaluate(MEAN)
    expected = mean_colour(embedded_run.source / image["path"])
    assert np.abs(np.subtract(shown, expected)).max() < CLOSE
    report.mouse.click(place["x"], place["y"])
    view = report.get_by_role("dialog", name="Larger view")
    expect(view.locator(".path")).to_have_text(image["path"])
    report.keyboard.press("Escape")
    report.mouse.move(5, 5)
    expect(card).to_be_hidden()
    assert (window.faults, window.asked) == ([], set())


def test_a_cluster_is_hidden_shown_and_alone_from_the_keyboard(report: Page) -> None:
    layers = report.locator("[data-layer]")
    pressed = {str(n): "true" for n in range(layers.count())}

    def read_legend() -> dict[str, str]:
        read = "all => all.map(one => [one.dataset.layer, one.ariaPressed])"
        return dict(layers.evaluate_all(read))

    report.get_by_role("button", name=re.compile("^Cluster 0")).focus()
    report.keyboard.press("Enter")
    assert read_legend() == pressed | {"0": "false"}
    report.get_by_role("button", name="Show or hide all").click()
    report.get_by_role("button", name="Only Cluster 1").focus()
    report.keyboard.press("Enter")
    assert read_legend() == dict.fromkeys(pressed, "false") | {"1": "true"}
    report.keyboard.press("Enter")
    assert read_legend() == pressed
    report.get_by_role("button", name=re.compile("^Cluster 2")).dblclick()
    assert read_legend() == dict.fromkeys(pressed, "false") | {"2": "true"}
    report.get_by_role("button", name="Show or hide all").click()


def test_the_map_is_explored_by_keyboard(report: Page, embedded_run: FinishedRun) -> None:
    paths = {row["path"] for row in read_labels(embedded_run.out)}
    canvas, said = report.locator(".map .canvas"), report.locator(".map [data-said]")
    whole = report.evaluate(CAMERA)
    canvas.focus()
    report.keyboard.press("+")
    assert report.evaluate(CAMERA)["span"] == pytest.approx(0.6)
    told = [""]
    for key in ("ArrowDown", "ArrowRight", "ArrowLeft"):
        report.keyboard.press(key)
        wait_until(lambda: said.text_content() not in {"", told[-1]}, 30, "another image is told")
        told.append(said.text_content() or "")
    assert {text.split(", ")[0] for text in told[1:]} <= paths
    assert all(re.search(r", Cluster \d\b", text) for text in told[1:])
    report.keyboard.press("Enter")
    view = report.get_by_role("dialog", name="Larger view")
    expect(view.locator(".path")).to_have_text(told[-1].split(", ")[0])
    report.keyboard.press("Escape")
    expect(view).to_be_hidden()
    expect(canvas).to_be_focused()
    report.keyboard.press("Home")
    assert report.evaluate(CAMERA) == whole
    expect(report.locator(".point")).to_be_hidden()


def test_the_wheel_scrolls_the_page_until_the_map_is_clicked(report: Page) -> None:
    frame = report.locator(".canvas-frame")
    frame.scroll_into_view_if_needed()
    whole, place = report.evaluate(CAMERA), report.evaluate(UPPERMOST)
    report.mouse.move(place["x"], place["y"])
    report.mouse.wheel(0, 40)
    expect(frame).to_have_class(re.compile("hinting"))
    assert report.evaluate(CAMERA) == whole
    report.keyboard.down("Control")
    report.mouse.wheel(0, -400)
    report.keyboard.up("Control")
    wait_until(lambda: report.evaluate(CAMERA)["span"] < 0.8, 30, "the map is zoomed with Ctrl")
    report.get_by_role("button", name="Whole map").click()
    assert report.evaluate(CAMERA) == whole
    # On the button, the map has been clicked as well.
    scrolled = report.evaluate("scrollY")
    report.mouse.wheel(0, -400)
    wait_until(lambda: report.evaluate(CAMERA)["span"] < 0.8, 30, "the map is zoomed")
    assert report.evaluate("scrollY") == scrolled
    report.mouse.move(5, 5)
    expect(frame).not_to_have_class(re.compile("engaged"))
    report.get_by_role("button", name="Whole map").click()


def test_many_points_are_dragged_and_arranged_by_likeness_and_by_components(
    browser: Browser, large_report: Path
) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    window = Window(page)
    page.goto(large_report.as_uri())
    page.wait_for_selector(".map[data-ready]")
    points = make_points(5_000)
    likeness, components = (page.get_by_role("button", name=f"By {n}") for n in VIEWS)
    for button, horizontal in ((components, points.pc1s), (likeness, points.xs)):
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
        expect(page.locator(".axis").first).to_be_visible(visible=button == components)
        low, high = min(horizontal), max(horizontal)
        shares = [(x - low + 0.05 * (high - low)) / (1.1 * (high - low)) for x in horizontal[:5]]
        assert page.evaluate(PLACES) == pytest.approx(shares, abs=1e-6)
    place = page.evaluate(UPPERMOST)
    page.mouse.move(place["x"], place["y"])
    expect(page.locator(".point .path")).to_have_text(points.paths[place["point"]])
    page.mouse.down()
    page.mouse.move(place["x"] + 20, place["y"])
    page.mouse.move(place["x"] + 40, place["y"])
    expect(page.locator(".point")).to_be_hidden()
    page.mouse.up()
    assert page.evaluate(CAMERA)["x"] < 0.5
    assert page.evaluate(PICTURED) == 0
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


def test_a_picture_that_is_enlarged_covers_neither_its_path_nor_the_buttons(report: Page) -> None:
    report.set_viewport_size({"width": 1280, "height": 480})
    frame = report.locator(".gallery [data-enlarge]").first
    # Square and larger than the view, as most previews of the page are.
    square = (
        "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' width='1024' height='1024'/>"
    )
    frame.locator("img").evaluate("(image, square) => { image.src = square; }", square)
    frame.click()
    image = report.get_by_role("dialog", name="Larger view").get_by_role("img")
    wait_until(lambda: image.evaluate("image => image.naturalWidth") == 1024, 30, "the square")
    shown, words, view = (
        part.bounding_box() or pytest.fail("not there")
        for part in (image, report.locator(".view .words"), report.locator(".view"))
    )
    assert view["y"] <= shown["y"] <= words["y"] - shown["height"]
    report.keyboard.press("Escape")
    report.reload()
    report.set_viewport_size({"width": 1280, "height": 900})
    report.wait_for_selector(".map[data-ready]")


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
    wait_until(lambda: page.evaluate(PICTURED) > 10, 30, "thumbnails in place of dots")
    place = page.evaluate(UPPERMOST)
    page.touchscreen.tap(place["x"], place["y"])
    expect(page.locator(".point canvas")).to_have_attribute("data-drawn", str(place["point"]))
    expect(page.locator(".point")).to_be_visible()
    telephone.close()


def test_it_fits_a_telephone(report: Page) -> None:
    report.set_viewport_size({"width": 360, "height": 740})
    width = "document.documentElement.scrollWidth"
    wait_until(lambda: report.evaluate(width) == 360, 30, "no wider than the telephone")
