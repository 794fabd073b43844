"""The last events of a running adapter, as its status page has them."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from adapter.commands.event_log.lines import Event

#: More than the adapter keeps: what was shown is not shown again.
_REMEMBERED: Final = 1000


class Recent:
    """Tells which of the last events are new since the last look."""

    def __init__(self) -> None:
        self._shown: deque[tuple[object, object]] = deque(maxlen=_REMEMBERED)

    def news(self, status: Mapping[str, Any]) -> tuple[list[Event], bool]:
        """The events that were not there at the last look, oldest first, and whether some in between may be missing.

        Args:
            status: the JSON of the status page.
        """
        found = status.get("last_events")
        events = [each for each in reversed(found if isinstance(found, list) else []) if isinstance(each, Mapping)]
        shown = set(self._shown)
        keys = [(each.get("id"), each.get("ended")) for each in events]
        fresh = [_event(each) for each, key in zip(events, keys, strict=True) if key not in shown]
        gap = bool(shown) and len(fresh) == len(events) > 1
        self._shown.extend(key for key in keys if key not in shown)
        return fresh, gap


def _event(shown: Mapping[str, Any]) -> Event:
    """What the page knows of an event, under the names that the event itself has."""
    own = {"id": "id", "time": "time", "changed": "changed", "kind": "changetype", "user": "partitionkey"}
    return {own.get(name, name): value for name, value in shown.items()}
