"""examples/eventbridge, applied by real Terraform: what the adapter puts on its bus, its rule hands to its function."""

from __future__ import annotations

import json
import random
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import handler
import pytest

from emulator.aws import EmulatedAws
from emulator.deployment import MIRROR, TERRAFORM
from emulator.processes import ROOT, TOOLS, base_environment
from tests.docs.test_asyncapi import MESSAGES, validator
from tests.emulator.process import Users, adapter, settings

FOLDER = ROOT / "examples" / "eventbridge"
#: The provider of the tests is from 2021 and knows no newer one.
RUNTIME = "python3.8"
BUS_EVENT = validator(MESSAGES["busEvent"]["payload"])


@pytest.fixture
def outputs(needs_provider: None, aws: EmulatedAws, tmp_path: Path) -> dict[str, str]:
    """The example, applied: its outputs."""
    folder = tmp_path / "example"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__", ".terraform*", "*.zip"))
    services = json.loads((TOOLS / "schema" / "aws-3.39.0.json").read_text())["provider"]["block"]["block_types"]
    provider = {
        "region": "eu-central-1",
        "skip_credentials_validation": True,
        "skip_metadata_api_check": True,
        "skip_region_validation": True,
        "endpoints": [dict.fromkeys(services["endpoints"]["block"]["attributes"], aws.endpoint)],
    }
    (folder / "override.tf.json").write_text(json.dumps({"provider": {"aws": [provider]}}))
    rc = folder / "terraformrc"
    rc.write_text(f"provider_installation {{\n  filesystem_mirror {{\n    path = {json.dumps(str(MIRROR))}\n  }}\n}}\n")
    environment = base_environment() | aws.environment() | {"TF_CLI_CONFIG_FILE": str(rc), "CHECKPOINT_DISABLE": "1"}

    def run(*command: str) -> str:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    for words in _commands():
        program, *arguments = shlex.split(words)
        if program == "python3":
            run(sys.executable, *arguments)
        elif arguments[0] == "apply":
            run(str(TERRAFORM), "apply", "-auto-approve", "-no-color", f"-var=runtime={RUNTIME}")
        else:
            run(str(TERRAFORM), *arguments, "-no-color")
    found = json.loads(run(str(TERRAFORM), "output", "-json"))
    return {name: output["value"] for name, output in found.items()}


def _commands() -> list[str]:
    """What README.md says to do."""
    block = (FOLDER / "README.md").read_text().split("```")[1]
    return block.splitlines()[1:]  # the first one names the language


class Capture:
    """A queue in the place of the function, as the target of the example's own rule: the emulator runs none."""

    def __init__(self, aws: EmulatedAws, bus: str) -> None:
        name = bus.rpartition("/")[2]
        rules = aws.client("events")
        (target,) = rules.list_targets_by_rule(Rule=name, EventBusName=name)["Targets"]
        assert target["Arn"].endswith(f":function:{name}")
        assert target["DeadLetterConfig"]["Arn"].endswith(f":{name}-failures")
        self._client = aws.client("sqs")
        self._url = self._client.create_queue(QueueName="capture")["QueueUrl"]
        instead = {"Id": target["Id"], "Arn": f"arn:aws:sqs:eu-central-1:{aws.account}:capture"}
        assert not rules.put_targets(Rule=name, EventBusName=name, Targets=[instead])["FailedEntryCount"]

    def events(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while messages := self._client.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages"):
            found += [json.loads(message["Body"]) for message in messages]
        return found


def change(users: Users) -> None:
    for number in range(6):
        users.create(f"user-{number}", email=f"{number}@example.com", name="Ünï & co")
    users.delete("user-5")


def change_more(users: Users) -> None:
    for number in range(4):
        users.update(f"user-{number}", email=f"new-{number}@example.com")
    users.delete("user-3")
    users.delete("user-4")
    users.create("user-4", email="another@example.com")
    users.create("user-6")


def test_its_table_equals_the_pool_in_whatever_order_the_function_is_called(
    aws: EmulatedAws, outputs: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    capture = Capture(aws, outputs["event_bus_arn"])
    other = {"Source": "x", "DetailType": "of.another.source", "Detail": "{}", "EventBusName": outputs["event_bus_arn"]}
    assert not aws.client("events").put_events(Entries=[other])["FailedEntryCount"]
    users = Users(aws)
    environment = settings(aws, users.arn, outputs["event_bus_arn"], EVENTS_INITIAL="snapshot")
    for happens in (change, change_more):
        happens(users)
        with adapter(environment, tmp_path, "run", "--once") as running:
            assert running.wait() == 0, running.err
    events = capture.events()
    assert {event["detail-type"] for event in events} == {handler.DELETED, "com.amazon.cognito-idp.sync_trigger"}
    for event in events:
        BUS_EVENT.validate({"account": aws.account, **event})  # which the emulator leaves out

    for name, value in (aws.environment() | {"TABLE": outputs["table_name"]}).items():
        monkeypatch.setenv(name, value)
    handler._client.cache_clear()
    rng = random.Random(11)
    calls = events + rng.sample(events, 6)
    rng.shuffle(calls)
    verdicts = Counter(handler.handler(event, None) for event in calls)
    assert verdicts["applied"] + verdicts["stale"] + verdicts["duplicate"] == len(calls)
    assert verdicts["stale"]
    assert verdicts["duplicate"]
    pages = aws.client("cognito-idp").get_paginator("list_users").paginate(UserPoolId=users.pool_id)
    pool = {user["Username"]: user["Attributes"] for page in pages for user in page["Users"]}
    items = handler._client().scan(TableName=outputs["table_name"], ConsistentRead=True)["Items"]
    table = {item["username"]: item["attributes"] for item in items if "username" in item}
    assert table == {name: {pair["Name"]: pair["Value"] for pair in pairs} for name, pairs in pool.items()}
    assert "@" not in json.dumps([item for item in items if "username" not in item], default=str)

    # Whoever changes after a deletion was noticed is there again.
    (gone,) = (event for event in events if event["detail"]["partitionkey"] == "user-3" and _is_deletion(event))
    data = {**gone["detail"]["data"], "UserLastModifiedDate": gone["detail"]["time"]}
    later = data | {"UserLastModifiedDate": "2100-01-01T00:00:00Z"}
    again = {**gone["detail"], "type": "com.amazon.cognito-idp.sync_trigger"}
    assert handler.handler({"detail": {**again, "id": "1", "data": data}}, None) == "stale"
    assert handler.handler({"detail": {**again, "id": "2", "data": later}}, None) == "applied"

    # What it can't store it must not swallow: Lambda tries again and then keeps the event.
    with pytest.raises(KeyError):
        handler.handler({"detail": {**events[0]["detail"], "data": {}}}, None)


def _is_deletion(event: dict[str, Any]) -> bool:
    return bool(event["detail-type"] == handler.DELETED)
