"""The user pool: its name, who asks, whether they may, and whose clock is right."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

from adapter.arn import PoolArn
from adapter.cognito.base import Page
from adapter.cognito.client import CognitoUserPool
from adapter.cognito.rate_limiter import RateLimiter
from adapter.commands.checks.check import Check, fail, ok, skip, warn
from adapter.config.settings import Settings
from adapter.errors import (
    AccessDeniedError,
    AdapterError,
    CredentialsError,
    PoolNotFoundError,
    ThrottledError,
    UnavailableError,
)
from adapter.runtime.credentials import PoolCredentials
from adapter.terminal import printable

if TYPE_CHECKING:
    from botocore.session import Session

#: AWS refuses a signature that is older or younger than this, in seconds.
#: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
_SIGNATURE_S: Final = 300.0
#: The service's Date header has whole seconds; a clock that is this near is right, in seconds.
_NEAR_S: Final = 2.0
_CLOCK: Final = "let the machine keep its time by NTP (chrony, systemd-timesyncd; on EC2 the Amazon Time Sync Service)"
#: How botocore calls the places where it finds credentials.
_PLACES: Final = {
    "explicit": "the variables of the configuration",
    "env": "the environment",
    "shared-credentials-file": "the shared credentials file",
    "config-file": "the AWS configuration file",
    "custom-process": "a credential process of the AWS configuration",
    "assume-role": "a role of the AWS configuration",
    "assume-role-with-web-identity": "a web identity (AWS_ROLE_ARN with its token)",
    "sso": "IAM Identity Center (aws sso login)",
    "login": "aws login",
    "container-role": "the role of the container (ECS, EKS Pod Identity)",
    "iam-role": "the role of the EC2 instance",
}


@dataclass(slots=True)
class Asked:
    """What was learnt from one ListUsers: its page and the local time in the middle of it; None: it failed."""

    page: Page | None = None
    middle_s: float = 0.0
    seconds: float = 0.0


def name_checks(pool: PoolArn) -> Iterator[Check]:
    """What the ARN alone says."""
    import botocore.session

    if pool.home_region != pool.region:
        yield warn(
            "user pool",
            f"the ARN says {pool.region}, the pool's id {pool.pool_id} begins with another region",
            f"right for a replica of a multi-Region pool (the request below shows it); else write {pool.home_region}",
        )
        return
    regions = botocore.session.Session().get_available_regions("cognito-idp", partition_name=pool.partition)
    if pool.region not in regions:
        yield warn(
            "user pool",
            f"{pool.pool_id} in {pool.region}, where botocore knows no Cognito in the partition {pool.partition}",
            "check the region's name; a region newer than the installed botocore works all the same",
        )
        return
    yield ok("user pool", f"{pool.pool_id} in {pool.region} of account {pool.account}")


def credential_checks(settings: Settings, sessions: list[Session]) -> Iterator[Check]:
    """Which credentials there are; the session with them goes to `sessions`."""
    from adapter.cognito.errors import translate

    name = "credentials"
    credentials = PoolCredentials(settings)
    try:
        session = credentials()
        found = session.get_credentials()
    except AdapterError as error:
        yield fail(name, str(error))
        return
    except Exception as error:
        known = translate(error, settings.pool)
        if known is None:
            raise
        yield fail(name, str(known))
        return
    if found is None:
        yield fail(
            name,
            "there are none",
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or CREDENTIALS_SECRET_ARN, or AWS_PROFILE; "
            "or run with a role",
        )
        return
    sessions.append(session)
    yield ok(name, _source(settings, session, found))
    if settings.access.access_key_id and settings.access.secret_arn:
        yield _secret_check(name, credentials)


def _secret_check(name: str, credentials: PoolCredentials) -> Check:
    """Whether the secret could be read in place of the key: what a rotation without a restart stands on."""
    try:
        credentials()  # asked again, they look into the secret
    except CredentialsError as error:
        if error.code != "SameKey":
            return warn(name, str(error), "until then a rotation needs a restart")
        return ok(name, "the secret can be read and holds this key: a rotation needs no restart")
    return ok(name, "the secret can be read and holds another key, which is used once this one is refused")


def _source(settings: Settings, session: Session, found: Any) -> str:
    """Where credentials are from; nothing of them is shown."""
    if settings.access.access_key_id:
        place = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        if settings.access.session_token:
            place += ", temporary"
    elif settings.access.secret_arn:
        place = "the secret of CREDENTIALS_SECRET_ARN"
    else:
        method = "assumed" if settings.access.assume_role_arn else str(found.method)
        place = _PLACES.get(method, "boto3's default chain")
        if profile := session.get_config_variable("profile"):
            place += f", profile {printable(str(profile))}"
    return (
        f"{place}, with which {settings.access.assume_role_arn} is assumed"
        if settings.access.assume_role_arn
        else place
    )


def identity_checks(settings: Settings, session: Session | None, limit_s: float) -> Iterator[Check]:
    """Whose credentials these are: AWS tells it to everyone, without a permission."""
    from botocore.config import Config

    name = "identity"
    if session is None:
        yield skip(name, "there are no credentials to ask with")
        return
    config = Config(connect_timeout=limit_s / 3, read_timeout=limit_s / 3, retries={"total_max_attempts": 1})
    try:
        client: Any = session.create_client("sts", region_name=settings.pool.region, config=config)
        caller = client.get_caller_identity()
    except Exception as error:  # noqa: BLE001 - botocore's parsers raise whatever they stumble over in a proxy's page
        yield skip(name, f"not known: sts:GetCallerIdentity failed ({type(error).__name__}); the adapter needs no STS")
        return
    arn, account = (caller.get(each) if isinstance(caller, dict) else None for each in ("Arn", "Account"))
    if not (isinstance(arn, str) and isinstance(account, str) and arn and account):
        yield skip(name, "not known: what answers as STS does not say who this is; the adapter needs no STS")
        return
    arn, account = printable(arn), printable(account)
    if account != settings.pool.account:
        yield warn(
            name,
            f"{arn}: of another account than the user pool",
            f"Cognito has no cross-account access: set AWS_ASSUME_ROLE_ARN to a role of {settings.pool.account}",
        )
    elif arn.endswith(":root"):
        yield warn(
            name,
            f"{arn}: the account's root may do everything",
            "make a user or role that may only list users: python -m iam bootstrap",
        )
    else:
        yield ok(name, arn)


def permission_checks(settings: Settings, session: Session | None, limit_s: float, asked: Asked) -> Iterator[Check]:
    """One ListUsers for one user; what it tells beside the permission goes to `asked`."""
    name = "permission"
    if session is None:
        yield skip(name, "there are no credentials to try it with")
        return
    pool = CognitoUserPool(
        lambda: session,
        settings.pool,
        RateLimiter(1000.0),
        connect_timeout_s=min(settings.cognito.connect_timeout_s, limit_s / 3),
        read_timeout_s=min(settings.cognito.read_timeout_s, limit_s / 2),
        attempts=1,
    )
    begun_s, begun = time.time(), time.monotonic()
    try:
        page = pool.list_users(limit=1)
    except AdapterError as error:
        yield _refused(name, error, settings.pool)
        return
    finally:
        pool.close()
    asked.page, asked.seconds = page, time.monotonic() - begun
    asked.middle_s = begun_s + asked.seconds / 2
    yield ok(name, f"cognito-idp:ListUsers is allowed; one request took {asked.seconds * 1000:.0f} ms")


def _refused(name: str, error: AdapterError, pool: PoolArn) -> Check:
    if isinstance(error, AccessDeniedError):
        statement = {"Effect": "Allow", "Action": "cognito-idp:ListUsers", "Resource": str(pool)}
        return fail(
            name, f"cognito-idp:ListUsers is denied ({error.code})", f"add to a policy: {json.dumps(statement)}"
        )
    if isinstance(error, ThrottledError):
        return warn(name, str(error), "other callers use the account's quota now: try again")
    mend = ""
    if isinstance(error, PoolNotFoundError):
        mend = "check ARN; and the key must be of the pool's account"
    elif isinstance(error, CredentialsError):
        mend = "run python -m iam verify USER"
    elif isinstance(error, UnavailableError):
        mend = f"is cognito-idp.{pool.region}.amazonaws.com reachable from here: DNS, firewall, proxy, VPC endpoint?"
    return fail(name, str(error), mend)


def clock_checks(pool: PoolArn, asked: Asked, session: Session | None, limit_s: float) -> Iterator[Check]:
    """This machine's clock against Cognito's: by the page, or by whatever its endpoint answers."""
    name = "clock"
    if asked.page is not None and asked.page.date_s is not None:
        date_s, middle_s, doubt_s = asked.page.date_s, asked.middle_s, asked.seconds / 2
    else:
        answer = _date_of_endpoint(pool, session, limit_s)
        if answer is None:
            yield skip(name, "unknown: Cognito's endpoint did not respond")
            return
        date_s, middle_s, doubt_s = answer
    ahead_s = middle_s - (date_s + 0.5)
    off_s = max(0.0, abs(ahead_s) - 0.5 - doubt_s)
    way = "ahead of" if ahead_s > 0 else "behind"
    if off_s <= _NEAR_S:
        yield ok(name, f"within {_NEAR_S:g} s of Cognito's")
    elif off_s < _SIGNATURE_S:
        yield warn(name, f"{off_s:.0f} s {way} Cognito's; the lag of events is measured with it", _CLOCK)
    else:
        yield fail(name, f"{off_s:.0f} s {way} Cognito's; AWS refuses signatures from 5 minutes on", _CLOCK)


def _date_of_endpoint(pool: PoolArn, session: Session | None, limit_s: float) -> tuple[float, float, float] | None:
    """The Date header of the endpoint's answer to nobody, the local time in the middle of it, the doubt; in seconds."""
    import botocore.session
    import requests

    maker: Any = session if session is not None else botocore.session.Session()
    url = maker.create_client("cognito-idp", region_name=pool.region).meta.endpoint_url
    begun_s, begun = time.time(), time.monotonic()
    try:
        answer = requests.get(url, timeout=limit_s / 2, allow_redirects=False)
        date = parsedate_to_datetime(answer.headers["Date"])
    except (requests.RequestException, KeyError, ValueError):
        return None
    seconds = time.monotonic() - begun
    return date.timestamp(), begun_s + seconds / 2, seconds / 2
