"""Runs docs/get-started.md as its reader does: `python -m tools.docs.walkthrough` writes what commands print into it.

`--check` only compares. A comment before a block says in which terminal it happens:

    <!-- terminal 1 -->          the commands after each `$ ` are run, what they print is written below them
    <!-- terminal 1: stays -->   the same, and the last one goes on running
    <!-- terminal 1 goes on -->  no command: what the one that goes on has printed since, so many lines as were there

Everything runs in a folder of its own, on free ports in place of the document's. What differs from run to run (ids,
times) is replaced by examples.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

import click

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "get-started.md"
#: How long a command, or the lines that are expected of one that goes on, may take.
TIMEOUT_S = 60.0
#: The ports that the document names.
_PORTS = ("5000", "8090", "8080", "8081", "9090")
_BLOCK = re.compile(
    r"(?P<head><!-- terminal (?P<name>\d)(?P<how>: stays| goes on|) -->\n```[a-z]*\n)(?P<body>.*?)(?P<foot>```\n)",
    re.DOTALL,
)
_END = "\x1e"
_EXAMPLES = (
    (r"eu-central-1_[0-9a-zA-Z]{9,}", "eu-central-1_AbCdEfGhI"),
    (r"\d{4}-\d\d-\d\d([ T])\d\d:\d\d:\d\d(\.\d+)?", r"2026-11-23\g<1>12:00:00.000"),
    (r"\b\d+(\.\d+)? (m?s)\b", r"1 \2"),
)


class WalkthroughError(RuntimeError):
    """A command failed, did not end, or did not print what was expected."""


class WalkthroughShell:
    """A shell, and everything that was printed in it."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._shell = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
            bufsize=1,
        )
        self._lines: list[str] = []
        self._changed = threading.Condition()
        threading.Thread(target=self._read, args=(self._shell.stdout,), daemon=True).start()

    def _read(self, output: IO[str]) -> None:
        for line in output:
            # The shell's notice of a job that was killed: people see another one.
            if not re.match(r"bash: line \d+: +\d+ (Killed|Terminated)", line):
                with self._changed:
                    self._lines.append(line)
                    self._changed.notify_all()

    def run(self, command: str, *, stays: bool = False) -> None:
        """Start a command, and wait for its end unless it stays."""
        self._type(f"{command}\n")
        if not stays:
            self._type("printf '\\036%d\\n' $?\n")

    def ended(self) -> list[str]:
        """What a command printed, once it has ended.

        Raises:
            WalkthroughError: it failed.
        """
        lines = self._wait(lambda: next((n + 1 for n, line in enumerate(self._lines) if line.startswith(_END)), 0))
        code = lines.pop()[1:].strip()
        if code != "0":
            raise WalkthroughError(f"a command ended with exit code {code}: {''.join(lines)}")
        return lines

    def next(self, count: int) -> list[str]:
        """So many more lines of what goes on."""
        return self._wait(lambda: count if len(self._lines) >= count else 0) if count else []

    def close(self) -> None:
        """End the shell and all that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self._shell.pid, signal.SIGKILL)
        self._shell.wait()
        for stream in (self._shell.stdin, self._shell.stdout):
            if stream:
                stream.close()

    def _type(self, text: str) -> None:
        if self._shell.stdin:
            self._shell.stdin.write(text)

    def _wait(self, ready: Callable[[], int]) -> list[str]:
        deadline = time.monotonic() + TIMEOUT_S
        with self._changed:
            while not (count := ready()):
                left_s = deadline - time.monotonic()
                if left_s <= 0 or not self._changed.wait(left_s):
                    raise WalkthroughError(f"waited {TIMEOUT_S:g} s; printed until then: {''.join(self._lines)!r}")
            lines, self._lines = self._lines[:count], self._lines[count:]
            return lines


class Walkthrough:
    """One walk through a document. Use it as a context: its terminals end with it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True))
        self._terminals: dict[str, WalkthroughShell] = {}
        # The document's reader stands in the checkout; what is written here stays here.
        (folder / ".tools").symlink_to(ROOT / ".tools")
        self._environment = {
            name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ
        }
        self._environment |= {
            "PYTHONPATH": str(ROOT),
            "HEALTH_ADDRESS": f"127.0.0.1:{self._ports['8080']}",
            "STATUS_ADDRESS": f"127.0.0.1:{self._ports['8081']}",
            "METRICS_PROMETHEUS_PORT": self._ports["9090"],
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_PROXY": "127.0.0.1,localhost",
        }

    def __enter__(self) -> Walkthrough:
        return self

    def __exit__(self, *_: object) -> None:
        for terminal in self._terminals.values():
            terminal.close()

    def rewritten(self, text: str) -> str:
        """The document with what its commands print now.

        Raises:
            WalkthroughError: a command failed or did not end, or what goes on did not print what was expected.
        """
        return _BLOCK.sub(lambda block: f"{block['head']}{self._block(block)}{block['foot']}", text)

    def _block(self, block: re.Match[str]) -> str:
        name, how, body = block["name"], block["how"].strip(), block["body"]
        if name not in self._terminals:
            self._terminals[name] = WalkthroughShell(self._folder, self._environment)
        terminal = self._terminals[name]
        if how == "goes on":
            return self._shown(terminal.next(len(body.splitlines())))
        parts = re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]
        result = []
        for number, part in enumerate(parts):
            command, _, old = part.partition("\n")
            stays = how == ": stays" and number == len(parts) - 1
            terminal.run(self._there(command), stays=stays)
            lines = terminal.next(len(old.splitlines())) if stays else terminal.ended()
            result.append(f"$ {command}\n{self._shown(lines)}")
        return "".join(result)

    def _there(self, command: str) -> str:
        for documented, port in self._ports.items():
            command = command.replace(documented, port)
        return command

    def _shown(self, lines: list[str]) -> str:
        text = "".join(lines)
        for documented, port in self._ports.items():
            text = text.replace(f":{port}", f":{documented}")
        for pattern, example in _EXAMPLES:
            text = re.sub(pattern, example, text)
        return text


def _free_ports(count: int) -> list[str]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [str(each.getsockname()[1]) for each in held]
    for each in held:
        each.close()
    return ports


def walk(text: str) -> str:
    """The document as it should be, by running it.

    Raises:
        WalkthroughError: a command failed or did not end, or something that goes on did not print what was expected.
    """
    folder = Path(tempfile.mkdtemp(prefix="walkthrough-"))
    try:
        with Walkthrough(folder) as walkthrough:
            return walkthrough.rewritten(text)
    except WalkthroughError as fault:
        logs = "".join(f"\n{log.name}: {log.read_text()[-2000:]}" for log in sorted(folder.glob("*.log")))
        raise WalkthroughError(f"{fault}{logs}") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 if the document shows something else.")
def main(*, check: bool) -> None:
    """Run the commands of docs/get-started.md and write what they print into it."""
    old = GUIDE.read_text(encoding="utf-8")
    try:
        new = walk(old)
    except WalkthroughError as fault:
        click.echo(f"walkthrough: {fault}", err=True)
        sys.exit(1)
    if check and new != old:
        click.echo("docs/get-started.md shows something else; run: python -m tools.docs.walkthrough", err=True)
        sys.exit(1)
    GUIDE.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
