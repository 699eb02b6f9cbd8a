"""Clusters as people name, merge and organize them: in a browser, by mouse and keyboard."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Window, open_browser
from playwright.sync_api import expect
from servers import Server
from web_server import WebServer

from shoal.producer.job import Job
from shoal.shared.settings import Settings

PHONE_PIXELS = 390


@pytest.fixture
def window() -> Iterator[Window]:
    with open_browser() as browser:
        window = Window(browser.new_page(locale="en"))
        yield window
        assert window.faults == []


@pytest.fixture
def allowed(redis_server: Server, tmp_path: Path) -> Iterator[WebServer]:
    with WebServer(redis_server.url, settings=Settings(organize_roots=(tmp_path,))) as web:
        yield web


def check_for_all(window: Window) -> None:
    """Check that nobody meets a barrier, on a telephone either."""
    window.page.set_viewport_size({"width": PHONE_PIXELS, "height": 844})
    assert window.barriers() == []
    assert window.page.evaluate("document.documentElement.scrollWidth") <= PHONE_PIXELS
    window.page.set_viewport_size({"width": 1280, "height": 900})


def test_clusters_are_merged_organized_and_taken_back(
    window: Window, allowed: WebServer, finished: Job, tmp_path: Path
) -> None:
    page = window.page
    page.goto(f"{allowed.url}/jobs/{finished.id}")
    page.evaluate("window.isSame = true")
    bar = page.locator("#selection")
    expect(bar).to_be_hidden()
    page.get_by_label("Select cluster 0").press("Space")
    page.get_by_label("Select cluster 1").click(modifiers=["Shift"])
    expect(bar).to_contain_text("2 clusters selected")
    bar.get_by_role("button", name="Merge").click()
    expect(bar.get_by_role("alert")).to_have_text("Type a name for these clusters.")
    check_for_all(window)
    bar.get_by_label("One name for all of them").fill(" cats & <dogs>")
    bar.get_by_label("One name for all of them").press("Enter")
    group = page.get_by_role("article", name="cats & <dogs>")
    expect(group.get_by_role("heading", name="Cluster 1")).to_be_visible()
    expect(group.get_by_role("heading", name="cats & <dogs>")).to_be_focused()
    expect(page.get_by_role("status").first).to_have_text("Clusters 0 and 1 are cats & <dogs> now.")
    expect(bar).to_be_hidden()

    page.locator("[data-undo]").click()
    expect(page.get_by_role("article", name="Cluster 1")).to_be_visible()
    assert finished.names() == {}
    button = page.get_by_role("button", name="Name cluster 0")
    button.click()
    page.locator(".rename input").press("Escape")
    expect(button).to_be_focused()
    for label in (0, 1):
        page.get_by_role("button", name=f"Name cluster {label}").click()
        page.locator(".rename input").fill("cats")
        page.get_by_role("button", name="Save").click()
        expect(page.locator(".told")).to_contain_text(f"Cluster {label} is cats now.")
    expect(page.get_by_role("article", name="cats")).to_be_visible()
    assert page.evaluate("window.isSame"), "nothing has loaded the page anew"
    page.get_by_role("link", name="Cluster 1", exact=True).click()
    expect(page.get_by_text("In one group with cluster 0.")).to_be_visible()
    page.get_by_role("button", name="Rename cluster 1").click()
    page.locator(".rename input").fill("dogs")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Cluster 1: dogs")).to_be_focused()
    page.locator("[data-undo]").click()
    expect(page.get_by_role("heading", name="Cluster 1: cats")).to_be_visible()
    page.go_back()

    page.get_by_role("link", name="Organize into folders").click()
    page.get_by_label("Directory").fill(str(tmp_path / "sorted"))
    page.get_by_role("button", name="Look what would be done").click()
    expect(page.get_by_role("row", name="cats 0, 1 42")).to_be_visible()
    check_for_all(window)
    # What was not looked at is not done.
    page.get_by_role("radio", name="move").check()
    expect(page.locator("#announcement")).to_contain_text("look what would be done now")
    expect(page.get_by_role("button", name="Organize")).to_be_hidden()
    expect(page.locator("#command-text")).to_be_hidden()
    page.get_by_role("radio", name="symlink").check()
    page.get_by_role("button", name="Organize").click()
    expect(page.get_by_text("42 files in")).to_be_visible()
    assert len(list((tmp_path / "sorted" / "cats").iterdir())) == 42
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("42 files taken back from")).to_be_visible()
    assert list(tmp_path.glob("sorted*")) == []
    finished.name_clusters({0: "", 1: ""})
