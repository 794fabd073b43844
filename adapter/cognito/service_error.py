"""The errors that ListUsers answers with, out of status, headers and body: as botocore's parser reads them, and pure.

tests/unit/cognito/test_service_error.py compares the two.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import responses
from typing import Any, Final

#: The header's longest value that is believed, in seconds.
_RETRY_AFTER_LIMIT_S: Final = 3600.0
#: From here on a body without JSON comes from something in front of the service.
_SERVER_ERROR: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceError:
    """An answer that is no page.

    Attributes:
        status: the HTTP status.
        code: the error's name in the API; the status as text, or nothing, where none is given.
        message: the service's own words. They can quote the filter (a username) or the token: not for logs.
        retry_after_s: what the answer asks for, in seconds.
    """

    status: int
    code: str
    message: str = field(default="", repr=False)
    retry_after_s: float | None = None


def read_error(status: int, header: Callable[[str], str | None], body: bytes) -> ServiceError:
    """Read an answer with a status that is no success.

    Args:
        status: the HTTP status.
        header: looks a header up by its name in lower case.
        body: the body, which may be anything.
    """
    text = body.strip()
    if status >= _SERVER_ERROR and (not text or text.startswith(b"<html>")):
        code, message = str(status), responses.get(status, "")
    else:
        code, message = _of_json(status, header("x-amzn-query-error"), body)
    return ServiceError(status=status, code=code, message=message, retry_after_s=_retry_after_s(header("retry-after")))


def _of_json(status: int, query_error: str | None, body: bytes) -> tuple[str, str]:
    try:
        found: Any = json.loads(body.decode()) if body else {}
    except UnicodeDecodeError:
        return str(status), ""
    except (ValueError, RecursionError):
        found = {"message": body.decode("utf-8", "replace")}
    if not isinstance(found, dict):
        return str(status), ""
    message = found.get("message", found.get("Message", ""))
    code = found.get("__type", str(status))
    if code is None:
        return "", str(message)
    if not isinstance(code, str):
        return str(status), str(message)
    # A bare name, or one behind a namespace and "#", or one before ":" and a URL.
    code = code.partition(":")[0].rpartition("#")[2]
    older, separator, rest = (query_error or "").partition(";")
    if older and separator and ";" not in rest:
        code = older
    return code, str(message)


def _retry_after_s(value: str | None) -> float | None:
    """The Retry-After header in seconds, if it is a number of seconds."""
    try:
        seconds = float(value) if value is not None else None
    except ValueError:
        return None
    return seconds if seconds is not None and 0 <= seconds <= _RETRY_AFTER_LIMIT_S else None
