"""What the review could not judge: objects that may give rights or open something, and that no reader understands."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from plan_review.coverage import LOCAL_PROVIDERS, Trait, provider_of, traits
from plan_review.plan.model import Action, Change, Plan
from plan_review.plan.values import get


class Question(StrEnum):
    """What a reviewer asks of every object."""

    RIGHTS = "rights"
    NETWORK = "network"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unjudged:
    """Objects of one type whose part in the answer to a question isn't known."""

    question: Question
    type: str
    #: The objects, with the plan they belong to when there are several.
    addresses: tuple[str, ...]

    @property
    def provider(self) -> str:
        """The provider of the type."""
        return provider_of(self.type)

    @property
    def where(self) -> str:
        """The first object, and how many others there are."""
        more = f" and {len(self.addresses) - 1} more" if len(self.addresses) > 1 else ""
        return f"{self.addresses[0]}{more}"

    @property
    def why(self) -> str:
        """In words that follow the address."""
        known = self.provider == "aws" and traits(self.type) is not None
        wording = {
            Question.RIGHTS: "it can give rights" if known else "whether it gives rights is not known",
            Question.NETWORK: "it can open something" if known else "whether it opens something is not known",
        }
        return f"{self.question} not judged: this review can't read {self.type}, and {wording[self.question]}"


_TRAITS: Mapping[Question, Trait] = {Question.RIGHTS: Trait.GIVES_RIGHTS, Question.NETWORK: Trait.OPENS}
#: Nothing happens to the object in the cloud.
_STAYS = frozenset({Action.NOOP, Action.FORGET, Action.READ})
_TAGS = frozenset({"tags", "tags_all", "labels", "effective_labels", "terraform_labels"})


def unjudged(plans: Iterable[Plan], readers: Mapping[Question, Collection[str]]) -> tuple[Unjudged, ...]:
    """Objects that change, whose type can matter to a question (or isn't known), and that has no reader for it.

    Args:
        plans: the plans.
        readers: the types that are read, for each question.
    """
    found: dict[tuple[Question, str], list[str]] = {}
    for plan in plans:
        for change in (*plan.changes, *plan.deferred):
            for question in _questions(change, readers):
                found.setdefault((question, change.type), []).append(change.label)
    return tuple(
        Unjudged(question=question, type=kind, addresses=tuple(addresses))
        for (question, kind), addresses in sorted(found.items())
    )


def matters(kind: str, question: Question) -> bool:
    """Whether objects of a type can have a part in the answer; those of an unknown type can."""
    if provider_of(kind) in LOCAL_PROVIDERS:
        return False
    known = traits(kind)
    return known is None or _TRAITS[question] in known


def _questions(change: Change, readers: Mapping[Question, Collection[str]]) -> Iterator[Question]:
    if not change.managed or change.action in _STAYS:
        return
    asked = [q for q in Question if change.type not in readers[q] and matters(change.type, q)]
    if asked and not only_tags(change):
        yield from asked


def only_tags(change: Change) -> bool:
    """Whether an object is updated in nothing but its tags."""
    before, after = change.before, change.after
    if change.action is not Action.UPDATE or not isinstance(before, dict) or not isinstance(after, dict):
        return False
    return all(key in _TAGS or get(before, key) == get(after, key) for key in {*before, *after})
