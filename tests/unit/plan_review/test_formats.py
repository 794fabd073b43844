"""The formats for programs and titles: JSON with its published schema, SARIF, and one line."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from plan_review import run
from plan_review.cli import main
from plan_review.render.sarif import file_uri
from tests.unit.plan_review.support import PLANS, allow, load, plan, policy, resource
from tools.docs.review_schema import FILE, rendered

CASES = sorted(path.name for path in (PLANS / "cases").glob("*.json"))
RULES = "no-destroy,no-public,no-iam-widening,no-plaintext-secret,only=x"


def shown(item: dict[str, Any], style: str, *arguments: str) -> str:
    done = CliRunner().invoke(main, ["-", "--format", style, *arguments], input=json.dumps(item).encode())
    assert done.exit_code in (0, 1), done.output
    return done.stdout


# --- what all of them show -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("style", ["text", "markdown", "html", "json"])
@pytest.mark.parametrize(
    ("case", "parts"),
    [
        ("create_fields", ("instance_type", "p5.48xlarge", "https://old", "https://new")),
        ("list_order", ("container_definitions[a].command", "delete", "order")),
        ("tags_all_only", ("only", "default_tags")),
        ("deferred", ("NOT COMPLETE", "left to a later run", "aws_security_group_rule.later")),
        ("actions_checks", ("Invokes 1 action", "FAILED", "action.aws_lambda_invoke.wipe", "wipe-database")),
        ("azure", ("Not judged: rights of 2 resources (", "azurerm_kubernetes_cluster.k")),
        ("import_identity", ("imported from",)),
        ("driftnoise", ("changed in ways that this plan doesn", "163")),
    ],
)
def test_every_format_shows_what_the_text_does(style: str, case: str, parts: tuple[str, ...]) -> None:
    text = shown(load(f"cases/{case}.json"), style)
    if style == "html":
        text = html.unescape(re.sub(r"<[^>]+>", "", text))
    elif style == "json":
        found = json.loads(text)
        text = json.dumps(found, ensure_ascii=False).replace('\\"', '"')
        parts = tuple(part for part in parts if not part.startswith("changed in ways"))
    else:
        text = text.replace("`", "")
    for part in parts:
        assert part in text


# --- the title -------------------------------------------------------------------------------------------------------


def test_the_title_says_what_matters_in_one_line() -> None:
    item = plan(
        resource("aws_iam_role_policy.p", after={"role": "app", "policy": policy(allow("s3:Get*"))}),
        resource("aws_kms_key.k", after={"description": "k"}),
        resource("aws_cloudformation_stack.s", after={"name": "s"}),
    )
    assert shown(item, "title") == "3 to add, 1 right wider, $1 more a month, 1 without a price, 1 not judged\n"


def test_the_title_of_a_plan_that_was_judged_in_every_way_says_so() -> None:
    assert shown(plan(), "title") == "no changes, no right wider, nothing public\n"
    assert shown(load("change.json"), "title", "--gate", "no-public,only=x") == (
        "no-public, only failed, 11 to add, 7 to change, 2 to replace, 4 to destroy, 1 to forget, 1 to move,"
        " 1 to import, 4 rights wider, 2 public, 2 stores at risk, 5 secrets in plaintext, $7 more a month, 1 without a"
        " price\n"
    )


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (plan(errored=True), "FAILED half way"),
        (plan(complete=False), "not complete"),
        (plan(resource("aws_cloudformation_stack.s", after={"name": "s"})), "1 not judged"),
        (load("cases/actions_checks.json"), "to invoke"),
    ],
)
def test_the_title_gives_no_all_clear_for_what_was_not_judged(item: dict[str, Any], said: str) -> None:
    title = shown(item, "title")
    assert said in title
    assert "nothing public" not in title
    assert "no right wider" not in title


@pytest.mark.parametrize("name", CASES)
def test_the_title_is_one_short_line_of_plain_words(name: str) -> None:
    title = shown(load(f"cases/{name}"), "title", "--gate", RULES)
    assert title.count("\n") == 1
    assert len(title) < 256
    assert set(title.strip()) <= set("abcdefghijklmnopqrstuvwxyzFAILED0123456789 ,-$")


# --- JSON ------------------------------------------------------------------------------------------------------------


def test_the_published_schema_is_that_of_the_code() -> None:
    assert FILE.read_text(encoding="utf-8") == rendered(), "run: python -m tools.docs.review_schema"
    jsonschema.Draft202012Validator.check_schema(json.loads(rendered()))


@pytest.mark.parametrize("name", [*(f"cases/{case}" for case in CASES), "change.json", "create.json"])
def test_the_json_of_a_review_holds_to_its_schema(name: str) -> None:
    text = shown(load(name), "json", "--gate", RULES)
    assert text.isascii()
    jsonschema.validate(json.loads(text), json.loads(rendered()))


def test_the_json_says_what_the_review_says() -> None:
    found = json.loads(shown(load("change.json"), "json", "--gate", "no-public"))
    assert found["version"] == 1
    assert found["counts"]["create"] == 11
    assert found["counts"]["import"] == 1
    (gate,) = found["gates"]
    assert gate["passed"] is False
    assert gate["breaches"][0]["where"] == "aws_security_group.adapter"
    assert {r["action"] for r in found["data_at_risk"]} == {"replace", "destroy"}
    (change,) = [c for c in found["changes"] if c["address"] == "aws_dynamodb_table.state"]
    forced = [f for f in change["fields"] if f["forces_replacement"]]
    assert [(f["path"], f["old"], f["new"]) for f in forced] == [("hash_key", '"pk"', '"pool"')]
    assert "canary" not in json.dumps(found)


# --- SARIF -----------------------------------------------------------------------------------------------------------

TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}}
#: What SARIF 2.1.0 asks for of the parts that are used, and GitHub beyond it (a file, a fingerprint, known levels).
LOG = {
    "type": "object",
    "required": ["$schema", "version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "additionalProperties": False,
                "properties": {
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "invocations": {
                        "type": "array",
                        "items": {
                            "required": ["executionSuccessful"],
                            "properties": {
                                "toolExecutionNotifications": {
                                    "items": {
                                        "required": ["message"],
                                        "properties": {"message": TEXT, "level": {"enum": ["error", "warning"]}},
                                    }
                                }
                            },
                        },
                    },
                    "tool": {
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "required": ["name", "rules"],
                                "properties": {
                                    "rules": {
                                        "uniqueItems": True,
                                        "items": {
                                            "required": ["id", "shortDescription"],
                                            "properties": {"shortDescription": TEXT},
                                        },
                                    }
                                },
                            }
                        },
                    },
                    "results": {
                        "type": "array",
                        "items": {
                            "required": ["ruleId", "ruleIndex", "message", "level", "locations", "partialFingerprints"],
                            "additionalProperties": False,
                            "properties": {
                                "ruleId": {"type": "string"},
                                "ruleIndex": {"type": "integer", "minimum": 0},
                                "level": {"enum": ["error", "warning", "note", "none"]},
                                "message": TEXT,
                                "partialFingerprints": {"additionalProperties": {"type": "string"}},
                                "suppressions": {
                                    "items": {
                                        "required": ["kind"],
                                        "properties": {
                                            "kind": {"enum": ["inSource", "external"]},
                                            "status": {"enum": ["accepted", "underReview", "rejected"]},
                                        },
                                    }
                                },
                                "locations": {
                                    "minItems": 1,
                                    "items": {
                                        "required": ["physicalLocation", "logicalLocations"],
                                        "properties": {
                                            "physicalLocation": {
                                                "required": ["artifactLocation"],
                                                "properties": {
                                                    "artifactLocation": {
                                                        "required": ["uri"],
                                                        "properties": {"uri": {"pattern": "^[\\w./%~-]+$"}},
                                                    }
                                                },
                                            }
                                        },
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}


@pytest.mark.parametrize("name", [*(f"cases/{case}" for case in CASES), "change.json"])
def test_the_sarif_of_a_review_has_the_shape_of_2_1_0(name: str) -> None:
    text = shown(load(name), "sarif", "--gate", RULES)
    assert text.isascii()
    log = json.loads(text)
    jsonschema.validate(log, LOG)
    (made,) = log["runs"]
    for result in made["results"]:
        assert made["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]


def test_sarif_has_a_result_for_all_that_breaks_a_rule_and_marks_what_was_asked_for() -> None:
    (made,) = json.loads(shown(load("change.json"), "sarif", "--gate", "no-public"))["runs"]
    levels = {(r["ruleId"], r["level"]) for r in made["results"]}
    assert ("no-public", "error") in levels
    assert ("no-destroy", "warning") in levels
    (result,) = [r for r in made["results"] if "tcp 22" in r["message"]["text"]]
    assert result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"] == "aws_security_group.adapter"
    fingerprints = [r["partialFingerprints"]["primaryLocationLineHash"] for r in made["results"]]
    assert len(set(fingerprints)) == len(fingerprints) > 10


def test_sarif_messages_hold_no_links() -> None:
    item = plan(resource('aws_sqs_queue.q["[x](https://evil.example)"]', "delete", before={"name": "q"}))
    (made,) = json.loads(shown(item, "sarif"))["runs"]
    (text,) = {r["message"]["text"] for r in made["results"] if r["ruleId"] == "no-destroy"}
    assert "\\[x\\](https://evil.example)" in text


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("-", "plan.json"),
        ("plans/a b.json", "plans/a%20b.json"),
        ("/tmp/x/plan.json", "plan.json"),
        ("../plan.json", "plan.json"),
    ],
)
def test_the_files_of_sarif_are_relative_uris(name: str, uri: str) -> None:
    assert file_uri(name) == uri


def test_several_plans_are_told_apart_by_their_files(tmp_path: Path) -> None:
    files = []
    for name in ("one", "two"):
        item = plan(resource(f"aws_sqs_queue.{name}", "delete", before={"name": "q"}))
        files.append(run.Loaded(f"{name}.json", json.dumps(item).encode()))
    (made,) = json.loads(run.run(files).render("sarif"))["runs"]
    found = {
        (
            r["locations"][0]["logicalLocations"][0]["fullyQualifiedName"],
            r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
        )
        for r in made["results"]
    }
    assert found == {("one: aws_sqs_queue.one", "one.json"), ("two: aws_sqs_queue.two", "two.json")}
