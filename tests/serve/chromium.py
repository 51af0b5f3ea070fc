"""A demo page as its users have it: the real command in a process of its own, and Chromium in front of it.

`python -m tests.serve.chromium docs/demo.png` plays the page's own steps and takes the picture of the README.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import urlsplit

import pytest

_SERVE = "from langchain_agentmem.serve.web import serve; serve(port={port}, open_browser=False)"
_PATIENCE = 30.0  # seconds, on a machine that does much else
_DESKTOP = (1280, 1000)


class Demo:
    """A demo in a process of its own, on a free port."""

    def __init__(self) -> None:
        self._start(port=0)

    def _start(self, port: int) -> None:
        env = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
        command = [sys.executable, "-c", _SERVE.format(port=port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)

    def address(self) -> str:
        """Where the page is, as soon as it is there."""
        told = cast("IO[str]", self._process.stdout)
        self.url = told.readline().split()[5]  # "The demo page is at URL ..."
        return self.url

    def stop(self) -> None:
        """End it as its user does."""
        self._process.send_signal(signal.SIGINT)
        self._process.communicate(timeout=30)

    def restart(self) -> None:
        """End it, and start another one at its address."""
        self.stop()
        self._start(urlsplit(self.url).port or 0)
        self.address()


class Page:
    """The page in a browser.

    Args:
        driver: Selenium's driver.
        demo: What serves the page.
    """

    def __init__(self, driver: Any, demo: Demo) -> None:
        self.driver, self.demo, self.url = driver, demo, demo.address()

    def open(self) -> None:
        """Load the page, and wait until it listens for events."""
        self.resize(*_DESKTOP)
        self.driver.get(self.url)
        self.until(self.live)

    def live(self) -> bool:
        """Whether the page listens for events."""
        return bool(self.run("return document.getElementById('live')?.classList.contains('on')"))

    def complaints(self) -> list[str]:
        """What the browser wrote into its console since this was asked last."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def one(self, css: str) -> Any:
        """An element."""
        return self.driver.find_element("css selector", css)

    def all(self, css: str) -> list[Any]:
        """Elements."""
        found: list[Any] = self.driver.find_elements("css selector", css)
        return found

    def text(self, css: str) -> str:
        """What is to be read in the first such element, seen or not; nothing where there is none."""
        return str(self.run(f"return document.querySelector({css!r})?.textContent ?? ''"))

    def run(self, script: str) -> Any:
        """The value of a script."""
        return self.driver.execute_script(script)

    def until(self, condition: Callable[[], Any]) -> None:
        """Wait until something is so. What the page has just drawn anew is looked for again."""
        from selenium.common.exceptions import StaleElementReferenceException

        ends = time.monotonic() + _PATIENCE
        while True:
            with suppress(StaleElementReferenceException):
                if condition():
                    return
            assert time.monotonic() < ends, f"it did not come to pass; the page says: {self.text('main')[:2000]}"
            time.sleep(0.02)

    def click(self, css: str) -> None:
        """Click on the first such element."""
        self.until(lambda: self.one(css).click() or True)

    def sees(self, css: str, words: str) -> None:
        """Wait until words are to be read there."""
        self.until(lambda: words in self.text(css))

    def say(self, text: str) -> None:
        """Say something to the agent, and wait for its answer."""
        answers = len(self.all("#messages .ai"))
        self.one("#text").send_keys(text)
        self.click("#send")
        self.until(lambda: len(self.all("#messages .ai")) > answers)

    def step(self, number: int) -> None:
        """Take one of the steps that the page offers."""
        button = self.all(".step")[number - 1]
        button.click()
        self.until(lambda: "done" in button.get_attribute("class"))

    def promote(self) -> None:
        """Wait for nothing: promote now, and wait until that is done."""
        self.until(lambda: self.one("#promote").is_displayed())
        self.click("#promote")
        self.until(lambda: not self.one("#promote").is_displayed())

    def reset(self) -> None:
        """Forget all."""
        self.click("#reset")
        self.until(lambda: not self.all("#messages li, #memories > li, #events li"))

    def slide(self, name: str, value: float) -> None:
        """Move a slider."""
        slider = f"document.querySelector('#slider-{name}')"
        self.run(f"{slider}.value = {value}; {slider}.dispatchEvent(new Event('input'))")

    def resize(self, width: int, height: int) -> None:
        """Set the size of the window's inside; under 500 pixels it is a phone."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


@contextmanager
def opened_page() -> Iterator[Page]:
    """A page over a server of its own. Skips where there is no Chromium, driver or selenium."""
    demo = Demo()
    try:
        with _browser() as driver:  # both start at once
            page = Page(driver, demo)
            page.open()
            yield page
    finally:
        demo.stop()


@contextmanager
def _browser() -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    names = ("chromium", "chromium-browser", "google-chrome")
    browser, driver = next(filter(None, map(shutil.which, names)), None), shutil.which("chromedriver")
    if not (browser and driver):
        pytest.skip("there is no Chromium with its driver: apt install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in ("--headless=new", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    if os.geteuid() == 0:  # Chromium's sandbox needs a user of its own
        options.add_argument("--no-sandbox")
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=driver))
    try:
        yield chrome
    finally:
        chrome.quit()


def take_picture(path: Path) -> None:
    """Play the page's steps up to the recall in a new thread, and take the picture."""
    from PIL import Image  # comes with matplotlib

    with opened_page() as page:
        page.slide("quiet", 30)  # so that something still waits
        for number in range(1, 6):
            page.step(number)
            if number < 5:
                page.promote()
        page.sees("#waiting", "ada-2")
        page.click("#recalled summary")
        page.run("document.activeElement.blur()")
        time.sleep(2)  # until what is new has ceased to glow
        page.resize(1280, int(page.run("return document.documentElement.scrollHeight")))
        picture = Image.open(BytesIO(page.driver.get_screenshot_as_png()))
    picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    take_picture(Path(sys.argv[1]))
