"""What a tracer is told of, and the one that does nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from adapter.cognito.base import Page
    from adapter.pipeline.outbox import Courier
    from adapter.sinks.base import Sink

#: Adds what a request to the sink must carry to its headers (names in lower case).
Inject = Callable[[dict[str, str]], None]


class Traces(Protocol):
    """Told what goes on; one call per cycle, sweep or page, so that it costs nothing where there are no traces."""

    @property
    def inject(self) -> Inject | None:
        """Adds `traceparent` to a request's headers; None: there is nothing to add."""
        ...

    def poll(self) -> AbstractContextManager[None]:
        """One cycle: a sweep, and the wait for the next one."""
        ...

    def sweep(self) -> AbstractContextManager[None]:
        """One sweep, within a cycle."""
        ...

    def page(self, page: Page) -> None:
        """A page of the sweep that goes on."""
        ...

    def swept(self, *, complete: bool, changes: int) -> None:
        """The sweep that goes on has come to its end."""
        ...

    def sweep_failed(self, code: str) -> None:
        """A fault with this code ended the sweep that goes on."""
        ...

    def courier(self, courier: Courier) -> Courier:
        """The same courier, remembering which cycle an event is from."""
        ...

    def sink(self, sink: Sink, *, dead_letters: bool = False) -> Sink:
        """The same sink, telling of every request."""
        ...

    def close(self) -> None:
        """Send what is left, in a second at most."""
        ...


class _NoTraces:
    """Nothing is traced, and nothing is added to requests: consumers decide by themselves what they trace.

    The original adds a `traceparent` that says "not sampled" then, with which most consumers would trace nothing.
    """

    inject: Inject | None = None

    def poll(self) -> AbstractContextManager[None]:
        return nullcontext()

    def sweep(self) -> AbstractContextManager[None]:
        return nullcontext()

    def page(self, page: Page) -> None:
        pass

    def swept(self, *, complete: bool, changes: int) -> None:
        pass

    def sweep_failed(self, code: str) -> None:
        pass

    def courier(self, courier: Courier) -> Courier:
        return courier

    def sink(self, sink: Sink, *, dead_letters: bool = False) -> Sink:
        return sink

    def close(self) -> None:
        pass


NO_TRACES: Final[Traces] = _NoTraces()
