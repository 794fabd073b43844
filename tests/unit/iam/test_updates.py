"""Whether what is there is as it is asked for."""

from __future__ import annotations

import pytest

from iam.updates import is_same_kms_key, lacking

ARN = "arn:aws:kms:eu-central-1:123456789012:"


@pytest.mark.parametrize(
    ("asked", "there", "same"),
    [
        ("alias/ours", "alias/ours", True),
        ("alias/ours", f"{ARN}alias/ours", True),
        (f"{ARN}key/1234-ab", "1234-ab", True),
        ("1234-ab", f"{ARN}key/1234-ab", True),
        ("alias/ours", "alias/theirs", False),
        ("alias/ours", None, False),
        ("alias/aws/secretsmanager", None, True),
        ("alias/ours", "1234-ab", False),
    ],
)
def test_a_kms_key_is_known_by_any_of_its_names(asked: str, there: str | None, same: bool) -> None:
    assert is_same_kms_key(asked, there) == same


def test_only_tags_that_differ_are_sent() -> None:
    """TagResource with tags that are there already is refused by policies with a condition on aws:TagKeys."""
    assert lacking({"a": "1", "b": "2", "c": "3"}, {"a": "1", "b": "0", "d": "4"}) == {"b": "2", "c": "3"}
