"""Names, limits and tags."""

from __future__ import annotations

from typing import Any, cast

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.arn import PoolArn
from iam import names
from iam.aws import Aws
from iam.errors import InputError, KeyUnusableError
from iam.names import Home
from iam.options import Duration
from iam.secret import CURRENT, SecretState, read, version_id


@given(st.from_regex(r"[a-z]{2}-[a-z]{1,30}-[1-9]_[0-9a-zA-Z]{1,15}", fullmatch=True))
def test_the_default_name_of_any_pool_s_user_fits_and_tells_the_pool(pool_id: str) -> None:
    name = names.default_user_name(PoolArn("aws", "eu-central-1", "123456789012", pool_id[:55]))
    assert names.check_user_name(name) == name
    assert name.startswith("cognito-source-")
    names.check_secret_name(names.default_secret_name(name))


def test_long_pool_ids_that_begin_alike_get_different_names() -> None:
    first, second = ("x" * 53 + f"_{n}" for n in (1, 2))
    made = {names.default_user_name(PoolArn("aws", "eu-central-1", "123456789012", each)) for each in (first, second)}
    assert len(made) == 2


@pytest.mark.parametrize("number", [1, 2, 10])
def test_the_user_of_a_policy_is_known_by_the_policy_s_name(number: int) -> None:
    assert names.user_of_policy(names.policy_name("reader-1", number)) == "reader-1"
    assert len(names.policy_name("n" * 64, number)) <= 128


def test_other_policies_belong_to_no_user_of_ours() -> None:
    assert names.user_of_policy("AdministratorAccess") is None


@pytest.mark.parametrize("name", ["", "a b", "a/b", "ü", "n" * 65, "name\n"])
def test_bad_user_names_are_refused(name: str) -> None:
    with pytest.raises(InputError):
        names.check_user_name(name)


@pytest.mark.parametrize("path", ["", "a", "/a", "a/", "/a b/", "/" + "p" * 512 + "/"])
def test_bad_paths_are_refused(path: str) -> None:
    with pytest.raises(InputError):
        names.check_path(path)


@pytest.mark.parametrize("path", ["/", "/a/", "/a/b/", "/" + "p" * 510 + "/"])
def test_good_paths_pass(path: str) -> None:
    assert names.check_path(path) == path


@pytest.mark.parametrize(("key", "value"), [("", "v"), ("k" * 129, "v"), ("k", "v" * 257), ("k", "<"), ("aws:k", "v")])
def test_bad_tags_are_refused(key: str, value: str) -> None:
    with pytest.raises(InputError):
        names.check_tags({key: value})


def test_arns_are_of_the_partition_and_account_that_they_are_made_for() -> None:
    home = Home("aws-cn", "123456789012")
    assert home.user("/p/", "u") == "arn:aws-cn:iam::123456789012:user/p/u"
    assert home.policy("/", "p") == "arn:aws-cn:iam::123456789012:policy/p"
    assert home.secret("cn-north-1", "s") == "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:s-??????"


@pytest.mark.parametrize(
    ("tags", "owner"),
    [
        ({}, None),
        ({"team": "x"}, None),
        ({names.MANAGED_BY: names.BY_CLI}, names.BY_CLI),
        ({"ManagedBy": "cdktf"}, names.BY_STACK),
        ({"ManagedBy": "cdktf", names.MANAGED_BY: names.BY_CLI}, names.BY_STACK),
    ],
)
def test_tags_tell_who_made_a_thing(tags: dict[str, str], owner: str | None) -> None:
    assert names.managed_by(tags) == owner


@given(st.from_regex(r"[A-Z0-9]{16,128}", fullmatch=True))
def test_the_id_of_a_secret_s_version_is_one_that_aws_takes(key_id: str) -> None:
    assert 32 <= len(version_id(key_id)) <= 64


class _Holds:
    """Secrets Manager with this text in the secret."""

    def __init__(self, text: str) -> None:
        self._text = text

    def call(self, action: str, resource: str, /, region: str | None = None, **parameters: Any) -> dict[str, Any]:
        return {"SecretString": self._text}


@pytest.mark.parametrize(
    "text",
    [
        '{"AWS_ACCESS_KEY_ID":"AKIA","AWS_SECRET_ACCESS_KEY":null}',
        '{"AWS_ACCESS_KEY_ID":"","AWS_SECRET_ACCESS_KEY":"topsecret"}',
        '{"AWS_ACCESS_KEY_ID":["AKIA"],"AWS_SECRET_ACCESS_KEY":"topsecret"}',
        '["topsecret"]',
        "topsecret",
        "[" * 60_000,
    ],
)
def test_a_secret_without_a_key_is_refused_and_not_shown(text: str) -> None:
    secret = SecretState("arn:aws:secretsmanager:eu-central-1:1:secret:x", "eu-central-1", {"v": (CURRENT,)})
    with pytest.raises(KeyUnusableError, match="is not a JSON object with") as caught:
        read(cast("Aws", _Holds(text)), secret, CURRENT)
    assert "topsecret" not in str(caught.value)


@pytest.mark.parametrize("text", ["9" * 400 + "d", "9" * 5_000 + "s", "\u0663d", "d", "-1d"])
def test_an_age_that_is_no_number_of_seconds_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is no duration"):
        Duration().convert(text, None, None)
