"""What went wrong with a ListUsers request, as one of the classes of adapter.errors that say what to do about it.

The service's own message is never passed on: it can quote the filter (a username) or the token. Ours names the action,
the pool and how to mend it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from botocore import exceptions as botocore_errors
from botocore.parsers import ResponseParserError

from adapter.arn import PoolArn
from adapter.errors import (
    AccessDeniedError,
    CognitoError,
    CredentialsError,
    FilterRefusedError,
    PoolNotFoundError,
    ThrottledError,
    TokenExpiredError,
    UnavailableError,
)

ACTION: Final = "cognito-idp:ListUsers"
#: Codes that ask to slow down. ListUsers models TooManyRequestsException; gateways in front of it use the others.
THROTTLING_CODES: Final = frozenset(
    {
        "TooManyRequestsException",
        "ThrottlingException",
        "Throttling",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestLimitExceeded",
        "LimitExceededException",
        "SlowDown",
        "429",
    }
)
#: Codes of the signature check: https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/CommonErrors.html
CREDENTIAL_CODES: Final = frozenset(
    {
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "InvalidAccessKeyId",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "ExpiredToken",
        "ExpiredTokenException",
        "RequestExpired",
        "AuthFailure",
    }
)
DENIED_CODES: Final = frozenset(
    {"AccessDeniedException", "AccessDenied", "NotAuthorizedException", "UnauthorizedOperation"}
)
#: moto's name for a token that no longer points at a user; Cognito answers InvalidParameterException.
TOKEN_CODES: Final = frozenset({"InvalidToken", "InvalidPaginationTokenException", "ExpiredPaginationToken"})
BAD_PARAMETER_CODES: Final = frozenset({"InvalidParameterException", "InvalidParameterValue", "ValidationException"})
OUTAGE_CODES: Final = frozenset(
    {
        "InternalErrorException",
        "InternalFailure",
        "InternalServerError",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "RequestTimeout",
        "RequestTimeoutException",
    }
)
#: The header's longest value that is believed, in seconds.
_RETRY_AFTER_LIMIT_S: Final = 3600.0


def translate(error: BaseException, pool: PoolArn, *, has_filter: bool, has_token: bool) -> CognitoError | None:
    """The adapter's error for what botocore raised; None for what is not a fault of the request (a bug, a signal).

    Args:
        error: raised by a botocore client's ListUsers, or on the way to its credentials.
        pool: the pool that was listed, for the message.
        has_filter: the request had a filter, so that a refused parameter may be the filter.
        has_token: the request had a PaginationToken, so that a refused parameter may be the token.
    """
    if isinstance(error, botocore_errors.ClientError):
        if error.operation_name != "ListUsers":
            return _credential_source(error, pool)
        return _answer(error, pool, has_filter=has_filter, has_token=has_token)
    name = type(error).__name__
    if isinstance(
        error,
        botocore_errors.NoCredentialsError
        | botocore_errors.PartialCredentialsError
        | botocore_errors.CredentialRetrievalError
        | botocore_errors.ProfileNotFound
        | botocore_errors.TokenRetrievalError
        | botocore_errors.UnauthorizedSSOTokenError
        | botocore_errors.NoAuthTokenError,
    ):
        return CredentialsError(
            f"no usable AWS credentials for {ACTION} on {pool} ({name}): set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, CREDENTIALS_SECRET_ARN, or run with a role",
            code=name,
        )
    if isinstance(error, botocore_errors.SSLError):
        return UnavailableError(
            f"{ACTION} on {pool}: the TLS certificate of the endpoint was refused or the handshake broke off; "
            "behind a proxy set AWS_CA_BUNDLE",
            code=name,
        )
    if isinstance(error, botocore_errors.BotoCoreError | ResponseParserError | OSError):
        return UnavailableError(f"{ACTION} on {pool} failed: {_fault(error)}", code=name)
    return None


def retry_after_s(parsed: Mapping[str, Any]) -> float | None:
    """The Retry-After header of a parsed answer in seconds, if it is a number of seconds."""
    value = parsed.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("retry-after")
    try:
        seconds = float(value) if value is not None else None
    except ValueError:
        return None
    return seconds if seconds is not None and 0 <= seconds <= _RETRY_AFTER_LIMIT_S else None


def _answer(error: botocore_errors.ClientError, pool: PoolArn, *, has_filter: bool, has_token: bool) -> CognitoError:
    code, status = _code_and_status(error)
    if code in THROTTLING_CODES or status == 429:
        return ThrottledError(
            f"{ACTION} on {pool} was throttled: lower MAX_RPS, or ask for a higher UserList quota",
            code=code,
            retry_after_s=retry_after_s(error.response),
        )
    if code in CREDENTIAL_CODES:
        return CredentialsError(
            f"AWS refused the key for {ACTION} on {pool} ({code}): it is deleted, inactive, expired or mistyped, or "
            "this machine's clock is wrong; rotate the key or mend the secret",
            code=code,
        )
    if code in DENIED_CODES:
        return AccessDeniedError(f"the key may not call {ACTION}: allow it on {pool} ({code})", code=code)
    if code == "ResourceNotFoundException":
        return PoolNotFoundError(
            f"there is no user pool {pool.pool_id} in {pool.region} of account {pool.account}: check ARN", code=code
        )
    if code == "OperationNotEnabledException":
        return CognitoError(
            f"{ACTION} is not enabled for {pool} ({code}): the pool's replica in {pool.region} is not active, or its "
            "settings don't allow it. Activate it (aws cognito-idp update-user-pool-replica --status ACTIVE), or set "
            f"ARN to the pool in its first region, {pool.home_region}",
            code=code,
        )
    if code in TOKEN_CODES:
        return TokenExpiredError(f"a pagination token of {pool} is no longer valid", code=code)
    if code in BAD_PARAMETER_CODES:
        return _bad_parameter(error, code, pool, has_filter=has_filter, has_token=has_token)
    if code in OUTAGE_CODES or status >= 500:
        return UnavailableError(f"{ACTION} on {pool} failed inside Cognito ({code}, HTTP {status})", code=code)
    return CognitoError(f"{ACTION} on {pool} failed with {code} (HTTP {status})", code=code)


def _bad_parameter(
    error: botocore_errors.ClientError, code: str, pool: PoolArn, *, has_filter: bool, has_token: bool
) -> CognitoError:
    """InvalidParameterException says in prose only which parameter: believe the prose where both are possible."""
    prose = str(error.response.get("Error", {}).get("Message", "")).lower()
    if has_token and not (has_filter and "filter" in prose):
        return TokenExpiredError(f"a pagination token of {pool} is no longer valid", code=code)
    if has_filter:
        return FilterRefusedError(f"{pool} refuses a filter of {ACTION}", code=code)
    return CognitoError(f"{ACTION} on {pool} was refused as invalid ({code}): check ARN and its region", code=code)


def _credential_source(error: botocore_errors.ClientError, pool: PoolArn) -> CognitoError:
    """A call on the way to the credentials failed: sts:AssumeRole, or the secret's GetSecretValue."""
    code, status = _code_and_status(error)
    operation = error.operation_name
    if code in THROTTLING_CODES or status == 429:
        return ThrottledError(f"{operation} for the credentials of {pool} was throttled", code=code)
    if code in OUTAGE_CODES or status >= 500:
        return UnavailableError(f"{operation} for the credentials of {pool} failed ({code}, HTTP {status})", code=code)
    return CredentialsError(
        f"{operation} for the credentials of {pool} was refused ({code}): allow it, and check the role's trust policy",
        code=code,
    )


def _code_and_status(error: botocore_errors.ClientError) -> tuple[str, int]:
    response = error.response
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    code = str(response.get("Error", {}).get("Code", "") or status)
    # A code that is not a plain word came from something that is not AWS: it does not belong in logs.
    return (code if code.isalnum() and len(code) <= 64 else str(status)), status


def _fault(error: BaseException) -> str:
    """One line about a transport fault, without URLs' query strings or data."""
    if isinstance(error, botocore_errors.ConnectTimeoutError):
        return "no connection in time (COGNITO_CONNECT_TIMEOUT_SECONDS)"
    if isinstance(error, botocore_errors.ReadTimeoutError):
        return "no answer in time (COGNITO_READ_TIMEOUT_SECONDS)"
    if isinstance(error, botocore_errors.EndpointConnectionError):
        return "the endpoint can't be reached"
    if isinstance(error, botocore_errors.ProxyConnectionError):
        return "the proxy can't be reached"
    if isinstance(error, botocore_errors.ConnectionClosedError):
        return "the connection was closed before the answer"
    return type(error).__name__
