"""What AWS's sentence about a refusal says, and the advice that fits it."""

from __future__ import annotations

import pytest

from iam.denial import explain
from iam.errors import AwsError

USER = "User: arn:aws:iam::123456789012:user/me is not authorized to perform: iam:CreateUser on resource: user/x"
SCP = "arn:aws:organizations::111122223333:policy/o-abcdefghij/service_control_policy/p-12345678"
NO_GRANT_HELPS = "a grant to the caller does not help"


@pytest.mark.parametrize(
    ("said", "cause", "advice"),
    [
        (f"{USER} with an explicit deny in a service control policy", "service control policy", NO_GRANT_HELPS),
        (f"{USER} because no service control policy allows the x action", "no service control", NO_GRANT_HELPS),
        (f"{USER} with an explicit deny in a resource control policy", "resource control policy", NO_GRANT_HELPS),
        (f"{USER} because no permissions boundary allows the x action", "no permissions boundary", "widen"),
        (f"{USER} with an explicit deny in a permissions boundary", "deny in a permissions boundary", "widen"),
        (f"{USER} because no session policy allows the x action", "no session policy", "another session"),
        (f"{USER} with an explicit deny in a VPC endpoint policy", "VPC endpoint policy", "another network"),
        (f"{USER} with an explicit deny in an identity-based policy", "in an identity-based policy", "MFA"),
        (f"{USER} because no identity-based policy allows the x action", "no identity-based policy", "grant it"),
        (f"{USER} because no resource-based policy allows the x action", "no resource-based policy", "resource itself"),
        ("Access to KMS is not allowed", "KMS key of the secret can't be used", "kms:GenerateDataKey and kms:Decrypt"),
        ("me is not authorized to perform: kms:Decrypt because no x", "KMS key of the secret", "allow kms:Decrypt on"),
        (
            "The tag policy does not allow the specified value for the following tag key: 'team'.",
            "does not allow the value of the tag team",
            "--tag",
        ),
        ("MultiFactorAuthentication failed with invalid MFA one time pass code.", "MFA", "valid MFA code"),
    ],
)  # fmt: skip
def test_the_cause_is_told_and_the_advice_fits_it(said: str, cause: str, advice: str) -> None:
    found = explain("AccessDenied", said)
    assert found is not None
    assert cause in found.cause
    assert advice in found.advice


def test_the_arn_of_the_policy_is_told_where_aws_names_it() -> None:
    said = f"{USER} with an explicit deny in a service control policy: {SCP}"
    found = explain("AccessDenied", said)
    assert found is not None
    assert found.cause == f"explicit deny in a service control policy ({SCP})"
    silent = explain("AccessDenied", said, quote=False)
    assert silent is not None
    assert silent.cause == "explicit deny in a service control policy"


@pytest.mark.parametrize("said", ["", "Rate exceeded", "some policy allows nothing", "explicit deny in a magic policy"])
def test_what_is_not_known_is_not_guessed(said: str) -> None:
    assert explain("AccessDenied", said) is None


def test_the_error_is_one_line_with_cause_and_advice() -> None:
    denial = explain("AccessDenied", f"{USER} with an explicit deny in a permissions boundary")
    error = AwsError("iam:CreateUser", "user/x", "AccessDenied", "quoted nowhere", denial)
    assert str(error) == (
        "not permitted: iam:CreateUser on user/x: explicit deny in a permissions boundary;"
        " widen that permissions boundary: a grant to the caller does not help, and run the command again"
    )


def test_a_refusal_under_another_code_keeps_the_code() -> None:
    denial = explain(
        "InvalidInput", "The tag policy does not allow the specified value for the following tag key: 'team'"
    )
    assert str(AwsError("iam:CreateUser", "user/x", "InvalidInput", "", denial)).startswith(
        "iam:CreateUser on user/x failed with InvalidInput: a tag policy of the organization does not allow the value"
    )
