"""The system's Chromium, as a person's browser: pages whose faults are collected."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

# Root's, without a graphics card, and without a word to its maker.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
AXE = Path(__file__).parents[2] / ".npm/node_modules/axe-core/axe.min.js"
WAIT_SECONDS = 40
GRAVE = {"serious", "critical"}


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
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        yield browser
        browser.close()


@dataclass
class Window:
    """A page of a browser, what went wrong in it, and whom it asked."""

    page: Page
    faults: list[str] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda message: self._note(message.type, message.text))
        self.page.on(
            "request", lambda request: self.asked.add("/".join(request.url.split("/")[:3]))
        )

    def _note(self, kind: str, text: str) -> None:
        # A server that is away is no fault of the page.
        if kind == "error" and "net::ERR" not in text:
            self.faults.append(text)

    def barriers(self) -> list[str]:
        """Return what of the page is serious for who reads or works it in another way."""
        if not AXE.exists():
            pytest.skip("axe-core is not installed: npm install --prefix .npm axe-core")
        self.page.evaluate(AXE.read_text())
        found: dict[str, Any] = self.page.evaluate("axe.run({resultTypes: ['violations']})")
        return [
            f"{v['id']}: {node['html']}"
            for v in found["violations"]
            if v["impact"] in GRAVE
            for node in v["nodes"]
        ]
