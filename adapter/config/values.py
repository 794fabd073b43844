"""Reading the text of one environment variable into a value, or saying what is wrong with it.

Every parser raises ValueError with a sentence that goes after the variable's name: what was found, what is expected.
"""

from __future__ import annotations

import json
import math
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, urlsplit, urlunsplit

from adapter.arn import ArnError, PoolArn, parse_arn, parse_pool_arn
from adapter.config.durations import DurationError, parse_duration
from adapter.errors import ConfigError
from adapter.net.hostname import host_problem
from adapter.state.url import parse_state_url

MASK: Final = "********"
#: Context attributes of CloudEvents 1.0, and `data`, which an extension can't replace.
CORE_ATTRIBUTES: Final = frozenset(
    {"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "data"}
)
_EXTENSION = re.compile(r"[a-zA-Z0-9]+", re.ASCII)
_HEADER = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
#: Half a pair of UTF-16, which JSON can write and UTF-8, and so an event, can't hold.
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_BEFORE_AT = re.compile(r".*@", re.DOTALL)


class Secret(str):
    """A text that must not be shown: its repr is masked. `str()` of it, and using it as a str, gives the text."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(MASK)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server of ours listens."""

    host: str
    port: int

    @property
    def family(self) -> socket.AddressFamily:
        """That of the socket that listens there: a host with a colon is an IPv6 address."""
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def shown(text: str) -> str:
    """A value fit for people: URLs without user information and query."""
    if "://" not in text or text.startswith(("dynamodb:", "sqlite:")):
        return text
    try:
        parts = urlsplit(text)
    except ValueError:
        return MASK
    host = parts.netloc.rpartition("@")
    netloc = f"{MASK}@{host[2]}" if host[1] else parts.netloc
    return urlunsplit((parts.scheme, netloc, parts.path, MASK if parts.query else "", ""))


def shown_sink(text: str) -> str:
    """A sink fit for people, whether it is a good one or mistyped."""
    try:
        sink(text)
    except ValueError:
        return _mistyped(text)
    return shown(text)


def _mistyped(text: str) -> str:
    """In a URL with one slash, or behind a broken scheme, the user information is no part of its own."""
    return _BEFORE_AT.sub(f"{MASK}@", shown(text))


def one_of(*allowed: str) -> Callable[[str], str]:
    """One of these words, whatever its case."""

    def parse(text: str) -> str:
        if text.lower() not in allowed:
            raise ValueError(f"is {text!r}; expected one of {', '.join(allowed)}")
        return text.lower()

    return parse


def delivery_format(text: str) -> str:
    """How events travel over HTTP; `json` is Knative's word for structured."""
    return "structured" if text.lower() == "json" else one_of("binary", "structured", "batched")(text)


def boolean(text: str) -> bool:
    """A truth: true or false, also as 1/0, yes/no, on/off."""
    if text.lower() in {"true", "1", "yes", "on"}:
        return True
    if text.lower() in {"false", "0", "no", "off"}:
        return False
    raise ValueError(f"is {text!r}; expected true or false")


def number(low: float, high: float, *, above: bool = False) -> Callable[[str], float]:
    """A finite decimal number of [low, high], or of (low, high] when `above`."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (low < value <= high if above else low <= value <= high):
            lower = f"above {low:g}" if above else f"from {low:g}"
            raise ValueError(f"is {text!r}; expected a number {lower} to {high:g}")
        return value

    return parse


def integer(low: int, high: int) -> Callable[[str], int]:
    """A whole number of [low, high]."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise ValueError(f"is {text!r}; expected a whole number from {low} to {high}")
        return int(text)

    return parse


def duration(*, zero: bool) -> Callable[[str], str]:
    """An ISO 8601 duration, as it is written; `zero` says whether PT0S makes sense."""

    def parse(text: str) -> str:
        try:
            seconds = parse_duration(text)
        except DurationError as error:
            raise ValueError(f"is wrong: {error}") from None
        if not zero and seconds <= 0:
            raise ValueError(f"is {text!r}; expected a duration longer than nothing, such as PT30S")
        return text

    return parse


def pool(text: str) -> PoolArn:
    """The ARN of a user pool."""
    try:
        return parse_pool_arn(text)
    except ArnError as error:
        raise ValueError(f"is wrong: {error}") from None


def arn(service: str, prefix: str, example: str) -> Callable[[str], str]:
    """The ARN of one kind of resource."""

    def parse(text: str) -> str:
        try:
            arn = parse_arn(text)
        except ArnError:
            arn = None
        if arn is None or arn.service != service or not arn.resource.startswith(prefix):
            raise ValueError(f"is {text!r}; expected an ARN like {example}")
        return text

    return parse


def sink(text: str) -> str:
    """A sink string: http(s) URL, ARN of an event bus or queue, file URL, or `stdout:`."""
    expected = (
        "expected an http:// or https:// URL, the ARN of an EventBridge event bus or of an SQS queue, "
        "file:///path or stdout:"
    )
    if not text or text == "stdout:":
        return text
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"is not a URL; {expected}") from None
    # A backslash ends the host for some readers of URLs (urllib3 among them), and for others it is part of the user.
    if parts.scheme in {"http", "https"} and host and not _CONTROL.search(text) and not {" ", "\\"} & set(text):
        if port == 0:
            raise ValueError("has the port 0; expected one from 1 to 65535")
        if problem := host_problem(host):
            raise ValueError(f"has a host's name that can't be used: {problem}")
        return text
    path = unquote(parts.path)
    if (
        parts.scheme == "file"
        and not parts.netloc
        and path.startswith("/")
        and path != "/"
        and not _CONTROL.search(path)
    ):
        return text
    if parts.scheme == "arn":
        try:
            arn = parse_arn(text)
        except ArnError:
            raise ValueError(f"is {_mistyped(text)!r}, which is not an ARN; {expected}") from None
        bus = arn.service == "events" and arn.resource.startswith("event-bus/")
        if arn.region and arn.account and (bus or (arn.service == "sqs" and "/" not in arn.resource)):
            return text
    raise ValueError(f"is {_mistyped(text)!r}; {expected}")


def state_url(text: str) -> str:
    """Where the state lives: sqlite or dynamodb."""
    try:
        parse_state_url(text)
    except ConfigError as error:
        raise ValueError("; ".join(problem.removeprefix("STATE_URL: ") for problem in error.problems)) from None
    return text


def address(text: str) -> Address:
    """HOST:PORT; an IPv6 host in brackets."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65_535:
        raise ValueError(f"is {text!r}; expected HOST:PORT such as 0.0.0.0:8080")
    return Address(host or "0.0.0.0", int(port))  # noqa: S104 - the original listens on all interfaces, for the probes


def address_or_off(text: str) -> Address | None:
    """HOST:PORT, or `off`: None."""
    if text.lower() == "off":
        return None
    try:
        return address(text)
    except ValueError:
        raise ValueError(f"is {text!r}; expected HOST:PORT such as 127.0.0.1:8081, or off") from None


def names(text: str) -> tuple[str, ...]:
    """A list with commas."""
    names = tuple(name.strip() for name in text.split(","))
    if not all(names) or any(re.search(r"\s", name) for name in names):
        raise ValueError(f"is {text!r}; expected attribute names with commas between them, such as sub,email")
    return names


def _json_object(text: str, example: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ValueError(f"is not a JSON object; expected one like {example}")  # noqa: TRY004 - read by load()
    return value


def extensions(text: str) -> Mapping[str, str]:
    """K_CE_OVERRIDES. Names are lower-cased as the original does; what else CloudEvents forbids is refused."""
    example = '{"extensions":{"team":"crm"}}'
    given = _json_object(text, example).get("extensions")
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise ValueError(f"has 'extensions' that is no JSON object; expected one like {example}")  # noqa: TRY004 - same
    result: dict[str, str] = {}
    for name, value in given.items():
        if not _EXTENSION.fullmatch(name):
            raise ValueError(f"has the extension name {name!r}; expected only the letters a-z and the digits 0-9")
        if name.lower() in CORE_ATTRIBUTES:
            raise ValueError(f"has the extension name {name!r}, an attribute of CloudEvents; choose another name")
        if name.lower() in result:
            raise ValueError(f"has the extension name {name.lower()!r} twice; names are lower-cased, so give it once")
        if not isinstance(value, str) or _CONTROL.search(value) or _SURROGATE.search(value):
            raise ValueError(f"has a value for {name!r} that is no text; expected a string without control characters")
        result[name.lower()] = value
    return result


def headers(text: str) -> Mapping[str, Secret]:
    """A JSON object of HTTP headers."""
    result: dict[str, Secret] = {}
    for name, value in _json_object(text, '{"X-Api-Key":"..."}').items():
        if not _HEADER.fullmatch(name):
            raise ValueError(f"has the header name {name!r}; expected a token of letters, digits and dashes")
        if not isinstance(value, str) or _CONTROL.search(value):
            raise ValueError(f"has a value for {name!r} that is no text; expected a string without control characters")
        result[name] = Secret(value)
    return result
