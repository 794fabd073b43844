"""What DynamoDB's errors mean to the adapter, in words that say what to mend."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ReadTimeoutError

from adapter.errors import AdapterError, StateError, StoreUnavailableError
from adapter.state.dynamo_client import FencedError, Table, translated
from adapter.state.requirements import ACTIONS

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
        ("UnrecognizedClientException", "refused dynamodb:PutItem"),
        ("ValidationException", "its keys must be pk"),
    ],
)
def test_what_a_person_must_mend_is_named(code: str, message: str) -> None:
    error = _raised(_client_error(code))
    assert isinstance(error, StateError)
    assert message in str(error)
    assert "ada" not in str(error)


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
