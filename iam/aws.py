"""The one door to AWS: a Protocol of two methods, and boto3 behind it.

Whatever can go wrong in a call leaves here as an `AwsError` that names the action and the resource and holds nothing
of the request or the answer: botocore's own exceptions may quote both, and both may hold a secret key.
"""

from __future__ import annotations

import getpass
import logging
import re
import warnings
from dataclasses import dataclass, field
from typing import Any, Protocol

import boto3
import botocore.session
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConfigParseError, InvalidConfigError, ProfileNotFound

from adapter.version import USER_AGENT
from iam.credentials import Profiles, advice, role_advice
from iam.denial import explain
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


def _unusable(error: BotoCoreError) -> str:
    # These two hold names of files and profiles only.
    why = _sentence(str(error)) if isinstance(error, ConfigParseError | InvalidConfigError) else type(error).__name__
    return f"the AWS configuration can't be used: {why}"


def _ask_for_mfa(prompt: str) -> str:
    """Ask on the terminal; without one, fail instead of taking the next line of standard input for the code."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)
        return getpass.getpass(prompt)


def _session(profile: str | None, region: str | None) -> Any:
    core = botocore.session.Session()
    session = boto3.Session(botocore_session=core, profile_name=profile, region_name=region)
    # botocore offers no other way to say how an MFA code is asked for.
    core.get_component("credential_provider").get_provider("assume-role")._prompter = _ask_for_mfa  # noqa: SLF001
    return session


def connect(profile: str | None = None, region: str | None = None) -> BotoAws:
    """AWS with the credentials of a profile, or with those of boto3's usual chain.

    Raises:
        InputError: the configuration can't be used, or names no region.
    """
    # At debug level botocore and urllib3 log whole requests and answers, secret keys in them.
    for name in ("botocore", "boto3", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)
    problem = ""
    session: Any = None
    try:
        session = _session(profile, region)
        if not session.region_name:
            problem = "no region is known: give --region, or set AWS_REGION"
    except ProfileNotFound as error:
        problem = (
            f"there is no profile {error.kwargs['profile']} in the AWS configuration:"
            " `aws configure list-profiles` lists those that there are"
        )
    except BotoCoreError as error:
        problem = _unusable(error)
    if problem:
        raise InputError(problem)
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
            failure = self._refused(action, resource, error)
        except (ConfigParseError, InvalidConfigError) as error:
            failure = AwsError(action, resource, type(error).__name__, credentials=_unusable(error))
        except Exception as error:  # noqa: BLE001 - the boundary: a parser's error, for one, quotes the whole answer
            name = type(error).__name__
            failure = AwsError(action, resource, name, credentials=self._advice(name))
        # Raised out here, so that not even __context__ holds botocore's exception.
        if failure:
            raise failure
        return answer

    def _refused(self, action: str, resource: str, error: ClientError) -> AwsError:
        details = error.response.get("Error", {})
        code, message = str(details.get("Code", "Unknown")), str(details.get("Message", ""))
        operation = action.split(":")[1]
        if error.operation_name != operation:
            # Not our call failed, but the one by which botocore takes the role of a profile.
            denial = explain(code, message)
            cause = denial.cause if denial else _sentence(message)
            text = role_advice(f"sts:{error.operation_name}", self._profile) + (f": {cause}" if cause else "")
            return AwsError(action, resource, code, credentials=self._advice(code, message) or text)
        secret = action in SECRET_CALLS
        return AwsError(
            action,
            resource,
            code,
            "" if secret else _sentence(message),
            explain(code, _LIKE_A_KEY.sub("[...]", message), quote=not secret),
            self._advice(code, message),
        )

    def _advice(self, code: str, message: str = "") -> str:
        """What is wrong with the caller's credentials; nothing when the call was signed with a key of ours."""
        if self._key:
            return ""
        try:
            profiles: Profiles = self._session._session.full_config.get("profiles", {})  # noqa: SLF001 - boto3 hides it
        except BotoCoreError:
            profiles = {}
        return advice(code, message, self._profile, profiles)

    @property
    def _profile(self) -> str | None:
        name = self._session.profile_name
        return None if name == "default" else str(name)

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
