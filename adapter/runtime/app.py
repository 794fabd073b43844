"""Puts the parts together: settings in, a running adapter out."""

from __future__ import annotations

import gc
import logging
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from adapter.changes.detector import Detector
from adapter.clock import SYSTEM_CLOCK, Clock, Shutdown
from adapter.cognito.base import UserPool
from adapter.cognito.client import CognitoUserPool
from adapter.cognito.known_users import StoredUsers
from adapter.cognito.paginator import BACKOFF_S
from adapter.cognito.pool_scanner import PoolScanner
from adapter.cognito.rate_limiter import RateLimiter
from adapter.config.settings import Settings
from adapter.config.values import shown
from adapter.delivery import BackoffPolicy, Batching, Delivery, RetryPolicy, Status
from adapter.errors import CognitoError, ConfigError, StoreRefusedError, StoreUnavailableError
from adapter.events.builder import EventBuilder
from adapter.log import Action, status_line
from adapter.observability.health import STALE_S, Health, HealthServer
from adapter.observability.metrics import Metrics
from adapter.observability.progress import Progress
from adapter.observability.prometheus import serve
from adapter.observability.tracing.base import NO_TRACES, Traces
from adapter.observability.tracing.start import start_traces
from adapter.pipeline.outbox import Courier, Outbox
from adapter.pipeline.replay import Replay, Selection
from adapter.pipeline.service import ONCE_PATIENCE_S, REMIND_S, Observers, PollInterval, Service
from adapter.pipeline.sweep import Sweeper, SweepOptions
from adapter.runtime.credentials import PoolCredentials, service_session
from adapter.runtime.signals import stop_on_signals
from adapter.runtime.standby import Standby
from adapter.sinks.base import Sink
from adapter.sinks.factory import open_dead_letter_sink, open_sink
from adapter.sinks.options import ContentMode, HttpOptions
from adapter.state.base import Store
from adapter.state.durability import MOUNTS, fate_of_state
from adapter.state.factory import open_store
from adapter.state.sqlite.lock import HeldError, Holder
from adapter.state.url import SqliteUrl, parse_state_url
from adapter.version import VERSION

if TYPE_CHECKING:
    import boto3

logger = logging.getLogger(__name__)

#: Where Knative mounts trust bundles and the OIDC token (SinkBinding).
CA_FOLDER: Final = Path("/knative-custom-certs")
TOKEN_FILE: Final = Path("/oidc/token")
#: When Python looks for reference cycles: there are few, for what is made for every user and event is in none, and
#: Python's own thresholds (700, 10, 10) cost 6 % of the CPU time.
GC_THRESHOLDS: Final = (20_000, 20, 20)
#: Waits between attempts to open a state that can't be reached, in seconds.
_STORE_RETRY_S: Final = 2.0


def run(settings: Settings, *, once: bool = False) -> bool:
    """Run the adapter until it is time to stop, or with `once` for one complete sweep.

    Returns:
        Whether it ended well: always, unless `once` left something undelivered.

    Raises:
        ConfigError: something that is configured can't be used.
        FatalError: the adapter can't go on.
    """
    stop = Shutdown()
    limiter = RateLimiter(settings.polling.max_rps, sleep=stop.wait)
    pool = _pool(settings, limiter)
    health = Health(stale_s=max(STALE_S, 3 * settings.polling.max_seconds + 60))
    metrics = Metrics(
        source=str(settings.pool),
        namespace=settings.identity.namespace,
        name=settings.identity.name,
        component=settings.identity.component,
        resource_group=settings.identity.resource_group,
        traffic=lambda: (limiter.requests, limiter.throttled),
    )
    for line in settings.ignored:
        logger.warning("%s", line, extra={"action": Action.SETTING_IGNORED})
    gc.set_threshold(*GC_THRESHOLDS)
    with ExitStack() as stack:
        stack.enter_context(stop_on_signals(stop, late=1 if once else 0))
        traces = start_traces(settings)
        stack.callback(traces.close)
        if not once:
            _serve(stack, settings, health, metrics, limiter)
        warn_of_loss(settings.state.url)
        store = _open_store(settings, health, stop, Standby(pool, health), wait=not once)
        if store is None:
            return not once
        stack.callback(store.close)
        stack.callback(pool.close)
        courier = _delivery(stack, settings, store.held, traces)
        logger.info(
            "Watching the user pool",
            extra={
                "action": Action.STARTED,
                "version": VERSION,
                "pool": str(settings.pool),
                "sink": shown(settings.sink),
            },
        )
        scanner = make_scanner(pool, limiter, stop, metrics, store)
        service = _service(settings, stop, scanner, store, courier, health, metrics, traces)
        if once:
            return service.run_once()
        service.run()
    logger.info("Stopped", extra={"action": Action.STOPPED})
    return True


def replay(settings: Settings, selection: Selection, *, events_per_s: float) -> Counter[Status]:
    """Tell users once more; returns how many deliveries ended how. The state is not touched.

    Raises:
        ConfigError: something that is configured can't be used.
        CognitoError: the users can't be listed.
    """
    stop = Shutdown()
    limiter = RateLimiter(settings.polling.max_rps, sleep=stop.wait)
    pool = _pool(settings, limiter)
    with ExitStack() as stack:
        stack.enter_context(stop_on_signals(stop, late=1))
        traces = start_traces(settings)
        stack.callback(traces.close)
        stack.callback(pool.close)
        courier = _delivery(stack, settings, lambda: True, traces)
        stop.limit_outage(ONCE_PATIENCE_S)
        return Replay(
            scanner=make_scanner(pool, limiter, stop, Metrics(source=str(settings.pool))),
            courier=courier,
            builder=EventBuilder(
                pool=settings.pool, attributes=settings.events.allowed_attributes, extensions=settings.extensions
            ),
            detector=Detector(pool_arn=str(settings.pool)),
            run_id=uuid.uuid4().hex,
            limiter=RateLimiter(events_per_s, sleep=stop.wait),
            shutdown=stop,
        ).run(selection)


def make_scanner(
    pool: UserPool,
    limiter: RateLimiter,
    stop: threading.Event,
    metrics: Metrics,
    store: Store | None = None,
    backoff_s: tuple[float, ...] = BACKOFF_S,
    clock: Clock = SYSTEM_CLOCK,
) -> PoolScanner:
    """Listings of a pool that end when it is time to stop, and say what had to be tried again.

    With the pool's state they can also tell whether it is large enough to be read in shards.
    """

    def on_retry(error: CognitoError) -> None:
        metrics.retried(error.code)
        logger.info("A page is requested again", extra={"action": Action.PAGE_RETRIED, "code": error.code})

    return PoolScanner(
        pool,
        limiter,
        stop,
        known=StoredUsers(store) if store is not None else None,
        on_retry=on_retry,
        backoff_s=backoff_s,
        clock=clock,
    )


def http_options(settings: Settings) -> HttpOptions:
    """How HTTP sinks are spoken to."""
    token_file = (
        Path(settings.http.token_file) if settings.http.token_file else TOKEN_FILE if TOKEN_FILE.exists() else None
    )
    return HttpOptions(
        mode=ContentMode(settings.delivery.format),
        timeout_s=settings.attempt_timeout_s,
        connections=settings.delivery.concurrency,
        batch_size=settings.delivery.batch.size,
        headers=settings.http.headers,
        token_file=token_file,
        ca_certs=settings.http.ca_certs,
        ca_folder=CA_FOLDER if CA_FOLDER.is_dir() else None,
        namespace=settings.identity.namespace,
    )


def open_sinks(settings: Settings, traces: Traces = NO_TRACES) -> tuple[Sink, Sink | None]:
    """The sink, and the dead-letter sink if there is one.

    Raises:
        ConfigError: one of them can't be used the way it is configured.
    """
    options = replace(http_options(settings), inject=traces.inject)

    def session() -> boto3.Session:
        import boto3  # 0.3 s to import: only for sinks on AWS

        return boto3.Session(botocore_session=service_session(settings))

    sink = traces.sink(open_sink(settings.sink, options, session))
    if not settings.dead_letter_sink:
        return sink, None
    return sink, traces.sink(open_dead_letter_sink(settings.dead_letter_sink, options, session), dead_letters=True)


def _pool(settings: Settings, limiter: RateLimiter) -> CognitoUserPool:
    return CognitoUserPool(
        PoolCredentials(settings),
        settings.pool,
        limiter,
        connect_timeout_s=settings.cognito.connect_timeout_s,
        read_timeout_s=settings.cognito.read_timeout_s,
    )


def _service(
    settings: Settings,
    stop: Shutdown,
    scanner: PoolScanner,
    store: Store,
    courier: Courier,
    health: Health,
    metrics: Metrics,
    traces: Traces,
) -> Service:
    """The loop that the settings describe, between what it works with."""
    progress = Progress(known=store.count(), whole=store.meta().baseline_done, show=status_line())
    metrics.first_sweep = progress.report
    builder = EventBuilder(
        pool=settings.pool, attributes=settings.events.allowed_attributes, extensions=settings.extensions
    )
    outbox = Outbox(store, courier, builder, metrics)
    detector = Detector(pool_arn=str(settings.pool), report_deletions=settings.events.deleted)
    sweep_options = SweepOptions(
        initial=settings.events.initial, deleted_max_percent=settings.events.deleted_max_percent
    )
    return Service(
        Sweeper(scanner, store, outbox, detector, sweep_options, shutdown=stop),
        outbox,
        poll_interval=PollInterval(settings.polling.min_seconds, settings.polling.max_seconds),
        observers=Observers(health=health, metrics=metrics, progress=progress, traces=traces, emf=settings.metrics.emf),
        shutdown=stop,
    )


def _delivery(stack: ExitStack, settings: Settings, held: Callable[[], bool], traces: Traces) -> Courier:
    """The delivery that the settings describe, between its sinks, which are closed with the stack."""
    sink, dead_letter = open_sinks(settings, traces)
    for opened in (sink, dead_letter):
        if opened is not None:
            stack.callback(opened.close)
    delivery = Delivery(
        sink,
        RetryPolicy(
            retry=settings.delivery.retry,
            backoff_policy=BackoffPolicy(settings.delivery.backoff_policy),
            backoff_delay_s=settings.delivery.backoff_delay_s,
            timeout_s=settings.attempt_timeout_s,
            retry_after_max_s=settings.delivery.retry_after_max_s,
        ),
        dead_letter=dead_letter,
        concurrency=settings.delivery.concurrency,
        batch=Batching(settings.delivery.batch.size, settings.delivery.batch.seconds),
        held=held,
    )
    return traces.courier(delivery)


def _serve(stack: ExitStack, settings: Settings, health: Health, metrics: Metrics, limiter: RateLimiter) -> None:
    """Start the servers for probes and metrics, on a port of their own as in the original; and the status page."""
    problems = []
    address = settings.servers.health_address
    try:
        stack.enter_context(HealthServer(health, address, metrics.status))
    except OSError as error:
        problems.append(
            f"HEALTH_ADDRESS {address} can't be listened on ({error.strerror}); expected a free port: set another one"
        )
    if settings.metrics.port:
        try:
            stack.callback(serve(metrics, settings.metrics.host, settings.metrics.port))
        except OSError as error:
            problems.append(
                f"METRICS_PROMETHEUS_PORT {settings.metrics.port} of METRICS_PROMETHEUS_HOST {settings.metrics.host} "
                f"can't be listened on ({error.strerror}); "
                "expected a free port: set another one, or 0 for none"
            )
    problems += _serve_status_page(stack, settings, health, metrics, limiter)
    if problems:
        raise ConfigError(problems)


def _serve_status_page(
    stack: ExitStack, settings: Settings, health: Health, metrics: Metrics, limiter: RateLimiter
) -> list[str]:
    """Start the status page where one is wanted; returns what is wrong, if somebody asked for just that address."""
    address = settings.servers.status_address
    if address is None:
        return []
    from adapter.observability.status_page.report import Report  # only where there is a page
    from adapter.observability.status_page.server import StatusServer

    try:
        page = stack.enter_context(StatusServer(Report(settings, health, metrics, limiter), address))
    except OSError as error:
        problem = f"STATUS_ADDRESS {address} can't be listened on ({error.strerror})"
        if settings.status_required:
            return [f"{problem}; expected a free port: set another one, or off for no status page"]
        logger.info("There is no status page: %s", problem, extra={"action": Action.STATUS_PAGE})
    else:
        logger.info("The status page is at %s", page.url, extra={"action": Action.STATUS_PAGE, "url": page.url})
    return []


def warn_of_loss(state_url: str) -> None:
    """Say it when the state goes with the container: nobody should find out when the container is replaced."""
    url = parse_state_url(state_url)
    if not isinstance(url, SqliteUrl):
        return
    try:
        where = fate_of_state(str(url.path.resolve()), Path(MOUNTS).read_text(errors="replace"))
    except (OSError, RuntimeError):
        return  # not on Linux, no /proc, or links in a circle: nobody can tell
    if where is not None:
        logger.warning(
            "The state is in %s: when the container is replaced it is lost, and with it every change in between. "
            "Mount a volume that lasts at the folder of STATE_URL, or use dynamodb://TABLE",
            where,
            extra={"action": Action.STATE_EPHEMERAL},
        )


def _open_store(
    settings: Settings, health: Health, stop: threading.Event, standby: Standby, *, wait: bool
) -> Store | None:
    """Open the state, however long it takes; None: asked to stop meanwhile."""
    reported: set[Holder] = set()
    fault, fault_at = "", 0.0

    def waiting(holder: Holder) -> None:
        health.beat()
        health.holder = holder
        standby.begin()
        if holder not in reported:
            reported.add(holder)
            reason = f"another adapter ({holder}) holds it; this one takes over when that one ends"
            health.problem("state", reason)
            logger.info("Waiting for the state: %s", reason, extra={"action": Action.WAITING})

    while not stop.is_set():
        health.beat()
        try:
            store = open_store(
                settings.state.url,
                str(settings.pool),
                service_session=lambda: service_session(settings),
                lease_seconds=settings.state.lease_s,
                waiting=waiting if wait else None,
                pause=stop.wait,
            )
        except HeldError:
            if not stop.is_set():
                raise
        except (StoreRefusedError, StoreUnavailableError) as error:
            # Refused after it was waited for: this adapter runs, and what it lost may come back.
            if not wait or (isinstance(error, StoreRefusedError) and not reported):
                raise
            health.problem("state", str(error))
            if str(error) != fault or time.monotonic() - fault_at >= REMIND_S:
                fault, fault_at = str(error), time.monotonic()
                logger.error("%s", error, extra={"action": Action.SWEEP_FAILED, "code": "StoreUnavailable"})  # noqa: TRY400 - no traceback
            stop.wait(_STORE_RETRY_S)
        else:
            standby.end()
            health.holder = Holder.this_process()
            health.well("state")
            return store
    return None
