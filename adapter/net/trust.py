"""Which certificate authorities are trusted: files that somebody else may replace at any time.

Kubernetes, trust-manager and cert-manager rotate bundles in place. They are looked at again once a second, and read
again when one changed; a file that is missing or half written meanwhile changes nothing until it is whole again.
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Final

from adapter.errors import ConfigError

#: How long files are taken for unchanged: looking at each costs as much as a tenth of a request.
LOOK_EVERY_S: Final = 1.0
_CERTIFICATE: Final = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_Stamp = tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A place with CA certificates.

    Attributes:
        name: what names the place, for messages.
        path: a file, or a folder of files; None: `text` is all.
        text: PEM text.
        optional: the place need not exist.
    """

    name: str
    path: Path | None = None
    text: bytes = b""
    optional: bool = False

    def files(self) -> list[Path]:
        """The files of the bundle; what begins with a dot is Kubernetes' own book-keeping."""
        if self.path is None:
            return []
        if self.path.is_dir():
            return sorted(each for each in self.path.iterdir() if each.is_file() and not each.name.startswith("."))
        return [self.path]


@dataclass(frozen=True, slots=True)
class Certificates:
    """Certificates as PEM text, and folders of hashed names that OpenSSL reads itself.

    `version` changes with the text.
    """

    version: int
    pem: bytes
    folders: str


class TrustStore:
    """The certificates of several bundles, read again when one of them changes. Thread-safe.

    Args:
        bundles: all are trusted.
        folders: folders whose files have the names that `openssl rehash` gives them.

    Raises:
        ConfigError: a bundle can't be read or holds no certificates; one line for each.
    """

    def __init__(self, bundles: Sequence[Bundle], folders: Sequence[str] = ()) -> None:
        self._bundles = tuple(bundles)
        self._lock = Lock()
        problems: list[str] = []
        self._stamp = self._look()
        self._looked_s = time.monotonic()
        self._current = Certificates(1, self._read(problems), ":".join(folders))
        if problems:
            raise ConfigError(problems)

    def read(self) -> Certificates:
        """The present certificates; the last good ones while a file can't be read."""
        if time.monotonic() - self._looked_s >= LOOK_EVERY_S:
            with self._lock:
                self._read_again()
                self._looked_s = time.monotonic()
        return self._current

    def _read_again(self) -> None:
        stamp = self._look()
        if stamp == self._stamp:
            return
        problems: list[str] = []
        pem = self._read(problems)
        if problems:
            return
        self._stamp = stamp
        if pem != self._current.pem:
            self._current = replace(self._current, version=self._current.version + 1, pem=pem)

    def _look(self) -> _Stamp:
        """What shows whether a file changed: its place on the disk, its size, when it was written."""
        return tuple(_stamps(self._bundles))

    def _read(self, problems: list[str]) -> bytes:
        """All certificates, each once."""
        found: dict[bytes, None] = {}
        for bundle in self._bundles:
            if bundle.path is None:
                _take(bundle.text, bundle.name, found, problems)
            try:
                for file in bundle.files():
                    _take(file.read_bytes(), bundle.name if file == bundle.path else str(file), found, problems)
            except OSError as error:
                if not bundle.optional:
                    problems.append(f"{bundle.name}: {error.filename} can't be read: {error.strerror}")
        return b"\n".join(found) + b"\n"


def of_the_system() -> tuple[list[Bundle], list[str]]:
    """Where OpenSSL looks on this system, SSL_CERT_FILE and SSL_CERT_DIR included: bundles, and folders."""
    paths = ssl.get_default_verify_paths()
    bundles = [Bundle(name="SSL_CERT_FILE", path=Path(paths.cafile))] if paths.cafile else []
    return bundles, [paths.capath] if paths.capath else []


def _stamps(bundles: Sequence[Bundle]) -> Iterator[object]:
    for bundle in bundles:
        try:
            for file in bundle.files():
                stat = file.stat()
                yield file, stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns
        except OSError as error:
            yield error.errno


def _take(text: bytes, name: str, found: dict[bytes, None], problems: list[str]) -> None:
    """Add the certificates of a text: only its comments may hold characters beyond ASCII, and bundles often do."""
    certificates = _CERTIFICATE.findall(text)
    try:
        # As Python reads them: what it refuses, libcurl would leave out without a word.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=b"\n".join(certificates).decode("ascii"))
    except (ssl.SSLError, ValueError):
        certificates = []
    if certificates:
        found.update(dict.fromkeys(certificates))
    else:
        problems.append(f"{name}: expected CA certificates as PEM text (-----BEGIN CERTIFICATE-----)")
