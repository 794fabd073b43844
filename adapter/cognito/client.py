"""A user pool read through botocore: one rate-limited ListUsers request at a time, errors as adapter.errors."""

from __future__ import annotations

import threading
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from adapter.arn import PoolArn
from adapter.cognito.base import Page
from adapter.cognito.decode import MALFORMED, RawUsers
from adapter.cognito.rate import RateLimiter
from adapter.errors import AdapterError, CognitoError, CredentialsError, UnavailableError
from adapter.version import USER_AGENT

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest, AWSResponse
    from botocore.session import Session

    from adapter.cognito.transport import LeanTransport

#: QueryLimitType of the API.
MAX_LIMIT: Final = 60
#: Attempts of one request, the first included; botocore's standard mode waits up to 1 and 2 seconds in between.
ATTEMPTS: Final = 3
#: Listings that may be in flight together, each on its own connection.
_CONNECTIONS: Final = 32
_EVENTS: Final = "cognito-identity-provider.ListUsers"


class BotoUserPool:
    """The `UserPool` of a real (or emulated) Cognito. Thread-safe.

    Every attempt, botocore's retries included, waits for the limiter, and tells it whether it was throttled.
    When the key is refused the client is built again once, from a fresh session, and the request repeated: a rotated
    key needs no restart.

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
        self._connect_timeout_s = connect_timeout_s
        self._read_timeout_s = read_timeout_s
        self._attempts = attempts
        self._building = threading.Lock()
        #: The client and how often it was built: replaced as one, so that readers need no lock.
        self._current: tuple[Any, int] = (None, 0)
        self._transport: LeanTransport | None = None

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
        generation = 0
        try:
            client, generation = self._client()
            return self._page(client, request)
        except CredentialsError:
            self._renew(generation)
            return self._page(self._client()[0], request)

    def renew(self) -> None:
        """Build the client again from a fresh session: new credentials, new connections.

        Raises:
            AdapterError: there are no new credentials to be had; the present client stays.
        """
        self._renew(self._current[1])

    def close(self) -> None:
        """Close the connections."""
        client, _ = self._current
        if client is not None:
            client.close()
        if self._transport is not None:
            self._transport.close()

    def _page(self, client: Any, request: dict[str, Any]) -> Page:
        try:
            parsed = client.list_users(**request)
        except Exception as error:  # the boundary to botocore: what is not a fault of the request passes unchanged
            known = self._translated(error, request)
            if known is None:
                raise
            raise known from None  # the cause can quote the filter, that is a username
        users = parsed.get("Users")
        if not isinstance(users, RawUsers):
            # Another protocol than JSON was agreed on, so that botocore parsed the answer itself.
            raise UnavailableError("ListUsers was not answered in JSON 1.1", code=MALFORMED)
        headers = parsed["ResponseMetadata"]["HTTPHeaders"]
        return Page(users=users, token=parsed.get("PaginationToken"), date_s=_date_s(headers.get("date")))

    def _translated(self, error: Exception, request: dict[str, Any]) -> CognitoError | None:
        from adapter.cognito.faults import translate  # botocore takes 0.2 s to import: not before it is needed

        if isinstance(error, AdapterError):
            return None
        return translate(error, self._pool, has_filter="Filter" in request, has_token="PaginationToken" in request)

    def _client(self) -> tuple[Any, int]:
        if self._current[0] is None:
            self._renew(0)
        return self._current

    def _renew(self, generation: int) -> None:
        """Build the client unless another thread did since `generation`."""
        with self._building:
            if self._current[1] == generation:
                try:
                    client = self._build()
                except Exception as error:  # the boundary to botocore, as above
                    known = self._translated(error, {})
                    if known is None:
                        raise
                    raise known from None
                # The client before is not closed: other threads may be waiting for its answers.
                self._current = (client, generation + 1)

    def _build(self) -> Any:
        from botocore.config import Config

        from adapter.cognito import parser
        from adapter.cognito.transport import LeanTransport

        session = self._session_factory()
        parser.install(session)
        client = session.create_client(
            "cognito-idp",
            region_name=self._pool.region,
            config=Config(
                connect_timeout=self._connect_timeout_s,
                read_timeout=self._read_timeout_s,
                retries={"mode": "standard", "total_max_attempts": self._attempts},
                max_pool_connections=_CONNECTIONS,
                parameter_validation=False,  # the pool's id and the limit were checked, the rest are strings
                tcp_keepalive=True,
                user_agent=f"{USER_AGENT} {session.user_agent()}",  # given, it is not composed for every request
            ),
        )
        if self._transport is not None:
            self._transport.close()
        self._transport = LeanTransport(
            connect_timeout_s=self._connect_timeout_s,
            read_timeout_s=self._read_timeout_s,
            ca_bundle=session.get_config_variable("ca_bundle"),
        )
        # The stubs don't know that what a handler of before-send returns is taken for the response.
        client.meta.events.register(f"before-send.{_EVENTS}", self._before_send)  # type: ignore[arg-type]
        client.meta.events.register(f"response-received.{_EVENTS}", self._response_received)
        return client

    def _before_send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse | None:
        self._limiter.acquire()
        transport = self._transport
        return None if transport is None else transport.send(request)

    def _response_received(self, parsed_response: dict[str, Any] | None = None, **_: Any) -> None:
        if parsed_response is None or "Error" not in parsed_response:
            return
        from adapter.cognito import faults

        code = parsed_response["Error"].get("Code", "")
        if code in faults.THROTTLING_CODES or parsed_response["ResponseMetadata"].get("HTTPStatusCode") == 429:
            self._limiter.on_throttled(faults.retry_after_s(parsed_response))


@lru_cache(maxsize=8)  # the header changes once a second, pages come more often
def _date_s(header: str | None) -> float | None:
    if header is None:
        return None
    try:
        return parsedate_to_datetime(header).timestamp()
    except ValueError:
        return None
