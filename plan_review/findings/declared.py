"""Rights that an object gives by naming who gets them: shares, grants, assignments, credentials. One rule for a kind.

The rules stand in `declared_rules`; this module turns an object and a rule into a statement like those of policies.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from plan_review.findings.found import FoundRight, Kind, itself, named_object
from plan_review.findings.policies import Statement
from plan_review.plan.model import Change, World
from plan_review.plan.values import Hidden, Unknown, Value, as_list, get, is_empty, show

_PLACEHOLDER = re.compile(r"( ?)\{([\w.]+)([#?]?)\}")
#: How services spell "everybody".
_EVERYBODY = frozenset({"*", "all", "everyone", "public"})
_ACCOUNT = re.compile(r"\d{12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RightRule:
    """Who gets what on what, in attributes of one type. Paths go through all blocks of a list."""

    #: Attributes that name who gets the right; every value is one principal.
    who: tuple[str, ...] = ()
    #: Who gets it, in words, where no attribute says.
    whoever: str = ""
    #: What they may: text with `{attribute}` in it; of `{attribute?}` nothing is left when there is no value, and
    #: `{attribute#}` stands for a digest of what is too long to be shown.
    may: str
    #: The attribute that names the object they may it on; the object itself when it is empty.
    on: str = ""
    #: The path of the blocks that each give a right of their own; the other paths then begin there.
    each: str = ""
    #: The right only exists when this attribute has one of the values; `unless` when it has none of them.
    when: tuple[str, frozenset[object]] | None = None
    unless: tuple[str, frozenset[object]] | None = None
    #: The right only exists when this attribute has any value.
    needs: str = ""
    #: Conditions: operator, key, and the attribute with its value.
    conditions: tuple[tuple[str, str, str], ...] = ()


def declared(world: World, change: Change, rule: RightRule) -> Iterator[FoundRight]:
    """The statements that an object gives by one rule."""
    whole = change.at(world.phase)
    blocks = at_path(whole, rule.each) if rule.each else [whole]
    for block in blocks:
        if not _exists(block, rule):
            continue
        principals = tuple(dict.fromkeys(p for path in rule.who for v in at_path(block, path) for p in _principals(v)))
        if rule.whoever:
            principals = (*principals, filled(rule.whoever, block))
        if not principals:
            continue
        statement = Statement(
            principals=principals,
            actions=(filled(rule.may, block),),
            conditions=tuple(_conditions(block, rule)),
        )
        yield FoundRight(
            Kind.RESOURCE, named_object(world, change, rule.on) if rule.on else itself(world, change), statement, change
        )


def at_path(value: Value, path: str) -> Sequence[Value]:
    """All values at a path that goes through the items of lists; what is unknown on the way stays so."""
    found: list[Value] = [value]
    for step in path.split("."):
        nexts: list[Value] = []
        for item in found:
            if isinstance(item, Unknown | Hidden):
                nexts.append(item)
            elif isinstance(item, list):
                nexts += [get(inner, step) for inner in item]
            else:
                nexts.append(get(item, step))
        found = nexts
    return [inner for item in found for inner in as_list(item) if not is_empty(inner)]


def _exists(block: Value, rule: RightRule) -> bool:
    """A value that isn't known may be the one that counts."""
    if rule.needs and not at_path(block, rule.needs):
        return False
    for condition, wanted in ((rule.when, True), (rule.unless, False)):
        if condition is not None:
            path, values = condition
            has = at_path(block, path)
            if not any(isinstance(v, Unknown | Hidden) for v in has) and wanted is not any(
                not isinstance(v, list | dict) and v in values for v in has
            ):
                return False
    return True


def _principals(value: Value) -> Iterator[str]:
    if not isinstance(value, str):
        yield show(value)
        return
    for name in filter(None, (part.strip() for part in value.split(","))) if _ACCOUNT.match(value) else (value,):
        if name.lower() in _EVERYBODY:
            yield "*"
        else:
            yield f"{_kind_of(name)}{name}"


def _kind_of(name: str) -> str:
    """What a policy would write before the principal."""
    if _ACCOUNT.fullmatch(name):
        return "AWS "
    return "Service " if name.endswith((".amazonaws.com", ".amazonaws.com.cn")) else ""


def filled(template: str, block: Value) -> str:
    """A text with the values of attributes in it."""

    def replaced(match: re.Match[str]) -> str:
        values = at_path(block, match[2])
        shown = ", ".join(_digest(v) if match[3] == "#" else v if isinstance(v, str) else show(v) for v in values)
        return "" if match[3] == "?" and not shown else f"{match[1]}{shown or 'none'}"

    return _PLACEHOLDER.sub(replaced, template)


def _digest(value: Value) -> str:
    return hashlib.sha256(value.encode()).hexdigest()[:12] if isinstance(value, str) else show(value)


def _conditions(block: Value, rule: RightRule) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    for operator, key, path in rule.conditions:
        values = tuple(v if isinstance(v, str) else show(v) for v in at_path(block, path))
        if values:
            yield operator, key, values
