"""A ListUsers server of ours that does what Cognito may do, on request: for fault, chaos and performance runs.

In a test's own process::

    with FakeCognito(users=1000) as cognito:
        cognito.create("ada", email="ada@example.org")      # likewise change, disable, enable, delete
        cognito.inject("reset", times=2, after=3)            # the 4th and 5th request from now on break
        cognito.behaviour.quota_rps = 30                     # every field of Behaviour may be set at any time
        cognito.on_request(lambda number: ...)               # called before each answer: change the pool mid-listing
        subprocess.run([...], env=cognito.environment())     # AWS_ENDPOINT_URL, keys, region, ARN
        cognito.usernames(), cognito.stats(), cognito.reset_stats()

In a process of its own (`python -m tests.fake_cognito --users 100000 --latency-ms 80 --quota 30`), which prints one
JSON line `{"endpoint": ..., "arn": ...}` when it listens and ends when its stdin closes. `RemoteCognito` starts it and
has the same methods as `FakeCognito`, over `POST /_control` (all but `on_request`).

`inject` knows these faults (tests.fake_cognito.faults tells what each one sends): throttle, error, status, html, reset,
close, truncate, cut, malformed, hang, slow, repeat_token, expire_token, empty_page, short_page, no_users.
"""

from __future__ import annotations

from tests.fake_cognito.faults import CognitoFault
from tests.fake_cognito.pool import ARN, MutablePool, Pool, SyntheticPool
from tests.fake_cognito.remote import RemoteCognito
from tests.fake_cognito.server import Behaviour, FakeCognito

__all__ = ["ARN", "Behaviour", "CognitoFault", "FakeCognito", "MutablePool", "Pool", "RemoteCognito", "SyntheticPool"]
