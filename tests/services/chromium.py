"""A real Chromium, driven by Playwright, and axe-core to look at its pages."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, Playwright, sync_playwright

from tests.services.gaps import gap

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium on this machine."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        gap("chromium", "no Chromium on PATH; install the package chromium")
    return found


@pytest.fixture(scope="session")
def playwright_driver() -> Iterator[Playwright]:
    """Playwright itself."""
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="session")
def browser(chromium: str, playwright_driver: Playwright) -> Iterator[Browser]:
    """A browser for this test process."""
    try:
        started = playwright_driver.chromium.launch(executable_path=chromium, args=ARGUMENTS, headless=True)
    except Error as error:
        gap("chromium", f"{chromium} does not start: {str(error).splitlines()[0]}")
    yield started
    started.close()


@pytest.fixture
def browser_context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser profile of the test's own, without cookies."""
    context = browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 900})
    context.set_default_timeout(30_000)
    yield context
    context.close()


@pytest.fixture
def page(browser_context: BrowserContext) -> Page:
    """An empty page of a fresh profile."""
    return browser_context.new_page()


@pytest.fixture(scope="session")
def axe_source(node_peers: Path) -> str:
    """The accessibility checker, to be run in a page: see `accessibility_findings`."""
    return (node_peers / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


# Timers do not run in a profile whose scripts are off, and the checker waits by them; promises do run.
_TIMERS = """() => {
  window.setTimeout = (call, _wait, ...given) => { Promise.resolve().then(() => call(...given)); return 0; };
  window.requestAnimationFrame = (call) => window.setTimeout(call, 0, performance.now());
}"""


def accessibility_findings(page: Page, axe_source: str, *, scripts: bool = True) -> list[str]:
    """The serious and critical violations that axe-core finds on the page, a line each.

    The checker is evaluated through the browser's debugging door, so that a strict content security policy is no
    hindrance. `scripts=False` is for pages of a context that was made with `java_script_enabled=False`.
    """
    if page.evaluate("typeof axe === 'undefined'"):  # a page is looked at in several sizes
        if not scripts:
            page.evaluate(_TIMERS)
        page.evaluate(axe_source + "\n;0")
    found = page.evaluate("async () => (await axe.run(document, {resultTypes: ['violations']})).violations")
    return [
        f"{one['id']} ({one['impact']}): {node['target']} {node['html'][:200]}"
        for one in found
        if one["impact"] in {"serious", "critical"}
        for node in one["nodes"]
    ]
