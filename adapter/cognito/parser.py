"""A response parser for botocore that leaves the users of ListUsers undecoded.

botocore looks its parser up in the session's component `response_parser_factory`, which `Session.register_component`
replaces. Retries, signing, endpoints and credentials stay botocore's, and so does the parsing of every error and of
every other operation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from botocore.parsers import JSONParser, ResponseParserFactory
from botocore.session import Session

from adapter.cognito.decode import decode_answer

_OUTPUT_SHAPE: Final = "ListUsersResponse"


class ListUsersParser:
    """botocore's JSON parser, but for successful ListUsers answers: their `Users` is a `RawUsers`."""

    def __init__(self) -> None:
        self._json = JSONParser()

    def parse(self, response: Mapping[str, Any], shape: Any) -> dict[str, Any]:
        """What `botocore.parsers.ResponseParser.parse` promises.

        Raises:
            UnavailableError: a successful ListUsers answer is malformed.
        """
        status: int = response["status_code"]
        if status < 300 and shape is not None and shape.name == _OUTPUT_SHAPE:
            users, token = decode_answer(response["body"])
            # These headers are looked up in any case: the lower-case copy that botocore makes of them is spared.
            metadata = {"HTTPStatusCode": status, "HTTPHeaders": response["headers"]}
            parsed = {"Users": users, "ResponseMetadata": metadata}
            if token is not None:
                parsed["PaginationToken"] = token
            return parsed
        try:
            answer: dict[str, Any] = self._json.parse(response, shape)
        except (AttributeError, TypeError, ValueError):
            if status < 300:
                raise
            # An error with JSON that is no object, or not UTF-8: botocore's parser breaks, the status still counts.
            return {"Error": {"Code": str(status), "Message": ""}, "ResponseMetadata": _metadata(response)}
        return answer


class ParserFactory(ResponseParserFactory):
    """Hands out `ListUsersParser` for the JSON protocol, and botocore's parsers for all others."""

    def __init__(self) -> None:
        super().__init__()
        self._json = ListUsersParser()

    def create_parser(self, protocol_name: str) -> Any:
        """The parser for a protocol; ours keeps no state between answers, so one serves all."""
        return self._json if protocol_name == "json" else super().create_parser(protocol_name)


def install(session: Session) -> None:
    """Make the clients that this session creates from now on keep the users of ListUsers raw."""
    session.register_component("response_parser_factory", ParserFactory())


def _metadata(response: Mapping[str, Any]) -> dict[str, Any]:
    headers = {name.lower(): value for name, value in response["headers"].items()}
    metadata = {"HTTPStatusCode": response["status_code"], "HTTPHeaders": headers}
    if "x-amzn-requestid" in headers:
        metadata["RequestId"] = headers["x-amzn-requestid"]
    return metadata
