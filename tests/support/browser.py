"""A headless Chromium for tests of HTML, driven over its debugging pipe: no driver program and no further package.

The protocol: https://chromedevtools.github.io/devtools-protocol/; `--remote-debugging-pipe` speaks it over the file
descriptors 3 and 4, each message ended by a zero byte.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from tests.support import wait_until

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
#: Moves two file descriptors to 3 and 4, by way of high numbers (they may be 3 or 4), then becomes the browser.
_TO_3_AND_4 = """
import fcntl, os, sys
high = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 100) for number in sys.argv[1:3]]
os.dup2(high[0], 3)
os.dup2(high[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
_TIMEOUT_S = 60.0


def find_chromium() -> str | None:
    """The browser's program, None when there is none."""
    return next((found for name in _NAMES if (found := shutil.which(name))), None)


def chromium() -> str:
    """The browser's program; skips the test with the reason when there is none."""
    found = find_chromium()
    if found is None:
        pytest.skip(
            f"no headless browser: none of {', '.join(_NAMES)} is on PATH (Debian's package is called chromium)"
        )
    return found


@dataclass
class BrowserPage:
    """One open page, with all that it asked for and complained about."""

    browser: Browser
    session: str
    requests: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one command to the page and wait for its answer."""
        return self.browser.call(method, self.session, **parameters)

    def open(self, path: Path) -> None:
        """Load a file and wait until it is loaded."""
        self.visit(path.resolve().as_uri())

    def visit(self, url: str) -> None:
        """Load a URL and wait until it is loaded."""
        self.call("Page.navigate", url=url)
        self.browser.wait_for("Page.loadEventFired", self.session)

    def until(self, expression: str) -> Any:
        """Ask until the JavaScript expression is true, and give its value."""
        return wait_until(lambda: self.evaluate(expression), what=expression)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression (evaluated by the debugger, which no CSP stops)."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def view(self, width: int, height: int, *, dark: bool = False) -> None:
        """Set the size of the window, and the colours that the reader prefers."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def screenshot(self, clip: dict[str, Any] | None = None) -> bytes:
        """The window's part of the page as a PNG, or the rectangle `clip` of the whole page."""
        more = {"clip": clip, "captureBeyondViewport": True} if clip else {}
        return base64.b64decode(self.call("Page.captureScreenshot", format="png", **more)["data"])

    def event(self, method: str, parameters: dict[str, Any]) -> None:
        """Keep what matters of what the browser tells."""
        if method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif method == "Log.entryAdded":
            self.problems.append(parameters["entry"]["text"])
        elif method == "Runtime.exceptionThrown":
            self.problems.append(str(parameters["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled":
            self.problems.append(str(parameters["args"]))


class Browser:
    """One Chromium process with a profile of its own."""

    def __init__(self, program: str) -> None:
        self._profile = tempfile.TemporaryDirectory(prefix="browser-")
        read_by_it, self._write = os.pipe()
        self._read, written_by_it = os.pipe()
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-c", _TO_3_AND_4, str(read_by_it), str(written_by_it)),
                *(program, *_FLAGS, f"--user-data-dir={self._profile.name}", "about:blank"),
            ],
            pass_fds=(read_by_it, written_by_it),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_by_it)
        os.close(written_by_it)
        self._buffer = b""
        self._id = 0
        self._events: list[tuple[str, str]] = []
        self._pages: dict[str, BrowserPage] = {}

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError, AssertionError):
            self.call("Browser.close")
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        os.close(self._read)
        os.close(self._write)
        with suppress(OSError):
            self._profile.cleanup()

    def page(self) -> BrowserPage:
        """A new, empty page."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = BrowserPage(self, session)
        self._pages[session] = page
        for domain in ("Page", "Network", "Log", "Runtime"):
            page.call(f"{domain}.enable")
        return page

    def call(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        """Send one command and wait for its answer."""
        self._id += 1
        message: dict[str, Any] = {"id": self._id, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._id:
                assert "error" not in answer, answer["error"]
                result: dict[str, Any] = answer["result"]
                return result

    def wait_for(self, event: str, session: str) -> None:
        """Wait until the browser has told of the event."""
        while (event, session) not in self._events:
            self._next()
        self._events.remove((event, session))

    def _next(self) -> dict[str, Any]:
        deadline = time.monotonic() + _TIMEOUT_S
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"the browser said nothing for {_TIMEOUT_S:.0f} s"
            part = os.read(self._read, 1 << 20)
            assert part, "the browser ended"
            self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        if "method" in message:
            session = message.get("sessionId", "")
            self._events.append((message["method"], session))
            if session in self._pages:
                self._pages[session].event(message["method"], message["params"])
        return message


@contextmanager
def open_browser() -> Iterator[Browser]:
    """A running browser; skips the test when there is none on this machine."""
    with Browser(chromium()) as browser:
        yield browser
