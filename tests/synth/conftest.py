"""Synthesizes the real app, never the edited one of the demo. Node starts once per test process."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from adapter.manifest import parse
from stacks.inputs import inputs_from
from tests.synth.support import Stack, manifest

Synth = Callable[..., dict[str, Stack]]


@pytest.fixture(scope="session")
def _synthesized() -> dict[str, dict[str, Stack]]:
    return {}


@pytest.fixture
def synth(_synthesized: dict[str, dict[str, Stack]], tmp_path_factory: pytest.TempPathFactory) -> Synth:
    """The stacks of a manifest (its documents), by name. Each manifest is synthesized once."""

    def run(*documents: dict[str, Any]) -> dict[str, Stack]:
        from stacks.app import build
        from stacks.bindings import App

        text = manifest(*documents)
        if text not in _synthesized:
            out = tmp_path_factory.mktemp("synth")
            app = App(outdir=str(out), skip_validation=True)
            build(app, inputs_from(parse(text)))
            app.synth()
            _synthesized[text] = {
                file.parent.name: Stack(json.loads(file.read_text())) for file in out.glob("stacks/*/cdk.tf.json")
            }
        return _synthesized[text]

    return run


@pytest.fixture
def adapter_stack(synth: Synth) -> Callable[..., Stack]:
    """The stack that runs the adapter, for these documents."""

    def run(*documents: dict[str, Any]) -> Stack:
        (name,) = [name for name in synth(*documents) if not name.endswith("-registry")]
        return synth(*documents)[name]

    return run
