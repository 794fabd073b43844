"""A few inputs for every parser (`make fuzz` tries many more), and that the fuzzer finds what is wrong."""

from __future__ import annotations

import time
from contextlib import suppress
from random import Random
from typing import Any

import pytest

from adapter.errors import ConfigError
from tests.fuzz.engine import SLOW_S, FuzzTarget, Tally, promise, run
from tests.fuzz.targets import TARGETS

SEED = 20_261_123


@pytest.mark.parametrize("name", TARGETS)
def test_a_parser_ends_every_input_with_a_result_or_its_own_error(name: str) -> None:
    target = TARGETS[name]
    tally = run(target, SEED, range(target.count(300)))
    assert tally.findings == []
    assert tally.accepted, "no input was good: the samples don't fit the parser"
    assert tally.refused or not target.refusals, "no input was bad: the changes don't reach the parser"


def broken(parse: Any, secret: str = "") -> Tally:
    target = FuzzTarget(
        name="broken",
        make=lambda rng: rng.randrange(10),
        parse=parse,
        refusals=(ConfigError,),
        secret=lambda _: secret,
    )
    return run(target, 1, range(100))


def kinds(tally: Tally) -> str:
    assert 0 < tally.bad < 100
    assert len(tally.findings) <= 3
    return " ".join(tally.found)


def test_another_exception_is_a_finding_with_its_place_and_its_input() -> None:
    def parse(number: int) -> None:
        if number == 7:
            raise KeyError("seven")

    tally = broken(parse)
    assert kinds(tally).startswith("KeyError at test_fuzz.py:")
    assert all(finding.shown == "7" for finding in tally.findings)
    assert tally.accepted + tally.bad == 100


def test_a_secret_in_a_message_is_a_finding() -> None:
    def parse(number: int) -> None:
        raise ConfigError(f"found {'topsecret' if number == 7 else 'something'}; expected nothing")

    tally = broken(parse, secret="topsecret")
    assert kinds(tally) == "a message quotes a secret"
    assert tally.refused == 100


@pytest.mark.parametrize("message", ["two\nlines", "\x1b[31mred", "", "half \ud800 a pair"])
def test_a_message_that_is_not_one_printable_line_is_a_finding(message: str) -> None:
    def parse(number: int) -> None:
        raise ConfigError(["good", message] if number == 7 else ["good", "good too"])

    assert kinds(broken(parse)) == "a message is not one printable line"


def test_a_broken_promise_is_a_finding() -> None:
    assert kinds(broken(lambda number: promise(number != 7, "seven is never read"))) == "promise: seven is never read"


def test_an_input_that_takes_too_long_is_a_finding() -> None:
    left = [1]

    def parse(number: int) -> None:
        if number == 7 and left:
            left.pop()
            until = time.thread_time() + SLOW_S * 1.05
            while time.thread_time() < until:
                pass

    assert kinds(broken(parse)) == "slow"


def test_an_input_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.engine.STUCK_S", 0.05)

    def parse(number: int) -> None:
        while number == 7:
            with suppress(Exception):  # as a careless parser does
                len(str(number))

    assert kinds(broken(parse)) == "stuck"


@pytest.mark.parametrize("name", TARGETS)
def test_a_finding_can_be_had_again_from_its_seed_and_number(name: str) -> None:
    target = TARGETS[name]
    assert [ascii(target.input(1, n)) for n in range(5)] == [ascii(target.input(1, n)) for n in range(5)]
    assert ascii([target.input(1, n) for n in range(20)]) != ascii([target.input(2, n) for n in range(20)])
    assert ascii(target.make(Random(3))) == ascii(target.make(Random(3)))
