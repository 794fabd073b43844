"""IAM policy documents as statements that can be compared.

The grammar: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html. Works on masked
values, so parts may be unknown (a statement about a queue that doesn't exist yet) or hidden.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from plan_review.plan.values import Hidden, Unknown, Value, as_list, get, is_empty, show, text, texts


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement of a policy. Parts that aren't known yet are told in words."""

    sid: str = ""
    effect: str = "Allow"
    #: "*", "AWS arn:...", "Service ecs-tasks.amazonaws.com"; empty in a policy of an identity.
    principals: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    #: Operator, key and values of each condition; all must hold.
    conditions: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    #: The lists name what is excepted (NotAction, NotResource, NotPrincipal).
    not_actions: bool = False
    not_resources: bool = False
    not_principals: bool = False
    #: The document can't be read: what it says is not known, or hidden.
    opaque: bool = False

    @property
    def allows(self) -> bool:
        """Whether it gives rights (a Deny takes them)."""
        return self.effect == "Allow"


def statements(document: Value) -> tuple[Statement, ...]:
    """The statements of a policy document; one opaque statement for a document that can't be read."""
    if isinstance(document, Unknown | Hidden) or not isinstance(document, dict | str):
        return () if is_empty(document) else (_opaque(document),)
    if isinstance(document, str):
        return () if not document.strip() else (_opaque("(not a JSON policy)"),)
    return tuple(_statement(item) for item in as_list(get(document, "Statement")))


def data_statements(data: Value) -> tuple[Statement, ...]:
    """The statements of an `aws_iam_policy_document` data source, whose JSON isn't known yet."""
    made = tuple(_data_statement(item) for item in as_list(get(data, "statement")))
    merged = [
        get(data, key)
        for key in ("source_policy_documents", "override_policy_documents", "source_json", "override_json")
    ]
    others = [s for value in merged for item in as_list(value) for s in statements(item)]
    return (*made, *others)


def _opaque(why: Value) -> Statement:
    if isinstance(why, Unknown):
        known = f" (it refers to {', '.join(why.references)})" if why.references else ""
        return Statement(actions=(f"(what a policy says that is only known after apply{known})",), opaque=True)
    shown = why if isinstance(why, str) else show(why)
    return Statement(actions=(f"(a policy that can't be shown: {shown})",), opaque=True)


def _statement(item: Value) -> Statement:
    if not isinstance(item, dict):
        return _opaque(item)
    not_actions, actions = _one_of(item, "Action", "NotAction")
    not_resources, resources = _one_of(item, "Resource", "NotResource")
    not_principals = "NotPrincipal" in item
    principal = item.get("NotPrincipal" if not_principals else "Principal")
    return Statement(
        sid=text(item.get("Sid")),
        effect=text(item.get("Effect")) or "Allow",
        principals=tuple(_principals(principal)),
        actions=actions,
        resources=resources,
        conditions=_conditions(item.get("Condition")),
        not_actions=not_actions,
        not_resources=not_resources,
        not_principals=not_principals,
    )


def _one_of(item: dict[str, Value], plain: str, negated: str) -> tuple[bool, tuple[str, ...]]:
    if not is_empty(item.get(negated)):
        return True, _sorted(item.get(negated))
    return False, _sorted(item.get(plain))


def _principals(value: Value) -> Iterator[str]:
    if isinstance(value, dict):
        for kind in sorted(value):
            for name in _sorted(value[kind]):
                yield "*" if name == "*" else f"{kind} {name}"
    else:
        yield from _sorted(value)


def _conditions(value: Value) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    if isinstance(value, dict):
        found = [
            (operator, key, _sorted(wanted))
            for operator, keys in value.items()
            for key, wanted in (keys.items() if isinstance(keys, dict) else [(show(keys), None)])
        ]
        return tuple(sorted(found))
    return () if is_empty(value) else ((show(value), "", ()),)


def _data_statement(item: Value) -> Statement:
    if not isinstance(item, dict):
        return _opaque(item)
    not_actions = not is_empty(item.get("not_actions"))
    not_resources = not is_empty(item.get("not_resources"))
    not_principals = not is_empty(item.get("not_principals"))
    principals: list[str] = []
    for block in as_list(item.get("not_principals" if not_principals else "principals")):
        kind = text(get(block, "type"))
        principals += ["*" if name == "*" else f"{kind} {name}" for name in _sorted(get(block, "identifiers"))]
    conditions = [
        (text(get(block, "test")), text(get(block, "variable")), _sorted(get(block, "values")))
        for block in as_list(item.get("condition"))
    ]
    return Statement(
        sid=text(item.get("sid")),
        effect=text(item.get("effect")) or "Allow",
        principals=tuple(principals),
        actions=_sorted(item.get("not_actions" if not_actions else "actions")),
        resources=_sorted(item.get("not_resources" if not_resources else "resources")),
        conditions=tuple(sorted(conditions)),
        not_actions=not_actions,
        not_resources=not_resources,
        not_principals=not_principals,
    )


def _sorted(value: Value) -> tuple[str, ...]:
    return tuple(sorted(dict.fromkeys(texts(value))))


# --- comparing -----------------------------------------------------------------------------------------------------


def covered(statement: Statement, others: Iterable[Statement]) -> bool:
    """Whether one of the other statements says at least all that this one says.

    Careful in one direction: True is certain, False may be wrong where only several others together say as much. Each
    pair of action and resource is also looked up by itself, which catches most of that.
    """
    if statement.opaque or _has_hidden(statement):
        return False
    candidates = [o for o in others if o.effect == statement.effect and not o.opaque and not _has_hidden(o)]
    if any(_covers(o, statement) for o in candidates):
        return True
    if statement.not_actions or statement.not_resources:
        return False
    parts = list(_parts(statement))
    return len(parts) > 1 and all(any(_covers(o, part) for o in candidates) for part in parts)


def _has_hidden(statement: Statement) -> bool:
    """Two hidden texts look alike and needn't be: nothing can be said about them."""
    values = (v for _, _, wanted in statement.conditions for v in wanted)
    shown = (*statement.actions, *statement.resources, *statement.principals, *values)
    return any(t.startswith(("(sensitive", "(hidden")) for t in shown)


def _parts(statement: Statement) -> Iterator[Statement]:
    for action in statement.actions:
        for resource in statement.resources or ("",):
            yield Statement(
                effect=statement.effect,
                principals=statement.principals,
                actions=(action,),
                resources=(resource,) if resource else (),
                conditions=statement.conditions,
                not_principals=statement.not_principals,
            )


def _covers(wide: Statement, narrow: Statement) -> bool:
    flags = (wide.not_actions, wide.not_resources, wide.not_principals)
    if any(flags) or flags != (narrow.not_actions, narrow.not_resources, narrow.not_principals):
        plain = ("actions", "resources", "principals", "conditions", "not_actions", "not_resources", "not_principals")
        return all(getattr(wide, name) == getattr(narrow, name) for name in plain)
    return (
        all(any(_matches(w.lower(), n.lower()) for w in wide.actions) for n in narrow.actions)
        and all(any(_matches(w, n) for w in wide.resources) for n in narrow.resources)
        and all(any(w in ("*", n) for w in wide.principals) for n in narrow.principals)
        and all(_implied(c, narrow.conditions) for c in wide.conditions)
    )


def _implied(
    condition: tuple[str, str, tuple[str, ...]], conditions: Iterable[tuple[str, str, tuple[str, ...]]]
) -> bool:
    """Whether a statement with these conditions can only apply when the one condition holds, too.

    More values of a condition mean "one of them", of a negated one "none of them".
    """
    operator, key, wanted = condition
    negated = "Not" in operator
    for other_operator, other_key, other_wanted in conditions:
        if (operator.lower(), key.lower()) == (other_operator.lower(), other_key.lower()):
            fewer, more = (wanted, other_wanted) if negated else (other_wanted, wanted)
            if set(fewer) <= set(more):
                return True
    return False


def _matches(wide: str, narrow: str) -> bool:
    return wide == narrow or (("*" in wide or "?" in wide) and bool(_pattern(wide).fullmatch(narrow)))


@lru_cache(maxsize=4096)
def _pattern(glob: str) -> re.Pattern[str]:
    # A "?" of the wide pattern must not swallow a "*" of the narrow one.
    parts = {"*": ".*", "?": "[^*]"}
    return re.compile("".join(parts.get(c) or re.escape(c) for c in glob), re.DOTALL)
