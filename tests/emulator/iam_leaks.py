"""Finding a secret wherever it could have gone, in whatever form; and answers of AWS that quote secrets."""

from __future__ import annotations

import base64
import json
import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from botocore.awsrequest import AWSResponse

#: So many characters of a secret in a row count as a leak: a truncated key is one, too.
WINDOW = 10


def forms(secret: str) -> dict[str, str]:
    """A secret as it may appear: raw, escaped, encoded at any offset within a longer text."""
    raw = secret.encode()
    found = {
        "raw": secret,
        "json": json.dumps(secret)[1:-1],
        "json with escaped slashes": secret.replace("/", "\\/"),
        "url": quote(secret, safe=""),
        "hex": raw.hex(),
        "reversed": secret[::-1],
    }
    for shift in range(3):
        # Characters that depend on what stands before and after are cut off.
        for name, encode in (("base64", base64.b64encode), ("base64url", base64.urlsafe_b64encode)):
            text = encode(b"\0" * shift + raw).decode().rstrip("=")
            found[f"{name} at offset {shift}"] = text[[0, 2, 3][shift] : len(text) - 1]
    return found


def leaks(text: str, secrets: set[str]) -> list[str]:
    """The names of the forms of any secret that stand in the text, in whole or in part."""
    return [
        name
        for secret in secrets
        for name, form in forms(secret).items()
        if any(form[start : start + WINDOW] in text for start in range(len(form) - WINDOW + 1))
    ]


def told_by(error: BaseException | None) -> str:
    """All that an exception and those behind it tell: text, arguments, repr, formatted traceback."""
    parts: list[str] = []
    seen: set[int] = set()
    todo = [error]
    while todo:
        each = todo.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        parts += [str(each), repr(each), repr(each.args), repr(vars(each)), "".join(traceback.format_exception(each))]
        todo += [each.__cause__, each.__context__]
    return "\n".join(parts)


def files_below(folder: Path) -> str:
    """Names and contents of all files."""
    return "\n".join(
        f"{path}\n{path.read_bytes().decode('latin-1')}" for path in sorted(folder.rglob("*")) if path.is_file()
    )


class Watch:
    """What the process does that could carry a secret out: files opened for writing, programs started."""

    def __init__(self) -> None:
        self.on = False
        self.written: list[str] = []
        self.started: list[str] = []
        sys.addaudithook(self._hear)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Listen within the block."""
        self.written, self.started, self.on = [], [], True
        try:
            yield
        finally:
            self.on = False

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
            self.written.append(str(arguments[0]))
        elif event in {"subprocess.Popen", "os.exec", "os.posix_spawn", "os.spawn", "os.system", "os.fork"}:
            self.started.append(f"{event} {arguments!r}")


class Records(logging.Handler):
    """Every log record of every logger, at every level, with all that is in it."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text += f"{record.getMessage()} {record.args!r} {record.exc_info!r}\n"


class HostileNetwork:
    """Stands between boto3 and the emulator: learns secrets as they pass, and answers one request in an evil way."""

    def __init__(self) -> None:
        self.secrets: set[str] = set()
        self.requests = 0
        self.bad_request: int | None = None
        self.way = ""

    def learn(self, parsed: dict[str, Any], **_: Any) -> None:
        """Remember the key that CreateAccessKey gave."""
        if "AccessKey" in parsed:
            self.secrets.add(parsed["AccessKey"]["SecretAccessKey"])

    def send(self, request: Any, **_: Any) -> AWSResponse | None:
        """Botocore's `before-send`: None sends the request."""
        number = self.requests
        self.requests += 1
        if number != self.bad_request:
            return None
        body = request.body.decode("latin-1") if isinstance(request.body, bytes) else str(request.body)
        quoted = " ".join(sorted(self.secrets)) + " " + body
        if self.way == "exception":
            raise ConnectionResetError(f"reset while sending {quoted}")
        status, text = {
            "echo": (400, json.dumps({"__type": "ValidationException", "message": quoted})),
            "xml": (
                400,
                f"<E><Error><Code>ValidationError</Code><Message>{quoted.replace('&', ' ')}</Message></Error></E>",
            ),
            "garbled": (200, f"<not-xml {quoted}"),
            "empty": (200, "{}"),
        }[self.way]
        headers: Any = {"content-type": "application/x-amz-json-1.1", "x-amzn-requestid": "0"}
        return AWSResponse(request.url, status, headers, _UnreadBody(text.encode()))


class _UnreadBody:
    """What AWSResponse reads from."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self._content
