"""The Markdown and the HTML of a review: safe for where they are shown, whole, and readable."""

from __future__ import annotations

import base64
import hashlib
import re
import sys
import unicodedata
from collections.abc import Iterable
from html.parser import HTMLParser
from typing import Any

import pytest

from plan_review import run
from plan_review.gates import judge, parse_rules
from plan_review.render import html as render_html
from plan_review.render import markdown as render_markdown
from plan_review.render import text as render_text
from plan_review.render.escape import page, plain
from plan_review.render.graph import picture
from plan_review.render.layout import HEIGHT, WIDTH, lay_out
from plan_review.render.svg import mermaid
from tests.unit.plan_review.support import PLANS, load, plan, resource, review

EVIL = (
    "<script>alert(1)</script>\"'&|`*_[x](javascript:alert(1))\n\n# h @octocat"
    " ![i](https://evil.example/x.png) </details>"
)
VOID = {"meta", "link", "br", "hr", "path", "rect"}


class Outline(HTMLParser):
    """Elements with their attributes, and whether they are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def evil_plan() -> dict[str, Any]:
    document = {
        "Statement": [
            {"Sid": EVIL, "Effect": "Allow", "Action": EVIL, "Resource": EVIL, "Condition": {EVIL: {EVIL: EVIL}}}
        ]
    }
    return plan(
        resource(
            f'aws_sqs_queue.q["{EVIL}"]', "update", before={"name": "a", EVIL: "b"}, after={"name": EVIL, EVIL: EVIL}
        ),
        resource("aws_iam_role_policy.p", after={"role": EVIL, "policy": document}),
        resource(
            "aws_security_group.g", after={"name": EVIL, "ingress": [{"description": EVIL, "cidr_blocks": [EVIL]}]}
        ),
        resource("aws_dynamodb_table.t", "delete", before={"name": EVIL}, action_reason=EVIL),
        resource(f"aws_x.{EVIL}", after={}, previous_address=EVIL, importing={"id": EVIL}, deposed=EVIL),
        output_changes={EVIL: {"actions": ["create"], "before": None, "after": EVIL}},
        terraform_version=EVIL,
        deferred_changes=[{"reason": EVIL, "resource_change": resource("aws_y.z", after={})}],
    )


# --- HTML ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["create.json", "change.json"])
def test_the_page_is_well_formed_and_needs_nothing_from_elsewhere(name: str) -> None:
    found = review(load(name))
    outline = Outline(render_html.render(found, judge(found, parse_rules(["no-destroy,no-public"]))))
    tags = {tag for tag, _ in outline.elements}
    assert not tags & {"script", "img", "iframe", "object", "embed", "form", "input", "base", "video", "audio"}
    for tag, attributes in outline.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], tag
        for key in ("href", "src"):
            assert (attributes.get(key) or "#").startswith(("#", "data:,"))


def test_the_page_allows_its_own_style_and_nothing_else() -> None:
    text = render_html.render(review(plan()))
    policy = next(a["content"] for t, a in Outline(text).elements if a.get("http-equiv") == "Content-Security-Policy")
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert (
        policy == f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )


def test_the_page_can_be_read_by_machines_that_read_aloud() -> None:
    outline = Outline(render_html.render(review(load("change.json"))))
    tags = [tag for tag, _ in outline.elements]
    assert tags.count("h1") == 1
    assert tags.count("main") == 1
    assert ("html", {"lang": "en"}) in outline.elements
    ids = [a["id"] for _, a in outline.elements if "id" in a]
    assert len(ids) == len(set(ids))
    targets = [a["href"] for t, a in outline.elements if t == "a"]
    assert all((target or "")[1:] in ids for target in targets)
    for tag, attributes in outline.elements:
        if attributes.get("role") in ("img", "region"):
            assert attributes.get("aria-label"), tag
        if tag == "th":
            assert attributes["scope"] == "col"


def test_nothing_of_a_plan_becomes_markup_of_the_page() -> None:
    text = render_html.render(review(evil_plan()), judge(review(evil_plan()), parse_rules(["no-destroy,only=x"])))
    outline = Outline(text)
    assert "script" not in {tag for tag, _ in outline.elements}
    assert "<script>" not in text
    assert "alert(1)" in "".join(outline.text)
    assert not any(
        "evil.example" in str(value) for _, attributes in outline.elements for value in attributes.values() if value
    )


def test_a_very_large_review_stays_a_page_that_opens() -> None:
    many = plan(
        *(
            resource(
                f"aws_sqs_queue.q{i}",
                "update",
                before={f"f{k}": 1 for k in range(100)},
                after={f"f{k}": 2 for k in range(100)},
            )
            for i in range(1000)
        )
    )
    text = render_html.render(review(many))
    assert "… and 600 more" in text
    assert "… and 40 more fields" in text
    assert len(text) < 10_000_000


def test_no_cost_is_claimed_of_what_has_no_price() -> None:
    text = render_html.render(review(plan(resource("aws_instance.i", after={"instance_type": "p5.48xlarge"}))))
    assert "<b>?</b><span>a month, no price</span>" in text
    assert "$0" not in text


# --- text ------------------------------------------------------------------------------------------------------------


def test_the_network_section_of_the_text_names_a_guard_that_is_removed() -> None:
    assert "\nNETWORK\n  ! aws_s3_bucket_public_access_block.b: the protection is removed\n" in render_text.render(
        review(load("cases/pab_deleted.json"))
    )


def test_a_role_of_another_cloud_is_not_put_in_brackets_twice() -> None:
    text = render_text.render(review(load("cases/azure.json")))
    assert "\n  + x (Owner)\n" in text
    assert "\n  + anyone (roles/owner)   <-- anyone\n" in text


# --- Markdown --------------------------------------------------------------------------------------------------------


def test_the_comment_begins_with_the_verdict() -> None:
    lines = render_markdown.render(review(load("create.json"))).splitlines()
    assert lines[0] == "## Plan review: Creates 19, changes 0, replaces 0, destroys 0."
    assert lines[2:6] == [
        "- ❌ Gives 7 new rights (3 identities), 2 to look at twice.",
        "- ✅ Nothing is open to the internet.",
        "- ❌ 1 secret in plaintext in the plan.",
        "- ✅ About `$15` a month.",
    ]


def test_escapes_keep_ordinary_text_readable() -> None:
    assert plain("grüße 日本 ✓") == "grüße 日本 ✓"
    assert plain("a\x1b[2Jb\u202e") == "a\\x1b[2Jb\\u202e"
    assert page("<a&b>") == "&lt;a&amp;b&gt;"


def test_every_character_that_can_not_be_seen_is_shown_as_what_it_is() -> None:
    for number in range(sys.maxunicode + 1):
        if unicodedata.category(chr(number)) in {"Cc", "Cf", "Zl", "Zp", "Cs"}:
            assert plain(chr(number)) != chr(number), hex(number)


# --- the picture -----------------------------------------------------------------------------------------------------


def test_the_picture_shows_what_uses_what() -> None:
    drawn = picture(review(load("create.json")).plans)
    assert set(drawn.links) >= {
        ("aws_ecs_service.adapter", "aws_ecs_task_definition.adapter"),
        ("aws_ecs_task_definition.adapter", "aws_iam_role.task"),
        ("aws_iam_role.task", "aws_dynamodb_table.state"),
        ("aws_iam_role.task", "aws_secretsmanager_secret.key"),
        ("aws_iam_role.task", "aws_sqs_queue.dead"),
    }
    assert {n.title: n.count for n in drawn.nodes}["alarms"] == 2


def test_no_two_boxes_overlap_and_all_are_inside() -> None:
    drawing = lay_out(picture(review(load("change.json")).plans))
    for index, one in enumerate(drawing.boxes):
        assert 0 <= one.x <= drawing.width - WIDTH
        assert 0 <= one.y <= drawing.height - HEIGHT
        for other in drawing.boxes[index + 1 :]:
            assert abs(one.x - other.x) >= WIDTH or abs(one.y - other.y) >= HEIGHT


def test_the_picture_is_the_same_on_every_run() -> None:
    data = (PLANS / "change.json").read_bytes()
    one, two = (run.run([run.Loaded("p", data)]).render("html") for _ in range(2))
    assert one == two


def test_circles_and_very_many_resources_are_drawn() -> None:
    circle = plan(
        resource("aws_a.x", after={}),
        resource("aws_b.y", after={}),
        expressions={
            "aws_a.x": {"k": {"references": ["aws_b.y.id"]}},
            "aws_b.y": {"k": {"references": ["aws_a.x.id"]}},
        },
    )
    assert len(lay_out(picture(review(circle).plans)).lines) == 2
    many = plan(*(resource(f"aws_t{i % 50}.r{i}", after={}) for i in range(500)))
    assert len(picture(review(many).plans).nodes) == 36


def test_mermaid_labels_hold_any_text() -> None:
    text = mermaid(picture(review(evil_plan()).plans))
    assert text.startswith("graph LR")
    assert "<script" not in text
    for line in text.splitlines()[1:]:
        assert re.fullmatch(
            r'  (n\d+\["[^"\[\]<>]*<br/><small>[^"\[\]<>]*</small>"\]:::\w+|n\d+ --> n\d+|classDef .*)', line
        ), line


def linked(pairs: Iterable[tuple[int, int]], *, count: int) -> set[tuple[str, str]]:
    """The links of the picture of `count` queues, of which the first of each pair refers to the second."""
    names: dict[int, list[str]] = {}
    for source, target in pairs:
        names.setdefault(source, []).append(f"aws_sqs_queue.q{target}")
    expressions = {f"aws_sqs_queue.q{source}": {"policy": {"references": targets}} for source, targets in names.items()}
    queues = [resource(f"aws_sqs_queue.q{i}", after={"name": f"q{i}"}) for i in range(count)]
    return set(picture(review(plan(*queues, expressions=expressions)).plans).links)


def test_boxes_that_are_all_linked_are_drawn_as_the_chain_that_says_the_same() -> None:
    found = linked(((i, j) for i in range(30) for j in range(i)), count=30)
    assert found == {(f"aws_sqs_queue.q{i}", f"aws_sqs_queue.q{i - 1}") for i in range(1, 30)}


def test_boxes_in_a_circle_stay_linked() -> None:
    found = linked(((i, j) for i in range(12) for j in range(12) if i != j), count=12)
    assert (
        {source for source, _ in found} == {target for _, target in found} == {f"aws_sqs_queue.q{i}" for i in range(12)}
    )


def test_documents_that_refer_to_each_other_are_walked_through_once() -> None:
    documents = {
        f"data.aws_x.d{i}": {"to": {"references": [*(f"data.aws_x.d{j}" for j in range(30)), f"aws_sqs_queue.q{i}"]}}
        for i in range(30)
    }
    queues = [resource(f"aws_sqs_queue.q{i}", after={"name": f"q{i}"}) for i in range(30)]
    expressions = {**documents, "aws_sqs_queue.q0": {"policy": {"references": ["data.aws_x.d0"]}}}
    found = picture(review(plan(*queues, expressions=expressions)).plans).links
    assert set(found) == {("aws_sqs_queue.q0", f"aws_sqs_queue.q{i}") for i in range(1, 30)}
