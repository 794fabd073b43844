"""`python -m adapter init` with flags alone: what it writes, what it refuses, and that it never asks a pipe."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from adapter import manifest
from adapter.commands.cli import cli
from adapter.commands.scaffold.answers import Answers, check_sink, check_state, name_from
from adapter.commands.scaffold.manifest import compose, deployable
from adapter.config.settings import load
from adapter.config.values import sink
from adapter.errors import ConfigError
from stacks.inputs import inputs_from
from tests.support.rig import ARN

QUEUE = "arn:aws:sqs:eu-central-1:123456789012:users.fifo"
BUS = "arn:aws:events:eu-central-1:123456789012:event-bus/users"
SINKS = (
    "https://events.example.com/users?a=b&c=%20#x",
    BUS,
    QUEUE,
    "file:///tmp/e%20v.jsonl",
    "stdout:",
    "http://[::1]:80",
)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def init(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["init", *arguments])


def refused(*arguments: str) -> tuple[str, ...]:
    result = init(*arguments)
    assert isinstance(result.exception, ConfigError), result.output
    return result.exception.problems


# -- what is written ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [BUS, QUEUE, "https://events.example.com/users"])
def test_flags_are_enough_and_the_manifest_runs_here_and_deploys(tmp_path: Path, target: str) -> None:
    result = init("--arn", ARN, "--sink", target)
    assert result.exit_code == 0, result.output
    assert "python -m adapter run --manifest source.yaml" in result.stdout
    read = manifest.read("source.yaml")
    (source,) = read.sources
    assert (source.name, source.warnings) == ("customers", ())
    settings = load(manifest.environment(source))
    assert (str(settings.pool), settings.sink, settings.events.initial) == (ARN, target, "baseline")
    assert inputs_from(read).sources[0].name == "customers"
    assert "stacks plan" in result.stdout


def test_every_flag_arrives() -> None:
    more = ("--name", "staff", "--state", "var/staff.db", "--initial", "snapshot", "-o", "staff.yaml")
    result = init("--arn", ARN, "--sink", "stdout:", *more)
    assert "remove" in result.stdout or "another one before you deploy" in result.stdout
    (source,) = manifest.load("staff.yaml")
    settings = load(manifest.environment(source))
    assert (settings.identity.name, settings.state.url, settings.events.initial) == (
        "staff",
        "sqlite:///var/staff.db",
        "snapshot",
    )


@pytest.mark.parametrize("target", SINKS)
@pytest.mark.parametrize("state", ["", check_state("/a b/c#.db"), "dynamodb://table?region=us-east-1"])
def test_what_is_written_is_what_was_answered(target: str, state: str) -> None:
    text = compose(Answers(arn=ARN, sink=target, name="null", state_url=state), file="source.yaml")
    (source,) = manifest.parse(text).sources
    made = manifest.environment(source)
    assert (source.name, made["K_SINK"], made.get("STATE_URL", "")) == ("null", target, state)
    assert max(len(line) for line in text.splitlines()) <= 120


@examples(max_examples=30)
@given(st.text(max_size=40).map(lambda text: f"https://sink.example/{text}"))
def test_an_odd_address_is_written_faithfully_or_refused(target: str) -> None:
    try:
        checked = check_sink(target)
        text = compose(Answers(arn=ARN, sink=checked, name="customers"), file="source.yaml")
    except ConfigError:
        return
    (source,) = manifest.parse(text).sources
    assert manifest.environment(source)["K_SINK"] == sink(checked)


def test_the_comments_name_the_file_and_the_schema_only_where_there_is_one(tmp_path: Path) -> None:
    init("--arn", ARN, "--sink", "stdout:", "-o", "odd name.yaml")
    text = Path("odd name.yaml").read_text()
    assert "--manifest 'odd name.yaml'" in text
    assert "$schema" not in text
    Path("schemas").mkdir()
    Path("schemas/source.schema.json").touch()
    init("--arn", ARN, "--sink", "stdout:")
    assert "# yaml-language-server: $schema=schemas/source.schema.json\n" in Path("source.yaml").read_text()


def test_spaces_are_refused_where_a_manifest_takes_none() -> None:
    assert check_state("my folder/state.db") == "sqlite:///my%20folder/state.db"
    for check, text in ((check_sink, "file:///a b"), (check_sink, ""), (check_state, "sqlite:///a b")):
        with pytest.raises(ConfigError, match="%20"):
            check(text)


def test_others_may_read_the_manifest_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    init("--arn", ARN, "--sink", "stdout:")
    assert stat.S_IMODE(Path("source.yaml").stat().st_mode) == 0o644
    assert [each.name for each in Path().iterdir()] == ["source.yaml"]


@pytest.mark.parametrize(
    ("pool_name", "name"),
    [("Customers EU", "customers-eu"), ("--", "customers"), ("東京", "customers"), ("a" * 90, "a" * 40)],
)
def test_a_source_is_named_after_its_pool(pool_name: str, name: str) -> None:
    assert name_from(pool_name) == name


def test_what_is_of_this_machine_is_not_called_deployable() -> None:
    assert deployable(Answers(arn=ARN, sink=QUEUE, name="a")) == ""
    assert "sink of this machine" in deployable(Answers(arn=ARN, sink="file:///x", name="a"))
    assert "remove `state`" in deployable(Answers(arn=ARN, sink=QUEUE, name="a", state_url=check_state("x.db")))


# -- what is refused ------------------------------------------------------------------------------------------------


def test_a_pipe_is_asked_nothing_but_told_the_flags() -> None:
    (line,) = refused("--arn", ARN)
    assert line.startswith("standard input is no terminal, so nothing can be asked; give --sink (and --name")
    (line,) = refused("--yes")
    assert line.startswith("--yes asks nothing; give --arn and --sink")


def test_all_wrong_flags_are_told_at_once() -> None:
    lines = refused("--arn", "x", "--sink", "http://me:canary@sink/", "--name", "A b", "--state", "redis://x")
    assert [line.split()[0].rstrip(":") for line in lines] == ["--arn", "--sink", "--name", "--state"]
    assert "canary" not in "".join(lines)


def test_a_file_that_is_there_is_replaced_only_by_force() -> None:
    Path("source.yaml").write_text("mine")
    (line,) = refused("--arn", ARN, "--sink", "stdout:")
    assert "is there already" in line
    assert Path("source.yaml").read_text() == "mine"
    assert init("--arn", ARN, "--sink", "stdout:", "--force").exit_code == 0
    assert manifest.load("source.yaml")


def test_a_place_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    (line,) = refused("--arn", ARN, "--sink", "stdout:", "-o", "no/where.yaml")
    assert "the folder no is not there" in line
    (line,) = refused("--arn", ARN, "--sink", "stdout:", "-o", str(tmp_path))
    assert "is a folder" in line
