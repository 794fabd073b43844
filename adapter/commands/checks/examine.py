"""All checks, in the order in which a person would mend things."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from adapter.commands.checks.check import Check, Mark, limited, ok, skip, warn
from adapter.commands.checks.pool import (
    Asked,
    clock_checks,
    credential_checks,
    identity_checks,
    name_checks,
    permission_checks,
)
from adapter.commands.checks.quota import quota_checks
from adapter.commands.checks.sink import SinkPlan, sink_checks
from adapter.commands.checks.storage import Known, storage_checks
from adapter.commands.checks.surroundings import Surroundings, read
from adapter.config.settings import Settings
from adapter.errors import AdapterError
from adapter.sinks.base import Sink
from adapter.terminal import printable

if TYPE_CHECKING:
    from botocore.session import Session

#: Asks the adapter of this machine: the path, and HOST:PORT; as adapter.commands.options.ask.
Ask = Callable[[str, str], tuple[int, object]]


def examine(environment: Mapping[str, str], ask: Ask, *, send: bool, limit_s: float) -> Iterator[Check]:
    """Every check, as soon as it is made; none keeps the others from being made.

    Args:
        environment: the configuration.
        ask: asks the adapter of this machine; raises AdapterError when none answers.
        send: whether to send a probe event to the sinks.
        limit_s: the longest that one check may take, in seconds.
    """
    found = read(environment)
    yield from found.checks()
    settings = found.settings
    running = list(_adapter(settings, ask))
    asked = Asked()
    if "ARN" in found.wrong:
        yield skip("user pool", "ARN is not usable: nothing about the pool can be tried")
    else:
        yield from _pool(settings, asked, limit_s)
    yield from look_at_sinks(found, send=send, limit_s=limit_s)
    known = Known()
    if "STATE_URL" not in found.wrong:
        pool = None if "ARN" in found.wrong else settings.pool
        there = running[0].mark is not Mark.SKIP
        yield from limited(
            "state",
            lambda: storage_checks(settings.state.url, pool, lambda: _session(settings), limit_s, known, running=there),
            limit_s,
        )
    yield from quota_checks(settings.polling.max_rps, known.users, whole=known.whole)
    yield from running


def _pool(settings: Settings, asked: Asked, limit_s: float) -> Iterator[Check]:
    pool = settings.pool
    yield from limited("user pool", lambda: name_checks(pool), limit_s)
    sessions: list[Session] = []
    yield from limited("credentials", lambda: credential_checks(settings, sessions), limit_s)
    session = sessions[0] if sessions else None
    yield from limited("identity", lambda: identity_checks(settings, session, limit_s), limit_s)
    yield from limited("permission", lambda: permission_checks(settings, session, limit_s, asked), limit_s)
    yield from limited("clock", lambda: clock_checks(pool, asked, session, limit_s), limit_s)


def look_at_sinks(found: Surroundings, *, send: bool, limit_s: float) -> Iterator[Check]:
    """The checks of the sink and of the dead-letter sink; arguments as for `examine`."""
    from adapter.runtime.app import http_options

    settings = found.settings
    options = http_options(settings)
    sinks = [("sink", "K_SINK", settings.sink, options)]
    if settings.dead_letter_sink:
        plain = replace(options, headers={}, token_file=None)
        sinks.append(("dead-letter sink", "DELIVERY_DEAD_LETTER_SINK", settings.dead_letter_sink, plain))
    for name, variable, target, spoken in sinks:
        if variable in found.wrong:
            yield skip(name, f"{variable} is not usable: nothing can be tried")
        else:
            plan = SinkPlan(
                name=name,
                target=target,
                options=spoken,
                variable=variable,
                send=send and "ARN" not in found.wrong,  # the event's source
                limit_s=limit_s,
            )
            yield from _sink(plan, settings)


def _sink(plan: SinkPlan, settings: Settings) -> Iterator[Check]:
    def opened() -> Sink:
        import boto3  # 0.3 s to import: only for sinks on AWS, when something is sent

        from adapter.sinks.factory import open_sink

        options = replace(plan.options, timeout_s=min(plan.options.timeout_s, plan.limit_s / 2))
        sessions = lambda: boto3.Session(botocore_session=_session(settings))  # noqa: E731 - a name for what may be made
        return open_sink(plan.target, options, sessions, variable=plan.variable)

    look = lambda: sink_checks(plan, settings.pool, lambda: _session(settings), opened)  # noqa: E731 - as above
    return limited(plan.name, look, plan.limit_s)


def _session(settings: Settings) -> Session:
    from adapter.runtime.credentials import service_session

    return service_session(settings)


def _adapter(settings: Settings, ask: Ask) -> Iterator[Check]:
    """Whether an adapter runs here, and is well."""
    name, where = "adapter", str(settings.servers.health_address)
    try:
        status, body = ask("/ready", where)
    except AdapterError:
        yield skip(name, f"none answers at {where}")
        return
    reasons = body.get("reasons") if isinstance(body, dict) else None
    if status == 204:
        yield ok(name, f"one runs here and is ready ({where})")
    elif status == 503 and isinstance(reasons, list):
        yield warn(name, f"one runs here and is not ready: {printable('; '.join(map(str, reasons)))}")
    else:
        yield warn(name, f"something else answers at {where}", "free the port, or set HEALTH_ADDRESS to another one")
