"""Every error of ListUsers, and what the adapter calls it."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from adapter import errors
from adapter.arn import parse_pool_arn
from adapter.cognito.errors import refused, translate, unreachable
from adapter.cognito.service_error import ServiceError
from adapter.net.failures import FaultKind, TransferError

POOL = parse_pool_arn("arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_AbCdEfGhI")
URL = "https://cognito-idp.eu-central-1.amazonaws.com/?canary"


def client_error(code: str, status: int = 400, *, operation: str) -> Exception:
    answer: Any = {"Error": {"Code": code, "Message": "canary"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return boto.ClientError(answer, operation)


def service_error(code: str, status: int = 400, *, message: str = "canary") -> ServiceError:
    return ServiceError(status=status, code=code, message=message, retry_after_s=7.0)


def translated(
    error: ServiceError | BaseException, *, has_filter: bool = False, has_token: bool = False
) -> errors.CognitoError:
    found: errors.CognitoError | None
    if isinstance(error, ServiceError):
        found = refused(error, POOL, has_filter=has_filter, has_token=has_token)
    elif isinstance(error, TransferError):
        found = unreachable(error, POOL)
    else:
        found = translate(error, POOL)
    assert found is not None
    assert "canary" not in str(found)
    assert "\n" not in str(found)
    return found


MODELLED = {
    "InvalidParameterException": (errors.CognitoError, "check ARN"),
    "ResourceNotFoundException": (errors.PoolNotFoundError, "eu-central-1_AbCdEfGhI in eu-central-1 of account 123456"),
    "TooManyRequestsException": (errors.ThrottledError, "lower MAX_RPS"),
    "NotAuthorizedException": (errors.AccessDeniedError, "cognito-idp:ListUsers: allow it on arn:aws:cognito-idp"),
    "OperationNotEnabledException": (errors.CognitoError, "replica in eu-central-1 is not active"),
    "InternalErrorException": (errors.UnavailableError, "inside Cognito"),
}


def test_every_error_that_the_service_models_has_a_row_here() -> None:
    operation = botocore.session.Session().get_service_model("cognito-idp").operation_model("ListUsers")
    assert {shape.name for shape in operation.error_shapes} == set(MODELLED)


@pytest.mark.parametrize("code", MODELLED)
def test_a_modelled_error_says_what_to_do(code: str) -> None:
    kind, says = MODELLED[code]
    found = translated(service_error(code, 500 if code == "InternalErrorException" else 400))
    assert type(found) is kind
    assert found.code == code
    assert says in str(found)


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("UnrecognizedClientException", 400, errors.CredentialsError),
        ("InvalidSignatureException", 400, errors.CredentialsError),
        ("ExpiredTokenException", 400, errors.CredentialsError),
        ("MissingAuthenticationTokenException", 400, errors.CredentialsError),
        ("AccessDeniedException", 400, errors.AccessDeniedError),
        ("ThrottlingException", 400, errors.ThrottledError),
        ("429", 429, errors.ThrottledError),
        ("AnythingAtAll", 429, errors.ThrottledError),
        ("500", 500, errors.UnavailableError),
        ("503", 503, errors.UnavailableError),
        ("ServiceUnavailable", 503, errors.UnavailableError),
        ("AnythingAtAll", 502, errors.UnavailableError),
        ("", 504, errors.UnavailableError),
        ("InvalidToken", 400, errors.TokenExpiredError),
        ("AnythingAtAll", 400, errors.CognitoError),
        ("canary with spaces and a body", 400, errors.CognitoError),
    ],
)
def test_an_error_code_becomes_what_can_be_done_about_it(
    code: str, status: int, kind: type[errors.CognitoError]
) -> None:
    assert type(translated(service_error(code, status))) is kind


def test_a_throttled_answer_hands_on_retry_after() -> None:
    found = translated(service_error("TooManyRequestsException"))
    assert isinstance(found, errors.ThrottledError)
    assert found.retry_after_s == 7


@pytest.mark.parametrize(
    ("has_filter", "has_token", "message", "kind"),
    [
        (False, False, "canary", errors.CognitoError),
        (False, True, "canary", errors.TokenExpiredError),
        (True, False, "canary", errors.FilterRefusedError),
        (True, True, "Invalid pagination token: canary", errors.TokenExpiredError),
        (True, True, "Error while parsing filter: canary", errors.FilterRefusedError),
    ],
)
def test_an_invalid_parameter_is_the_token_or_the_filter(
    *, has_filter: bool, has_token: bool, message: str, kind: type[errors.CognitoError]
) -> None:
    error = service_error("InvalidParameterException", message=message)
    assert type(translated(error, has_filter=has_filter, has_token=has_token)) is kind


@pytest.mark.parametrize(
    ("kind", "code", "says"),
    [
        (FaultKind.CONNECT_TIMEOUT, "ConnectTimeoutError", "COGNITO_CONNECT_TIMEOUT_SECONDS"),
        (FaultKind.TIMEOUT, "ReadTimeoutError", "COGNITO_READ_TIMEOUT_SECONDS"),
        (FaultKind.DNS, "EndpointConnectionError", "can't be reached"),
        (FaultKind.CONNECT, "EndpointConnectionError", "can't be reached"),
        (FaultKind.RESET, "ConnectionClosedError", "why"),
        (FaultKind.INVALID, "ConnectionClosedError", "why"),
        (FaultKind.PROXY, "ProxyConnectionError", "why"),
        (FaultKind.TLS, "SSLError", "why; behind a proxy set AWS_CA_BUNDLE"),
        (FaultKind.UNSENDABLE, "HTTPClientError", "why"),
    ],
)
def test_a_fault_on_the_way_passes(kind: FaultKind, code: str, says: str) -> None:
    found = translated(TransferError(kind, "why"))
    assert type(found) is errors.UnavailableError
    assert found.code == code
    assert says in str(found)


@pytest.mark.parametrize(
    "error",
    [
        boto.ConnectTimeoutError(endpoint_url=URL),
        boto.ProxyConnectionError(proxy_url="http://canary@proxy"),
        boto.SSLError(endpoint_url=URL, error=OSError("canary")),
        boto.HTTPClientError(error="canary"),
        boto.UnknownRegionError(region_name="canary", error_msg="canary"),
        ResponseParserError("canary"),
        ConnectionResetError("canary"),
    ],
)
def test_a_fault_on_the_way_to_the_credentials_passes(error: Exception) -> None:
    found = translated(error)
    assert type(found) is errors.UnavailableError
    assert found.code == type(error).__name__
    assert ("AWS_CA_BUNDLE" in str(found)) == isinstance(error, boto.SSLError)


@pytest.mark.parametrize(
    "error",
    [
        boto.NoCredentialsError(),
        boto.PartialCredentialsError(provider="env", cred_var="canary"),
        boto.CredentialRetrievalError(provider="role", error_msg="canary"),
        client_error("AccessDenied", 403, operation="AssumeRole"),
        client_error("ResourceNotFoundException", operation="GetSecretValue"),
    ],
)
def test_credentials_that_can_not_be_had_are_an_error_of_the_credentials(error: Exception) -> None:
    assert type(translated(error)) is errors.CredentialsError


def test_a_source_of_credentials_that_is_down_is_a_passing_fault() -> None:
    assert type(translated(client_error("InternalFailure", 500, operation="AssumeRole"))) is errors.UnavailableError
    assert type(translated(client_error("Throttling", operation="AssumeRole"))) is errors.ThrottledError


def test_what_is_not_a_fault_of_the_request_is_not_translated() -> None:
    assert translate(KeyError("bug"), POOL) is None
