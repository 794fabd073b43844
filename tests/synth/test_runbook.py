"""docs/runbook.md has a section for every alarm, and every alarm names its section."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from adapter.cognito import errors as faults
from adapter.cognito.retry import THROTTLING_CODES
from adapter.log import Action
from tests.synth.support import Stack, source
from tools.docs.site import markdown

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "runbook.md").read_text("utf-8")


def section(name: str) -> str:
    """The text below a heading, to the next one of its level."""
    return re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:][[*headings()].index(name)]


def headings() -> list[str]:
    return re.findall(r"^## (.+)$", TEXT, re.MULTILINE)


def test_every_alarm_has_its_section_and_names_it(adapter_stack: Callable[..., Stack]) -> None:
    alarms = adapter_stack(source()).all("aws_cloudwatch_metric_alarm").values()
    names = {alarm["alarm_name"].removeprefix("cognito-source-customers-"): alarm for alarm in alarms}
    assert len(names) == 4
    for name, alarm in names.items():
        assert alarm["alarm_description"].endswith(f"docs/runbook.md#{name}")
        assert name in markdown.anchors(TEXT)
        for part in ("**Means:**", "**Still works:**", "First command", "```sh"):
            assert part in section(name), f"{name}: {part}"


def test_actions_that_the_runbook_names_are_logged() -> None:
    named = set(re.findall(r"\$\.action = \"([a-z_]+)\"", TEXT)) | set(
        re.findall(r"`([a-z]+_[a-z]+(?:_[a-z]+)?)`", TEXT)
    )
    assert len(named) > 5
    assert named <= {action.value for action in Action}


def test_codes_that_the_runbook_names_are_those_that_the_adapter_knows() -> None:
    known = THROTTLING_CODES | faults.CREDENTIAL_CODES | faults.DENIED_CODES
    rows = re.findall(r"^\| code (.+?) (?:for long )?\|", TEXT, re.MULTILINE)
    named = {code for row in rows for code in re.findall(r"`(\w+)`", row)}
    assert len(rows) == 6
    assert named - known == {"ResourceNotFoundException", "OperationNotEnabledException", "StoreUnavailable"}
