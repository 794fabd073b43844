"""From the settings to traces: OpenTelemetry is imported here, and only if somebody wants it."""

from __future__ import annotations

import logging

from adapter.config.settings import Settings
from adapter.log import Action
from adapter.observability.tracing.base import NO_TRACES, Traces

logger = logging.getLogger(__name__)


def start_traces(settings: Settings) -> Traces:
    """The traces that the settings ask for. Whatever is wrong with them is logged: events matter more than traces."""
    wanted = settings.traces
    if wanted is None:
        return NO_TRACES
    try:
        from adapter.observability.tracing.otel import OtelTraces
    except ImportError as error:
        logger.error(  # noqa: TRY400 - one line, no traceback
            "%s asks for traces, but the package %s is not installed: pip install -e '.[tracing]'",
            wanted.wanted_by,
            (error.name or "opentelemetry").partition(".")[0],
            extra={"action": Action.SETTING_IGNORED},
        )
        return NO_TRACES
    try:
        return OtelTraces(
            wanted, pool=str(settings.pool), namespace=settings.identity.namespace, name=settings.identity.name
        )
    except Exception as error:  # noqa: BLE001 - whatever the SDK refuses must not keep events from being delivered
        # The text of the error is left out: it may quote a header for the collector.
        logger.error(  # noqa: TRY400
            "Traces can't be started (%s): one of the OTEL_* variables has a value that OpenTelemetry's SDK refuses",
            type(error).__name__,
            extra={"action": Action.SETTING_IGNORED},
        )
        return NO_TRACES
