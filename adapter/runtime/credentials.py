"""Which credentials read the user pool, and which serve everything else.

The key of AWS_ACCESS_KEY_ID (or of the secret CREDENTIALS_SECRET_ARN) may list users and nothing more, so when there is
such a secret, the state, the sinks and Secrets Manager itself use boto3's default chain without that key: the role of
the ECS task. Without the secret one chain serves all. AWS_ASSUME_ROLE_ARN is assumed for the user pool only, as the
original does.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from adapter.arn import parse_arn
from adapter.config.settings import Settings
from adapter.errors import CredentialsError
from adapter.log import Action
from adapter.version import USER_AGENT

if TYPE_CHECKING:
    from botocore.session import Session

logger = logging.getLogger(__name__)

#: The original's: 15 minutes, session named by the time in nanoseconds.
ASSUME_ROLE_SECONDS: Final = 900
_RELOADED: Final = {"action": Action.CREDENTIALS_RELOADED}
_KEY_ID: Final = "AWS_ACCESS_KEY_ID"
_SECRET_KEY: Final = "AWS_SECRET_ACCESS_KEY"  # noqa: S105 - the name of a member, not a secret
_TOKEN: Final = "AWS_SESSION_TOKEN"  # noqa: S105 - same
_Key = tuple[str, str, str | None]


class PoolCredentials:
    """Makes sessions for the user pool; called again, it looks for newer credentials. Thread-safe.

    The first session uses the key of the environment, if there is one: it is there already. Every later one is asked
    for because Cognito refused the key, and takes what the secret holds now.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._key: _Key | None = None
        self._calls = 0

    def __call__(self) -> Session:
        """A botocore session with the credentials as they are now.

        Raises:
            CredentialsError: the secret can't be read or holds no key, or there is no newer key.
        """
        with self._lock:
            self._calls += 1
            key = self._next_key()
            session = _session(key)
            if self._calls > 1 and key != self._key:
                logger.info("Cognito refused the key; the secret holds a newer one", extra=_RELOADED)
            self._key = key
        if self._settings.access.assume_role_arn:
            _assume(session, self._settings)
        return session

    def _next_key(self) -> _Key | None:
        settings = self._settings
        given: _Key | None = None
        if settings.access.access_key_id:
            given = (
                settings.access.access_key_id,
                str(settings.access.secret_access_key),
                str(settings.access.session_token) or None,
            )
        if not settings.access.secret_arn or (self._calls == 1 and given):
            return given
        key = _read_secret(settings)
        if key == self._key:
            raise CredentialsError(
                "Cognito refuses the key, and the secret of CREDENTIALS_SECRET_ARN holds no other one; "
                "rotate it (python -m iam rotate) or activate the key",
                code="SameKey",
            )
        return key


def service_session(settings: Settings) -> Session:
    """A botocore session for everything but the user pool: state, sinks, secrets."""
    import botocore.session

    session = botocore.session.Session()
    if settings.access.secret_arn:
        session.get_component("credential_provider").remove("env")
    elif settings.access.access_key_id:
        # A manifest's key is not in the process environment.
        session = _session(
            (
                settings.access.access_key_id,
                str(settings.access.secret_access_key),
                str(settings.access.session_token) or None,
            )
        )
    session.user_agent_extra = USER_AGENT
    return session


def _session(key: _Key | None) -> Session:
    import botocore.session  # 0.2 s to import: not before it is needed

    session = botocore.session.Session()
    if key is not None:
        session.set_credentials(*key)
    return session


def _read_secret(settings: Settings) -> _Key:
    from botocore.exceptions import ClientError

    arn = settings.access.secret_arn
    try:
        client: Any = service_session(settings).create_client("secretsmanager", region_name=parse_arn(arn).region)
        # The stage is named because one emulator at least answers with a former version otherwise.
        text = client.get_secret_value(SecretId=arn, VersionStage="AWSCURRENT").get("SecretString", "")
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "Unknown")
        raise CredentialsError(
            f"the secret {arn} can't be read ({code}); expected secretsmanager:GetSecretValue to be granted on it",
            code=code,
        ) from None
    except Exception as error:  # noqa: BLE001 - no network, or a page of a proxy's, over which botocore's parsers stumble
        name = type(error).__name__
        raise CredentialsError(
            f"the secret {arn} can't be read ({name}); check network and credentials", code=name
        ) from None
    return _read_key(text, arn)


def _read_key(text: object, arn: str) -> _Key:
    try:
        value = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        value = None
    members = value if isinstance(value, dict) else {}
    key_id, secret, token = (members.get(name) for name in (_KEY_ID, _SECRET_KEY, _TOKEN))
    if not (isinstance(key_id, str) and key_id and isinstance(secret, str) and secret):
        raise CredentialsError(
            f"the secret {arn} holds no key; expected JSON with {_KEY_ID} and {_SECRET_KEY}", code="NoKey"
        )
    return key_id, secret, token if isinstance(token, str) and token else None


def _assume(session: Session, settings: Settings) -> None:
    """Lay the role over the session's credentials: fetched on first use, and again before they expire."""
    from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
    from botocore.utils import create_nested_client

    region = settings.pool.region
    source = session.get_credentials()
    if source is None:
        raise CredentialsError("there are no credentials to assume AWS_ASSUME_ROLE_ARN with", code="NoCredentials")

    def client_creator(service: str, **kwargs: Any) -> Any:
        return create_nested_client(session, service, **({"region_name": region} | kwargs))

    fetcher = AssumeRoleCredentialFetcher(
        client_creator=client_creator,
        source_credentials=source,
        role_arn=settings.access.assume_role_arn,
        extra_args={"RoleSessionName": str(time.time_ns()), "DurationSeconds": ASSUME_ROLE_SECONDS},
    )
    refreshed = DeferredRefreshableCredentials(method="assume-role", refresh_using=fetcher.fetch_credentials)
    session._credentials = refreshed  # type: ignore[attr-defined]  # noqa: SLF001 - set_credentials() takes static keys only
