"""How much of a quota is used: the real scanner against 30 requests a second at 80 ms."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from typing import Any

import boto3

from adapter.cognito.pool_scanner import PoolScanner
from benchmarks.measure import MEASURED_CPU, SERVER_CPU, Figure, Options, pin, say
from benchmarks.rig import POOL, user_pool
from tests.fake_cognito import RemoteCognito
from tests.support.rig import FixedUsers

QUOTA_RPS = 30
LATENCY_MS = 80
USERS = 60_000
#: Requests of the baseline: at one after the other it would need 80 s for the pool.
BASELINE_REQUESTS = 60


def run(options: Options) -> list[Figure]:
    """`quota_requests_per_s`, `quota_throttled_share`, and boto3's paginator at the same server."""
    pin(MEASURED_CPU)
    rates, shares, baseline = [], [], []
    with RemoteCognito(
        users=USERS, synthetic=True, unconfirmed=2, latency_ms=LATENCY_MS, quota=QUOTA_RPS, cpu=SERVER_CPU
    ) as server:
        os.environ.update(server.environment())
        for number in range(min(options.rounds, 2)):
            say(f"quota: round {number + 1}, {USERS / 60 / QUOTA_RPS:.0f} s")
            stats = _sweep(server)
            seconds = stats["times_s"][-1] - stats["times_s"][0] + 1 / QUOTA_RPS
            rates.append((stats["requests"] - stats["throttled"]) / seconds)
            shares.append(stats["throttled"] / stats["requests"])
        say("quota: boto3's paginator")
        baseline.append(_paginate())
    return [
        Figure(
            key="quota_requests_per_s",
            values=rates,
            unit="requests/s",
            about=f"of a quota of {QUOTA_RPS} at {LATENCY_MS} ms: a whole sweep of {USERS:,} users, in shards",
            goal=29,
        ),
        Figure(
            key="quota_throttled_share",
            values=shares,
            unit="share",
            about="of those requests, answered with TooManyRequestsException",
            goal=0.01,
            at_least=False,
        ),
        Figure(
            key="quota_requests_per_s_boto3_paginator",
            values=baseline,
            unit="requests/s",
            about="the baseline: one page after the other",
        ),
    ]


def _sweep(server: RemoteCognito) -> dict[str, Any]:
    with user_pool(QUOTA_RPS) as (pool, limiter):
        stop = threading.Event()
        scanner = PoolScanner(pool, limiter, stop, known=FixedUsers(USERS))
        time.sleep(1)  # the bucket of the server fills up
        server.reset_stats()
        scan = scanner.scan()
        deque(scan, maxlen=0)
        assert scan.complete
        stop.set()
        return server.stats()


def _paginate() -> float:
    paginator = boto3.client("cognito-idp").get_paginator("list_users")
    begun = time.monotonic()
    for number, _ in enumerate(paginator.paginate(UserPoolId=POOL.pool_id, PaginationConfig={"PageSize": 60}), 1):
        if number == BASELINE_REQUESTS:
            break
    return BASELINE_REQUESTS / (time.monotonic() - begun)
