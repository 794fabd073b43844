"""State files of the computed pools as a first sweep leaves them, written straight: that sweep would take minutes."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path

from adapter.changes.detector import attributes_fingerprint, raw_digest
from adapter.cognito.decode import decode_user
from adapter.model import KnownUser
from adapter.state.base import Meta
from benchmarks.measure import say
from benchmarks.rig import POOL, open_state
from tests.fake_cognito import SyntheticPool

#: Users of one transaction.
_BATCH = 20_000


@cache
def state_of(size: int) -> Path:
    """The state file of an adapter that knows all of `SyntheticPool(size)`; made once, gone at the end of the run."""
    say(f"writing the state of {size:,} users")
    path = _folder() / f"{size}.db"
    users = _users(size)
    with open_state(path) as store:
        while batch := list(islice(users, _BATCH)):
            store.apply(batch)
        store.apply((), (), Meta(pool_arn=str(POOL), initial="baseline", baseline_started_ms=0, baseline_done=True))
    return path


@cache
def _folder() -> Path:
    path = Path(tempfile.mkdtemp(prefix="benchmarks-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def _users(size: int) -> Iterator[KnownUser]:
    # Nobody looks at the fingerprint of a user whose bytes did not change: one serves all.
    template = decode_user(SyntheticPool(size).render(0))
    fingerprint = attributes_fingerprint(template)
    pool = SyntheticPool(size)
    for number, raw in enumerate(pool):
        sub = pool.sub(number)
        yield KnownUser(
            username=sub,
            sub=sub,
            digest=raw_digest(raw),
            attributes=fingerprint,
            enabled=template.enabled,
            status=template.status,
            created_ms=template.created_ms,
            modified_ms=template.modified_ms,
        )
