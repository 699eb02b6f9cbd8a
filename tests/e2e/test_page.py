"""The page as people use it: in a browser, with real folders, workers and interruptions."""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from browser import PICTURED, UPPERMOST, WAIT_SECONDS, Window, open_browser
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect
from polling import wait_until
from quick import QUICK
from served_page import served
from servers import find_free_port
from shoal_command import Shoal

TOKEN = "a token of some length"
BUSY: dict[str, Any] = {"status": 429, "headers": {"Retry-After": "0"}, "json": {"error": "Busy."}}
PHONE: ViewportSize = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@pytest.fixture
def window(browser: Browser) -> Iterator[Window]:
    """A page that must have no fault, nor ask anybody else, by the end of the test."""
    context = browser.new_context(locale="en")
    window = Window(context.new_page())
    yield window
    context.close()
    assert window.faults == []
    assert len(window.asked) <= 1


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, photographs: Path) -> Iterator[Shoal]:
    shoal = Shoal(tmp_path_factory.mktemp("page"), HOME=photographs.parent)
    yield shoal
    shoal.kill_all()


@pytest.fixture(scope="module")
def address(home: Shoal) -> Iterator[str]:
    with served(home) as address:
        yield address


def open_form(page: Page, address: str) -> None:
    """Open the form for a new job; it is open where there is no job yet."""
    page.goto(address)
    if not page.locator("#submit").is_visible():
        page.get_by_role("heading", name="New job").click()


def submit(window: Window, address: str, folder: Path) -> Locator:
    """Submit a folder as a person does; return where its state stands."""
    page = window.page
    open_form(page, address)
    page.get_by_label("Folder of images").fill(str(folder))
    page.get_by_text("More options").click()
    page.get_by_label("Recipe").select_option("tutorial")
    expect(page.get_by_label("Number of clusters")).to_have_value("5")
    page.get_by_label("Run again").check()
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url("**/jobs/*")
    # Gone if anything loads the page anew.
    page.evaluate("window.isSame = true")
    return page.locator("#job .state")


def look_at_a_cluster(page: Page) -> None:
    page.get_by_role("link", name="See all").first.click()
    first = page.locator(".gallery img").first
    expect(first).to_be_visible()
    wait_until(lambda: first.evaluate("image => image.naturalWidth > 0"), WAIT_SECONDS, "a picture")
    assert re.search(r"\.jpg$", first.get_attribute("alt") or "")


def test_a_folder_is_chosen_watched_and_clustered_twice_by_the_keyboard_alone(
    window: Window, address: str, photographs: Path
) -> None:
    page = window.page
    open_form(page, address)
    # Where many ask at the same time, the estimate comes later, and nobody need do anything.
    page.route("**/estimate", lambda route: route.fulfill(**BUSY), times=1)
    page.get_by_role("button", name="Browse").press("Enter")
    picker = page.get_by_role("dialog", name="Choose a folder")
    picker.get_by_role("button", name=photographs.name).press("Enter")
    expect(picker.get_by_role("navigation").get_by_text(photographs.name)).to_be_visible()
    assert window.barriers() == []
    picker.get_by_role("button", name="Use this folder").press("Enter")
    folder = page.get_by_label("Folder of images")
    expect(folder).to_have_value(str(photographs))
    expect(folder).to_be_focused()
    expect(page.locator("#answer")).to_contain_text("120 images")
    page.get_by_role("radio", name="Pixels").press("Space")
    number = page.get_by_label("Number of clusters")
    number.fill("500")
    expect(page.get_by_role("radio", name="Exactly")).to_be_checked()
    expect(page.locator("#clusters-error")).to_contain_text("500 clusters need as many images")
    assert number.get_attribute("aria-invalid") == "true"
    number.fill("5")
    expect(page.locator("#clusters-error")).to_have_text("")
    number.press("Enter")
    page.wait_for_url("**/jobs/*")
    # Gone if anything loads the page anew.
    page.evaluate("window.isSame = true")
    expect(page.locator("#job .state")).to_have_text("finished")
    assert page.evaluate("window.isSame")
    first = page.url
    look_at_a_cluster(page)
    page.goto(first)
    page.get_by_role("link", name="Again with other options").press("Enter")
    expect(number).to_have_value("5")
    assert window.barriers() == []
    number.fill("6")
    page.get_by_role("button", name="Find other clusters").press("Enter")
    page.wait_for_url(lambda url: "/jobs/" in url and url != first)
    expect(page.locator("#job .state")).to_have_text("finished")
    expect(page.get_by_text("clustered again")).to_be_visible()
    window.faults.clear()  # the browser notes each answer of 422 and 429


def test_pointing_at_the_map_in_a_page_shows_an_image(
    window: Window, address: str, home: Shoal
) -> None:
    page = window.page
    page.goto(f"{address}/jobs/{home.json('jobs')[-1]['job_id']}")
    page.get_by_role("heading", name="Map", exact=True).scroll_into_view_if_needed()
    page.wait_for_selector(".map[data-ready]")
    page.locator(".canvas-frame").scroll_into_view_if_needed()
    wait_until(lambda: page.evaluate(PICTURED) > 10, WAIT_SECONDS, "thumbnails in place of dots")
    place = page.evaluate(UPPERMOST)
    page.mouse.move(place["x"], place["y"])
    card = page.locator(".point")
    expect(card.locator("canvas")).to_have_attribute("data-drawn", str(place["point"]))
    expect(card.locator(".path")).to_contain_text(".jpg")
    path = card.locator(".path").text_content() or ""
    page.mouse.click(place["x"], place["y"])
    expect(page.get_by_role("dialog", name="Larger view").locator(".path")).to_have_text(path)
    page.goto(page.url + "/map")
    page.wait_for_selector(".map[data-ready]")


def test_a_folder_that_is_not_there_is_told_beside_its_field(window: Window, address: str) -> None:
    page = window.page
    open_form(page, address)
    folder = page.get_by_label("Folder of images")
    folder.fill("/no/such/folder")
    expect(page.locator("#source-error")).to_contain_text("check the spelling after /")
    folder.press("Enter")
    expect(folder).to_be_focused()
    expect(page.get_by_role("button", name="Submit")).to_be_enabled()
    page.get_by_role("button", name="Browse").click()
    expect(page.get_by_role("dialog").get_by_role("button", name="page0")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Browse")).to_be_focused()
    window.faults.clear()  # the browser notes each answer of 422


def test_a_job_is_cancelled_and_goes_on(
    window: Window, address: str, slow_photographs: Path
) -> None:
    state = submit(window, address, slow_photographs)
    expect(state).to_have_text("loading")
    window.page.get_by_role("button", name="Cancel").click()
    expect(state).to_have_text("cancelled")
    window.page.get_by_role("button", name="Continue with what is missing").click()
    expect(state).to_have_text("finished")
    assert window.page.evaluate("window.isSame")


def test_a_page_goes_on_when_the_server_is_lost_and_back(
    window: Window, home: Shoal, address: str, slow_photographs: Path
) -> None:
    port = find_free_port()
    with served(home, port) as another:  # the workers are those of the first
        state = submit(window, another, slow_photographs)
    expect(window.page.locator("[data-part=away]")).to_be_visible()
    with served(home, port):
        expect(window.page.locator("#away")).to_contain_text("It answers again, after")
        expect(state).to_have_text("finished")
        assert window.page.evaluate("window.isSame")
    window.faults.clear()  # of pictures for which the server was asked as it stopped


def test_the_token_opens_the_page_and_nothing_else_does(
    window: Window, home: Shoal, address: str
) -> None:
    page = window.page
    with served(Shoal(home.home, SHOAL_WEB_TOKEN=TOKEN)) as private:
        for token in ("not the token", TOKEN):
            page.goto(private)
            page.get_by_label("Token").fill(token)
            page.get_by_label("Token").press("Enter")
            expect(page.get_by_text("The token is wrong.")).to_be_visible(visible=token != TOKEN)
        expect(page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_label("Token")).to_be_visible()
        window.faults.clear()  # the browser notes the answer of 403


def test_pages_are_for_everybody_and_every_screen(
    browser: Browser, address: str, home: Shoal
) -> None:
    job = home.json("jobs")[-1]["job_id"]
    context = browser.new_context(viewport=PHONE, color_scheme="light")
    window = Window(context.new_page())
    of_job = [
        f"/jobs/{job}{part}" for part in ("", "/map", "/clusters/0", "/duplicates", "/failures")
    ]
    of_job.append(f"/jobs/{job}/similar?image=3&like=4&dislike=5")
    for path in ("/", *of_job, "/login"):
        window.page.goto(address + path)
        assert window.barriers() == [], path
        assert window.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
    open_form(window.page, address)
    window.page.get_by_text("More options").click()
    window.page.get_by_role("button", name="Browse").click()
    expect(window.page.get_by_role("dialog")).to_be_visible()
    assert window.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    window.page.emulate_media(color_scheme="dark")
    assert window.barriers() == []
    for path in of_job[:2]:
        window.page.goto(address + path)
        assert window.barriers() == [], path
    context.close()


def test_an_image_leads_to_others_by_what_one_likes(
    window: Window, address: str, home: Shoal, photographs: Path
) -> None:
    page, strip = window.page, window.page.locator(".wishes")
    page.goto(f"{address}/jobs/{home.json('jobs')[-1]['job_id']}")
    page.locator(".cluster [data-enlarge]").first.click()
    page.get_by_role("dialog").get_by_role("link", name="Similar").click()
    for chosen, act in enumerate(("like", "like", "dislike"), 2):
        page.locator(f".matches .{act}").first.click()
        expect(strip.get_by_role("link", name="Take back")).to_have_count(chosen)
    expect(strip.get_by_role("heading", name="Unlike this")).to_be_visible()
    assert window.barriers() == []
    page.go_back()
    expect(strip.get_by_role("link", name="Take back")).to_have_count(3)
    page.locator(".matches [data-enlarge]").first.press("Enter")
    page.get_by_role("dialog").get_by_role("link", name="Not this").press("Enter")
    expect(strip.get_by_role("link", name="Take back")).to_have_count(4)
    page.goto(page.url.partition("?")[0].removesuffix("/similar"))
    page.get_by_label("Choose a picture").set_input_files(next(photographs.rglob("*.jpg")))
    expect(page.locator(".likeness").first).to_contain_text("nearly the same")


def test_workers_that_were_lost_are_replaced(tmp_path: Path, photographs: Path) -> None:
    shoal = Shoal(tmp_path, SHOAL_SWEEP_SECONDS=0.5, SHOAL_LEASE_SECONDS=3)
    asked = {"source": str(photographs), **QUICK}
    with served(shoal) as address, httpx.Client(base_url=f"{address}/api/v1") as http:
        first = http.post("/jobs", json=asked).json()["job_id"]
        wait_until(lambda: loaded(http, first), WAIT_SECONDS, "an image is loaded")
        for process in shoal.processes():
            with suppress(psutil.Error):  # it has ended meanwhile
                if {"-m", "shoal.worker"} <= set(process.cmdline()):
                    process.kill()
        assert "this server starts new ones" in http.get(f"{address}/jobs/{first}").text
        wait_until(lambda: state(http, first) == "finished", WAIT_SECONDS, "the job is done")
    shoal.kill_all()


def state(http: httpx.Client, job_id: str) -> str:
    return str(http.get(f"/jobs/{job_id}").json()["state"])


def loaded(http: httpx.Client, job_id: str) -> int:
    return int(http.get(f"/jobs/{job_id}").json()["images"]["loaded"])


def test_a_page_can_be_read_without_a_script(browser: Browser, address: str, home: Shoal) -> None:
    job = home.json("jobs")[-1]["job_id"]
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    page.locator(f"a[href='/jobs/{job}']").click()
    expect(page.get_by_role("heading", name="5 clusters")).to_be_visible()
    expect(page.get_by_role("button")).to_have_count(0)
    expect(page.get_by_alt_text("Each image by the first two")).to_be_visible()
    context.close()
