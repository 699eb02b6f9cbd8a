"""The system's Chromium, as a person's browser: pages whose faults are collected."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

# Without a word to its maker.
QUIET = (
    *("--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
# WebGL without a graphics card.
SOFTWARE = ("--disable-gpu", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
WAIT_SECONDS = 40
GRAVE = {"serious", "critical"}
# How many thumbnails a map shows in place of dots.
PICTURED = "Number(document.querySelector('.map[data-ready]').dataset.pictured)"
# Shows the map; a point of it that nothing covers: its number, and where it is in the window.
UPPERMOST = """() => {
  const { points, place, find } = document.querySelector(".map[data-ready]").map;
  const point = points.order.findLast((point) => find(...place(point)) === point);
  const [x, y] = place(point), canvas = document.querySelector(".map .canvas");
  canvas.scrollIntoView({ behavior: "instant", block: "center" });
  const corner = canvas.getBoundingClientRect();
  return { point, x: corner.left + x, y: corner.top + y };
}"""


def find_chromium() -> str:
    """Return the system's Chromium; without one skip on a laptop, and fail in CI."""
    if path := shutil.which("chromium"):
        return path
    if os.environ.get("CI"):
        pytest.fail("chromium is not installed")
    pytest.skip("chromium is not installed")


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Yield a browser without a past."""
    expect.set_options(timeout=WAIT_SECONDS * 1000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_chromium(), args=[*QUIET, *SOFTWARE]
        )
        yield browser
        browser.close()


@dataclass
class Window:
    """A page of a browser, what went wrong in it, and which servers it asked."""

    page: Page
    faults: list[str] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda message: self._note(message.type, message.text))
        self.page.on("request", lambda request: self._note_request(request.url))

    def _note(self, kind: str, text: str) -> None:
        # A server that is away is no fault of the page, nor is the want of a graphics card.
        if kind == "error" and "net::ERR" not in text:
            self.faults.append(text)

    def _note_request(self, url: str) -> None:
        if not url.startswith(("file:", "data:")):
            self.asked.add("/".join(url.split("/")[:3]))

    def barriers(self) -> list[str]:
        """Return what of the page is serious for who reads or works it in another way."""
        return [
            f"{violation['id']}: {node['html']}"
            for violation in Axe().run(self.page).response["violations"]
            if violation["impact"] in GRAVE
            for node in violation["nodes"]
        ]
