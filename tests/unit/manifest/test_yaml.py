"""YAML's traps: each is refused in one line, or harmless."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from adapter.errors import ConfigError
from adapter.manifest import parse
from adapter.manifest.document import read_documents
from tests.unit.manifest.test_manifest import SMALLEST


def refusal(text: str | bytes) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text, "s.yaml")
    (problem,) = caught.value.problems
    assert "\n" not in problem
    return problem


def test_a_key_that_is_there_twice_is_refused_with_the_line_of_the_second() -> None:
    assert refusal(SMALLEST + "  sink: {uri: 'https://b.example.com'}\n").startswith(
        "s.yaml:9: document 1: spec.sink: found this key twice"
    )


def test_anchors_aliases_and_merge_keys_work() -> None:
    (document,) = read_documents("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: {<<: [{z: 4}, *a]}\nd: *a\n", "s.yaml")
    assert document.value == {
        "a": {"x": 1, "y": 2},
        "b": {"x": 1, "y": 3},
        "c": {"z": 4, "x": 1, "y": 2},
        "d": {"x": 1, "y": 2},
    }


def test_an_alias_bomb_is_refused() -> None:
    bomb = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    assert "more than 50000 values" in refusal(bomb)  # read whole, it has 31,381,059,609 values


@pytest.mark.parametrize("text", ["a: &a [*a]", "a: &a {b: *a}", "&a [*a]", "&a {<<: *a}", "[" * 3000, "{a: " * 400])
def test_endless_and_bottomless_documents_are_refused(text: str) -> None:
    refusal(text)


def test_a_huge_manifest_is_refused_before_it_is_read() -> None:
    assert "1000001 characters" in refusal("#" + "x" * 1_000_000)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"a: \xff", 1),
        (b"a: b\nc: \x00", 2),
        (b"a:\n\tb: c", 2),
        (b"a: [", 1),
        (b"a: 'b", 1),
        (b"a: b: c", 1),
        (b"\n\n*a", 3),
        (b"%YAML 9", 1),
        ("a: \u0007".encode(), 1),
    ],
)
def test_what_is_not_yaml_is_one_line_with_its_place(text: bytes, line: int) -> None:
    assert refusal(text).startswith(f"s.yaml:{line}: ")


def test_a_tab_is_told_apart_from_other_mistakes() -> None:
    assert "spaces, not tabs" in refusal("a:\n\tb: c")


@pytest.mark.parametrize(
    "text",
    [
        "a: !!python/object/apply:os.system [x]",
        "!foo {}",
        "a: !foo b",
        "a: !!binary aGk=",
        "a: !!int x",
        "a: !!set {b}",
    ],
)
def test_tags_are_refused(text: str) -> None:
    refusal(text)


def test_dates_and_the_words_of_yaml_1_1_reach_text_fields_as_a_clear_problem() -> None:
    text = SMALLEST.replace("https://example.com", "yes")
    assert "found true; expected an http or https address" in refusal(text)
    assert "(put it in quotes)" in refusal(text)
    (document,) = read_documents("a: 2026-11-23\n", "s.yaml")
    assert document.value == {"a": "2026-11-23"}


def test_a_byte_order_mark_is_ignored() -> None:
    assert parse(b"\xef\xbb\xbf" + SMALLEST.encode()).sources


_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)
_FIELDS = st.sampled_from(
    ["arn", "sink", "auth", "adapterOverrides", "polling", "delivery", "state", "events", "credentials", "network"]
)


@given(st.one_of(st.text(), st.binary()))
def test_any_input_gives_a_manifest_or_problems_of_one_line(raw: str | bytes) -> None:
    _manifest_or_problems(raw)


@given(st.dictionaries(_FIELDS, _PLAIN, max_size=4), _PLAIN)
def test_any_fields_give_a_manifest_or_problems_of_one_line(spec: dict[str, object], metadata: object) -> None:
    document = yaml.safe_load(SMALLEST)
    document["spec"].update(spec)
    document["metadata"] = metadata
    _manifest_or_problems(yaml.safe_dump(document))


def _manifest_or_problems(raw: str | bytes) -> None:
    problems: tuple[str, ...] = ("none",)
    try:
        parse(raw)
    except ConfigError as error:
        problems = error.problems
    assert problems
    assert all(problem and problem.isprintable() for problem in problems)


@pytest.mark.parametrize(
    "value",
    [
        '"\\U00110000"',
        '"\\ud800"',
        "1" + ":1" * 200 + ".0",
        "0x" + "f" * 5000,
        "!!int",
        "!!float",
        "!!bool x",
        "!!int |",
    ],
)
def test_values_that_python_can_not_hold_are_refused_in_one_line(value: str) -> None:
    assert refusal(SMALLEST + f"  polling:\n    maxRps: {value}\n").startswith("s.yaml:10: ")


def test_a_yaml_version_beyond_what_python_can_hold_is_refused_in_one_line() -> None:
    assert refusal(f"%YAML 1.{'9' * 5_000}\n---\n{SMALLEST}").startswith("s.yaml:1: ")


@pytest.mark.parametrize("opener", ["{", "["])
def test_hopeless_depths_are_refused(opener: str) -> None:
    assert "nested too deeply" in refusal(opener * 100_000)
