"""docs/credentials.md shows what the commands really print, and lists every change that they really make."""

from __future__ import annotations

import pytest

from demo.credentials_guide import GUIDE, rewritten
from emulator.aws import EmulatedAws
from iam.cli import main


def test_the_guide_is_what_the_commands_print_now(aws: EmulatedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in aws.environment().items():
        monkeypatch.setenv(name, value)
    text = GUIDE.read_text(encoding="utf-8")
    assert rewritten(text, aws) == text, "run `python -m demo.credentials_guide`"


def test_the_guide_shows_every_command() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    for command in main.commands:
        assert f"$ python -m iam {command}" in text
