"""DynamoDB refuses a running adapter: permissions, keys and tables that go and come back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from adapter.errors import LeaseLostError, StateError, StoreUnavailableError
from adapter.state.base import Store
from adapter.state.dynamodb import store as dynamo
from adapter.state.dynamodb.items import LEASE
from adapter.state.dynamodb.requirements import ACTIONS
from adapter.state.factory import open_store
from emulator.aws import EmulatedAws
from emulator.task import free_port
from tests.emulator.process import Users, adapter, probe, settings
from tests.support import RecordingSink, wait_until
from tests.support.dynalite import client, create_table
from tests.support.dynalite import session as plain_session
from tests.support.state_contract import POOL, all_users, known

URL = "dynamodb://state?region=eu-central-1"


@dataclass
class RestrictedRole:
    """The adapter's own user: what it may do, and whether its key is active."""

    aws: EmulatedAws
    key_id: str
    secret: str

    @classmethod
    def create(cls, aws: EmulatedAws) -> RestrictedRole:
        iam = aws.client("iam")
        iam.create_user(UserName="adapter")
        key = iam.create_access_key(UserName="adapter")["AccessKey"]
        role = cls(aws, key["AccessKeyId"], key["SecretAccessKey"])
        role.allow()
        return role

    def allow(self) -> None:
        statement = {"Effect": "Allow", "Action": list(ACTIONS), "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.aws.client("iam").put_user_policy(UserName="adapter", PolicyName="state", PolicyDocument=document)

    def allow_pool(self) -> None:
        statement = {"Effect": "Allow", "Action": "cognito-idp:ListUsers", "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.aws.client("iam").put_user_policy(UserName="adapter", PolicyName="pool", PolicyDocument=document)

    def deny(self) -> None:
        self.aws.client("iam").delete_user_policy(UserName="adapter", PolicyName="state")

    def set_key(self, status: str) -> None:
        self.aws.client("iam").update_access_key(UserName="adapter", AccessKeyId=self.key_id, Status=status)

    def session(self) -> botocore.session.Session:
        made = botocore.session.Session()
        made.set_credentials(self.key_id, self.secret)
        return made


@pytest.fixture
def role(aws: EmulatedAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[RestrictedRole]:
    create_table(aws.endpoint, "state")
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint)
    monkeypatch.setattr(dynamo, "_ATTEMPTS", 1)
    made = RestrictedRole.create(aws)
    aws.enforce_iam(on=True)
    yield made
    aws.enforce_iam(on=False)


@pytest.fixture
def store(role: RestrictedRole) -> Iterator[Store]:
    opened = open_store(URL, POOL, service_session=role.session)
    opened.apply([known("anna")])
    yield opened
    opened.close()


def _is_waited_for(store: Store, message: str) -> None:
    with pytest.raises(StoreUnavailableError, match=message):
        store.apply([known("ben")], ["anna"])
    assert set(all_users(store)) == {"anna"}


def test_a_permission_that_is_taken_away_is_waited_for_and_named(role: RestrictedRole, store: Store) -> None:
    role.deny()
    _is_waited_for(store, r"refused dynamodb:PutItem \(AccessDeniedException\): allow the role dynamodb:GetItem, ")
    role.allow()
    store.apply([known("ben")], ["anna"])
    assert set(all_users(store)) == {"ben"}


def test_a_key_that_is_switched_off_is_waited_for_and_named(role: RestrictedRole, store: Store) -> None:
    role.set_key("Inactive")
    _is_waited_for(store, r"\(UnrecognizedClientException\): AWS does not know the access key, or it is inactive")
    role.set_key("Active")
    store.apply([known("ben")], ["anna"])
    assert set(all_users(store)) == {"ben"}


def test_a_permission_that_is_missing_at_the_start_ends_it(role: RestrictedRole) -> None:
    role.deny()
    with pytest.raises(StateError, match="allow the role"):
        open_store(URL, POOL, service_session=role.session)


def test_a_table_that_is_deleted_is_waited_for_and_an_empty_one_in_its_place_is_not_written_to(
    role: RestrictedRole, store: Store
) -> None:
    dynamodb: Any = client(role.aws.endpoint)
    role.aws.enforce_iam(on=False)
    dynamodb.delete_table(TableName="state")
    _is_waited_for(store, "does not exist; create it")
    create_table(role.aws.endpoint, "state")
    store._lease._until = float("-inf")  # type: ignore[attr-defined]  # as after a lease's time without an answer
    with pytest.raises(LeaseLostError, match="or the item of its lease was deleted"):
        store.apply([known("ben")])
    assert not store.held()
    assert dynamodb.scan(TableName="state")["Items"] == []


def test_an_adapter_without_its_permission_is_not_ready_and_goes_on_when_it_is_back(
    role: RestrictedRole, tmp_path: Path
) -> None:
    role.allow_pool()
    users = Users(role.aws)
    with RecordingSink.start() as sink:
        port = free_port()
        made = settings(role.aws, users.arn, sink.url, STATE_URL=URL, HEALTH_ADDRESS=f"127.0.0.1:{port}")
        made |= {"AWS_ACCESS_KEY_ID": role.key_id, "AWS_SECRET_ACCESS_KEY": role.secret}
        with adapter(made, tmp_path) as running:
            running.wait_for("baseline_done")
            role.deny()
            users.create("bob")
            (failed, *_) = running.wait_for("sweep_failed")
            assert "refused dynamodb:PutItem (AccessDeniedException): allow the role" in failed["message"]
            status, body = probe(port, "/ready")
            assert status == 503
            assert any("AccessDeniedException" in reason for reason in body["reasons"])
            assert sink.events == []  # nothing is sent that could not be noted
            role.allow()
            running.wait_for("sweep_recovered")
            wait_until(lambda: sink.events)
            wait_until(lambda: probe(port, "/ready")[0] == 204)
            assert running.terminate() == 0
    assert {event["partitionkey"] for event in sink.events} == {"bob"}


def test_an_adapter_that_waits_for_another_one_waits_for_its_permission_too(
    role: RestrictedRole, tmp_path: Path
) -> None:
    role.allow_pool()
    users = Users(role.aws)
    with RecordingSink.start() as sink:
        made = settings(role.aws, users.arn, sink.url, STATE_URL=URL, STATE_LEASE_SECONDS="2")
        own = {"AWS_ACCESS_KEY_ID": role.key_id, "AWS_SECRET_ACCESS_KEY": role.secret}
        with ExitStack() as running:
            first = running.enter_context(adapter(made, tmp_path / "one"))
            first.wait_for("baseline_done")
            second = running.enter_context(adapter(made | own, tmp_path / "two"))
            second.wait_for("waiting")
            role.deny()
            (failed, *_) = second.wait_for("sweep_failed")
            assert "AccessDeniedException" in failed["message"]
            role.allow()
            assert first.terminate() == 0
            second.wait_for("started")
            assert second.terminate() == 0


@pytest.mark.parametrize("members", [{}, {"released": {"S": "no"}}, {"text": {"S": "of another program"}}])
def test_a_lease_of_another_program_is_refused_and_stays_as_it_is(
    aws: EmulatedAws, monkeypatch: pytest.MonkeyPatch, members: dict[str, Any]
) -> None:
    create_table(aws.endpoint, "state")
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint)
    item = {"pk": {"S": POOL.rpartition("/")[2]}, "sk": {"S": LEASE}, **members}
    client(aws.endpoint).put_item(TableName="state", Item=item)
    with pytest.raises(StateError, match="has an item 'lease' that this adapter did not write; use another table"):
        open_store(URL, POOL, service_session=plain_session)
    assert client(aws.endpoint).scan(TableName="state")["Items"] == [item]
