"""Requests to DynamoDB, and what their failures mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError, PartialCredentialsError

from adapter.errors import StoreRefusedError, StoreUnavailableError
from adapter.net.aws_transport import AwsTransport
from adapter.net.origin import Limits
from adapter.state.dynamodb.items import Item
from adapter.state.dynamodb.requirements import ACTIONS

if TYPE_CHECKING:
    from botocore.session import Session
    from mypy_boto3_dynamodb import DynamoDBClient

#: Requests in flight at most.
CONNECTIONS: Final = 32
#: An answer has 16 MB at most (BatchGetItem), and JSON may write a byte of it in six.
_ANSWER_MAX_BYTES: Final = 128 * 1024 * 1024

_CONDITION_FAILED: Final = "ConditionalCheckFailedException"
_CANCELED: Final = "TransactionCanceledException"
#: What AWS calls a key that it does not know, a signature that does not fit, and credentials that ended
#: (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html).
_UNKNOWN_KEY: Final = frozenset(
    {
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "InvalidAccessKeyId",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
    }
)
_BAD_SIGNATURE: Final = frozenset(
    {
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "RequestTimeTooSkewed",
    }
)
_EXPIRED: Final = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
_THROTTLED: Final = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ProvisionedThroughputExceeded",
        "RequestLimitExceeded",
        "ThrottlingException",
        "ThrottlingError",
        "Throttling",
    }
)
_ACTIONS: Final = ", ".join(ACTIONS)
_KMS: Final = "its KMS key can't be used; enable the key, and allow the role to use it (kms:Decrypt)"


#: What helps against faults that pass.
_ADVICE: Final = {
    **dict.fromkeys(_EXPIRED, ": the credentials ended; renew them"),
    **dict.fromkeys(_THROTTLED, ": it is throttled; use on-demand capacity, or more of it"),
    "InaccessibleEncryptionCredentialsException": f": {_KMS}",
    "KMSAccessDeniedException": f": {_KMS}",
    "KMSDisabledException": f": {_KMS}",
    "KMSInvalidStateException": f": {_KMS}",
    "KMSNotFoundException": f": {_KMS}",
}


class FencedError(Exception):
    """A conditional write was refused: somebody with a higher fence, or another owner, was there."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table in a region: where requests go. `where` names it in messages."""

    name: str
    region: str

    @property
    def where(self) -> str:
        """For messages."""
        return f"the DynamoDB table {self.name} in {self.region}"


def make_client(
    session: Session, region: str, *, attempts: int, timeout_s: float, connections: int = 1, patience: int = 3
) -> DynamoDBClient:
    """A client for one region; `attempts` counts the first one too.

    `timeout_s` is for the next bytes of an answer, `patience` times as much for all of it.
    """
    config = Config(
        max_pool_connections=connections,
        connect_timeout=timeout_s,
        read_timeout=timeout_s,
        retries={"mode": "standard", "total_max_attempts": attempts},
        # Every request is built from constants and checked values; the check would double the time of a small request.
        parameter_validation=False,
    )
    client = cast("DynamoDBClient", session.create_client("dynamodb", region_name=region, config=config))
    limits = Limits(
        total_s=patience * timeout_s,
        connect_s=timeout_s,
        silence_s=timeout_s,
        body_bytes=_ANSWER_MAX_BYTES,
        idle=connections,
    )
    AwsTransport(session, limits).register(client)
    return client


def keep_answers_raw(client: DynamoDBClient) -> None:
    """Give the answers of Query as their JSON in the member `Raw`: botocore's parser takes 20 times as long."""

    def before_parse(
        response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_context: object
    ) -> None:
        if response_dict["status_code"] == 200:
            customized_response_dict["Raw"] = response_dict["body"]
            response_dict["body"] = b"{}"

    client.meta.events.register("before-parse.dynamodb.Query", before_parse)


@contextmanager
def translated(table: Table, action: str) -> Iterator[None]:
    """Turn botocore's errors into the adapter's. `action` is the IAM name of what is tried.

    Raises:
        FencedError: the condition of a write was not met.
        StoreRefusedError: no table, no permission, no credentials: a person must mend it.
        StoreUnavailableError: everything else: try again.
    """
    try:
        yield
    except ClientError as error:
        raise _meaning(error, table, action) from None  # its message may quote an item: usernames
    except (NoCredentialsError, PartialCredentialsError, NoRegionError) as error:
        raise StoreRefusedError(
            f"STATE_URL: there are no AWS credentials for {table.where}; give the task a role, or the process a key"
        ) from error
    except BotoCoreError as error:
        raise StoreUnavailableError(f"STATE_URL: {table.where} can't be reached ({type(error).__name__})") from error


def _meaning(error: ClientError, table: Table, action: str) -> Exception:
    code = str(error.response.get("Error", {}).get("Code", "unknown"))
    if code == _CONDITION_FAILED:
        return FencedError()
    if code == _CANCELED:
        reasons = [reason.get("Code") for reason in error.response.get("CancellationReasons", [])]
        if "ConditionalCheckFailed" in reasons:
            return FencedError()
        code = next((str(reason) for reason in reasons if reason not in (None, "None")), code)
    fault = _fault_of_access(code, str(error.response.get("Error", {}).get("Message", "")))
    if fault is not None:
        return StoreRefusedError(f"STATE_URL: {table.where} refused {action} ({code}): {fault}")
    if code == "ResourceNotFoundException":
        return StoreRefusedError(
            f"STATE_URL: {table.where} does not exist; create it (docs/state.md) or name another one"
        )
    return StoreUnavailableError(f"STATE_URL: {table.where} does not answer just now ({code}){_ADVICE.get(code, '')}")


def _fault_of_access(code: str, prose: str) -> str | None:
    """What a person must fix, and how; None: nothing. The prose is only searched: it may quote an item."""
    if code in _UNKNOWN_KEY:
        return "AWS does not know the access key, or it is inactive; give the process a key or role that works"
    if code in _BAD_SIGNATURE:
        return "the secret key does not fit the access key, or this machine's clock is wrong; correct them"
    if code == "AccessDeniedException":
        if "kms" in prose.lower():
            return _KMS
        if "explicit deny" in prose.lower():
            return f"a policy denies it explicitly (of the role, a boundary, an SCP or the table); it needs {_ACTIONS}"
        return f"allow the role {_ACTIONS} on it"
    if code == "ValidationException":
        if "item size" in prose.lower():
            return "an item is larger than the 400 KB that DynamoDB takes"
        return "its keys must be pk (S, HASH) and sk (S, RANGE)"
    return None


@contextmanager
def while_running() -> Iterator[None]:
    """What ends the adapter at its start is waited for once it runs: a permission or a table can come back.

    Raises:
        StoreUnavailableError: instead of StoreRefusedError.
    """
    try:
        yield
    except StoreRefusedError as error:
        raise StoreUnavailableError(str(error)) from error


def get(client: DynamoDBClient, table: Table, key: Item) -> Item | None:
    """One item as it is now (a consistent read), or None."""
    with translated(table, "dynamodb:GetItem"):
        answer: Mapping[str, Any] = client.get_item(TableName=table.name, Key=key, ConsistentRead=True)
    return answer.get("Item")


def fenced_put(table: Table, item: Item) -> dict[str, Any]:
    """The members of a PutItem (or of a Put in a transaction) that refuses to write over a higher fence."""
    return {
        "TableName": table.name,
        "Item": item,
        "ConditionExpression": "attribute_not_exists(f) OR f <= :f",
        "ExpressionAttributeValues": {":f": item["f"]},
    }
