"""What the tests of `iam` share: the command line in this process, a clock that doesn't wait, calls that fail."""

from __future__ import annotations

import datetime as dt
import functools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from click.testing import CliRunner, Result

from adapter.arn import parse_pool_arn
from emulator.aws import EmulatedAws
from iam.apply import list_one_user
from iam.aws import AccessKey, Aws
from iam.aws import connect as connect_to_aws
from iam.cli import main
from iam.errors import AwsError
from iam.options import Edges

NAME = "reader"


class FakeClock:
    """The machine's time plus whatever was slept, without sleeping."""

    def __init__(self) -> None:
        self.slept = 0.0
        self.during_sleep: Callable[[float], None] = lambda _: None

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC) + dt.timedelta(seconds=self.slept)

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.during_sleep(seconds)


@dataclass
class CallFault:
    """What call number `at` (from 0) does instead: fail with `code`, after the work was done if `too_late`."""

    at: int
    code: str
    too_late: bool = False


@dataclass
class WatchedAws:
    """AWS with every call recorded, and one of them failing when a fault is planted."""

    inner: Aws
    calls: list[tuple[str, str]] = field(default_factory=list)
    fault: CallFault | None = None
    before: Callable[[str], None] = lambda _: None

    def call(self, action: str, resource: str, /, region: str | None = None, **parameters: Any) -> dict[str, Any]:
        number = len(self.calls)
        self.calls.append((action, resource))
        self.before(action)
        if self.fault and number == self.fault.at:
            if self.fault.too_late:
                self.inner.call(action, resource, region=region, **parameters)
            raise AwsError(action, resource, self.fault.code)
        return self.inner.call(action, resource, region=region, **parameters)

    def signed_by(self, key: AccessKey) -> Aws:
        return WatchedAws(holder_of(self.inner, key), self.calls, self.fault, self.before)


@functools.cache
def door(endpoint: str, profile: str | None, region: str | None) -> Aws:
    """The administrator's AWS. Making boto3's clients takes longer than the calls, so tests share them."""
    del endpoint  # it comes from the environment; here it tells one emulator from the next
    return connect_to_aws(profile, region or "eu-central-1")


def holder_of(aws: Aws, key: AccessKey) -> Aws:
    """AWS as the holder of a key sees it, with clients that are made once."""
    if key not in _HOLDERS:
        _HOLDERS[key] = aws.signed_by(key)
    return _HOLDERS[key]


_HOLDERS: dict[AccessKey, Aws] = {}


@dataclass
class IamWorld:
    """An emulated account and the commands."""

    aws: EmulatedAws
    pool: str
    clock: FakeClock = field(default_factory=FakeClock)
    calls: list[tuple[str, str]] = field(default_factory=list)
    fault: CallFault | None = None
    before: Callable[[str], None] = lambda _: None

    def run(self, *arguments: str, ok: bool = True, text: str | None = None) -> Result:
        """One command; `calls` then holds its AWS calls."""
        self.calls = []

        def connect(profile: str | None, region: str | None) -> Aws:
            return WatchedAws(door(self.aws.endpoint, profile, region), self.calls, self.fault, self.before)

        result = CliRunner().invoke(main, list(arguments), obj=Edges(connect=connect, clock=self.clock), input=text)
        if ok:
            assert result.exit_code == 0, result.output
        return result

    def bootstrap(self, *more: str, ok: bool = True) -> Result:
        return self.run("bootstrap", self.pool, "--name", NAME, *more, ok=ok)

    def client(self, service: str, region: str = "eu-central-1") -> Any:
        return self.aws.client(service, region)

    def key_states(self) -> dict[str, str]:
        """The user's keys and their status."""
        listed = self.client("iam").list_access_keys(UserName=NAME)["AccessKeyMetadata"]
        return {key["AccessKeyId"]: key["Status"] for key in listed}

    def secret(self, stage: str = "AWSCURRENT") -> AccessKey:
        """The key in the secret."""
        client = self.client("secretsmanager")
        value = json.loads(
            client.get_secret_value(SecretId=f"cognito-source/{NAME}", VersionStage=stage)["SecretString"]
        )
        return AccessKey(value["AWS_ACCESS_KEY_ID"], value["AWS_SECRET_ACCESS_KEY"])

    def stages(self) -> dict[str, list[str]]:
        """The labels of the secret's versions."""
        found = self.client("secretsmanager").describe_secret(SecretId=f"cognito-source/{NAME}")
        stages: dict[str, list[str]] = found.get("VersionIdsToStages", {})
        return stages

    def works(self, key: AccessKey, pool: str | None = None) -> bool:
        """Whether a key lists the pool under IAM enforcement."""
        arn = parse_pool_arn(pool or self.pool)
        holder = holder_of(door(self.aws.endpoint, None, None), key)
        try:
            list_one_user(holder, str(arn), arn.region, arn.pool_id)
        except AwsError:
            return False
        return True

    def organization_denies(self, action: str, condition: dict[str, dict[str, str]]) -> None:
        """A service control policy over the account that denies an action under a condition."""
        client = self.client("organizations")
        client.create_organization(FeatureSet="ALL")
        statement = {"Effect": "Deny", "Action": action, "Resource": "*", "Condition": condition}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        kind = "SERVICE_CONTROL_POLICY"
        made = client.create_policy(Content=document, Description="lock", Name="lock", Type=kind)["Policy"]
        root = client.list_roots()["Roots"][0]["Id"]
        client.attach_policy(PolicyId=made["PolicySummary"]["Id"], TargetId=root)

    def start_again(self) -> None:
        """An empty account with a new pool, IAM enforced."""
        self.aws.reset()
        self.pool = self.aws.create_pool()
        self.aws.enforce_iam(on=True)
        self.clock = FakeClock()
        self.fault = None

    def snapshot(self) -> dict[str, Any]:
        """Everything that the commands can change, as plain values."""
        iam, secrets = self.client("iam"), self.client("secretsmanager")
        users = iam.list_users()["Users"]
        return {
            "users": {
                user["UserName"]: {
                    "tags": iam.list_user_tags(UserName=user["UserName"])["Tags"],
                    "keys": iam.list_access_keys(UserName=user["UserName"])["AccessKeyMetadata"],
                    "policies": iam.list_attached_user_policies(UserName=user["UserName"])["AttachedPolicies"],
                }
                for user in users
            },
            "policies": [
                (policy["Arn"], policy["DefaultVersionId"]) for policy in iam.list_policies(Scope="Local")["Policies"]
            ],
            "secrets": [
                (secret["Name"], secret.get("SecretVersionsToStages"), secret.get("Tags"))
                for secret in secrets.list_secrets()["SecretList"]
            ],
        }


@pytest.fixture
def world(aws: EmulatedAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[IamWorld]:
    """An account with one pool, IAM enforced, and its administrator running the commands."""
    for name, value in aws.environment().items():
        monkeypatch.setenv(name, value)
    made = IamWorld(aws, aws.create_pool())
    aws.enforce_iam(on=True)
    yield made
    aws.enforce_iam(on=False)
