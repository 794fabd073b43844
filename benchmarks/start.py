"""Memory and start-up with many known users, import time, and the time of a synth: each in a process of its own."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.learnt import state_of
from benchmarks.measure import MEASURED_CPU, SERVER_CPU, Figure, Options, alternate, pin, say
from tests.fake_cognito import RemoteCognito

ROOT = Path(__file__).parents[1]
#: Imports what CDKTF's bindings for AWS import by default: everything.
PLAIN_IMPORT = "import cdktf_cdktf_provider_aws.ecs_service"


def run(options: Options) -> list[Figure]:
    """`rss_mb_1m_users`, `start_s_1m_users`."""
    pin(MEASURED_CPU)
    with ExitStack() as stack:
        server = stack.enter_context(RemoteCognito(users=options.users, synthetic=True, cpu=SERVER_CPU))
        path = state_of(options.users)
        environment = os.environ | server.environment()
        say(f"start: and a sweep of {options.users:,} users")
        found = [_child(["-m", "benchmarks.start", "sweep", str(path)], environment)]
        found += [_child(["-m", "benchmarks.start", "open", str(path)], environment) for _ in range(options.rounds - 1)]
        size_mb = path.stat().st_size / 1e6
    starts = [one["ready_s"] for one in found]
    return [
        Figure(
            key="rss_mb_1m_users",
            values=[found[0]["peak_mb"]],
            unit="MB",
            about=f"highest resident memory of a process that knows {options.users:,} users and swept them once",
            goal=120,
            at_least=False,
            extra={"after_start_mb": round(found[-1]["rss_mb"], 1), "state_file_mb": round(size_mb, 1)},
        ),
        Figure(
            key="start_s_1m_users",
            values=starts,
            unit="s",
            about="from the start of the process to the first request: imports, state opened, index built",
            goal=3,
            at_least=False,
        ),
    ]


def imports(options: Options) -> list[Figure]:
    """`adapter_import_s`."""
    pin(MEASURED_CPU)
    say("imports")
    found = alternate(
        options.rounds,
        {
            "adapter": lambda: _python_s(["-c", "import adapter.runtime.app"]),
            "nothing": lambda: _python_s(["-c", "pass"]),
        },
    )
    return [
        Figure(
            key="adapter_import_s",
            values=found["adapter"],
            unit="s",
            about="a Python process that imports adapter.runtime.app and ends",
            goal=0.6,
            at_least=False,
            extra={"python_alone_s": [round(value, 3) for value in found["nothing"]]},
        )
    ]


def synth(options: Options) -> list[Figure]:
    """`synth_s`, `synth_ratio_vs_plain_import`."""
    say("synth")
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"CDKTF_OUTDIR": folder}
        ours = [_python_s([str(ROOT / "main.py")], environment, cwd=folder) for _ in range(min(options.rounds, 3))]
        say("synth: the provider package imported the plain way")
        plain = _python_s(["-c", PLAIN_IMPORT], environment, cwd=folder)
    return [
        Figure(
            key="synth_s",
            values=ours,
            unit="s",
            about="python main.py with the example manifest",
            goal=5,
            at_least=False,
        ),
        Figure(
            key="synth_ratio_vs_plain_import",
            values=[plain / value for value in ours],
            unit="x",
            about=f"the baseline: `{PLAIN_IMPORT}` alone, {plain:.1f} s",
        ),
    ]


def _child(arguments: list[str], environment: dict[str, str]) -> dict[str, float]:
    begun = time.time()
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found | {"ready_s": found["ready_at"] - begun}


def _python_s(arguments: list[str], environment: dict[str, str] | None = None, cwd: str | None = None) -> float:
    begun = time.monotonic()
    subprocess.run(
        [sys.executable, *arguments], cwd=cwd or ROOT, env=environment, check=True, stdout=subprocess.DEVNULL
    )
    return time.monotonic() - begun


def _memory_mb(name: str) -> float:
    """`VmRSS` now, or `VmHWM` at the highest: the `ru_maxrss` of a process counts in the one that started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split(f"{name}:")[1].split()[0]) / 1024


def _as_the_adapter(what: str, path: Path) -> dict[str, float]:
    """What the adapter does until its first request; `sweep` goes on with a whole one."""
    from adapter.runtime.app import GC_THRESHOLDS
    from benchmarks.rig import open_state, sweeper, swept, user_pool

    gc.set_threshold(*GC_THRESHOLDS)

    with user_pool() as (pool, limiter), open_state(path) as store:
        found = sweeper(pool, limiter, store)
        ready_at = time.time()
        rss_mb = _memory_mb("VmRSS")
        if what != "open":
            outcome = swept(found)
            assert outcome.complete
            assert outcome.changes == 0
    return {
        "ready_at": ready_at,
        "rss_mb": rss_mb,
        "peak_mb": _memory_mb("VmHWM"),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_as_the_adapter(sys.argv[1], Path(sys.argv[2]))))
