"""How the demo talks: calm lines, colour only on a terminal, every width decided here."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

_WIDTH = 66
_STYLES = {"bold": "1", "dim": "2", "green": "32", "red": "31", "yellow": "33", "cyan": "36"}
_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class Console:
    """Tells the story on `out`. On anything but a terminal: plain lines, nothing that moves."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._lively = self._out.isatty() and os.environ.get("TERM", "dumb") != "dumb" and "NO_COLOR" not in os.environ
        self._chapter = 0
        self._lock = threading.Lock()

    def style(self, text: str, *names: str) -> str:
        """`text` in bold, dim or a colour, if this is a terminal."""
        if not self._lively or not text:
            return text
        return f"\033[{';'.join(_STYLES[name] for name in names)}m{text}\033[0m"

    def line(self, text: str = "") -> None:
        """One line as it is."""
        with self._lock:
            self._out.write(text.rstrip() + "\n")
            self._out.flush()

    def chapter(self, title: str) -> None:
        """Begin the next part of the story."""
        self._chapter += 1
        self.line()
        self.line(f"{self.style(str(self._chapter), 'cyan', 'bold')}  {self.style(title, 'bold')}")

    def fact(self, label: str, value: str = "", note: str = "") -> None:
        """One thing that is so: a label, its value, and a dim note."""
        text = f"   {label:<30}{value}" if value else f"   {label}"
        self.line(text + (f"  {self.style(note, 'dim')}" if note else ""))

    def check(self, label: str, verdict: str, *, good: bool, note: str = "") -> None:
        """One thing that was tried."""
        mark = self.style("✓", "green") if good else self.style("✗", "red", "bold")
        self.line(f"   {mark} {label:<44}{verdict:<10}{self.style(note, 'dim')}")

    def event(self, arrow: str, text: str, note: str) -> None:
        """Something that happens: `arrow` shows its direction."""
        self.line(f"   {self.style(arrow, 'cyan')} {text:<62}{self.style(note, 'dim')}")

    @contextmanager
    def step(self, label: str) -> Iterator[None]:
        """Something that takes a while: a spinner on a terminal, and the time that it took."""
        start = time.monotonic()
        stop = threading.Event()
        spinner = threading.Thread(target=self._spin, args=(label, stop), daemon=True)
        if self._lively:
            spinner.start()
        try:
            yield
        except BaseException:
            self._end(stop, spinner)
            self.line(f"   {self.style('✗', 'red', 'bold')} {label}")
            raise
        self._end(stop, spinner)
        took = f"{time.monotonic() - start:.1f} s"
        self.line(f"   {self.style('✓', 'green')} {label:<{_WIDTH}}{self.style(took.rjust(8), 'dim')}")

    def _spin(self, label: str, stop: threading.Event) -> None:
        frame = 0
        while not stop.wait(0.1):
            frame += 1
            with self._lock:
                self._out.write(f"\r   {self.style(_FRAMES[frame % len(_FRAMES)], 'cyan')} {label} ")
                self._out.flush()

    def _end(self, stop: threading.Event, spinner: threading.Thread) -> None:
        stop.set()
        if self._lively:
            spinner.join()
            with self._lock:
                self._out.write("\r\033[K")
