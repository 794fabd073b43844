"""`make demo`, from the outside: what it tells, and that it leaves nothing behind however it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from emulator.processes import ROOT
from tests.support import wait_until

pytestmark = [
    pytest.mark.usefixtures("needs_provider"),
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds child processes in Linux's /proc"),
]


class DemoRun:
    """A demo in its own session, as under a terminal: what it has said so far, and all processes that it has begun."""

    def __init__(self) -> None:
        self._said: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "demo"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.seen: set[int] = set()

    def _read(self) -> None:
        if self.process.stdout:
            self._said.extend(self.process.stdout)

    @property
    def text(self) -> str:
        """All that it has printed."""
        return "".join(self._said)

    def end(self, timeout_s: float) -> int:
        """Wait for its end, then for the rest of its words."""
        code = self.process.wait(timeout_s)
        self._reader.join(10)
        if self.process.stdout:
            self.process.stdout.close()
        return code

    def look(self) -> set[int]:
        """Note the processes that descend from it just now."""
        self.seen |= _descendants(self.process.pid)
        return self.seen


@contextmanager
def demo() -> Iterator[DemoRun]:
    before = set((ROOT / ".demo").glob("run-*"))
    run = DemoRun()
    try:
        yield run
    finally:
        run.process.kill()
        run.end(timeout_s=60)
        for process_id in run.look():
            if _alive(process_id):
                os.kill(process_id, signal.SIGKILL)
        for folder in set((ROOT / ".demo").glob("run-*")) - before:
            subprocess.run(["rm", "-rf", str(folder)], check=True)


def _descendants(process_id: int) -> set[int]:
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        parents[int(stat.parent.name)] = int(fields[1])
    found = {process_id}
    while True:
        more = {child for child, parent in parents.items() if parent in found} - found
        if not more:
            return found - {process_id}
        found |= more


def _alive(process_id: int) -> bool:
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _all_ended(run: DemoRun) -> bool:
    return not any(_alive(process_id) for process_id in run.seen)


def test_the_demo_deploys_shows_every_event_and_destroys() -> None:
    folders = set((ROOT / ".demo").glob("run-*"))
    with demo() as run:
        wait_until(lambda: "Killed" in run.text or run.process.poll() is not None, 240, "the chapter on the kill")
        run.look()
        assert run.end(timeout_s=240) == 0, run.text
        wait_until(lambda: _all_ended(run), what="the end of every process that it began")

        assert re.search(r"changes made +5\n", run.text)
        assert re.search(r"events received +5  0 duplicates, 0 lost\n", run.text)
        assert "✗" not in run.text
        assert "\033" not in run.text, "no colours where nobody sees them"
        assert set((ROOT / ".demo").glob("run-*")) <= folders
        shown = re.search(r"```text\n(cognito-source: .*?)```", (ROOT / "docs/demo.md").read_text(), re.DOTALL)
        assert shown
        assert _shape(shown[1]) == _shape(run.text), "docs/demo.md shows what an older demo printed"
        some = re.search(r"```text\n(5  Changes.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
        assert some
        printed = iter(_shape(run.text))
        assert [line for line in _shape(some[1]) if line not in printed] == [], "README.md shows what is not printed"


def _shape(text: str) -> list[str]:
    """What is the same in every run: no numbers, ids and random names, no progress of the tools."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("bootstrap:")]
    random = r"(?<=id )[0-9a-f]{8}|(?<=aws-key-)\w+|(?<=eu-central-1_)\w+|(?<=Value\":\")[0-9a-f-]+|[\d.]+"
    return [re.sub(r"\s+", " ", re.sub(random, "0", line)) for line in lines]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_demo_leaves_no_process_behind(number: signal.Signals) -> None:
    with demo() as run:
        wait_until(lambda: "cdktf deploy" in run.text, 120, "the deployment's begin")
        wait_until(lambda: len(run.look()) >= 4, 60, "cdktf to be at work")
        run.process.send_signal(number)
        code = run.end(timeout_s=60)
        wait_until(lambda: _all_ended(run), what="the end of every process that it began")

    if number == signal.SIGKILL:
        assert code == -signal.SIGKILL
    else:
        assert code == 128 + number
        assert "interrupted" in run.text
        assert "Traceback" not in run.text
