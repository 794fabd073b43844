"""The one door to AWS: a Protocol of two methods, and boto3 behind it.

Whatever can go wrong in a call leaves here as an `AwsError` that names the action and the resource and holds nothing
of the request or the answer: botocore's own exceptions may quote both, and both may hold a secret key.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from typing import Any, Protocol

import boto3
import botocore.session
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from adapter.version import USER_AGENT
from iam.errors import AwsError, InputError

#: Calls whose request or answer holds a secret key: not even AWS's error sentence is passed on.
SECRET_CALLS = frozenset(
    {
        "iam:CreateAccessKey",
        "secretsmanager:PutSecretValue",
        "secretsmanager:GetSecretValue",
        "secretsmanager:CreateSecret",
    }
)
#: Repeating these after a lost answer would do the work twice: CreateAccessKey would leave a key that nobody knows.
_ONE_ATTEMPT = frozenset({"iam:CreateAccessKey"})
_DETAIL_MAX = 300
#: What could be a secret key (40 characters of base64, perhaps escaped) is cut out of whatever AWS says.
_LIKE_A_KEY = re.compile(r"[A-Za-z0-9/+=%\\]{40,}")


@dataclass(frozen=True, slots=True)
class AccessKey:
    """An access key; its secret half never shows in a repr."""

    key_id: str
    secret: str = field(repr=False)


class Aws(Protocol):
    """What the commands need of AWS."""

    def call(self, action: str, resource: str, /, region: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Do one API call.

        Args:
            action: `service:Operation`, for example `iam:CreateUser`.
            resource: the ARN that the call is about, for messages.
            region: where; None for global services and the caller's default.
            parameters: the operation's parameters.

        Raises:
            AwsError: the call failed.
        """
        ...

    def signed_by(self, key: AccessKey) -> Aws:
        """The same AWS, seen with another access key."""
        ...


def actions_of(service: str) -> list[str]:
    """Every action of a service that takes a signature, as `service:Operation`, from botocore's own model of it.

    What takes none (signing up and signing in, for example) is open to everyone; no policy has a say in it.
    """
    model = botocore.session.get_session().get_service_model(service)
    operations = [each for each in model.operation_names if model.operation_model(each).auth_type != "none"]
    return sorted(f"{service}:{operation}" for operation in operations)


def _sentence(message: str) -> str:
    return _LIKE_A_KEY.sub("[...]", " ".join(message.split()))[:_DETAIL_MAX]


def connect(profile: str | None = None, region: str | None = None) -> BotoAws:
    """AWS with the credentials of a profile, or with those of boto3's usual chain.

    Raises:
        InputError: the configuration can't be used, or names no region.
    """
    # At debug level botocore and urllib3 log whole requests and answers, secret keys in them.
    for name in ("botocore", "boto3", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)
    failure: InputError | None = None
    session: Any = None
    try:
        session = boto3.Session(profile_name=profile, region_name=region)
    except BotoCoreError as error:
        failure = InputError(f"the AWS configuration can't be used: {type(error).__name__} (--profile {profile})")
    if session and not session.region_name:
        failure = InputError("no region is known: give --region, or set AWS_REGION")
    if failure:
        raise failure
    return BotoAws(session, region)


class BotoAws:
    """`Aws` by boto3."""

    def __init__(self, session: Any, region: str | None, key: AccessKey | None = None) -> None:
        # Any: the stubs know each service by its literal name only.
        self._session = session
        self._region = region
        self._key = key
        self._clients: dict[tuple[str, str | None, int], Any] = {}

    def call(self, action: str, resource: str, /, region: str | None = None, **parameters: Any) -> dict[str, Any]:
        """See `Aws.call`."""
        service, operation = action.split(":")
        attempts = 1 if action in _ONE_ATTEMPT else 4
        failure: AwsError | None = None
        answer: dict[str, Any] = {}
        try:
            answer = getattr(self._client(service, region, attempts), xform_name(operation))(**parameters)
        except ClientError as error:
            details = error.response.get("Error", {})
            code = str(details.get("Code", "Unknown"))
            sentence = "" if action in SECRET_CALLS else _sentence(str(details.get("Message", "")))
            failure = AwsError(action, resource, code, sentence)
        except Exception as error:  # noqa: BLE001 - the boundary: a parser's error, for one, quotes the whole answer
            failure = AwsError(action, resource, type(error).__name__)
        # Raised out here, so that not even __context__ holds botocore's exception.
        if failure:
            raise failure
        return answer

    def signed_by(self, key: AccessKey) -> BotoAws:
        """See `Aws.signed_by`."""
        return BotoAws(self._session, self._region, key)

    def _client(self, service: str, region: str | None, attempts: int) -> Any:
        wanted = (service, region, attempts)
        if wanted not in self._clients:
            retries: Any = {"mode": "standard", "total_max_attempts": attempts}
            config = Config(connect_timeout=5, read_timeout=20, retries=retries, user_agent_extra=f"{USER_AGENT} (iam)")
            self._clients[wanted] = self._session.client(
                service,
                region_name=region or self._region,
                aws_access_key_id=self._key.key_id if self._key else None,
                aws_secret_access_key=self._key.secret if self._key else None,
                config=config,
            )
        return self._clients[wanted]
