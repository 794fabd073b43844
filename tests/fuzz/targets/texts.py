"""Small texts: ARNs, durations, sinks, STATE_URL, Retry-After."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from unittest import mock
from urllib.parse import unquote, urlsplit

from adapter.arn import ArnError, parse_arn, parse_pool_arn
from adapter.config import values
from adapter.config.durations import DurationError, parse_duration
from adapter.errors import ConfigError
from adapter.sinks import address
from adapter.sinks.base import Failed
from adapter.sinks.options import HttpOptions
from adapter.sinks.outcomes import BODY_MAX, parse_retry_after, read_answer
from adapter.state.url import parse_state_url
from tests.fuzz.engine import FuzzTarget, RefusedInputError, promise
from tests.fuzz.mutate import texts

CANARY = "cAnArY7"
POOL = "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_AbCdEfGhI"
ARNS = texts(
    [
        POOL,
        "arn:aws-us-gov:cognito-idp:us-gov-west-1:000000000000:userpool/us-gov-west-1_a",
        "arn:aws-cn:sqs:cn-north-1:123456789012:queue.fifo",
        "arn:aws:events:eu-central-1:123456789012:event-bus/default",
        "arn:aws:iam::123456789012:role/a/b",
        "arn:aws:secretsmanager:eu-central-1:123456789012:secret:name-AbCdEf",
    ],
    ["arn", ":", "/", "aws", "cognito-idp", "userpool", "userpool/", "eu-central-1", "_", "-", "*", "?"],
    2_000,
)


def _arn(text: str) -> None:
    arn = parse_arn(text)
    promise(str(arn) == text, "an ARN is written as it was read")
    pool = parse_pool_arn(text)
    promise(str(pool) == text, "a pool's ARN is written as it was read")
    promise(text.isascii() and text.isprintable() and " " not in text, "a pool's ARN is plain text")


_DURATIONS = texts(
    ["PT0.2S", "PT30S", "PT5M", "P1D", "P2W", "P1DT2H3M4.5S", "PT999999999,999999999S", "P999999999W", "PT0S"],
    ["P", "T", "W", "D", "H", "M", "S", "Y", ".", ",", "0", "1", "9" * 9, "9" * 10, "-", "+"],
    400,
)


def _duration(text: str) -> None:
    seconds = parse_duration(text)
    promise(math.isfinite(seconds) and seconds >= 0, "a duration is a finite number from 0")


_DATES = texts(
    [
        "120",
        "0",
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Mon, 01 Jan 9999 00:00:00 -2359",
        "Mon, 01 Jan 0001 00:00:00 +2359",
        "6 Nov 2026 08:49 EST",
    ],
    [
        "Sun",
        "Nov",
        "GMT",
        "EST",
        "-0000",
        "+9999",
        "1e9",
        "0000",
        "99",
        "24:00:00",
        "23:59:60",
        ",",
        ":",
        "-",
        "Feb 30",
    ],
    300,
)


def _make_retry_after(rng: Random) -> tuple[int, str]:
    status = rng.choice((429, 503, 200, 301, 404, 418, 599, 999, 0, 100, 1_000))
    return status, _DATES.make(rng)


def _retry_after(given: tuple[int, str]) -> None:
    status, text = given
    outcome = read_answer(status, retry_after=text, now_s=1_790_000_000.0, body=text.encode("utf-8", "replace") * 100)
    if isinstance(outcome, Failed):
        promise(len(outcome.body) <= BODY_MAX, "a body is cut")
        promise(outcome.reason.isprintable(), "a reason is one printable line")
    wait_s = parse_retry_after(text, 1_790_000_000.0)
    if wait_s is None:
        raise RefusedInputError("not a Retry-After")
    promise(math.isfinite(wait_s) and wait_s >= 0, "a wait is a finite number from 0")


_SINKS = texts(
    [
        "http://events.example.com/users",
        f"http://user:{CANARY}@events.example.com:8080/a/b?key=x",
        f"https://:{CANARY}@[::1]:8443/",
        f"https://user:{CANARY}@xn--bcher-kva.example/%7Ea?x=%20#f",
        "http://bücher.example/ä?ö=ü",
        "arn:aws:events:eu-central-1:123456789012:event-bus/default",
        "arn:aws:sqs:eu-central-1:123456789012:queue.fifo",
        "file:///var/log/events.jsonl",
        "stdout:",
    ],
    [
        "http",
        "https",
        "://",
        ":",
        "/",
        "//",
        "@",
        "?",
        "#",
        "[::1]",
        "[",
        "]",
        "%",
        "127.0.0.1",
        ":0",
        ":65536",
        ":x",
        "xn--",
        "..",
        "user:pw@",
        "\r\nX: y",
        "HTTP",
        "file:",
        "arn:",
        "ß",
        "。",
        "\uff0e",
        "\\",
    ],
    3_000,
)
_NAMESPACES = texts(["default", "prod-1", ""], ["-", "kube"], 100)
_HEADER = re.compile(rb"[!#$%&\'*+.^_`|~0-9A-Za-z-]+: [\t\x20-\x7e\x80-\xff]*")


def _make_sink(rng: Random) -> tuple[str, str]:
    return _SINKS.make(rng), (_NAMESPACES.make(rng) if rng.random() < 0.2 else "default")


def _sink(given: tuple[str, str]) -> None:
    text, namespace = given
    # As adapter.config.settings words it; a UnicodeError is a ValueError too, but says something else.
    try:
        values.sink(text)
    except UnicodeError:
        raise
    except ValueError as error:
        raise ConfigError(f"K_SINK {error}") from None
    if not text.startswith(("http:", "https:")):
        return
    found = address.resolve(text, HttpOptions(namespace=namespace), variable="K_SINK")
    promise(all(map(_HEADER.fullmatch, found.headers)), "headers are well-formed lines")
    url = urlsplit(found.origin.url)
    promise(found.origin.url.isascii(), "a URL is sent in ASCII")
    promise(url.hostname, "a URL leads to a host")
    promise("@" not in url.netloc, "a URL holds no credentials")
    meant = urlsplit(text).hostname or ""
    promise(
        not meant.isascii() or unquote(url.hostname or "").lower() == unquote(meant).lower(),
        "a URL leads to the host of the text",
    )
    promise(url.port is None or 0 < url.port < 65_536, "a URL leads to a port")
    if _password(given):
        promise(CANARY not in found.target + repr(found), "a target has no password")


@contextmanager
def _without_tls() -> Iterator[None]:
    """Reading the CAs takes 20 ms and does not depend on the address."""
    with mock.patch.object(address, "_trust", return_value=None):
        yield


def _password(given: tuple[str, str]) -> str:
    """The canary, where it can only be a password."""
    text = given[0]
    authority = text.partition("://")[2].partition("/")[0] if text.startswith("http") else text
    return CANARY if f":{CANARY}@" in authority and text.count(CANARY) == 1 else ""


_STATES = texts(
    [
        "sqlite:///state.db",
        "sqlite:////var/lib/state.db",
        "dynamodb://table?region=eu-central-1",
        "dynamodb://table?region=eu-central-1&cache=/tmp/x",
        "dynamodb://table/",
    ],
    [
        "sqlite",
        "dynamodb",
        ":///",
        "//",
        "?",
        "&",
        "=",
        "region",
        "cache",
        ":memory:",
        "#",
        "%00",
        "%3F",
        "..",
        "[",
        "@",
    ],
    2_000,
)


def _state_url(text: str) -> None:
    found = parse_state_url(text)
    promise(parse_state_url(text) == found, "a URL always means the same")


TARGETS = (
    FuzzTarget(name="arn", make=ARNS.make, parse=_arn, refusals=(ArnError,)),
    FuzzTarget(name="duration", make=_DURATIONS.make, parse=_duration, refusals=(DurationError,)),
    FuzzTarget(name="retry-after", make=_make_retry_after, parse=_retry_after, refusals=(RefusedInputError,)),
    FuzzTarget(
        name="sink", make=_make_sink, parse=_sink, refusals=(ConfigError,), secret=_password, around=_without_tls
    ),
    FuzzTarget(name="state-url", make=_STATES.make, parse=_state_url, refusals=(ConfigError,)),
)
