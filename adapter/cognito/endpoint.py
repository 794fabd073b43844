"""Where ListUsers is to be sent and how it is to be signed, as botocore decides it.

Its rules know partitions, FIPS and dual-stack endpoints, AWS_ENDPOINT_URL in all its forms and profiles. They have no
public interface but a request; so botocore prepares one, which is looked at and not sent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from adapter.errors import ConfigError
from adapter.net.botocore_settings import origin_for
from adapter.net.origin import Origin

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest
    from botocore.session import Session

_NO_ENDPOINT: Final = "AWS_ENDPOINT_URL: expected the http:// or https:// URL of an endpoint with signed requests"
_EVENT: Final = "before-send.cognito-identity-provider.ListUsers"
#: What a signature is for: https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
_SCOPE: Final = re.compile(r"Credential=[^/]+/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")


@dataclass(frozen=True, slots=True)
class _NotSent:
    """The body of the answer that botocore gets in place of one."""

    body: bytes = b'{"Users":[]}'

    def stream(self, *_: Any, **__: Any) -> tuple[bytes]:
        return (self.body,)


@dataclass(slots=True)
class _Recorder:
    """Takes the requests that botocore is about to send."""

    requests: list[AWSPreparedRequest] = field(default_factory=list)

    def __call__(self, request: AWSPreparedRequest, **_: Any) -> Any:
        from botocore.awsrequest import AWSResponse

        self.requests.append(request)
        return AWSResponse(request.url, 200, {}, _NotSent())  # type: ignore[arg-type]  # the part that it reads


def find_origin(session: Session, region: str, *, user_agent: str) -> Origin:
    """Where a session's ListUsers requests for a region go; nothing is sent, but credentials may be fetched.

    Raises:
        BotoCoreError: there are no credentials, or botocore has no endpoint.
        ConfigError: the endpoint, the proxy or the CA bundle can't be used.
    """
    from botocore.config import Config

    config = Config(parameter_validation=False, retries={"mode": "standard", "total_max_attempts": 1})
    try:
        client: Any = session.create_client("cognito-idp", region_name=region, config=config)
    except ValueError:  # botocore's word for an endpoint that is no URL
        raise ConfigError(_NO_ENDPOINT) from None
    recorder = _Recorder()
    client.meta.events.register(_EVENT, recorder)
    client.list_users(UserPoolId=region, Limit=1)
    client.close()
    (request,) = recorder.requests
    url = str(request.url)
    signed = _SCOPE.search(_text(request.headers.get("Authorization", "")))
    if urlsplit(url).scheme not in {"http", "https"} or signed is None:
        raise ConfigError(_NO_ENDPOINT)
    return origin_for(session, url, signing=f"aws:amz:{signed['region']}:{signed['service']}", user_agent=user_agent)


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
