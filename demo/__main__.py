"""`python -m demo`, which `make demo` runs: deploy to an emulated AWS, change users, see the events, destroy."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

import click

from demo.console import Console
from demo.scenario import ScenarioError, run_scenario
from emulator.aws import EmulatorError
from emulator.deployment import DeployError
from emulator.processes import ROOT


class _Interrupted(BaseException):
    """Somebody wants the demo to end. Not an Exception: nothing on the way may take it for a fault."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(number)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    # Once: a second Ctrl-C must not end the clean-up.
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    raise _Interrupted(number)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--keep", is_flag=True, help="Keep the folder with stacks, state and logs.")
def main(*, keep: bool) -> None:
    """Deploy to an emulated AWS, change users, see the events, destroy. Takes about a minute; changes nothing outside.

    Exit codes: 0 everything as promised, 1 something was not, 130 or 143 interrupted.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    console = Console()
    home = ROOT / ".demo"
    home.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=home))
    try:
        good = run_scenario(console, folder)
    except _Interrupted as interruption:
        shutil.rmtree(folder, ignore_errors=True)
        click.echo("\ndemo: interrupted; its processes are stopped and nothing is left", err=True)
        sys.exit(128 + interruption.number)
    except (ScenarioError, DeployError, EmulatorError) as fault:
        click.echo(f"\ndemo: {fault}\ndemo: its processes are stopped; logs: {os.path.relpath(folder)}", err=True)
        sys.exit(1)
    if good and not keep:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        click.echo(f"demo: logs: {os.path.relpath(folder)}", err=True)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
