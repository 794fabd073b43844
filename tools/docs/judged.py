"""What the plan review judges, as tables for docs/plan-review.md: made of its readers and of the table of types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from plan_review.coverage import TRAIT_WORDS, Trait, coverage_table
from plan_review.findings.acls import ACL_TYPES
from plan_review.findings.declared_rights import DECLARED
from plan_review.findings.exposed import EXPOSED, GUARDS
from plan_review.findings.iam import IamReader
from plan_review.findings.links import LINKS
from plan_review.findings.other_policies import OTHER_POLICIES
from plan_review.findings.other_providers import FIREWALLS, OTHER_RIGHTS
from plan_review.findings.readers import READERS
from plan_review.findings.resource_policies import RESOURCE_POLICIES
from plan_review.findings.security_groups import RULE_TYPES
from plan_review.findings.unjudged import Question

_RIGHTS: Mapping[str, Iterable[str]] = {
    "policies of identities, attachments, membership, boundaries, trust": IamReader.READS,
    "policies of resources": RESOURCE_POLICIES,
    "policies of permission sets, organizations, IoT, access points": OTHER_POLICIES,
    "access control lists": ACL_TYPES,
    "shares, grants, assignments, credentials": DECLARED,
    "other clouds": OTHER_RIGHTS,
}
_NETWORK: Mapping[str, Iterable[str]] = {
    "rules": RULE_TYPES | FIREWALLS,
    "open by what it is": EXPOSED - RULE_TYPES - FIREWALLS - LINKS - frozenset(GUARDS),
    "guards: open when off, and when they go": GUARDS,
    "ways between networks, public addresses (shown, and no reason to fail)": LINKS,
}


def judged_table() -> str:
    """Which types are read for rights and for the network."""
    rows = [("rights", what, kinds) for what, kinds in _RIGHTS.items()]
    rows += [("network", what, kinds) for what, kinds in _NETWORK.items()]
    lines = [f"| {question} | {what} | {_names(kinds)} |" for question, what, kinds in rows]
    return "\n".join(["| question | what | types |", "|---|---|---|", *lines])


def unjudged_table() -> str:
    """Types that can matter to a question, and have no reader for it."""
    lines = []
    for question, trait in ((Question.RIGHTS, Trait.GIVES_RIGHTS), (Question.NETWORK, Trait.OPENS)):
        kinds = [k for k, traits in coverage_table().types.items() if trait in traits and k not in READERS[question]]
        lines.append(f"| {question} | {_names(kinds)} |")
    return "\n".join(["| question | types that are not judged |", "|---|---|", *lines])


def traits_table() -> str:
    """How many types of the AWS provider can do what."""
    types = coverage_table().types.values()
    lines = [f"| {words} | {sum(trait in traits for traits in types):,} |" for trait, words in TRAIT_WORDS.items()]
    none = sum(not traits for traits in types)
    return "\n".join(["| a type that | types |", "|---|--:|", *lines, f"| does none of these | {none:,} |"])


def _names(kinds: Iterable[str]) -> str:
    return ", ".join(f"`{kind}`" for kind in sorted(kinds))
