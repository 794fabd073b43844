"""What DynamoDB's errors mean to the adapter, in words that say what to mend."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ReadTimeoutError
from botocore.session import get_session

from adapter.errors import AdapterError, StateError, StoreUnavailableError
from adapter.state.dynamodb.client import FencedError, Table, make_client, translated, while_running
from adapter.state.dynamodb.items import read_lease
from adapter.state.dynamodb.requirements import ACTIONS
from tests.support.sink_server import ScriptedResponse, sink_server

TABLE = Table("users", "eu-central-1")


def _raised(error: Exception) -> AdapterError:
    with pytest.raises(AdapterError) as raised, translated(TABLE, "dynamodb:PutItem"):
        raise error
    assert str(raised.value).startswith("STATE_URL: the DynamoDB table users in eu-central-1")
    assert "\n" not in str(raised.value)
    return raised.value


def _client_error(code: str, **more: object) -> ClientError:
    # A message that quotes a key must not reach logs: keys are usernames.
    response = {"Error": {"Code": code, "Message": "of item ada.lovelace"}, **more}
    return ClientError(response, "PutItem")  # type: ignore[arg-type]  # the members that matter


def _canceled(*codes: str) -> ClientError:
    return _client_error("TransactionCanceledException", CancellationReasons=[{"Code": code} for code in codes])


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("ResourceNotFoundException", "does not exist; create it"),
        ("AccessDeniedException", "allow the role " + ", ".join(ACTIONS)),
        ("UnrecognizedClientException", "does not know the access key, or it is inactive"),
        ("InvalidSignatureException", "the secret key does not fit the access key, or this machine's clock is wrong"),
        ("ValidationException", "its keys must be pk"),
    ],
)
def test_what_a_person_must_fix_is_named_and_ends_a_start_but_not_a_running_adapter(code: str, message: str) -> None:
    error = _raised(_client_error(code))
    assert isinstance(error, StateError)
    assert message in str(error)
    assert "ada" not in str(error)
    with pytest.raises(StoreUnavailableError) as waited, while_running(), translated(TABLE, "dynamodb:PutItem"):
        raise _client_error(code)
    assert str(waited.value) == str(error)


@pytest.mark.parametrize(
    ("code", "prose", "advice"),
    [
        ("AccessDeniedException", "The ciphertext refers to a KMS key that is disabled", "its KMS key can't be used"),
        ("AccessDeniedException", "with an explicit deny in a service control policy", "a policy denies it explicitly"),
        ("ValidationException", "Item size has exceeded the maximum allowed size", "larger than the 400 KB"),
        ("KMSDisabledException", "", "its KMS key can't be used"),
        ("InaccessibleEncryptionCredentialsException", "", "its KMS key can't be used"),
        ("ExpiredTokenException", "", "the credentials ended; renew them"),
        ("ThrottlingException", "", "it is throttled"),
    ],
)
def test_the_advice_fits_the_reason(code: str, prose: str, advice: str) -> None:
    assert advice in str(_raised(ClientError({"Error": {"Code": code, "Message": prose}}, "PutItem")))


@pytest.mark.parametrize(
    "error",
    [
        _client_error("ProvisionedThroughputExceededException"),
        _client_error("RequestLimitExceeded"),
        _client_error("InternalServerError"),
        _client_error("ExpiredTokenException"),
        _canceled("None", "TransactionConflict"),
        _canceled("ThrottlingError"),
        EndpointConnectionError(endpoint_url="https://dynamodb.example"),
        ReadTimeoutError(endpoint_url="https://dynamodb.example"),
    ],
)
def test_what_passes_is_tried_again(error: Exception) -> None:
    found = _raised(error)
    assert isinstance(found, StoreUnavailableError)
    assert "ada" not in str(found)


@pytest.mark.parametrize(
    "error",
    [
        _client_error("ConditionalCheckFailedException"),
        _canceled("None", "ConditionalCheckFailed", "TransactionConflict"),
    ],
)
def test_a_condition_that_is_not_met_means_that_somebody_else_was_there(error: ClientError) -> None:
    with pytest.raises(FencedError), translated(TABLE, "dynamodb:PutItem"):
        raise error


def test_missing_credentials_are_named() -> None:
    with pytest.raises(StateError, match="no AWS credentials"), translated(TABLE, "dynamodb:GetItem"):
        raise NoCredentialsError


LEASE = {
    "pk": {"S": "eu-central-1_AbCdEfGhI"},
    "sk": {"S": "lease"},
    "f": {"N": "7"},
    "beat": {"N": "3"},
    "seconds": {"N": "30.0"},
    "released": {"BOOL": False},
    "owner": {"S": "me"},
    "host": {"S": "here"},
    "pid": {"N": "12"},
    "since": {"S": "2026-01-01T00:00:00+00:00"},
}


@pytest.mark.parametrize("member", sorted(set(LEASE) - {"pk", "sk"}))
@pytest.mark.parametrize("value", [None, {}, {"S": "x"}, {"N": "-1"}, {"N": "1E+300"}, {"NULL": True}, {"L": []}])
def test_a_lease_item_that_is_not_ours_is_one_clear_line(member: str, value: dict[str, object] | None) -> None:
    item: dict[str, Any] = {name: kept for name, kept in LEASE.items() if name != member}
    if value is not None:
        item[member] = value
    fits = (value == {"S": "x"} and member in ("owner", "host", "since")) or (
        value == {"N": "-1"} and member in ("beat", "pid")
    )
    expected: AbstractContextManager[Any] = nullcontext()
    if not fits:
        expected = pytest.raises(StateError, match=r"^[^\n]* 'lease' that this adapter did not")
    with expected:
        read_lease(item, TABLE.where)


def test_an_answer_that_never_ends_is_a_fault_that_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    raised: list[Exception] = []
    with sink_server() as server:
        server.default = ScriptedResponse(status=200, fault="drip")
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url.removesuffix("/events"))
        session = get_session()
        session.set_credentials("AKIDEXAMPLE", "example")
        client = make_client(session, TABLE.region, attempts=1, timeout_s=1, patience=1)

        def ask() -> None:
            try:
                with translated(TABLE, "dynamodb:GetItem"):
                    client.get_item(TableName=TABLE.name, Key={"pk": {"S": "a"}})
            except StoreUnavailableError as error:
                raised.append(error)

        worker = threading.Thread(target=ask, daemon=True)
        worker.start()
        worker.join(30)
        assert len(raised) == 1
        client.close()
