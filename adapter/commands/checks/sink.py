"""The sink: is it there, is it whom it says it is, does it answer; and on request, does it take an event."""

from __future__ import annotations

import os
import socket
import ssl
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from adapter.arn import Arn, PoolArn, parse_arn
from adapter.commands.checks.check import Check, fail, ok, skip, warn
from adapter.errors import ConfigError
from adapter.model import Event
from adapter.net.failures import FaultKind, TransferError
from adapter.net.http_client import HttpClient
from adapter.net.origin import Limits
from adapter.net.trust import TrustStore
from adapter.sinks.base import Delivered, Sink
from adapter.terminal import printable

if TYPE_CHECKING:
    from botocore.session import Session

    from adapter.sinks.address import Address
    from adapter.sinks.options import HttpOptions

#: The type of the event of `--send`: consumers that look at types leave it alone.
PROBE_TYPE: Final = "com.amazon.cognito-idp.probe"
#: A certificate that ends sooner is worth a word, in days.
_CERTIFICATE_DAYS: Final = 14
_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkPlan:
    """What to look at, and how long a whole check may take.

    `name` is what the checks are called, `target` the string of `variable` that names the sink, `options` how it is
    spoken to over HTTP; `send` says whether to send an event.
    """

    name: str
    target: str
    options: HttpOptions
    variable: str
    send: bool
    limit_s: float


def sink_checks(
    plan: SinkPlan, pool: PoolArn, session: Callable[[], Session], opened: Callable[[], Sink]
) -> Iterator[Check]:
    """All checks of one sink.

    Args:
        plan: which one.
        pool: the source of the probe event.
        session: makes the session for sinks on AWS.
        opened: opens the sink itself, for the probe.
    """
    scheme = plan.target.partition(":")[0].lower()
    if scheme in {"http", "https"}:
        checks = _http(plan)
    elif scheme == "arn":
        checks = _on_aws(plan, parse_arn(plan.target), session())
    elif scheme == "file":
        yield _file(plan, Path(unquote(urlsplit(plan.target).path)))
        return
    else:
        yield ok(plan.name, "stdout: one event a line, where this process writes")
        return
    for check in checks:
        yield check
        if check.mark == "fail":
            return
    if plan.send:
        yield _probe(plan, pool, opened)


# -- http --------------------------------------------------------------------------------------------------------------


def _http(plan: SinkPlan) -> Iterator[Check]:
    from adapter.sinks.address import resolve

    try:
        address = resolve(plan.target, plan.options, variable=plan.variable)
    except ConfigError as error:
        yield from (fail(plan.name, problem) for problem in error.problems)
        return
    origin = address.origin
    url = urlsplit(origin.proxy.url if origin.proxy else origin.url)
    host, port = url.hostname or "", url.port or (443 if url.scheme == "https" else 80)
    via = f"the proxy {host}" if origin.proxy else host
    yield from _resolved(plan.name, host, port, via)
    try:
        with _connected(host, port, origin.trust if url.scheme == "https" else None, plan.limit_s / 3) as sock:
            yield _secured(plan.name, sock, via, port)
    except OSError as error:
        yield _unconnected(plan.name, error, f"{host}:{port}")
        return
    yield _answered(plan, address)


def _connected(host: str, port: int, trust: TrustStore | None, timeout_s: float) -> socket.socket:
    """A connection, with TLS where there is somebody to trust.

    Raises:
        OSError: there is none.
    """
    sock = socket.create_connection((host, port), timeout_s)
    if trust is None:
        return sock
    found = trust.read()
    context = ssl.create_default_context(cadata=found.pem.decode("ascii"))
    for folder in filter(None, found.folders.split(":")):
        context.load_verify_locations(capath=folder)
    try:
        return context.wrap_socket(sock, server_hostname=host.removesuffix("."))
    except OSError:
        sock.close()
        raise


def _resolved(name: str, host: str, port: int, via: str) -> Iterator[Check]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):
        yield fail(
            name, f"the name {via} is not known to the DNS here", "check the address, and the machine's resolver"
        )
        return
    addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
    if addresses != [host.strip("[]")]:
        shown = ", ".join(addresses[:3]) + (f" and {len(addresses) - 3} more" if len(addresses) > 3 else "")
        yield ok(name, f"{via} is {shown}")


def _unconnected(name: str, error: OSError, where: str) -> Check:
    if isinstance(error, ssl.SSLCertVerificationError):
        return fail(
            name,
            f"the certificate of {where} is refused: {printable(error.verify_message)}",
            "give its CA in K_CA_CERTS, or use the name that the certificate has",
        )
    if isinstance(error, ssl.SSLError):
        return fail(name, f"{where} does not speak TLS as it should", "is this http:// rather than https://?")
    if isinstance(error, TimeoutError):
        return fail(name, f"{where} does not answer", "look for a firewall or security group in between")
    if isinstance(error, ConnectionRefusedError):
        return fail(name, f"nothing listens at {where}", "start the sink, or fix the port")
    return fail(name, f"no connection to {where}: {error.strerror or type(error).__name__}", "look at the network")


def _secured(name: str, sock: socket.socket, via: str, port: int) -> Check:
    """A connection that stands: with TLS or without."""
    if not isinstance(sock, ssl.SSLSocket):
        return ok(name, f"{via} takes connections on port {port}, without TLS")
    certificate: Any = sock.getpeercert() or {}
    found = f"{via} takes connections on port {port} with {sock.version()}"
    if "notAfter" not in certificate:
        return ok(name, found)
    days = (ssl.cert_time_to_seconds(certificate["notAfter"]) - time.time()) / _DAY_S
    if days < _CERTIFICATE_DAYS:
        return warn(name, f"{found}; its certificate ends in {max(0.0, days):.0f} days", "have it renewed")
    return ok(name, f"{found}; its certificate is good for {days:.0f} days")


def _answered(plan: SinkPlan, address: Address) -> Check:
    """What the sink says to OPTIONS: whatever it is, it shows that HTTP is spoken there."""
    headers = address.headers
    if plan.options.token_file is not None:
        from adapter.sinks.token import TokenFile

        try:
            headers += (f"authorization: Bearer {TokenFile(plan.options.token_file).read()}".encode("ascii"),)
        except ConfigError as error:
            return fail(plan.name, str(error))
    client = HttpClient(replace(address.origin, method="OPTIONS"), Limits(total_s=plan.limit_s / 3, cut_s=0.5))
    try:
        return _meaning(plan, client.send(headers, b"").status)
    except TransferError as error:
        return _unanswered(plan.name, error)
    finally:
        client.close()


def _unanswered(name: str, error: TransferError) -> Check:
    if error.kind is FaultKind.TIMEOUT:
        return fail(name, "no answer to OPTIONS", "is there a server behind the load balancer?")
    if error.kind in {FaultKind.INVALID, FaultKind.RESET}:
        return fail(name, "the answer to OPTIONS is no HTTP", "is the port the right one?")
    if error.kind is FaultKind.PROXY:
        return fail(name, f"OPTIONS is not let through: {error.reason}", "look at HTTPS_PROXY and NO_PROXY")
    return fail(name, f"no answer to OPTIONS: {error.reason}", "look at the network, and at K_CA_CERTS for TLS")


def _meaning(plan: SinkPlan, status: int) -> Check:
    try:
        answer = f"it answers {status} {HTTPStatus(status).phrase} to OPTIONS"
    except ValueError:
        answer = f"it answers {status} to OPTIONS"
    if status in {401, 403}:
        credentials = "check DELIVERY_HEADERS, DELIVERY_TOKEN_FILE, or the credentials in the address"
        return warn(plan.name, f"{answer}: it does not know who asks, or lets no OPTIONS through", credentials)
    if 300 <= status < 400:
        return warn(plan.name, f"{answer}: redirects are not followed", "set the sink to the final address")
    if status == 404:
        return warn(plan.name, f"{answer}: nothing may be at this path", "check the path; --send tries a POST")
    if status >= 500 and status != 501:
        return warn(plan.name, f"{answer}: it is not well", "look at the sink's own logs")
    said = "" if status < 300 else ", which says nothing of POST"
    return ok(plan.name, answer + said + ("" if plan.send else "; --send tries an event"))


# -- AWS and files -----------------------------------------------------------------------------------------------------


def _on_aws(plan: SinkPlan, arn: Arn, session: Session) -> Iterator[Check]:
    """What can be known of a bus or a queue without any permission: somebody to ask as, and an endpoint."""
    action = "events:PutEvents" if arn.service == "events" else "sqs:SendMessage"
    if session.get_credentials() is None:
        yield fail(plan.name, f"there are no credentials for {action}", "give the task a role, or the process a key")
        return
    url = urlsplit(session.create_client(arn.service, region_name=arn.region).meta.endpoint_url)
    port = url.port or (443 if url.scheme == "https" else 80)
    host = url.hostname or ""
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        yield skip(plan.name, f"{host} is reached through a proxy: --send tries it")
    else:
        yield from _resolved(plan.name, host, port, host)
        try:
            _connected(host, port, None, plan.limit_s / 3).close()
        except OSError as error:
            yield _unconnected(plan.name, error, f"{host}:{port}")
            return
        yield ok(plan.name, f"{host} takes connections on port {port}")
    if not plan.send:
        yield skip(plan.name, f"only an event shows whether {action} on {arn} is allowed: use --send")


def _file(plan: SinkPlan, path: Path) -> Check:
    """A file is only looked at: a probe would stay in it."""
    if path.exists():
        if not path.is_file() and not path.is_fifo() and not path.is_char_device():
            return fail(plan.name, f"{path} is no file", f"name a file in {plan.variable}")
        if not os.access(path, os.R_OK | os.W_OK):
            return fail(plan.name, f"{path} can't be written by this user", "fix its permissions")
        return ok(plan.name, f"{path} can be written; a probe would stay in it, so none is sent")
    folder = path.parent
    if not folder.is_dir():
        return fail(plan.name, f"the folder {folder} is not there", "create it, or name another place")
    if not os.access(folder, os.W_OK | os.X_OK):
        return fail(plan.name, f"the folder {folder} can't be written by this user", "fix its permissions")
    return ok(plan.name, f"{path} will be made when the adapter starts")


# -- the probe ---------------------------------------------------------------------------------------------------------


def probe_event(pool: PoolArn, now: datetime, id_: str) -> Event:
    """An event that tells of nobody."""
    attributes = {
        "specversion": "1.0",
        "id": f"probe-{id_}",
        "source": str(pool),
        "type": PROBE_TYPE,
        "subject": pool.pool_id,
        "time": now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "partitionkey": "probe",
        "changetype": "probe",
    }
    return Event(attributes=attributes, data=b'{"probe":true}', key="probe")


def _probe(plan: SinkPlan, pool: PoolArn, opened: Callable[[], Sink]) -> Check:
    event = probe_event(pool, datetime.now(UTC), uuid.uuid4().hex)
    try:
        sink = opened()
    except ConfigError as error:
        return fail(plan.name, str(error))
    try:
        (outcome,) = sink.send([event])
    finally:
        sink.close()
    if isinstance(outcome, Delivered):
        return ok(plan.name, f"it took the event {event.id} of the type {PROBE_TYPE} {outcome.code}".rstrip())
    wait = "the adapter would try again" if outcome.retryable else "the adapter would not try again"
    return fail(
        plan.name, f"it did not take an event: {outcome.reason} ({outcome.code}); {wait}", _advice(outcome.code)
    )


def _advice(code: str) -> str:
    if code in {"401", "403"}:
        return "check DELIVERY_HEADERS, DELIVERY_TOKEN_FILE, or the credentials in the address"
    if "AccessDenied" in code or "NotAuthorized" in code:
        return "allow events:PutEvents or sqs:SendMessage on it to the role that runs the adapter"
    if code in {"400", "415", "422"}:
        return "does the sink take this format (DELIVERY_FORMAT), and types that it does not know?"
    return "look at the sink's own logs"
