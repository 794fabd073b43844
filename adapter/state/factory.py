"""From STATE_URL to an open store."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from adapter.arn import parse_pool_arn
from adapter.state.base import Store
from adapter.state.clock import machine_clock
from adapter.state.sqlite.lock import HeldError, Holder
from adapter.state.sqlite.store import SqliteStore
from adapter.state.url import SqliteUrl, parse_state_url

if TYPE_CHECKING:
    from botocore.session import Session

#: Seconds between two looks at a file that another adapter holds.
_LOOK_SECONDS = 0.5


def open_store(
    url: str,
    pool_arn: str,
    *,
    service_session: Callable[[], Session] | None = None,
    lease_seconds: float = 30.0,
    waiting: Callable[[Holder], None] | None = None,
    pause: Callable[[float], bool] | None = None,
    clock: Callable[[], float] = machine_clock,
) -> Store:
    """Open the state of one pool and become its only writer.

    Args:
        url: `sqlite:///path` or `dynamodb://table?region=REGION` (STATE_URL).
        pool_arn: the pool whose state it is; another pool's is refused.
        service_session: makes the session for DynamoDB; not called for SQLite.
        lease_seconds: how long a DynamoDB lease lasts without a sign of life (STATE_LEASE_SECONDS).
        waiting: called with the holder, again and again, while another adapter holds the state; this call then returns
            when that one is gone. None: a state that is held is refused at once.
        pause: waits the given seconds between two looks and says whether to stop waiting (`Event.wait` of a stop
            event does). None: sleeps and goes on.
        clock: seconds that only move forward, also while the machine is suspended if possible.

    Raises:
        ConfigError: the URL is wrong; StateError (a ConfigError) when the store can't be used; HeldError (a StateError)
            when another adapter holds it and this one does not wait, or was asked to stop waiting.
        StoreUnavailableError: the store can't be reached just now.
    """
    parsed = parse_state_url(url)
    pause = pause or threading.Event().wait
    if isinstance(parsed, SqliteUrl):
        while True:
            try:
                return SqliteStore(parsed.path, pool_arn)
            except HeldError as error:
                if waiting is None:
                    raise
                waiting(error.holder)
                if pause(_LOOK_SECONDS):
                    raise
    if service_session is None:
        raise ValueError("a DynamoDB state needs a session")
    # boto3's parts take a while to import: not for those who use SQLite.
    from adapter.state.dynamodb.client import Table
    from adapter.state.dynamodb.store import DynamoStore

    return DynamoStore(
        service_session(),
        Table(parsed.table, parsed.region or parse_pool_arn(pool_arn).region),
        pool_arn,
        cache=parsed.cache,
        lease_seconds=lease_seconds,
        waiting=waiting,
        pause=pause,
        clock=clock,
    )
