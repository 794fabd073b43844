"""The DynamoDB store on two independent emulators: the contract, the table's mistakes, failures in between."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from adapter.errors import LeaseLostError, StateError, StoreUnavailableError
from adapter.state.base import Store
from adapter.state.dynamodb import items
from adapter.state.dynamodb import store as dynamo
from adapter.state.dynamodb.requirements import TTL_ATTRIBUTE
from adapter.state.factory import open_store
from emulator.aws import EmulatedAws
from tests.support.dynalite import client, create_table, dynalite, find_dynalite, session
from tests.support.state_contract import OTHER_POOL, POOL, Opener, StateContract, all_users, known

POOL_ID = POOL.rpartition("/")[2]


@pytest.fixture(scope="session")
def dynalite_endpoint() -> Iterator[str]:
    if find_dynalite() is None:
        pytest.skip("dynalite is not installed: run `make tools`")
    with dynalite() as endpoint:
        yield endpoint


@pytest.fixture(params=["moto", "dynalite"])
def endpoint(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an emulated DynamoDB, which sessions also find by themselves."""
    if request.param == "moto":
        aws: EmulatedAws = request.getfixturevalue("aws")
        found = aws.endpoint
        # moto copies the whole table for each transaction: only the test that is about them waits for it.
        monkeypatch.setattr(dynamo, "_MANY", 10_000)
    else:
        found = request.getfixturevalue("dynalite_endpoint")
    monkeypatch.setenv("AWS_ENDPOINT_URL", found)
    return found


@pytest.fixture
def table(endpoint: str) -> str:
    """An empty table of the test's own."""
    name = f"state-{uuid.uuid4().hex}"
    create_table(endpoint, name)
    return name


@pytest.fixture
def opener(table: str) -> Iterator[Opener]:
    opened: list[Store] = []

    def open_(pool_arn: str = POOL, **options: Any) -> Store:
        url = f"dynamodb://{table}?region=eu-central-1"
        opened.append(open_store(url, pool_arn, service_session=session, **options))
        return opened[-1]

    yield open_
    for store in opened:
        store.close()


class TestDynamoContract(StateContract):
    """All of the contract."""


def _item(endpoint: str, table: str, username: str) -> dict[str, Any]:
    found = client(endpoint).get_item(TableName=table, Key=items.user_key(POOL_ID, username), ConsistentRead=True)
    item: dict[str, Any] = found["Item"]
    return item


def test_two_pools_share_a_table_without_seeing_each_other(opener: Opener) -> None:
    neighbour = POOL.replace("AbCdEfGhI", "ZyXwVuTsR")
    first, second = opener(), opener(neighbour)
    first.apply([known("anna")])
    second.apply([known("anna", revision=7), known("ben")])
    first.close()
    second.close()
    assert all_users(opener()) == {"anna": known("anna")}
    assert set(all_users(opener(neighbour))) == {"anna", "ben"}


def test_a_big_write_is_complete_with_and_without_transactions(opener: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dynamo, "_MANY", 40)
    store = opener()
    users = {f"user-{n}": known(f"user-{n}", revision=n) for n in range(230)}
    rows = store.apply(list(users.values()))
    assert [user for _, user in store.rows(rows)] == list(users.values())
    store.apply([], list(users)[:200])
    store.close()
    assert all_users(opener()) == {name: users[name] for name in list(users)[200:]}


def test_a_bucket_of_more_than_one_answer_is_read_to_its_end(opener: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    # Everybody in one bucket, and sub long enough that a few dozen users fill an answer of 1 MB.
    monkeypatch.setattr(items, "bucket_of", lambda _username: 5)
    store = opener()
    users = {f"user-{n}": known(f"user-{n}", sub="s" * 50_000) for n in range(50)}
    store.apply(list(users.values()))
    store.close()
    assert all_users(opener()) == users


def test_a_table_that_is_not_there_is_named(endpoint: str) -> None:
    del endpoint
    with pytest.raises(StateError, match="the DynamoDB table missing-table in eu-central-1 does not exist"):
        open_store("dynamodb://missing-table", POOL, service_session=session)


def test_a_table_with_other_keys_is_refused(endpoint: str) -> None:
    name = f"other-{uuid.uuid4().hex}"
    client(endpoint).create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client(endpoint).get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 100})
    with pytest.raises(StateError, match=r"its keys must be pk \(S, HASH\) and sk \(S, RANGE\)"):
        open_store(f"dynamodb://{name}", POOL, service_session=session)


def test_a_newer_layout_is_refused_before_the_lease_is_taken(endpoint: str, table: str, opener: Opener) -> None:
    opener().close()
    key = {"pk": {"S": POOL_ID}, "sk": {"S": items.META}}
    client(endpoint).update_item(
        TableName=table,
        Key=key,
        UpdateExpression="SET #s = :s",
        ExpressionAttributeNames={"#s": "schema"},
        ExpressionAttributeValues={":s": {"N": "99"}},
    )
    before = client(endpoint).scan(TableName=table)["Items"]
    with pytest.raises(StateError, match="has layout 99"):
        opener()
    assert client(endpoint).scan(TableName=table)["Items"] == before


def test_another_pools_items_stay_as_they_are(endpoint: str, table: str, opener: Opener) -> None:
    opener().close()
    before = client(endpoint).scan(TableName=table)["Items"]
    with pytest.raises(StateError, match="use another table"):
        opener(OTHER_POOL)
    assert client(endpoint).scan(TableName=table)["Items"] == before


def test_a_table_that_can_not_be_reached_is_not_called_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(dynamo, "_ATTEMPTS", 1)
    with pytest.raises(StoreUnavailableError, match="can't be reached"):
        open_store("dynamodb://table", POOL, service_session=session)


def test_a_deleted_user_leaves_a_tombstone_that_expires(endpoint: str, table: str, opener: Opener) -> None:
    store = opener()
    store.apply([known("anna")])
    store.apply([], ["anna", "never-known"])
    stone = _item(endpoint, table, "anna")
    assert set(stone) == {"pk", "sk", "f", TTL_ATTRIBUTE}
    names = {item["sk"]["S"] for item in client(endpoint).scan(TableName=table)["Items"]}
    assert names == {"anna", items.LEASE, items.META}


def test_a_writer_that_lost_its_lease_can_neither_overwrite_nor_bring_anybody_back(
    endpoint: str, table: str, opener: Opener
) -> None:
    time_ = [0.0]
    old = opener(clock=lambda: time_[0])
    old.apply([known("anna"), known("ben"), known("carl")])
    time_[0] = 1_000_000.0
    assert not old.held()
    # The next one sees the lease untouched for its whole length by its own clock.
    new = _take_over(opener)
    new.apply([known("anna", revision=4)], ["ben"])
    time_[0] = 0.0  # as if it had just asked held() when it was stopped for long
    assert old.held()
    for puts, deletes in ([known("anna", revision=5)], []), ([known("ben", revision=5)], []), ([], ["anna"]):
        with pytest.raises(LeaseLostError):
            old.apply(puts, deletes)
        assert not old.held()
    new.close()
    assert all_users(opener()) == {"anna": known("anna", revision=4), "carl": known("carl")}
    assert set(_item(endpoint, table, "ben")) >= {TTL_ATTRIBUTE}


def _take_over(opener: Opener) -> Store:
    """Open a store that somebody else holds, with a clock that makes a lease pass at every look."""
    now = [0.0]

    def pause(seconds: float) -> bool:
        now[0] += seconds
        return now[0] > 120

    return opener(clock=lambda: now[0], waiting=lambda _holder: None, pause=pause)


def test_a_group_that_fails_half_way_is_not_known_here_and_can_be_repeated(
    opener: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opener()
    store.apply([known("anna"), known("ben")])
    remote = store._client  # type: ignore[attr-defined]  # the DynamoDB store's
    put_item, calls = remote.put_item, iter(range(100))

    def sometimes(**request: Any) -> Any:
        if next(calls) == 2:
            raise ClientError({"Error": {"Code": "ProvisionedThroughputExceededException"}}, "PutItem")
        return put_item(**request)

    monkeypatch.setattr(remote, "put_item", sometimes)
    newer = [known(name, revision=4) for name in ("anna", "carl", "dora", "emil", "finn")]
    with pytest.raises(
        StoreUnavailableError, match=r"does not answer just now .ProvisionedThroughputExceededException"
    ):
        store.apply(newer, ["ben"])
    assert all_users(store) == {"anna": known("anna"), "ben": known("ben")}
    assert store.held()
    store.apply(newer, ["ben"])
    expected = {user.username: user for user in newer}
    assert all_users(store) == expected
    store.close()
    assert all_users(opener()) == expected


def test_a_folder_for_the_local_copy_that_is_not_there_is_named_before_the_lease_is_taken(
    endpoint: str, table: str, tmp_path: Path
) -> None:
    url = f"dynamodb://{table}?cache={tmp_path / 'missing'}"
    with pytest.raises(StateError, match="name a writable folder with the parameter cache="):
        open_store(url, POOL, service_session=session)
    assert client(endpoint).scan(TableName=table)["Items"] == []


def test_the_local_copy_has_no_name(table: str, tmp_path: Path) -> None:
    store = open_store(f"dynamodb://{table}?cache={tmp_path}", POOL, service_session=session)
    store.apply([known("anna")])
    assert list(tmp_path.iterdir()) == []
    assert store.count() == 1
    store.close()
