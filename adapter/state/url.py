"""What STATE_URL may say. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from adapter.errors import ConfigError

#: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
_TABLE = re.compile(r"[a-zA-Z0-9_.-]{3,255}")
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-[0-9]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_EXPECTED = "expected sqlite:///relative.db, sqlite:////absolute/path.db or dynamodb://TABLE?region=REGION"


@dataclass(frozen=True, slots=True)
class SqliteUrl:
    """`sqlite:///path`: three slashes and a relative path, or four and an absolute one."""

    path: Path

    def __str__(self) -> str:
        return f"sqlite:///{self.path}"


@dataclass(frozen=True, slots=True)
class DynamoUrl:
    """`dynamodb://TABLE?region=REGION&cache=FOLDER`.

    `region` None means the pool's; `cache` is the folder of the local working set, None the system's temporary one.
    """

    table: str
    region: str | None = None
    cache: Path | None = None

    def __str__(self) -> str:
        return f"dynamodb://{self.table}" + (f"?region={self.region}" if self.region else "")


def parse_state_url(url: str) -> SqliteUrl | DynamoUrl:
    """Read STATE_URL.

    Raises:
        ConfigError: one line for each problem.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ConfigError(f"STATE_URL: {url!r} is not a URL; {_EXPECTED}") from None
    if parts.fragment:
        raise ConfigError(f"STATE_URL: {url!r} has a fragment (#); write %23 when it is part of a name")
    if parts.scheme == "sqlite":
        return _sqlite(url, parts.netloc, parts.path, parts.query)
    if parts.scheme == "dynamodb":
        return _dynamodb(url, parts.netloc, parts.path, parts.query)
    raise ConfigError(f"STATE_URL: {url!r} names no store; {_EXPECTED}")


def _sqlite(url: str, host: str, path: str, query: str) -> SqliteUrl:
    if host:
        raise ConfigError(
            f"STATE_URL: {url!r} names the host {host!r}; "
            "a relative path follows three slashes (sqlite:///state.db), an absolute one four (sqlite:////var/state.db)"
        )
    if query:
        raise ConfigError(f"STATE_URL: {url!r} has a query; sqlite: takes none (write %3F when it is part of a name)")
    name = unquote(path[1:])
    if not name or name.endswith("/") or _CONTROL.search(name):
        raise ConfigError(f"STATE_URL: {url!r} names no file; {_EXPECTED}")
    if name == ":memory:":
        raise ConfigError(f"STATE_URL: {url!r} would forget everything at the next start; name a file")
    return SqliteUrl(Path(name))


def _dynamodb(url: str, table: str, path: str, query: str) -> DynamoUrl:
    problems = []
    if not _TABLE.fullmatch(table):
        problems.append(
            f"STATE_URL: {url!r} has the table {table!r}; expected 3 to 255 letters, digits, '_', '.' or '-'"
        )
    if path not in ("", "/"):
        problems.append(f"STATE_URL: {url!r} has the path {path!r}; expected only a table and parameters")
    found: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in ("region", "cache"):
            problems.append(f"STATE_URL: {url!r} has the parameter {name!r}; expected region or cache")
        elif name in found:
            problems.append(f"STATE_URL: {url!r} has the parameter {name!r} twice; give it once")
        elif not value or _CONTROL.search(value):
            problems.append(f"STATE_URL: {url!r} has no usable {name!r}; give it a value or leave it out")
        found[name] = value
    region = found.get("region") or None
    if region and not _REGION.fullmatch(region):
        problems.append(f"STATE_URL: {url!r} has the region {region!r}; expected one like eu-central-1")
    if problems:
        raise ConfigError(problems)
    cache = found.get("cache")
    return DynamoUrl(table, region, Path(cache) if cache else None)
