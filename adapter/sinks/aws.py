"""What the sinks on AWS share: clients, the limits of a request, and what an error means."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, ReadTimeoutError

from adapter.net.aws_transport import AwsTransport
from adapter.net.origin import Limits
from adapter.sinks.base import Failed, Outcome

if TYPE_CHECKING:
    from boto3 import Session

_Size = TypeVar("_Size")

#: Entries of one PutEvents or SendMessageBatch call.
MAX_ENTRIES = 10
#: Both services took 256 KB in one request until 2025/26 and take 1 MiB since; some partitions, and queues with a
#: MaximumMessageSize, may still be at the old limit. So requests are filled to the old limit only, and what is larger
#: goes alone: the service decides.
#: https://aws.amazon.com/blogs/compute/more-room-to-build-serverless-services-now-support-payloads-up-to-1-mb
FILL_BYTES = 262_144
MAX_BYTES = 1_048_576
#: Answers have some 200 bytes for each of ten entries.
_ANSWER_MAX_BYTES: Final = 1_048_576

#: Codes that blame the event itself: no retry would change the answer. All others (throttling, a missing permission, a
#: missing queue, expired credentials) are about the service or the sender, and pass once somebody mends them.
_BLAME_THE_EVENT = frozenset(
    {
        "AWS.SimpleQueueService.BatchRequestTooLong",
        "BatchRequestTooLong",
        "InvalidArgument",
        "InvalidMessageContents",
        "InvalidParameterValue",
        "MalformedDetail",
        "ValidationException",
    }
)

#: A 200 that proves nothing: a proxy's page, JSON of another shape, an answer to another request.
INVALID_RESPONSE: Final = Failed(
    code="InvalidResponse", reason="the answer is not one of the API's to this request", retryable=True
)
#: An answer of the API's that neither confirms nor refuses an entry: it may be about this one alone.
UNCONFIRMED: Final = Failed(code="missing", reason="the answer does not confirm the event", retryable=True)


def make_client(session: Session, service: str, region: str, *, timeout_s: float, connections: int) -> Any:
    """A client that makes one attempt a call, as a sink must, within `timeout_s` as a whole. Thread-safe."""
    config = Config(
        connect_timeout=timeout_s,
        read_timeout=timeout_s,
        max_pool_connections=connections,
        retries={"total_max_attempts": 1},
    )
    client: Any = session.client(service, region_name=region, config=config)  # type: ignore[call-overload] # it varies
    limits = Limits(total_s=timeout_s, body_bytes=_ANSWER_MAX_BYTES, idle=connections)
    botocores = session._session  # noqa: SLF001 - boto3 has no public name for it
    AwsTransport(botocores, limits).register(client)
    return client


def entry_failure(code: object) -> Failed:
    """One entry of a request was refused. The service's message is left out: it may quote the event."""
    name = code if isinstance(code, str) and code else "unknown"
    return Failed(code=name, reason=f"the service refused the entry: {name}", retryable=name not in _BLAME_THE_EVENT)


def listed(answer: Mapping[str, Any], name: str) -> list[dict[str, Any]] | None:
    """The objects that an answer lists under a name, none if it does not have the name; None: it is no such list."""
    found = answer.get(name)
    if found is None:
        return []
    if isinstance(found, list) and all(isinstance(each, dict) for each in found):
        return found
    return None


def is_id(value: object) -> bool:
    """Whether this is an id that a service gave: what proves that it has the event."""
    return isinstance(value, str) and value != ""


def too_large(size: int) -> Failed:
    """An event beyond every limit: known without asking."""
    return Failed(
        code="413",
        reason=f"the event has {size} bytes; the service takes {MAX_BYTES} (EVENTS_ATTRIBUTES makes events smaller)",
        retryable=False,
    )


def request(call: Callable[[], object]) -> dict[str, Any] | Failed:
    """Make a call and turn whatever goes wrong with it as a whole into a failure."""
    try:
        answer = call()
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", "unknown"))
        # One entry may be at fault where the request is refused for its content: then each is worth its own try.
        final = code in _BLAME_THE_EVENT
        return Failed(code=code, reason=f"the service refused the request: {code}", retryable=not final, shared=final)
    except (ConnectTimeoutError, ReadTimeoutError):
        return Failed(code="timeout", reason="no answer within the time-out", retryable=True)
    except BotoCoreError as error:
        name = type(error).__name__
        return Failed(code=name, reason=f"the request failed: {name}", retryable=True)
    except Exception:  # noqa: BLE001 - botocore's parsers raise whatever they stumble over: AttributeError for `null`
        return INVALID_RESPONSE
    return answer if isinstance(answer, dict) else INVALID_RESPONSE


def groups(sizes: Sequence[tuple[int, _Size]]) -> Iterator[list[_Size]]:
    """Split (bytes, item) pairs, in order, into requests of 10 items and `FILL_BYTES` at most."""
    group: list[_Size] = []
    filled = 0
    for size, item in sizes:
        if group and (len(group) == MAX_ENTRIES or filled + size > FILL_BYTES):
            yield group
            group, filled = [], 0
        group.append(item)
        filled += size
    if group:
        yield group


def send_in_groups(
    entries: Sequence[dict[str, Any]],
    size_of: Callable[[dict[str, Any]], int],
    send_group: Callable[[Sequence[tuple[int, dict[str, Any]]], list[Outcome]], None],
) -> list[Outcome]:
    """Send entries in as few requests as their sizes allow; one outcome per entry, in order.

    `send_group` gets (position, entry) pairs, and the outcomes, in which it replaces those of what it knows more about:
    an event counts as delivered only once the answer says so.
    """
    outcomes: list[Outcome] = [INVALID_RESPONSE] * len(entries)
    sized: list[tuple[int, tuple[int, dict[str, Any]]]] = []
    for index, entry in enumerate(entries):
        size = size_of(entry)
        if size > MAX_BYTES:
            outcomes[index] = too_large(size)
        else:
            sized.append((size, (index, entry)))
    for group in groups(sized):
        send_group(group, outcomes)
    return outcomes
