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
def synthesize(tmp_path_factory: pytest.TempPathFactory) -> Synth:
    """The stacks of a manifest (its documents), by name. Each manifest is synthesized once."""
    done: dict[str, dict[str, Stack]] = {}

    def run(*documents: dict[str, Any]) -> dict[str, Stack]:
        from stacks.app import build
        from stacks.bindings import App

        text = manifest(*documents)
        if text not in done:
            out = tmp_path_factory.mktemp("synth")
            app = App(outdir=str(out), skip_validation=True)
            build(app, inputs_from(parse(text)))
            app.synth()
            files = out.glob("stacks/*/cdk.tf.json")
            done[text] = {file.parent.name: Stack(json.loads(file.read_text())) for file in files}
        return done[text]

    return run


@pytest.fixture
def synth(synthesize: Synth) -> Synth:
    """The same, for tests (their environment is cleaned first)."""
    return synthesize


@pytest.fixture
def adapter_stack(synth: Synth) -> Callable[..., Stack]:
    """The stack that runs the adapter, for these documents."""

    def run(*documents: dict[str, Any]) -> Stack:
        (name,) = [name for name in synth(*documents) if not name.endswith("-registry")]
        return synth(*documents)[name]

    return run
