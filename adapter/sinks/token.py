"""A bearer token that somebody else renews in a file, as Kubernetes and SinkBinding do."""

from __future__ import annotations

from pathlib import Path

from adapter.errors import ConfigError


class TokenFile:
    """The token of a file, read again when the file changes. Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        """Read the token.

        Raises:
            ConfigError: there is no such file, or it does not hold a token.
        """
        self._path = path
        try:
            self._stamp, self._token = self._load()
        except OSError as error:
            raise ConfigError(f"DELIVERY_TOKEN_FILE: {path} can't be read: {error.strerror}") from error
        if not self._token:
            raise ConfigError(f"DELIVERY_TOKEN_FILE: {path} does not hold a token: expected one line of ASCII text")

    def read(self) -> str:
        """The present token; the last good one while the file is missing, empty or half written."""
        try:
            if self._look() != self._stamp:
                stamp, token = self._load()
                if token:
                    self._stamp, self._token = stamp, token
        except OSError:
            pass
        return self._token

    def _look(self) -> tuple[int, int, int]:
        stat = self._path.stat()
        return stat.st_ino, stat.st_mtime_ns, stat.st_size

    def _load(self) -> tuple[tuple[int, int, int], str]:
        stamp = self._look()
        token = self._path.read_text("utf-8", errors="replace").strip()
        return stamp, token if token.isascii() and token.isprintable() and " " not in token else ""
