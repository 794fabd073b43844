"""Findings that somebody accepted: with a reason, until a day, and never more than that."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from plan_review.baseline import BaselineError, parse_baseline
from plan_review.cli import main
from plan_review.run import FORMATS
from tests.unit.plan_review.support import allow, load, plan, policy, resource

ENTRY = "{id: aaaaaaaaaaaaaaaa, reason: r, expires: 2027-01-01}"
TODAY = datetime.now(UTC).date()
LATER = TODAY + timedelta(days=30)
BEFORE = TODAY - timedelta(days=1)


def call(item: dict[str, Any], *arguments: str) -> Result:
    return CliRunner().invoke(
        main, ["-", *arguments], input=json.dumps(item).encode(), prog_name="python -m plan_review"
    )


def opened(*ports: int) -> dict[str, Any]:
    rule = {"cidr_blocks": ["0.0.0.0/0"], "protocol": "tcp"}
    ingress = [{**rule, "from_port": port, "to_port": port} for port in ports]
    return plan(resource("aws_security_group.web", after={"name": "web", "ingress": ingress}))


def ids(item: dict[str, Any], rule: str) -> list[str]:
    (gate,) = json.loads(call(item, "--format", "json", "--gate", rule).stdout)["gates"]
    return [breach["id"] for breach in gate["breaches"]]


def written(tmp_path: Path, *entries: tuple[str, date], name: str = "accepted.yaml") -> str:
    listed = [{"id": i, "what": "w", "reason": "the public site", "expires": day} for i, day in entries]
    path = tmp_path / name
    path.write_text(yaml.safe_dump({"accepted": listed}))
    return str(path)


def test_what_is_accepted_fails_no_gate_and_the_review_says_why(tmp_path: Path) -> None:
    item = opened(443)
    (known,) = ids(item, "no-public")
    baseline = written(tmp_path, (known, LATER))
    for style in FORMATS:
        done = call(item, "--gate", "no-public", "--baseline", baseline, "--format", style)
        assert done.exit_code == 0, style
        assert done.stderr == ""
        if style in ("text", "markdown", "html", "json", "sarif"):
            assert "the public site" in done.stdout
            assert LATER.isoformat() in done.stdout.replace("`", "")


def test_a_gate_passes_only_when_everything_that_breaks_it_is_accepted(tmp_path: Path) -> None:
    item = opened(443, 22)
    https, ssh = ids(item, "no-public")
    done = call(item, "--gate", "no-public", "--baseline", written(tmp_path, (https, LATER)))
    assert done.exit_code == 1
    assert f"[id {ssh}]" in done.stdout
    assert "FAIL gate no-public (1)" in done.stdout
    assert "accepted until" in done.stdout


def test_an_entry_that_expired_counts_again_and_is_named(tmp_path: Path) -> None:
    item = opened(443)
    (known,) = ids(item, "no-public")
    done = call(item, "--gate", "no-public", "--baseline", written(tmp_path, (known, BEFORE)))
    assert done.exit_code == 1
    note = f"baseline: {known} (w) has expired on {BEFORE}: it counts again"
    assert note in done.stdout
    assert f"plan_review: {note}" in done.stderr


def test_an_entry_holds_on_its_last_day(tmp_path: Path) -> None:
    item = opened(443)
    (known,) = ids(item, "no-public")
    data = Path(written(tmp_path, (known, LATER))).read_bytes()
    assert known in parse_baseline(data, LATER).valid
    assert known not in parse_baseline(data, LATER + timedelta(days=1)).valid


def test_an_entry_that_nothing_needs_is_named_and_one_for_a_gate_that_was_not_asked_is_not(tmp_path: Path) -> None:
    item = opened(443)
    (known,) = ids(item, "no-public")
    stale = "0" * 16
    done = call(item, "--gate", "no-destroy", "--baseline", written(tmp_path, (known, LATER), (stale, LATER)))
    assert done.exit_code == 0
    assert done.stderr == f"plan_review: baseline: {stale} (w) accepts nothing in this plan\n"


def test_what_goes_further_is_not_what_was_accepted(tmp_path: Path) -> None:
    def role(action: str, name: str = "app") -> dict[str, Any]:
        return plan(resource("aws_iam_role_policy.p", after={"role": name, "policy": policy(allow(action))}))

    (known,) = ids(role("s3:GetObject"), "no-iam-widening")
    baseline = written(tmp_path, (known, LATER))
    assert call(role("s3:GetObject"), "--gate", "no-iam-widening", "--baseline", baseline).exit_code == 0
    assert call(role("s3:*"), "--gate", "no-iam-widening", "--baseline", baseline).exit_code == 1
    assert call(role("s3:GetObject", "other"), "--gate", "no-iam-widening", "--baseline", baseline).exit_code == 1


def test_more_objects_that_are_not_judged_are_not_what_was_accepted(tmp_path: Path) -> None:
    one = resource("aws_cloudformation_stack.a", after={"name": "a"})
    item = plan(one, resource("aws_cloudformation_stack.b", after={"name": "b"}))
    baseline = written(tmp_path, *((i, LATER) for i in ids(item, "no-public")))
    assert call(item, "--gate", "no-public", "--baseline", baseline).exit_code == 0
    other = plan(one, resource("aws_cloudformation_stack.c", after={"name": "c"}))
    assert call(other, "--gate", "no-public", "--baseline", baseline).exit_code == 1


def test_what_is_accepted_while_new_is_accepted_once_it_is_there(tmp_path: Path) -> None:
    item = opened(443)
    (known,) = ids(item, "no-public")
    kept = opened(443)
    (change,) = kept["resource_changes"]
    change["change"].update(actions=["no-op"], before=change["change"]["after"])
    assert ids(kept, "no-public") == [known]


def test_a_plan_that_failed_half_way_can_not_be_accepted(tmp_path: Path) -> None:
    assert ids(plan(errored=True), "no-destroy") == [""]
    target = tmp_path / "new.yaml"
    assert call(plan(errored=True), "--gate", "no-destroy", "--write-baseline", str(target)).exit_code == 1
    assert yaml.safe_load(target.read_text()) == {"accepted": []}


def test_a_written_baseline_needs_reasons_before_it_accepts_anything(tmp_path: Path) -> None:
    target = tmp_path / "new.yaml"
    item = load("cases/hostile.json")
    rules = ["--gate", "no-public,no-destroy,no-iam-widening,no-plaintext-secret,only=x"]
    assert call(item, *rules, "--write-baseline", str(target)).exit_code == 1
    done = call(item, *rules, "--baseline", str(target))
    assert done.exit_code == 2
    assert done.stderr.endswith("new.yaml: accepted[0].reason: is empty; say in a sentence why this is accepted\n")
    target.write_text(target.read_text().replace('reason: ""', "reason: known"))
    assert call(item, *rules, "--baseline", str(target)).exit_code == 0


def test_an_existing_file_is_not_written_over(tmp_path: Path) -> None:
    target = tmp_path / "new.yaml"
    target.write_text("mine")
    done = call(opened(443), "--gate", "no-public", "--write-baseline", str(target))
    assert done.exit_code == 2
    assert "new.yaml: File exists" in done.stderr
    assert target.read_text() == "mine"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected one key, `accepted`"),
        ("[]", "expected one key, `accepted`"),
        ("accepted: {}", "expected one key, `accepted`"),
        ("accepted: []\nignored: []", "expected one key, `accepted`"),
        ("accepted: [", "line 1: not YAML"),
        ("accepted: !!python/object:os.system []", "not YAML"),
        ("accepted: [x]", "accepted[0]: expected an entry"),
        ("accepted: [{id: 1234567890123456, reason: r, expires: 2027-01-01}]", "accepted[0].id: expected the 16"),
        ("accepted: [{id: '12', reason: r, expires: 2027-01-01}]", "accepted[0].id: expected the 16"),
        ("accepted: [{id: aaaaaaaaaaaaaaaa, expires: 2027-01-01}]", "accepted[0].reason: is empty"),
        ("accepted: [{id: aaaaaaaaaaaaaaaa, reason: ' ', expires: 2027-01-01}]", "accepted[0].reason: is empty"),
        ("accepted: [{id: aaaaaaaaaaaaaaaa, reason: r}]", "accepted[0].expires: expected a day"),
        ("accepted: [{id: aaaaaaaaaaaaaaaa, reason: r, expires: never}]", "accepted[0].expires: expected a day"),
        ("accepted: [{id: aaaaaaaaaaaaaaaa, reason: r, expires: '2027-02-30'}]", "2027-02-30 is no day"),
        ("accepted: [{id: aaaaaaaaaaaaaaaa, reason: r, expires: 2027-01-01, until: x}]", "unknown key 'until'"),
        (f"accepted: [{ENTRY}, {ENTRY}]", "accepted[1].id: aaaaaaaaaaaaaaaa stands in the file twice"),
    ],
)
def test_a_bad_file_is_one_line_and_exit_code_2(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "accepted.yaml"
    path.write_text(text)
    done = call(opened(443), "--gate", "no-public", "--baseline", str(path))
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert f"accepted.yaml: {said}" in done.stderr or said in done.stderr


def test_a_file_that_is_not_there_is_exit_code_2() -> None:
    done = call(opened(443), "--baseline", "no/such.yaml")
    assert done.exit_code == 2
    assert done.stderr == "plan_review: no/such.yaml: No such file or directory\n"


@settings(max_examples=200)
@given(st.one_of(st.binary(max_size=200), st.text(st.characters(codec="utf-8"), max_size=200).map(str.encode)))
def test_whatever_the_file_holds_it_is_a_baseline_or_one_line(data: bytes) -> None:
    said = ""
    try:
        parse_baseline(data, TODAY)
    except BaselineError as error:
        said = str(error)
    assert "\n" not in said
