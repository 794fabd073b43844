"""Which resource types are read for which question. What isn't here, and can matter, is said to be not judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from plan_review.findings.acls import ACL_TYPES, read_acl
from plan_review.findings.declared import RightRule, declared
from plan_review.findings.declared_rights import DECLARED
from plan_review.findings.exposed import EXPOSED
from plan_review.findings.found import FoundRight
from plan_review.findings.iam import IamReader
from plan_review.findings.other_policies import OTHER_POLICIES
from plan_review.findings.other_providers import (
    AZURE_RIGHTS,
    FIREWALLS,
    GOOGLE_RIGHTS,
    OTHER_RIGHTS,
    read_google_rights,
)
from plan_review.findings.resource_policies import RESOURCE_POLICIES, read_resource_policy
from plan_review.findings.unjudged import Question
from plan_review.plan.model import Change, World

#: Finds the statements of one object.
RightsReader = Callable[[World, Change], Iterator[FoundRight]]


def _by_rules(world: World, change: Change, rules: tuple[RightRule, ...]) -> Iterator[FoundRight]:
    for rule in rules:
        yield from declared(world, change, rule)


def _rights_readers() -> dict[str, tuple[RightsReader, ...]]:
    sources: tuple[Mapping[str, RightsReader], ...] = (
        dict.fromkeys(RESOURCE_POLICIES, read_resource_policy),
        dict.fromkeys(ACL_TYPES, read_acl),
        OTHER_POLICIES,
        dict.fromkeys(GOOGLE_RIGHTS, read_google_rights),
        {kind: partial(_by_rules, rules=rules) for kind, rules in {**DECLARED, **AZURE_RIGHTS}.items()},
    )
    found: dict[str, tuple[RightsReader, ...]] = {}
    for source in sources:
        for kind, reader in source.items():
            found[kind] = (*found.get(kind, ()), reader)
    return found


#: What reads the rights that an object of a type gives, besides IAM's own.
RIGHTS_READERS: Mapping[str, tuple[RightsReader, ...]] = _rights_readers()
_RIGHTS = frozenset(RIGHTS_READERS) | IamReader.READS
#: Types that are open by whom they give rights to, and in no other way. A right of everybody is an exposure.
_OPEN_BY_RIGHTS = frozenset(
    {
        *ACL_TYPES,
        *DECLARED,
        *(kind for kind in RESOURCE_POLICIES if kind.endswith("_policy")),
        *(kind for kind in OTHER_POLICIES if kind.endswith("_policy")),
        *OTHER_RIGHTS,
        "aws_s3_bucket",
    }
)

READERS: Mapping[Question, frozenset[str]] = {
    # A firewall rule gives nobody a right.
    Question.RIGHTS: _RIGHTS | FIREWALLS,
    Question.NETWORK: EXPOSED | _OPEN_BY_RIGHTS,
}
