"""Sweeps of unchanged users: ours (fetch, parse, compare) against boto3's paginator, which only fetches and parses."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import boto3

from adapter.pipeline.sweep import Sweeper
from benchmarks.learnt import state_of
from benchmarks.limit import Limit
from benchmarks.measure import MEASURED_CPU, SERVER_CPU, Figure, Options, alternate, cpu_seconds, pin, ratios, say
from benchmarks.rig import POOL, known_pool, swept
from tests.fake_cognito import RemoteCognito

#: Users of one measured sweep: enough that a round takes about a second.
USERS = 60_000
#: Pools for the growth of the cost per user.
SIZES = (10_000, 100_000, 1_000_000)
#: Parts in which the sweep of the biggest is measured.
PARTS = 10
#: Users of a page.
PAGE = 60


def run(options: Options) -> list[Figure]:
    """`sweep_users_per_cpu_s`, its ratio to boto3's paginator, and its share of what libcurl alone reaches."""
    pin(MEASURED_CPU)
    with ExitStack() as stack:
        server = stack.enter_context(RemoteCognito(users=USERS, synthetic=True, cpu=SERVER_CPU))
        os.environ.update(server.environment())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ours = stack.enter_context(known_pool(folder / "state.db"))
        paginator = boto3.client("cognito-idp").get_paginator("list_users")
        limit = Limit(server.endpoint)
        stack.callback(limit.close)

        def sweep() -> None:
            outcome = swept(ours)
            assert outcome.complete
            assert outcome.changes == 0

        def paginate() -> None:
            pages = paginator.paginate(UserPoolId=POOL.pool_id, PaginationConfig={"PageSize": 60})
            assert sum(len(page["Users"]) for page in pages) == USERS

        def fetch() -> None:
            assert limit.list() == USERS

        sweep()
        say(f"sweeps of {USERS:,} users")
        rounds = alternate(
            options.rounds,
            {
                "ours": lambda: USERS / cpu_seconds(sweep),
                "limit": lambda: USERS / cpu_seconds(fetch),
                "boto3": lambda: USERS / cpu_seconds(paginate),
            },
        )
    return [
        Figure(
            key="sweep_users_per_cpu_s",
            values=rounds["ours"],
            unit="users/CPU-s",
            about="unchanged users swept per CPU second: fetched, recognised or split, compared with the state's index",
        ),
        Figure(
            key="boto3_paginator_users_per_cpu_s",
            values=rounds["boto3"],
            unit="users/CPU-s",
            about="the baseline in the same run: boto3's ListUsers paginator, pages counted and dropped",
        ),
        Figure(
            key="sweep_ratio_vs_boto3_paginator",
            values=ratios(rounds["ours"], rounds["boto3"]),
            unit="x",
            about="the two above, round by round",
            goal=25,
        ),
        Figure(
            key="sweep_limit_users_per_cpu_s",
            values=rounds["limit"],
            unit="users/CPU-s",
            about="what libcurl, which also signs, and msgspec reach alone: pages fetched, cut apart and dropped",
        ),
        Figure(
            key="sweep_share_of_limit",
            values=ratios(rounds["ours"], rounds["limit"]),
            unit="share",
            about="a sweep, all included, over that limit, round by round",
        ),
    ]


def growth(options: Options) -> list[Figure]:
    """`sweep_growth_spread`: the cost per user at sizes that differ by a hundred.

    The sweep of the biggest pool is measured in tenths; after each, the smaller pools are swept for as many users. So
    what disturbs the machine for seconds hits all sizes alike.
    """
    pin(MEASURED_CPU)
    *small, biggest = [size for size in SIZES if size <= options.users]
    part = biggest // PARTS
    costs: dict[int, list[float]] = {size: [] for size in (*small, biggest)}
    sweepers: dict[int, Sweeper] = {}

    with ExitStack() as stack:
        for size in costs:
            server = stack.enter_context(RemoteCognito(users=size, synthetic=True, cpu=SERVER_CPU))
            os.environ.update(server.environment())
            sweepers[size] = stack.enter_context(known_pool(state_of(size)))
        say(f"growth: sweeps of {', '.join(f'{size:,}' for size in costs)} users")
        seen, begun = 0, time.process_time()
        for _ in sweepers[biggest].sweep():
            seen += PAGE
            if seen < part:
                continue
            costs[biggest].append((time.process_time() - begun) / seen * 1e6)
            for size in small:
                times = part // size
                seconds = cpu_seconds(lambda size=size, times=times: [swept(sweepers[size]) for _ in range(times)])  # type: ignore[misc]  # mypy can't infer a lambda with defaults
                costs[size].append(seconds / times / size * 1e6)
            seen, begun = 0, time.process_time()
    medians = [statistics.median(values) for values in costs.values()]
    return [
        Figure(
            key="sweep_growth_spread",
            values=[max(medians) / min(medians)],
            unit="x",
            about=f"CPU time per user, dearest over cheapest, of pools of {', '.join(f'{s:,}' for s in costs)} users",
            goal=1.15,
            at_least=False,
            extra={f"us_per_user_{size}": [round(value, 3) for value in values] for size, values in costs.items()},
        )
    ]
