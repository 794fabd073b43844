"""Every block of commands in the documents is looked after, and its programs, commands and options exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapter.commands.cli import cli
from tests.support.docs_commands import (
    COMMANDS,
    TABLE,
    Shown,
    all_blocks,
    click_problems,
    inline,
    problems,
    script,
    shown,
)

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = shown()


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_the_commands_of_a_block_exist(block: Shown) -> None:
    assert problems(script(block.block)) == []


def test_the_commands_that_sentences_name_exist() -> None:
    found = inline()
    assert len(found) > 50
    assert {f"{where}: {span}": wrong for span, where in found.items() if (wrong := problems(span))} == {}


def test_every_block_is_run_or_it_is_said_why_not() -> None:
    unknown = [str(block) for block in BLOCKS if len(block.kept()) != 1]
    assert unknown == [], "each needs one line in the table of tests/support/docs_commands.py"


def test_the_table_has_no_line_too_many() -> None:
    used = {line for block in BLOCKS for line in block.kept()}
    assert [line for line in TABLE if line not in used] == []
    assert [line for line in TABLE if not (line.test or line.why)] == []
    assert [line for line in TABLE if line.test and not (ROOT / line.test).exists()] == []


def test_every_block_names_its_language() -> None:
    assert [str(block) for block in all_blocks() if not block.block.info] == []


def test_synopses_name_what_exists() -> None:
    lines = [
        line for block in all_blocks() if block.block.info not in COMMANDS for line in block.block.text.splitlines()
    ]
    synopses = [line for line in lines if line.startswith("python -m adapter ")]
    assert synopses
    for line in synopses:
        words = line.replace("[", " ").replace("]", " ").partition("  ")[0].split()[3:]
        assert click_problems(cli, words) == [], line


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("python -m adapter rum", "there is no command 'rum'"),
        ("python -m adapter run --onec", "there is no option --onec"),
        ("python -m adapter state export --arn x FILE && python -m iam stat", "there is no command 'stat'"),
        ("X=1 python -m stacks plan --gates no-destroy | cat", "there is no option --gates"),
        ("make tset", "there is no target tset"),
        ("cdktf deploy cognito", "there is no stack cognito"),
        ("aws ecs describe-service --cluster x", "ecs has no operation describe-service"),
        ("aws ecs list-tasks --clusters x", "there is no option --clusters"),
        ("aws logs tail $(python -m adapter confgi)", "there is no command 'confgi'"),
        ("if true; then", "syntax error"),
        ("frobnicate", "nothing is known of the program"),
    ],
)
def test_a_command_that_does_not_exist_is_found(text: str, problem: str) -> None:
    assert problem in "\n".join(problems(text))
