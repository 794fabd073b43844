"""The blocks of commands that nothing else runs: as a reader does, with a pool and a sink of ours for the example's.

Which they are is said in tests/support/docs_commands.py.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from emulator.aws import EmulatedAws
from emulator.sink import RecordingSink
from tests.support import wait_until
from tests.support.docs_commands import HERE, script, shown

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE_ARN = "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_AbCdEfGhI"
EXAMPLE_SINK = "https://events.example.com/users"
BLOCKS = {
    f"{block.document}: {block.first}": block for block in shown() if [each.test for each in block.kept()] == [HERE]
}


class DocumentReader:
    """Somebody who types what the documents say, in a folder of their own."""

    def __init__(self, aws: EmulatedAws, sink: RecordingSink, folder: Path) -> None:
        self.arn = aws.create_pool()
        self.sink = sink
        self.folder = folder
        self.typed: set[str] = set()
        (folder / ".tools").symlink_to(ROOT / ".tools")
        self._environment = {
            **aws.environment(),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HEALTH_ADDRESS": "127.0.0.1:0",
            "METRICS_PROMETHEUS_PORT": "0",
            "STATUS_ADDRESS": "off",
            "POLL_MAX_SECONDS": "1",
            "EVENTS_INITIAL": "snapshot",
        }

    @contextmanager
    def types(self, document: str, begins: str, **more: str) -> Iterator[subprocess.Popen[str]]:
        """Run a block's commands to the end of the with-block, which may wait for them."""
        (name,) = [each for each in BLOCKS if each.startswith(f"{document}: {begins}")]
        self.typed.add(name)
        text = script(BLOCKS[name].block).replace(EXAMPLE_ARN, self.arn).replace(EXAMPLE_SINK, self.sink.url)
        process = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=self.folder,
            env={**self._environment, **more},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            os.killpg(process.pid, signal.SIGKILL) if process.poll() is None else None
            process.communicate()

    def ends(self, document: str, begins: str, **more: str) -> str:
        """Run a block's commands to their end, and give what they printed."""
        with self.types(document, begins, **more) as process:
            output, _ = process.communicate(timeout=60)
            assert process.returncode == 0, output
            return output

    def serves(self, document: str, begins: str, environment: Mapping[str, str], sent: int) -> None:
        """Run a block's commands, the last of which is an adapter, until so many events came; stop it politely."""
        with self.types(document, begins, **environment) as process:
            wait_until(lambda: len(self.sink.events) >= sent or process.poll() is not None, what="the events")
            assert process.poll() is None, process.communicate()[0]
            os.killpg(process.pid, signal.SIGTERM)
            output, _ = process.communicate(timeout=60)
            assert '"action": "stopped"' in output or "stopped" in output.lower(), output


@pytest.fixture
def reader(aws: EmulatedAws, tmp_path: Path) -> Iterator[DocumentReader]:
    with RecordingSink.start() as sink:
        yield DocumentReader(aws, sink, tmp_path)


def test_a_reader_of_the_documents_can_run_what_they_show(reader: DocumentReader, aws: EmulatedAws) -> None:
    user = {"UserPoolId": reader.arn.rpartition("/")[2], "Username": "amara"}
    aws.client("cognito-idp").admin_create_user(**user)
    pool = {"ARN": reader.arn, "K_SINK": reader.sink.url}

    reader.serves("README.md", ". .tools/venv", {"STATE_URL": "sqlite:///state.db"}, sent=1)
    reader.serves("docs/tracing.md", "export OTEL", {**pool, "STATE_URL": "sqlite:///traced.db"}, sent=2)

    table = {"TableName": "cognito-source", "BillingMode": "PAY_PER_REQUEST"}
    keys = [("pk", "HASH"), ("sk", "RANGE")]
    aws.client("dynamodb").create_table(
        **table,
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
    )
    reader.ends("docs/state.md", "STATE_URL=sqlite:///state.db", **pool)
    assert len((reader.folder / "state.jsonl").read_text().splitlines()) == 2
    reader.ends("docs/upgrading.md", "python -m adapter state export", **pool, STATE_URL="sqlite:///state.db")
    reader.ends("docs/upgrading.md", "STATE_URL=sqlite:///older.db", **pool)
    assert "cognito-idp:ListUsers" in reader.ends("docs/kubernetes.md", "python -m iam policy")
    assert reader.typed == set(BLOCKS)
