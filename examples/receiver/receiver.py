"""Keeps a table of the users of Cognito user pools, made of cognito-source's events. How to run it: README.md."""

from __future__ import annotations

import hmac
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from change import read_change
from cloudevents.core.bindings.http import HTTPMessage, from_binary
from cloudevents.core.exceptions import CloudEventValidationError
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from flask import Flask, Request, request
from store import Store, Unavailable

STRUCTURED: Final = "application/cloudevents+json"
BATCHED: Final = "application/cloudevents-batch+json"
MAX_BYTES: Final = 16 * 1024 * 1024
DAY_S: Final = 24 * 3600

#: Text and status. The adapter sends an event again after 5xx and no answer; after these 4xx it does not.
Answer = tuple[str, int]


def create_app(environ: Mapping[str, str] = os.environ) -> Flask:
    """The application. Variables: DATABASE_URL, RETENTION_DAYS, TOKEN_FILE.

    Raises:
        ValueError, OSError: one of them can't be used.
    """
    url = environ.get("DATABASE_URL", "sqlite:///users.db")
    store = Store(url, retention_s=float(environ.get("RETENTION_DAYS", "30")) * DAY_S)
    token_file = environ.get("TOKEN_FILE")
    token = Path(token_file).read_text().strip() if token_file else None
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BYTES  # beyond it Flask answers 413

    @app.post("/events")
    def receive() -> Answer:
        if token and not _is_allowed(request, token):
            return "the bearer token is missing or wrong", 401
        if _mode(request) is None:
            return f"expected a CloudEvent: ce- headers with application/json, {STRUCTURED} or {BATCHED}", 415
        try:
            events = _events(request)
            changes = [change for event in events if (change := read_change(event))]
        except (CloudEventValidationError, AttributeError, KeyError, TypeError, ValueError) as fault:
            # The type alone: the message may quote the event.
            return f"not an event of cognito-source: {type(fault).__name__}", 400
        store.take(changes)
        return "", 204  # only now: the transaction is committed

    @app.errorhandler(Unavailable)
    def unavailable(_: Unavailable) -> Answer:
        return "the database can't be used now", 503

    return app


def _is_allowed(given: Request, token: str) -> bool:
    return hmac.compare_digest(given.headers.get("Authorization", "").encode(), f"Bearer {token}".encode())


def _mode(given: Request) -> str | None:
    """The content mode, as the CloudEvents HTTP binding tells it: by the content type, else by the headers."""
    if given.mimetype in (STRUCTURED, BATCHED):
        return given.mimetype
    return "binary" if given.mimetype == "application/json" and "ce-specversion" in given.headers else None


def _events(given: Request) -> list[CloudEvent]:
    if _mode(given) == "binary":
        if "ce-id" not in given.headers:
            raise KeyError("id")  # the SDK would make one up, and every repetition were news
        event = from_binary(HTTPMessage(dict(given.headers), given.get_data()), JSONFormat(), CloudEvent)
        return [_version_1(event)]
    body = json.loads(given.get_data())
    return [_from_json(item) for item in (body if _mode(given) == BATCHED else [body])]


def _from_json(item: dict[str, object]) -> CloudEvent:
    if "id" not in item:
        raise KeyError("id")
    return _version_1(JSONFormat().read(CloudEvent, json.dumps(item)))


def _version_1(event: object) -> CloudEvent:
    if not isinstance(event, CloudEvent):
        raise TypeError("not of CloudEvents 1.0")
    return event
