"""Who may do what: every IAM statement before and after the plan, by principal, with what the plan adds and removes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from plan_review.findings.found import FoundRight, Kind, is_separate
from plan_review.findings.iam import IamReader, kept_apart
from plan_review.findings.policies import Statement, Statements, has_hidden
from plan_review.findings.readers import RIGHTS_READERS
from plan_review.findings.resource_policies import read_unknown_type
from plan_review.findings.rights import NO_NARROWER, marks
from plan_review.findings.unjudged import Question, matters, only_tags
from plan_review.plan.model import Action, Phase, Plan, World


class Standing(StrEnum):
    """How a statement after the plan relates to what was there before."""

    ADDED = "added"
    KEPT = "kept"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One statement with the one that it concerns."""

    plan: str
    kind: Kind
    #: What the holder is (an address, an ARN, a name in an account): two may be called the same.
    key: str
    #: The identity that may do something, or the resource (or role) that somebody may use, as it is called.
    holder: str
    statement: Statement
    #: Address of the object that holds the policy.
    source: str
    standing: Standing
    #: The statement allows something that nothing allowed before (or no longer denies something).
    widens: bool
    #: What stands out, in a few words each: "any resource", "anyone", "can raise its own rights".
    marks: tuple[str, ...]

    @property
    def loud(self) -> bool:
        """Whether something in it should be looked at twice before it is given."""
        return self.widens and any(mark != NO_NARROWER for mark in self.marks)


_NOTHING = Statements(())


def grants(plan: Plan) -> list[Grant]:
    """All statements after the plan, then those that it removes."""
    apart = kept_apart(plan)
    gone = _gone(plan)
    before = _once(_collect(plan.worlds[Phase.BEFORE], apart))
    after = _once(_collect(plan.worlds[Phase.AFTER], apart))
    old, new = _by_key(before), _by_key(after)
    labels = _labels([*after, *before])
    made = []
    for item in after:
        others = old.get(item.key, _NOTHING)
        kept = _still_there(item, others)
        widens = not kept and item.statement.allows and not item.statement.written
        widens = widens and not others.covers(item.statement)
        made.append(_grant(item, Standing.KEPT if kept else Standing.ADDED, labels, widens=widens))
    for item in before:
        now = new.get(item.key, _NOTHING)
        if not _still_there(item, now):
            could_deny = not item.statement.allows or item.statement.unseen or item.statement.opaque
            lifted = could_deny and not _goes_with(item, gone) and not now.covers(item.statement)
            made.append(_grant(item, Standing.REMOVED, labels, widens=lifted))
    return made


def _once(found: Iterable[FoundRight]) -> list[FoundRight]:
    """Two objects that say the same of one holder (a role and its attachment) are one grant.

    Two that can't be read only look the same.
    """
    return list({(*f.key, f.statement, f.change.address if f.statement.opaque else ""): f for f in found}.values())


def _by_key(found: Iterable[FoundRight]) -> dict[tuple[Kind, str], Statements]:
    grouped: dict[tuple[Kind, str], list[Statement]] = {}
    for item in found:
        if not item.statement.written:
            grouped.setdefault(item.key, []).append(item.statement)
    return {key: Statements(members) for key, members in grouped.items()}


def _labels(found: Iterable[FoundRight]) -> dict[tuple[Kind, str], str]:
    """What each holder is called; where two are called the same, with what tells them apart."""
    called: dict[tuple[Kind, str], str] = {}
    keys: dict[tuple[Kind, str], set[str]] = {}
    for item in found:
        label = called.setdefault(item.key, item.holder.label)
        keys.setdefault((item.kind, label), set()).add(item.holder.key)
    return {
        (kind, key): f"{label} ({key})" if len(keys[(kind, label)]) > 1 and key not in label else label
        for (kind, key), label in called.items()
    }


def _still_there(item: FoundRight, others: Statements) -> bool:
    """Whether the same statement stands on the other side: literally, or in an object that doesn't change.

    What can't be read, or is hidden in part, only looks the same.
    """
    if item.statement not in others:
        return False
    looks_alike = item.statement.opaque or has_hidden(item.statement)
    return not looks_alike or item.change.action is Action.NOOP or only_tags(item.change)


def _grant(item: FoundRight, standing: Standing, labels: Mapping[tuple[Kind, str], str], *, widens: bool) -> Grant:
    of_resource = item.kind is not Kind.IDENTITY
    return Grant(
        plan=item.change.plan,
        kind=item.kind,
        key=item.holder.key,
        holder=labels[item.key],
        statement=item.statement,
        source=item.change.address,
        standing=standing,
        widens=widens,
        marks=(*_going(item.statement, standing, widens=widens), *marks(item.statement, of_resource=of_resource)),
    )


def _going(statement: Statement, standing: Standing, *, widens: bool) -> tuple[str, ...]:
    """Why something that is taken away widens."""
    if standing is not Standing.REMOVED or not widens:
        return ()
    return ("it may deny something, which goes",) if statement.allows else ("a Deny goes",)


def _collect(world: World, apart: frozenset[tuple[str, str]]) -> Iterator[FoundRight]:
    iam = IamReader(world, apart)
    for change in world.managed():
        readers = RIGHTS_READERS.get(change.type, ())
        if change.type in IamReader.READS:
            yield from iam.read(change)
        elif not readers and matters(change.type, Question.RIGHTS):
            yield from read_unknown_type(world, change)
        for read in readers:
            yield from read(world, change)


def _gone(plan: Plan) -> frozenset[str]:
    """Keys of the objects that the plan takes away."""
    before, after = plan.worlds[Phase.BEFORE], plan.worlds[Phase.AFTER]
    stays = {plan.key(change) for change in after.managed()}
    return frozenset(plan.key(change) for change in before.managed()) - stays


def _goes_with(item: FoundRight, gone: frozenset[str]) -> bool:
    """Whether a statement goes with its holder: a Deny of a role that isn't there any more gives nobody anything.

    A policy that is an object of its own may be all that the plan knows of what it protects.
    """
    return item.holder.key in gone and not (is_separate(item.change.type) and item.holder.key == item.change.address)
