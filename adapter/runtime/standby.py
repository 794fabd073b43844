"""An adapter that waits for another one to give up the state: can it do the work when its turn comes?

A rolling update on Kubernetes ends the old pod only when the new one is healthy, and the new one waits for the state
of the old one. So the one that waits asks Cognito for one user, and /health turns to 204 when that works: the update
goes on. With a wrong key or pool it stays 503, and the old pod stays.
"""

from __future__ import annotations

import threading
from typing import Final

from adapter.cognito.base import UserPool
from adapter.errors import CognitoError
from adapter.observability.health import Health

#: Wait between two attempts, in seconds.
_AGAIN_S: Final = 5.0


class Standby:
    """Asks once, in a thread of its own, between `begin` and `end`; both may be called more than once.

    Args:
        pool: what to ask.
        health: informed of it.
        again_s: wait after an attempt that failed, in seconds.
    """

    def __init__(self, pool: UserPool, health: Health, *, again_s: float = _AGAIN_S) -> None:
        self._pool = pool
        self._health = health
        self._again_s = again_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask, name="standby", daemon=True)

    def begin(self) -> None:
        """Start asking."""
        if self._thread.ident is None:
            self._thread.start()

    def end(self) -> None:
        """Ask no more: the state is ours, or it is time to stop."""
        self._over.set()

    def _ask(self) -> None:
        while not self._over.is_set():
            try:
                self._pool.list_users(limit=1)
            except CognitoError as error:
                if not self._over.is_set():
                    self._health.problem("cognito", str(error))
                self._over.wait(self._again_s)
            else:
                self._health.well("cognito")
                self._health.polled()
                return
