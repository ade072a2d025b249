"""Look at the built book in a real browser, without a window: each page in light and dark, wide and narrow.

    python -m pip install -r .ci/book-check.txt
    npm install --no-save --prefix build axe-core@4.14.1
    python scripts/check_book.py

It needs Chrome or Chromium. Found are: errors on the console, requests to other hosts, serious or critical
findings of axe-core, pages that scroll sideways on a phone, and what a keyboard can't reach.
"""

from __future__ import annotations

import argparse
import functools
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain
from pathlib import Path
from urllib.parse import quote

from selenium import webdriver
from selenium.common.exceptions import TimeoutException
from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

ROOT = Path(__file__).resolve().parent.parent
WIDE, NARROW = (1280, 900), (380, 800)
AXE = """
const done = arguments[arguments.length - 1];
const bad = rule => ["serious", "critical"].includes(rule.impact);
const why = node => node.any.concat(node.all).map(check => check.message).join("; ").slice(0, 200);
const options = arguments[0] === "light" ? {} : {runOnly: ["color-contrast"]};  // only colours differ
const told = rule => `${rule.id}: ${rule.nodes.length} × ${rule.nodes[0].html.slice(0, 150)} ` +
  `(${why(rule.nodes[0])})`;
axe.run(document, {resultTypes: ["violations"], ...options}).then(
  found => done(found.violations.filter(bad).map(told)));
"""
# A colour that is still fading in is no colour that anybody reads.
STILL = """
document.querySelectorAll("details").forEach(one => one.open = true);  // folded parts are read as well
const style = document.createElement("style");
style.textContent = "* { animation: none !important; transition: none !important; }";
document.head.append(style);
"""
FOREIGN = """
return performance.getEntriesByType("resource").map(one => one.name)
  .filter(name => !name.startsWith(location.origin) && !name.startsWith("data:"));
"""
TOO_WIDE = """
const sideways = part => part && part !== document.body
  && (getComputedStyle(part).overflowX !== "visible" || sideways(part.parentElement));
return [...document.querySelectorAll("body *")]
  .filter(part => part.getBoundingClientRect().right > arguments[0] + 1 && !sideways(part.parentElement))
  .slice(0, 3).map(part => part.outerHTML.slice(0, 120));
"""
FOCUS_SHOWS = """
const part = document.activeElement, style = getComputedStyle(part);
return part !== document.body && (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0
  || style.boxShadow !== "none" || style.textDecorationLine !== "none");
"""


class Quiet(SimpleHTTPRequestHandler):
    """Serve files, and say nothing about it."""

    def log_message(self, format: str, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """A browser that goes on before it has read a page to its end is no error of ours."""

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def served(folder: Path) -> str:
    """Serve a folder on this machine for as long as we run; its address."""
    server = Server(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def browser() -> Chrome:
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options=options)
    driver.set_script_timeout(600)  # axe-core takes its time over a long lesson
    return driver


def resize(driver: Chrome, size: tuple[int, int]) -> None:
    width, height = size
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == NARROW}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def in_theme(driver: Chrome, address: str, theme: str) -> None:
    """Open a page as a reader does who chose light or dark."""
    driver.execute_script("localStorage.mode = localStorage.theme = arguments[0]", theme)
    driver.get(address)


def on_page(driver: Chrome, address: str, axe: str) -> Iterator[str]:
    """What is wrong with one page."""
    for theme in ("light", "dark"):
        resize(driver, WIDE)
        in_theme(driver, address, theme)
        if driver.find_element(By.TAG_NAME, "html").get_attribute("data-theme") != theme:
            yield f"{theme}: the page is not {theme}"
        yield from (f"{theme}: asks {name}" for name in driver.execute_script(FOREIGN))
        driver.execute_script(STILL)
        driver.execute_script(axe)
        yield from (f"{theme}: {found}" for found in driver.execute_async_script(AXE, theme))
    resize(driver, NARROW)
    width = driver.execute_script("return document.documentElement.scrollWidth")
    if width > NARROW[0]:
        yield f"is {width} pixels wide on a phone: {driver.execute_script(TOO_WIDE, NARROW[0])}"
    for entry in driver.get_log("browser"):
        if entry["level"] in ("SEVERE", "WARNING"):
            yield f"console: {entry['message'][:200]}"


def by_keyboard(driver: Chrome, address: str) -> Iterator[str]:
    """What a reader without a mouse can't do on a lesson's page."""
    resize(driver, WIDE)
    driver.get(address)
    press(driver, Keys.TAB)
    first = driver.switch_to.active_element
    if not appears(driver, lambda page: "skip" in first.text.lower() and first.rect["y"] >= 0):
        yield f"keyboard: the first stop is not a visible link past the navigation but {first.text!r}"
    press(driver, Keys.ENTER)
    if not driver.current_url.endswith("#main-content"):
        yield "keyboard: the first link does not skip to the text"
    driver.get(address)
    for stop in range(25):
        press(driver, Keys.TAB)
        if not driver.execute_script(FOCUS_SHOWS):
            html = driver.switch_to.active_element.get_attribute("outerHTML")
            yield f"keyboard: nothing shows that stop {stop + 1} has the focus: {html[:150]}"
    ActionChains(driver).key_down(Keys.CONTROL).send_keys("k").key_up(Keys.CONTROL).perform()
    press(driver, "temperature", Keys.ENTER)
    if not appears(driver, lambda page: page.find_elements(By.CSS_SELECTOR, "#search-results li a")):
        yield f"keyboard: a search finds nothing ({driver.current_url})"


def appears(driver: Chrome, what: Callable[[Chrome], object]) -> bool:
    """Whether something comes true within a few seconds."""
    try:
        WebDriverWait(driver, 5).until(what)
    except TimeoutException:
        return False
    return True


def press(driver: Chrome, *keys: str) -> None:
    ActionChains(driver).send_keys(*keys).perform()


def main() -> int:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument(
        "pages", nargs="*", help="pages to look at, such as index.html; all when none is named"
    )
    options.add_argument("--book", type=Path, default=ROOT / "build" / "book")
    options.add_argument("--axe", type=Path, default=ROOT / "build/node_modules/axe-core/axe.min.js")

    arguments = options.parse_args()
    axe = arguments.axe.read_text(encoding="utf-8")
    every = (path.relative_to(arguments.book).as_posix() for path in arguments.book.rglob("*.html"))
    # The theme leaves a template of its own among its files.
    names = arguments.pages or sorted(name for name in every if not name.startswith("_static/"))
    host, driver, wrong = served(arguments.book), browser(), 0
    try:
        driver.get(f"{host}/search.html")
        for name in names:
            print(name, flush=True)
            looks = [on_page(driver, f"{host}/{quote(name)}", axe)]
            # What a keyboard reaches is the same on all pages: a lesson's will do.
            looks += [by_keyboard(driver, f"{host}/{name}")] if name.startswith("notebooks/03") else []
            for found in chain(*looks):
                wrong += 1
                print(f"    {found}", flush=True)
    finally:
        driver.quit()
    print(f"{len(names)} pages looked at, {wrong} findings")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
