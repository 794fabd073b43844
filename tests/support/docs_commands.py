"""The blocks of commands in the documents: which there are, how each is looked after, and whether its options exist.

`TABLE` is the one place that says how a block is looked after: run by tests/emulator/test_docs_commands.py, run by
another test, or not run, and why. All of them, whatever the table says, are checked for their syntax and for the
programs, commands and options that they use.
"""

from __future__ import annotations

import importlib
import re
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import click

from tools.docs.reference import COMMAND_LINES
from tools.docs.site import markdown

ROOT = Path(__file__).resolve().parents[2]
#: Languages of blocks that a reader would type.
COMMANDS = {"sh", "bash", "console", "shell"}
_OPERATOR = re.compile(r"[();<>|&]+$")
_KEYWORDS = {"until", "while", "if", "then", "do", "done", "fi", "else", "!", "{", "}"}


@dataclass(frozen=True)
class Kept:
    """How a block is looked after.

    Args:
        document: where it is.
        begins: what its first line begins with; empty: all blocks of the document.
        test: the file of the test that runs it, or one for which it stands. Empty: it can't be run here.
        why: why it is not run as it stands.
    """

    document: str
    begins: str = ""
    test: str = ""
    why: str = ""


HERE = "tests/emulator/test_docs_commands.py"
TABLE = (
    # Run as they stand.
    Kept("docs/get-started.md", "$ ", "tests/emulator/test_get_started.py"),
    Kept("docs/credentials.md", "$ python -m iam", "tests/emulator/test_iam_guide.py"),
    Kept("docs/credentials.md", ". .tools/venv", why="needs the emulated AWS in another terminal; prepares the same"),
    Kept("docs/migrating.md", "jq", "tests/docs/test_migrating.py"),
    Kept("docs/adr/0008-cdktf-and-its-successor.md", "sed", "tests/synth/test_successor.py"),
    Kept("README.md", ". .tools/venv", HERE),
    Kept("docs/state.md", "STATE_URL=sqlite:///state.db", HERE),
    Kept("docs/upgrading.md", "python -m adapter state export", HERE),
    Kept("docs/upgrading.md", "STATE_URL=sqlite:///older.db", HERE),
    Kept("docs/kubernetes.md", "python -m iam policy", HERE),
    Kept("examples/eventbridge/README.md", "python3 -m zipfile", "tests/deploy/test_example_eventbridge.py"),
    Kept("docs/tracing.md", "export OTEL", HERE),
    # What they do is run by a test in another way.
    Kept("docs/state.md", "export ARN", "tests/unit/commands/test_state.py", "needs a pool with a replica"),
    Kept("README.md", "make demo", "tests/deploy/test_demo.py", "make test runs this very test"),
    Kept("CONTRIBUTING.md", "make check", "tests/deploy/test_demo.py", "make test runs this very test"),
    Kept("docs/get-started.md", "make tools", "tests/unit/test_bootstrap.py", "what the tests themselves stand on"),
    Kept("docs/deploy.md", "python -m stacks plan", "tests/deploy/test_plan_review.py", "plans with its own provider"),
    Kept("docs/deploy.md", "# 1. in source.yaml", "tests/deploy/test_deploy.py", "deploys by way of the seam"),
    Kept("docs/plan-review.md", "terraform plan", "tests/deploy/test_plan_review.py", "plans with its own provider"),
    Kept("docs/releasing.md", "source .tools", "tests/unit/test_release.py", "would change the version"),
    Kept(
        "docs/releasing.md",
        "python -m tests.golden",
        "tests/docs/test_upgrading.py",
        "would write a version's golden files",
    ),
    Kept(
        "docs/status-page.md",
        "curl -s",
        "tests/unit/observability/test_status_server.py",
        "curl is not on every machine",
    ),
    Kept(
        "examples/receiver/README.md", ".venv/bin/pip", "tests/emulator/test_example_receiver.py", "installs packages"
    ),
    Kept(
        "examples/receiver/README.md", "python3 -m venv", "tests/emulator/test_example_receiver.py", "installs packages"
    ),
    Kept(
        "examples/receiver/README.md",
        "export K_SINK",
        "tests/emulator/test_example_receiver.py",
        "needs the block before",
    ),
    # Can't be run here.
    Kept("docs/deploy.md", "python3 -m venv", why="needs an AWS account, a registry and docker"),
    Kept("docs/deploy.md", "image=$(terraform", why="needs an AWS account, a registry and docker"),
    Kept("docs/runbook.md", "export SOURCE", why="needs an AWS account and its command line"),
    Kept("docs/runbook.md", "aws ", why="needs an AWS account and its command line"),
    Kept("docs/status-page.md", "aws ssm", why="needs an AWS account and its command line"),
    Kept("docs/status-page.md", "docker run", why="needs docker and the image"),
    Kept("docs/status-page.md", "kubectl", why="needs a cluster"),
    Kept(
        "docs/kubernetes.md", "kubectl", why="needs a cluster; the manifests are checked by test_kubernetes_manifests"
    ),
    Kept("docs/consumers.md", "check-jsonschema", why="needs a program that the project does without"),
    Kept("docs/releasing.md", "make lint test", why="runs all tests"),
    Kept("docs/releasing.md", "git switch", why="pushes a tag"),
    Kept("docs/releasing.md", "cosign verify", why="looks at a published release"),
)


@dataclass(frozen=True)
class Shown:
    """A block of commands in a document."""

    document: str
    block: markdown.Block

    @property
    def first(self) -> str:
        """Its first line, by which the table knows it."""
        return next((line for line in self.block.text.splitlines() if line.strip()), "")

    def kept(self) -> list[Kept]:
        """The lines of the table that are about it."""
        return [each for each in TABLE if each.document == self.document and self.first.startswith(each.begins)]

    def __str__(self) -> str:
        return f"{self.document}:{self.block.line} ({self.first[:60]})"


def documents() -> list[Path]:
    """Every Markdown file of the checkout."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return sorted(ROOT / name for name in names if (ROOT / name).exists())


def all_blocks() -> list[Shown]:
    """Every fenced block of every document."""
    return [
        Shown(path.relative_to(ROOT).as_posix(), block)
        for path in documents()
        for block in markdown.blocks(path.read_text(encoding="utf-8"))
    ]


def shown() -> list[Shown]:
    """The blocks of commands."""
    return [each for each in all_blocks() if each.block.info in COMMANDS]


def inline() -> dict[str, str]:
    """The commands of ours that the documents' sentences name, and where."""
    found: dict[str, str] = {}
    for path in documents():
        lines = markdown.lines_of(path.read_text(encoding="utf-8"))
        sentences = "".join("\n" if fenced else line for line, fenced in lines)
        for span in re.findall(r"`((?:python3? -m|make) [^`\n]+)`", sentences):
            if "|" not in span:
                found.setdefault(span, path.relative_to(ROOT).as_posix())
    return found


def script(block: markdown.Block) -> str:
    """What a reader would type of a block: of one with prompts, the lines behind them."""
    if block.info != "console":
        return block.text
    return "".join(f"{line[2:]}\n" for line in block.text.splitlines() if line.startswith("$ "))


def simple_commands(text: str) -> Iterator[list[str]]:
    """The simple commands of a script: words without operators, redirections, keywords and leading variables."""
    lexer = shlex.shlex(re.sub(r"\\\n", " ", text).replace("\n", "\n;\n"), posix=True, punctuation_chars="();<>|&")
    lexer.whitespace_split = True
    words: list[str] = []
    redirected = False
    for token in [*lexer, ";"]:
        if _OPERATOR.match(token):
            redirected = token.strip("&") in {">", ">>", "<"}
            if not redirected:
                yield from _meant(words)
                words = []
        elif redirected:
            redirected = False
        else:
            words.append(token)


def _meant(words: list[str]) -> Iterator[list[str]]:
    while words and (words[0] in _KEYWORDS or re.match(r"\w+=", words[0])):
        words = words[1:]
    if words:
        yield words


def problems(text: str) -> list[str]:
    """What is wrong with a script, as far as that can be told without running it."""
    checked = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
    found = [checked.stderr.strip()] if checked.returncode else []
    for words in simple_commands(text):
        check = _CHECKS.get(words[0])
        if check is None:
            found.append(f"nothing is known of the program {words[0]!r}; expected one of {', '.join(sorted(_CHECKS))}")
        else:
            found += [f"{shlex.join(words)}: {problem}" for problem in check(words[1:])]
    return found


# -- programs ----------------------------------------------------------------------------------------------------------


def _unchecked(_words: Sequence[str]) -> list[str]:
    return []


def _python(words: Sequence[str]) -> list[str]:
    if len(words) < 2 or words[0] != "-m":
        return ["expected -m MODULE"]
    module, rest = words[1], list(words[2:])
    if module in {"json.tool", "venv", "zipfile"}:
        return []
    if module in COMMAND_LINES:
        place, attribute = COMMAND_LINES[module]
    elif module.split(".")[0] in {"demo", "tools", "tests", "benchmarks"}:
        main = "" if (ROOT / f"{module.replace('.', '/')}.py").exists() else ".__main__"
        place, attribute = f"{module}{main}", "main"
    else:
        there = (ROOT / f"{module.replace('.', '/')}.py").exists()
        return [] if there else [f"there is no module {module}"]
    command = getattr(importlib.import_module(place), attribute, None)
    return click_problems(command, rest) if isinstance(command, click.Command) else []


def click_problems(command: click.Command, words: Sequence[str]) -> list[str]:
    """Which of the words are neither a command nor an option of this one."""
    context = click.Context(command, **command.context_settings)
    options = {name for each in command.get_params(context) for name in [*each.opts, *each.secondary_opts]}
    taken = {
        name
        for each in command.get_params(context)
        if isinstance(each, click.Option) and not each.is_flag
        for name in each.opts
    }
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        name, equals, _ = word.partition("=")
        if word == "-" or not word.startswith("-"):
            found = command.get_command(context, word) if isinstance(command, click.Group) else None
            if found is not None:
                return click_problems(found, waiting)
            if isinstance(command, click.Group):
                return [f"there is no command {word!r}"]
        elif name not in options:
            return [f"there is no option {name}"]
        elif name in taken and not equals and waiting:
            waiting.pop(0)
    return []


def _make(words: Sequence[str]) -> list[str]:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    return [f"there is no target {word}" for word in words if "=" not in word and word not in targets]


def _cdktf(words: Sequence[str]) -> list[str]:
    if words[0] not in {"deploy", "destroy", "diff", "synth"}:
        return [f"expected deploy, destroy, diff or synth, found {words[0]}"]
    stacks = {"cognito-source", "cognito-source-registry"}
    return [f"there is no stack {word}" for word in words[1:] if word not in stacks]


#: Commands of the AWS CLI that are not operations of a service, and their options.
_AWS_OWN = {
    ("logs", "tail"): {"since", "format", "filter-pattern", "follow"},
    ("ecr", "get-login-password"): set[str](),
}
_AWS_GLOBAL = {"query", "output", "region", "profile"}


def _aws(words: Sequence[str]) -> list[str]:
    service, operation = words[:2]
    known = _AWS_OWN.get((service, operation))
    if known is None:
        known = _aws_operations(service).get(operation)
    if known is None:
        return [f"{service} has no operation {operation}"]
    named = {word[2:].partition("=")[0] for word in words[2:] if word.startswith("--")}
    return [f"there is no option --{name}" for name in sorted(named - known - _AWS_GLOBAL)]


@cache
def _aws_operations(service: str) -> dict[str, set[str]]:
    """A service's operations and their options, by the names that the AWS CLI derives from the service's model."""
    import botocore.session
    from botocore import xform_name

    model: Any = botocore.session.get_session().get_service_model(service)
    operations = {}
    for name in model.operation_names:
        shape = model.operation_model(name).input_shape
        operations[xform_name(name, "-")] = {xform_name(each, "-") for each in (shape.members if shape else ())}
    return operations


_CHECKS = {
    "python": _python,
    "python3": _python,
    "make": _make,
    "cdktf": _cdktf,
    "aws": _aws,
    # The shell's own, and programs that every reader has.
    **dict.fromkeys(
        (
            ".",
            "source",
            "export",
            "echo",
            "grep",
            "sleep",
            "kill",
            "wait",
            "sort",
            "comm",
            "sed",
            "curl",
            "jq",
            "git",
            "rm",
        ),
        _unchecked,
    ),
    # Programs that are not on a machine which runs the tests: their blocks are in TABLE, with the reason.
    **dict.fromkeys(
        ("$EDITOR", "docker", "kubectl", "terraform", "cosign", "gh", "pip", "check-jsonschema"), _unchecked
    ),
    **dict.fromkeys((".venv/bin/pip", ".venv/bin/python", ".venv/bin/waitress-serve"), _unchecked),
}
