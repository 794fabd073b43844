"""The secret that holds a key, and the pools that a policy names."""

from __future__ import annotations

import json
from random import Random
from typing import Any, cast

import click

from adapter.arn import PoolArn
from adapter.errors import ConfigError, CredentialsError
from adapter.runtime import credentials
from iam.aws import Aws
from iam.errors import InputError, KeyUnusableError
from iam.options import Duration, read_pools
from iam.policy import MANAGED_POLICY_MAX, PolicyError, policy_documents, policy_size, policy_text
from iam.secret import CURRENT, KEY_ID, SECRET_KEY, SecretState, read
from tests.fuzz.engine import FuzzTarget, RefusedInputError, promise
from tests.fuzz.mutate import texts
from tests.fuzz.structure import mutated, written
from tests.fuzz.targets.texts import ARNS, CANARY, POOL

_STATE = SecretState(
    "arn:aws:secretsmanager:eu-central-1:123456789012:secret:name-AbCdEf", "eu-central-1", {"v": (CURRENT,)}
)
_VALUE = {KEY_ID: "AKIAEXAMPLE", SECRET_KEY: CANARY}
_KIT = texts([json.dumps(_VALUE)], [KEY_ID, SECRET_KEY, '":"'], 65_536)


class _Answers:
    """Secrets Manager with one secret."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self._answer = answer

    def call(self, action: str, resource: str, /, region: str | None = None, **parameters: Any) -> dict[str, Any]:
        return self._answer


def _make_secret(rng: Random) -> str:
    if rng.random() < 0.5:
        return _KIT.make(rng)
    return written(rng, mutated(rng, _VALUE, (KEY_ID, SECRET_KEY, CANARY, ""))).decode("utf-8", "surrogatepass")


def _secret(text: str) -> None:
    try:
        key_id, key_secret, token = credentials._read_key(text, _STATE.arn)
        promise(key_id and key_secret and (token is None or token), "a key has an id, a secret and perhaps a token")
        adapter_takes_it = True
    except CredentialsError:
        adapter_takes_it = False
    try:
        key = read(cast("Aws", _Answers({"SecretString": text})), _STATE, CURRENT)
    except KeyUnusableError:
        promise(not adapter_takes_it, "adapter and iam take the same secrets")
        raise
    promise(adapter_takes_it, "adapter and iam take the same secrets")
    value = json.loads(text)
    promise((key.key_id, key.secret) == (value[KEY_ID], value[SECRET_KEY]), "a key is the texts of the secret")
    promise(key.key_id, "a key has an id")
    promise(CANARY not in repr(key) or CANARY in key.key_id, "a key's repr shows no secret")


def _make_pools(rng: Random) -> tuple[list[str], list[PoolArn]]:
    several = [POOL.replace("AbC", f"{n:03}") for n in range(rng.choice((1, 1, 1, 3, 100)))]
    given = [ARNS.make(rng) if rng.random() < 0.3 else text for text in several]
    return given, [_odd_pool(rng, n) for n in range(rng.randrange(3))]


def _odd_pool(rng: Random, number: int) -> PoolArn:
    """A pool as no text would become one."""
    _, partition, _, region, account, _ = (
        ARNS.mutated(rng, part) if rng.random() < 0.1 else part for part in POOL.split(":", 5)
    )
    pool_id = rng.choice(ARNS.tokens) if rng.random() < 0.05 else f"eu-central-1_{number}"
    return PoolArn(partition, region, account, pool_id)


def _pools(given: tuple[list[str], list[PoolArn]]) -> None:
    names, made = given
    try:
        pools = [*read_pools(names, None), *made]
    except InputError as error:  # several problems come as several lines
        raise ConfigError(str(error).split("\nerror: ")) from None
    documents = policy_documents(pools)
    granted: set[str] = set()
    for document in documents:
        promise(policy_size(document) <= MANAGED_POLICY_MAX, "a policy is small enough")
        (statement,) = json.loads(policy_text(document))["Statement"]
        found = statement["Resource"]
        granted |= {found} if isinstance(found, str) else set(found)
    promise(granted == {str(pool) for pool in pools}, "a policy grants the pools that were named, and no other")
    promise(not any(c in arn for arn in granted for c in "*?$"), "a policy has no wildcard or variable")


_AGES = texts(["90d", "12h", "15m", "30s"], ["d", "h", "m", "s", "0", "9" * 9, "9" * 10, "-", "."], 6_000)


def _age(text: str) -> None:
    try:
        seconds = Duration().convert(text, None, None)
    except click.BadParameter as error:
        raise RefusedInputError(error.message) from None
    promise(0 <= seconds < 10**15, "an age is a number of seconds")


TARGETS = (
    FuzzTarget(name="iam-duration", make=_AGES.make, parse=_age, refusals=(RefusedInputError,)),
    FuzzTarget(
        name="iam-secret", make=_make_secret, parse=_secret, refusals=(KeyUnusableError,), secret=lambda _: CANARY
    ),
    FuzzTarget(name="iam-pools", make=_make_pools, parse=_pools, refusals=(ConfigError, PolicyError)),
)
