"""What went wrong with a ListUsers request, as one of the classes of adapter.errors that say what to do about it.

The service's own message is never passed on: it can quote the filter (a username) or the token. Ours names the action,
the pool and how to mend it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from adapter.arn import PoolArn
from adapter.cognito.retry import is_throttled
from adapter.cognito.service_error import ServiceError
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
from adapter.net.failures import FaultKind, TransferError

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

ACTION: Final = "cognito-idp:ListUsers"
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
        "RequestTimeTooSkewed",
        "RequestInTheFuture",
        "AuthFailure",
    }
)
#: Those of them by which a signature is refused for its time.
CLOCK_CODES: Final = frozenset(
    {
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "RequestExpired",
        "RequestTimeTooSkewed",
        "RequestInTheFuture",
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
#: The codes of transport faults: botocore's names for them, for they are labels of metrics and fields of logs.
_TRANSPORT_CODES: Final = {
    FaultKind.DNS: "EndpointConnectionError",
    FaultKind.CONNECT: "EndpointConnectionError",
    FaultKind.PROXY: "ProxyConnectionError",
    FaultKind.TLS: "SSLError",
    FaultKind.CONNECT_TIMEOUT: "ConnectTimeoutError",
    FaultKind.TIMEOUT: "ReadTimeoutError",
    FaultKind.RESET: "ConnectionClosedError",
    FaultKind.INVALID: "ConnectionClosedError",
    FaultKind.UNSENDABLE: "HTTPClientError",
}
_HINTS: Final = {
    FaultKind.DNS: "the endpoint can't be reached: ",
    FaultKind.CONNECT: "the endpoint can't be reached: ",
    FaultKind.CONNECT_TIMEOUT: "COGNITO_CONNECT_TIMEOUT_SECONDS: ",
    FaultKind.TIMEOUT: "COGNITO_READ_TIMEOUT_SECONDS: ",
}


def unreachable(error: TransferError, pool: PoolArn) -> UnavailableError:
    """The adapter's error for a request that got no answer."""
    code = _TRANSPORT_CODES[error.kind]
    if error.kind is FaultKind.TLS:
        return UnavailableError(f"{ACTION} on {pool}: {error.reason}; behind a proxy set AWS_CA_BUNDLE", code=code)
    return UnavailableError(f"{ACTION} on {pool} failed: {_HINTS.get(error.kind, '')}{error.reason}", code=code)


def refused(error: ServiceError, pool: PoolArn, *, has_filter: bool, has_token: bool) -> CognitoError:
    """The adapter's error for an answer that is no page.

    Args:
        error: the answer.
        pool: the pool that was listed, for the message.
        has_filter: the request had a filter, so that a refused parameter may be the filter.
        has_token: the request had a PaginationToken, so that a refused parameter may be the token.
    """
    code, status = _plain(error.code, error.status), error.status
    if is_throttled(error):
        return ThrottledError(
            f"{ACTION} on {pool} was throttled: lower MAX_RPS, or ask for a higher UserList quota",
            code=code,
            retry_after_s=error.retry_after_s,
        )
    if code in CREDENTIAL_CODES:
        return CredentialsError(
            f"AWS refused the key for {ACTION} on {pool} ({code}): it is deleted, inactive, expired or mistyped, or "
            "this machine's clock is wrong; rotate the key or fix the secret",
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


def translate(error: BaseException, pool: PoolArn) -> CognitoError | None:
    """The adapter's error for what botocore raised on the way to the credentials or the endpoint.

    Returns:
        None for what is not a fault of that way (a bug, a signal).
    """
    from botocore import exceptions as botocore_errors  # botocore takes 0.2 s to import; here it was imported before
    from botocore.parsers import ResponseParserError

    if isinstance(error, botocore_errors.ClientError):
        return _credential_source(error, pool)
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
            f"the credentials for {ACTION} on {pool} can't be had: the TLS certificate of their source was refused or "
            "the handshake broke off; behind a proxy set AWS_CA_BUNDLE",
            code=name,
        )
    if isinstance(error, botocore_errors.BotoCoreError | ResponseParserError | OSError):
        return UnavailableError(f"the credentials for {ACTION} on {pool} can't be had: {name}", code=name)
    return None


def _bad_parameter(error: ServiceError, code: str, pool: PoolArn, *, has_filter: bool, has_token: bool) -> CognitoError:
    """InvalidParameterException says in prose only which parameter: believe the prose where both are possible."""
    if has_token and not (has_filter and "filter" in error.message.lower()):
        return TokenExpiredError(f"a pagination token of {pool} is no longer valid", code=code)
    if has_filter:
        return FilterRefusedError(f"{pool} refuses a filter of {ACTION}", code=code)
    return CognitoError(f"{ACTION} on {pool} was refused as invalid ({code}): check ARN and its region", code=code)


def _credential_source(error: ClientError, pool: PoolArn) -> CognitoError:
    """A call on the way to the credentials failed: sts:AssumeRole, or the secret's GetSecretValue."""
    response = error.response
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    code = _plain(str(response.get("Error", {}).get("Code", "")), status)
    operation = error.operation_name
    if is_throttled(ServiceError(status=status, code=code)):
        return ThrottledError(f"{operation} for the credentials of {pool} was throttled", code=code)
    if code in OUTAGE_CODES or status >= 500:
        return UnavailableError(f"{operation} for the credentials of {pool} failed ({code}, HTTP {status})", code=code)
    return CredentialsError(
        f"{operation} for the credentials of {pool} was refused ({code}): allow it, and check the role's trust policy",
        code=code,
    )


def _plain(code: str, status: int) -> str:
    """A code that is not a plain word came from something that is not AWS: it does not belong in logs."""
    return code if code.isalnum() and len(code) <= 64 else str(status)
