"""The user pools that the caller may list, to choose from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from adapter.arn import parse_arn

if TYPE_CHECKING:
    from botocore.session import Session

#: Pools of one region that are shown at most; the API's pages have 60.
POOLS_MAX: Final = 300
_PAGE: Final = 60
_TIMEOUT_S: Final = 5


@dataclass(frozen=True, slots=True)
class Found:
    """A user pool as it was listed; its name is whatever somebody gave it."""

    name: str
    arn: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """The pools of a region, by name. `problem` says in one line why there are none, or perhaps not all; "": all."""

    pools: tuple[Found, ...] = ()
    problem: str = ""


def default_region(session: Session, environ: Mapping[str, str]) -> str:
    """The region of AWS_REGION, AWS_DEFAULT_REGION or the profile; "": none is set, or the profile is not there."""
    from botocore.exceptions import BotoCoreError

    try:
        return environ.get("AWS_REGION") or str(session.get_config_variable("region") or "")
    except BotoCoreError:
        return ""


def list_pools(session: Session, region: str) -> Listed:
    """The user pools of a region, as far as the caller may list them (cognito-idp:ListUserPools). Never raises."""
    from botocore.config import Config
    from botocore.exceptions import ClientError

    config = Config(
        connect_timeout=_TIMEOUT_S, read_timeout=_TIMEOUT_S, retries={"mode": "standard", "total_max_attempts": 2}
    )
    found: list[Found] = []
    token: str | None = None
    try:
        # The list has ids, not ARNs: partition and account are the caller's own.
        sts: Any = session.create_client("sts", region_name=region, config=config)
        caller = parse_arn(sts.get_caller_identity()["Arn"])
        cognito: Any = session.create_client("cognito-idp", region_name=region, config=config)
        while True:
            more = {"NextToken": token} if token else {}
            answer = cognito.list_user_pools(MaxResults=_PAGE, **more)
            prefix = f"arn:{caller.partition}:cognito-idp:{region}:{caller.account}:userpool/"
            found += [Found(each.get("Name", ""), prefix + each["Id"]) for each in answer.get("UserPools", ())]
            token = answer.get("NextToken")
            if not token or len(found) >= POOLS_MAX:
                break
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", "unknown"))
        return _listed(found, f"AWS refused {error.operation_name} ({code})")
    except Exception as error:  # noqa: BLE001 - no network, a region that makes no host name, a page of a proxy's
        return _listed(found, f"AWS can't be asked ({type(error).__name__})")
    return _listed(found, f"only the first {len(found)} are shown" if token else "")


def _listed(found: list[Found], problem: str) -> Listed:
    return Listed(pools=tuple(sorted(found, key=lambda each: (each.name.lower(), each.arn))), problem=problem)
