"""Every error that the adapter raises, grouped by what the caller can do about it.

The message of an error is part of the interface: what is wrong, where, what was expected, how to mend it.
No message ever holds a secret, a user attribute or a response body.
"""

from __future__ import annotations

from collections.abc import Sequence


class AdapterError(Exception):
    """The root of all errors below."""


class ConfigError(AdapterError):
    """Bad input that only a person can mend: exit code 2, one line per problem, nothing changed.

    `problems` holds one complete sentence per problem; all of them are found before this is raised.
    """

    def __init__(self, problems: str | Sequence[str]) -> None:
        self.problems: tuple[str, ...] = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


class StateError(ConfigError):
    """A state store that can't be used: of another pool, damaged, or of a newer version. It is left untouched."""


class StoreRefusedError(StateError):
    """The store refuses until a person changes something: ends a start, and is waited for once the adapter runs."""


class FatalError(AdapterError):
    """The process can't go on (exit code 1): nothing a retry would change."""


class StoreUnavailableError(AdapterError):
    """The state store can't be reached just now: nothing was stored; try again."""


class LeaseLostError(FatalError):
    """Another adapter took over the state: this one must neither write nor send any more."""


class StateReplacedError(FatalError):
    """The state file was deleted or replaced while it was in use: what is written now would not be read again."""


class CognitoError(AdapterError):
    """ListUsers failed. `code` is the service's error code, or the name of the transport fault."""

    def __init__(self, message: str, *, code: str) -> None:
        self.code = code
        super().__init__(message)


class ThrottledError(CognitoError):
    """TooManyRequestsException (or the like): slow down. `retry_after_s` is what the answer asked for, in seconds."""

    def __init__(self, message: str, *, code: str, retry_after_s: float | None = None) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message, code=code)


class TokenExpiredError(CognitoError):
    """The pagination token is no longer valid, or was given twice: begin this listing again."""


class FilterRefusedError(CognitoError):
    """This pool (or emulator) refuses the filter of the request: use a listing without it."""


class CredentialsError(CognitoError):
    """The key is unknown, inactive or expired, or there is none: read the secret again, then tell the operator."""


class AccessDeniedError(CognitoError):
    """The key works, but may not call ListUsers on this pool: the message names what to grant."""


class PoolNotFoundError(CognitoError):
    """There is no such pool in this account and region."""


class UnavailableError(CognitoError):
    """A passing fault: time-out, reset connection, 5xx, truncated or malformed answer. Try again."""
