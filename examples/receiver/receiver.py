"""Keeps a table of the users of Cognito user pools, made of cognito-source's events. How to run it: README.md."""

from __future__ import annotations

import hmac
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from change import UNREADABLE, from_headers, from_json, read_change
from cloudevents.core.v1.event import CloudEvent
from flask import Flask, Request, request
from store import Unavailable, from_environment

STRUCTURED: Final = "application/cloudevents+json"
BATCHED: Final = "application/cloudevents-batch+json"
MAX_BYTES: Final = 16 * 1024 * 1024

#: Text and status. The adapter sends an event again after 5xx and no answer; after these 4xx it does not.
Answer = tuple[str, int]


def create_app(environ: Mapping[str, str] = os.environ) -> Flask:
    """The application. Variables: DATABASE_URL, RETENTION_DAYS, TOKEN_FILE.

    Raises:
        ValueError, OSError: one of them can't be used.
    """
    store = from_environment(environ)
    token = _token(environ.get("TOKEN_FILE"))
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BYTES  # beyond it Flask answers 413

    @app.post("/events")
    def receive() -> Answer:
        if token is not None and not _is_allowed(request, token):
            return "the bearer token is missing or wrong", 401
        if _mode(request) is None:
            return f"expected a CloudEvent: ce- headers with application/json, {STRUCTURED} or {BATCHED}", 415
        try:
            events = _events(request)
            changes = [change for event in events if (change := read_change(event))]
        except UNREADABLE as fault:
            # The type alone: the message may quote the event.
            return f"not an event of cognito-source: {type(fault).__name__}", 400
        store.take(changes)
        return "", 204  # only now: the transaction is committed

    @app.get("/health")
    def health() -> Answer:
        store.take([])
        return "", 204

    @app.errorhandler(Unavailable)
    def unavailable(_: Unavailable) -> Answer:
        return "the database can't be used now", 503

    return app


def _token(file: str | None) -> str | None:
    if not file:
        return None
    token = Path(file).read_text().strip()
    if not token:
        raise ValueError("TOKEN_FILE names an empty file")
    return token


def _is_allowed(given: Request, token: str) -> bool:
    return hmac.compare_digest(given.headers.get("Authorization", "").encode(), f"Bearer {token}".encode())


def _mode(given: Request) -> str | None:
    """The content mode, as the CloudEvents HTTP binding tells it: by the content type, else by the headers."""
    if given.mimetype in (STRUCTURED, BATCHED):
        return given.mimetype
    return "binary" if given.mimetype == "application/json" and "ce-specversion" in given.headers else None


def _events(given: Request) -> list[CloudEvent]:
    if _mode(given) == "binary":
        return [from_headers(dict(given.headers), given.get_data())]
    body = json.loads(given.get_data())
    return [from_json(item) for item in (body if _mode(given) == BATCHED else [body])]
