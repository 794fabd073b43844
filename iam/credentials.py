"""What to do when the caller's own credentials are the problem: one sentence, with the command that helps. Pure.

Names of exceptions: botocore.exceptions. AWS's codes:
https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: No credentials can be had before somebody signs in again.
_SIGN_IN = frozenset(
    {
        *("SSOError", "SSOTokenLoadError", "UnauthorizedSSOTokenError", "TokenRetrievalError"),
        *("LoginError", "LoginRefreshRequired", "LoginTokenLoadError", "LoginAuthorizationCodeError"),
    }
)
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"})
_CLOCK = frozenset({"RequestExpired", "RequestTimeTooSkewed", "RequestInTheFuture"})
_UNKNOWN_KEY = frozenset({"InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "AuthFailure"})
_SIGNATURE = frozenset({"SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature"})
#: getpass warns when there is no terminal, and finds the end of standard input.
_NO_TERMINAL = frozenset({"GetPassWarning", "EOFError"})
_CHAIN_MAX = 10

Profiles = Mapping[str, Mapping[str, Any]]


def advice(code: str, message: str, profile: str | None, profiles: Profiles) -> str:
    """What is wrong with the caller's credentials and what helps; empty when they are not the problem.

    Args:
        code: AWS's error code, or the name of botocore's exception.
        message: AWS's sentence; it is only looked at.
        profile: the profile in use, None for the default one.
        profiles: the AWS configuration.
    """
    sign_in = _sign_in(profile, profiles)
    skewed = "signature expired" in message.lower() or "signature not yet current" in message.lower()
    if code in _SIGN_IN:
        return f"not signed in, or the sign-in has expired: {sign_in or _login('sso login', profile)}"
    if code in _CLOCK or (code in _SIGNATURE and skewed):
        return "AWS finds the time of the request wrong: set the clock of this machine"
    if code in _EXPIRED:
        return f"the credentials have expired: {sign_in or 'get new ones (a new session, or new AWS_* variables)'}"
    if code == "NoCredentialsError":
        return (
            f"no AWS credentials were found: {sign_in or 'run `aws configure sso` or `aws configure`'},"
            " choose a profile with --profile, or set the AWS_* variables"
        )
    if code == "PartialCredentialsError":
        return (
            "one half of the AWS credentials is missing: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY,"
            " in the variables or in the profile"
        )
    if code in _NO_TERMINAL:
        return (
            "the profile asks for an MFA code, and there is no terminal to ask on: run the command in a terminal,"
            " or with the variables of a session that `aws sts get-session-token --serial-number ... --token-code ...`"
            " gives"
        )
    if code == "RefreshWithMFAUnsupportedError":
        return "the session with MFA has ended: run the command again and give a new MFA code"
    if code in _UNKNOWN_KEY:
        return (
            "AWS does not accept the access key of the caller: it was deleted or deactivated, or is one of another"
            " partition, or the region is not enabled; `aws sts get-caller-identity` tries it"
        )
    if code in _SIGNATURE:
        return (
            "the caller's secret access key does not belong to its access key id: correct the variables or the profile"
        )
    if code == "CredentialRetrievalError":
        return "the source of credentials that the profile names gives none: `aws sts get-caller-identity` shows why"
    return ""


def role_advice(operation: str, profile: str | None) -> str:
    """What helps when the role of a profile can't be taken."""
    of = f" of the profile {profile}" if profile else ""
    return f"the credentials{of} could not be obtained: {operation} failed"


def _sign_in(profile: str | None, profiles: Profiles) -> str:
    """The command that signs in for a profile, or for the one that it builds on; empty when none is known."""
    name: str | None = profile
    for _ in range(_CHAIN_MAX):
        settings = profiles.get(name or "default", {})
        if any(key.startswith("sso_") for key in settings):
            return _login("sso login", name)
        if "login_session" in settings:
            return _login("login", name)
        name = settings.get("source_profile")
        if not name:
            return ""
    return ""


def _login(command: str, profile: str | None) -> str:
    return f"run `aws {command}{f' --profile {profile}' if profile else ''}`"
