"""How a sink is to be spoken to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


class ContentMode(StrEnum):
    """How an event becomes an HTTP message."""

    BINARY = "binary"
    STRUCTURED = "structured"
    BATCHED = "batched"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpOptions:
    """How to speak to an HTTP sink.

    `timeout_s` bounds one attempt; `connections` are kept open for reuse; `batch_size` counts the events of one batched
    request. `ca_certs` is PEM text and `ca_folder` a folder of PEM files, trusted besides the system's CAs.
    `token_file` holds a bearer token, `headers` go onto every request, `namespace` becomes the Kn-Namespace header.
    `inject` adds to the headers of a request what is known only when it is sent: `traceparent`.
    """

    mode: ContentMode = ContentMode.BINARY
    timeout_s: float = 30.0
    connections: int = 8
    batch_size: int = 100
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    token_file: Path | None = None
    ca_certs: str = field(default="", repr=False)
    ca_folder: Path | None = None
    namespace: str = ""
    inject: Callable[[dict[str, str]], None] | None = None
