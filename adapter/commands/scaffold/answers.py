"""What a manifest is made of, checked one by one: an answer that is wrong is asked for again. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from adapter.arn import ArnError, parse_pool_arn
from adapter.config.values import sink as parse_sink
from adapter.errors import ConfigError
from adapter.state.url import parse_state_url

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_NO_NAME = re.compile(r"[^a-z0-9]+")
_NAME_MAX = 40
_WHEREVER = "customers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Everything that the manifest says. `state_url` "": the default of wherever it runs."""

    arn: str
    sink: str
    name: str
    state_url: str = ""
    initial: str = "baseline"


def check_arn(text: str) -> str:
    """The ARN of a user pool. Raises ConfigError: it is none."""
    try:
        return str(parse_pool_arn(text.strip()))
    except ArnError as error:
        raise ConfigError(f"--arn: {error}") from None


def check_sink(text: str) -> str:
    """A sink that a manifest can name. Raises ConfigError: it can't."""
    text = text.strip()
    try:
        found = parse_sink(text)
    except ValueError as error:
        raise ConfigError(f"--sink {error}") from None
    if not found or any(char.isspace() for char in found):
        raise ConfigError("--sink has spaces or is empty; expected one address, in it %20 for a space")
    parts = urlsplit(found)
    if parts.scheme in {"http", "https"} and (parts.username or parts.password):
        raise ConfigError(
            "--sink has a name or password in the address, and the manifest is no place for secrets; expected none: "
            "set DELIVERY_HEADERS or DELIVERY_TOKEN_FILE here, delivery.headersSecretArn on AWS"
        )
    return found


def check_name(text: str) -> str:
    """A source's name. Raises ConfigError: it is none."""
    text = text.strip()
    if not _NAME.fullmatch(text):
        raise ConfigError(f"--name is {text!r}; expected lower-case letters, digits and dashes, at most 63")
    return text


def check_state(text: str) -> str:
    """A state URL; a path is taken for a SQLite file; "" is the default. Raises ConfigError: it is none."""
    text = text.strip()
    if text and "://" not in text:
        text = f"sqlite:///{quote(text)}"
    if any(char.isspace() for char in text):
        raise ConfigError("--state has spaces; expected one URL, in it %20 for a space")
    if text:
        try:
            parse_state_url(text)
        except ConfigError as error:
            raise ConfigError([f"--state: {each.removeprefix('STATE_URL: ')}" for each in error.problems]) from None
    return text


def name_from(pool_name: str) -> str:
    """A name for a source, from that of its pool."""
    return _NO_NAME.sub("-", pool_name.lower())[:_NAME_MAX].strip("-") or _WHEREVER
