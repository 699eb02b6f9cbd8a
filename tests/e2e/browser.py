"""The system's Chromium, driven by Playwright."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

QUIET = (
    *("--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
# WebGL without a graphics card.
SOFTWARE = ("--disable-gpu", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Yield the browser; without one skip on a laptop, and fail in CI."""
    chromium = shutil.which("chromium")
    if chromium is None:
        if os.environ.get("CI"):
            pytest.fail("no chromium, which CI must have")
        pytest.skip("no chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=[*QUIET, *SOFTWARE])
        yield browser
        browser.close()


class Witness:
    """Notes what goes wrong in a page, and what it asks the network for."""

    def __init__(self, page: Page) -> None:
        self.faults: list[str] = []
        self.requests: list[str] = []
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on(
            "console",
            lambda message: (
                self.faults.append(message.text) if message.type in {"error", "warning"} else None
            ),
        )
        page.on("request", lambda request: self.requests.append(request.url))

    def outside(self) -> list[str]:
        """Return what was asked for that the page did not bring."""
        return [url for url in self.requests if not url.startswith(("file:", "data:"))]
