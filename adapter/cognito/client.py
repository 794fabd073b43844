"""A user pool read over libcurl: one rate-limited, signed ListUsers request at a time, errors as adapter.errors."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec

from adapter.arn import PoolArn
from adapter.cognito import errors as faults
from adapter.cognito.base import Page
from adapter.cognito.page_reader import PageReader
from adapter.cognito.rate_limiter import RateLimiter
from adapter.cognito.retry import ATTEMPTS, backoff_s, is_retryable, is_throttled
from adapter.cognito.service_error import ServiceError, read_error
from adapter.errors import AdapterError, CredentialsError
from adapter.log import Action
from adapter.net.curl_handle import libcurl_version
from adapter.net.failures import TransferError
from adapter.net.http_client import HttpClient
from adapter.net.origin import Limits
from adapter.net.response import Response
from adapter.version import USER_AGENT

if TYPE_CHECKING:
    from botocore.credentials import Credentials
    from botocore.session import Session

logger = logging.getLogger(__name__)

#: QueryLimitType of the API.
MAX_LIMIT: Final = 60
#: ListUsers answers have at most 60 users of at most some 100 kB each.
_BODY_MAX: Final = 64 * 1024 * 1024
#: Listings that may be in flight together, each on its own connection.
_CONNECTIONS: Final = 32
#: Time that a whole answer may take, as a multiple of the time allowed for its next bytes.
_PATIENCE: Final = 3
#: The first status that is no success.
_REDIRECT: Final = 300
#: Clocks that differ by less agree: AWS takes signatures up to 5 minutes old, and Date has whole seconds.
_SKEW_MIN_S: Final = 60.0
_HEADERS: Final = (
    b"Content-Type: application/x-amz-json-1.1",
    b"X-Amz-Target: AWSCognitoIdentityProviderService.ListUsers",
)
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class _Access:
    """Whom to ask, and as whom."""

    http: HttpClient
    credentials: Credentials = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Key:
    """What requests are signed with: frozen credentials, and what follows from them."""

    frozen: Any = field(repr=False)
    pair: tuple[str, str] = field(repr=False)
    headers: tuple[bytes, ...] = field(repr=False)


class CognitoUserPool:
    """The `UserPool` of a real (or emulated) Cognito. Thread-safe.

    Every attempt waits for the limiter, and tells it whether it was throttled. When the key is refused the credentials
    are taken from a fresh session once, and the request is repeated: a rotated key needs no restart. When a signature
    is refused because this machine's clock is wrong, requests are signed with the time of Cognito's Date header.

    Args:
        session_factory: makes a new botocore session with the credentials as they are now; called on first use
            and by `renew`, never twice at the same time. It may raise AdapterError.
        pool_arn: the pool.
        limiter: shared by everything that lists this pool.
        connect_timeout_s: longest wait for a connection, in seconds.
        read_timeout_s: longest wait for the next bytes of an answer, in seconds.
        attempts: attempts of one request, the first included.
    """

    def __init__(
        self,
        session_factory: Callable[[], Session],
        pool_arn: PoolArn,
        limiter: RateLimiter,
        *,
        connect_timeout_s: float = 5.0,
        read_timeout_s: float = 20.0,
        attempts: int = ATTEMPTS,
    ) -> None:
        self._session_factory = session_factory
        self._pool = pool_arn
        self._limiter = limiter
        self._limits = Limits(
            total_s=connect_timeout_s + _PATIENCE * read_timeout_s,
            connect_s=connect_timeout_s,
            silence_s=read_timeout_s,
            body_bytes=_BODY_MAX,
            idle=_CONNECTIONS,
            repeat=False,  # each request has to wait for the limiter
        )
        self._attempts = attempts
        self._reader = PageReader()
        self._building = threading.Lock()
        #: The access and how often credentials were taken: replaced as one, so that readers need no lock.
        self._current: tuple[_Access | None, int] = (None, 0)
        self._key: _Key | None = None
        #: What Cognito's clock is ahead of this machine's, in seconds; 0 as long as nothing was refused for it.
        self._clock_offset_s = 0.0

    def list_users(self, *, filter_: str | None = None, token: str | None = None, limit: int = MAX_LIMIT) -> Page:
        """One ListUsers request; see `adapter.cognito.base.UserPool`.

        Raises:
            ValueError: `limit` is not 1 to 60.
            CognitoError: one of its subclasses says what can be done.
        """
        if not 1 <= limit <= MAX_LIMIT:
            raise ValueError(f"limit is {limit}, expected 1 to {MAX_LIMIT}")
        request: dict[str, Any] = {"UserPoolId": self._pool.pool_id, "Limit": limit}
        if filter_ is not None:
            request["Filter"] = filter_
        if token is not None:
            request["PaginationToken"] = token
        access, generation = self._current
        if access is None:
            access, generation = self._renew(0)
        try:
            return self._page(access, request)
        except CredentialsError:
            return self._page(self._renew(generation)[0], request)

    def renew(self) -> None:
        """Take the credentials from a fresh session.

        Raises:
            AdapterError: there are no new credentials to be had; the present ones stay.
        """
        self._renew(self._current[1])

    def close(self) -> None:
        """Close the connections."""
        access, _ = self._current
        if access is not None:
            access.http.close()

    def _page(self, access: _Access, request: dict[str, Any]) -> Page:
        found = self._ask(access, _encode(request))
        if isinstance(found, TransferError):
            raise faults.unreachable(found, self._pool)
        if isinstance(found, ServiceError):
            raise faults.refused(
                found, self._pool, has_filter="Filter" in request, has_token="PaginationToken" in request
            )
        users, token = self._reader.read(found.body)
        return Page(users=users, token=token, date_s=_date_s(found.header("date")))

    def _ask(self, access: _Access, body: bytes) -> Response | ServiceError | TransferError:
        """The answer after as many attempts as it takes, or how the last one failed."""
        attempt = 1
        while True:
            outcome = self._attempt(access, body)
            if isinstance(outcome, Response) or attempt >= self._attempts or not is_retryable(outcome):
                return outcome
            self._limiter.pause(backoff_s(attempt, outcome, random.random()))  # noqa: S311 - no secret
            attempt += 1

    def _attempt(self, access: _Access, body: bytes) -> Response | ServiceError | TransferError:
        """One request; two when the first one's signature was refused for this machine's clock."""
        outcome, date_s = self._exchange(access, body)
        if isinstance(outcome, ServiceError) and outcome.code in faults.CLOCK_CODES and self._learn_clock(date_s):
            outcome, _ = self._exchange(access, body)
        return outcome

    def _exchange(self, access: _Access, body: bytes) -> tuple[Response | ServiceError | TransferError, float | None]:
        """One request under the limiter: what came of it, and the answer's date."""
        self._limiter.acquire()
        key = self._key_of(access.credentials)
        headers = key.headers
        if self._clock_offset_s:
            signed_at = datetime.fromtimestamp(time.time() + self._clock_offset_s, UTC)
            headers = (*headers, f"X-Amz-Date: {signed_at:%Y%m%dT%H%M%SZ}".encode("ascii"))
        try:
            response = access.http.send(headers, body, key=key.pair)
        except TransferError as error:
            return error, None
        if response.status < _REDIRECT:
            return response, None
        refusal = read_error(response.status, response.header, response.body)
        if is_throttled(refusal):
            self._limiter.on_throttled(refusal.retry_after_s)
        return refusal, _date_s(response.header("date"))

    def _key_of(self, credentials: Credentials) -> _Key:
        """The credentials as they are now: botocore refreshes them before they expire."""
        try:
            frozen = credentials.get_frozen_credentials()
        except Exception as error:  # noqa: BLE001 - the boundary to botocore: other errors pass unchanged
            raise self._known(error) from None  # the cause can quote what a source of credentials said
        key = self._key
        if key is None or key.frozen != frozen:
            token = (f"X-Amz-Security-Token: {frozen.token}".encode("latin-1"),) if frozen.token else ()
            pair = (str(frozen.access_key), str(frozen.secret_key))
            key = self._key = _Key(frozen, pair, (*_HEADERS, *token))
        return key

    def _learn_clock(self, date_s: float | None) -> bool:
        """Sign with Cognito's time from now on, if this machine's is wrong; whether that is news."""
        if date_s is None:
            return False
        offset_s = date_s + 0.5 - time.time()
        if abs(offset_s - self._clock_offset_s) < _SKEW_MIN_S:
            return False
        self._clock_offset_s = offset_s if abs(offset_s) >= _SKEW_MIN_S else 0.0
        logger.warning(
            "Cognito refuses signatures by this machine's clock; they are made with Cognito's time from now on: "
            "set the clock (NTP)",
            extra={"action": Action.CLOCK_WRONG, "seconds_behind": round(offset_s)},
        )
        return True

    def _renew(self, generation: int) -> tuple[_Access, int]:
        """Take new credentials unless another thread did since `generation`."""
        with self._building:
            access, present = self._current
            if access is not None and present != generation:
                return access, present
            try:
                access = self._new_access(access)
            except Exception as error:  # noqa: BLE001 - as above
                raise self._known(error) from None
            self._current = (access, present + 1)
            return access, present + 1

    def _new_access(self, present: _Access | None) -> _Access:
        from botocore.exceptions import NoCredentialsError  # botocore takes 0.2 s to import: not before it is needed

        from adapter.cognito.endpoint import find_origin

        session = self._session_factory()
        credentials = session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        if present is not None:
            return replace(present, credentials=credentials)
        user_agent = f"{USER_AGENT} libcurl/{libcurl_version()}"
        origin = find_origin(session, self._pool.region, user_agent=user_agent)
        return _Access(HttpClient(origin, self._limits), credentials)

    def _known(self, error: Exception) -> Exception:
        """The adapter's error for one of botocore's; the same one, if it is none of those."""
        return (None if isinstance(error, AdapterError) else faults.translate(error, self._pool)) or error


@lru_cache(maxsize=8)  # the header changes once a second, pages come more often
def _date_s(header: str | None) -> float | None:
    if header is None:
        return None
    try:
        return parsedate_to_datetime(header).timestamp()
    except ValueError:
        return None
