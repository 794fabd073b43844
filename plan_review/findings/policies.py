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

#: A statement of more pairs of action and resource than this is only compared as a whole.
_PAIRS_MAX = 20_000
_WILDCARD = re.compile(r"[*?]")


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
    #: It stands in a file beside the plan: shown to explain an opaque one, and not judged.
    written: bool = False
    #: It stands for a policy whose content isn't in the plan, so that it may deny something, too.
    unseen: bool = False
    #: It is no right but a limit that goes: no other right makes up for it.
    lifts: bool = False

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
    if "Statement" not in document:
        return (_opaque("(JSON without a Statement)"),) if document else ()
    return tuple(_statement(item) for item in as_list(document["Statement"]))


def data_statements(data: Value) -> tuple[Statement, ...]:
    """The statements of an `aws_iam_policy_document` data source, whose JSON isn't known yet."""
    made = tuple(_data_statement(item) for item in as_list(get(data, "statement")))
    merged = [
        get(data, key)
        for key in ("source_policy_documents", "override_policy_documents", "source_json", "override_json")
    ]
    others = [s for value in merged for item in as_list(value) for s in statements(item)]
    # AWS takes no policy without a statement: one that shows none isn't shown whole.
    return (*made, *others) or (_opaque("(a document without a statement)"),)


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
    effect = item.get("Effect", "Allow")
    if not actions or effect not in ("Allow", "Deny"):
        return _opaque("(a statement that is not understood)")
    not_principals = "NotPrincipal" in item
    principal = item.get("NotPrincipal" if not_principals else "Principal")
    return Statement(
        sid=text(item.get("Sid")),
        effect=effect,
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
    effect = item.get("effect") or "Allow"
    if is_empty(item.get("not_actions" if not_actions else "actions")) or effect not in ("Allow", "Deny"):
        return _opaque("(a statement that is not understood)")
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
        effect=effect,
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


class Statements:
    """The statements of one holder, arranged so that those which may cover another one are found without a search.

    Each statement is listed under what it needs of another one to cover it: an action, a resource, a principal, a
    condition. Of the lists that a statement leads to, only the shortest is looked through.
    """

    def __init__(self, members: Iterable[Statement]) -> None:
        self._members = dict.fromkeys(members)
        self._lists: dict[tuple[str, str, str], list[Statement]] = {}
        # What is negated covers only its equal, which is found among the members.
        for member in self._members:
            if not member.opaque and not has_hidden(member) and not _negates(member):
                for key in dict.fromkeys(_listed_under(member)):
                    self._lists.setdefault((member.effect, *key), []).append(member)

    def __bool__(self) -> bool:
        return bool(self._members)

    def __contains__(self, statement: Statement) -> bool:
        return statement in self._members

    def covers(self, statement: Statement) -> bool:
        """Whether one of the statements says at least all that this one says.

        Careful in one direction: True is certain, False may be wrong where only several together say as much. Each pair
        of action and resource is also looked up by itself, which catches most of that.
        """
        if statement.opaque or statement.lifts or not statement.actions or has_hidden(statement):
            return False
        if _negates(statement):
            return any(_same(other, statement) for other in self._members if not other.opaque)
        if self._one_covers(statement):
            return True
        pairs = len(statement.actions) * max(1, len(statement.resources))
        return 1 < pairs <= _PAIRS_MAX and all(self._one_covers(part) for part in _parts(statement))

    def _one_covers(self, narrow: Statement) -> bool:
        lists = [
            [found for key in keys if (found := self._lists.get((narrow.effect, *key)))]
            for keys in _looked_up_under(narrow)
        ]
        shortest = min(lists, key=lambda found: sum(map(len, found)))
        return any(_covers(wide, narrow) for found in shortest for wide in found)


def _negates(statement: Statement) -> bool:
    return statement.not_actions or statement.not_resources or statement.not_principals


def _same(one: Statement, other: Statement) -> bool:
    plain = ("effect", "actions", "resources", "principals", "conditions")
    negated = ("not_actions", "not_resources", "not_principals")
    return all(getattr(one, name) == getattr(other, name) for name in (*plain, *negated))


def _listed_under(wide: Statement) -> Iterator[tuple[str, str]]:
    """Under its texts up to the first wildcard: what it can match begins with that."""
    for action in wide.actions:
        yield _start(action.lower(), "action")
    for resource in wide.resources:
        yield _start(resource, "resource")
    for principal in wide.principals:
        yield "principal", principal
    if wide.conditions:
        operator, key, values = wide.conditions[0]
        yield from (_condition(operator, key, value) for value in values or ("",))
    else:
        yield "condition", ""


def _looked_up_under(narrow: Statement) -> Iterator[list[tuple[str, str]]]:
    """The keys of all statements that may cover this one: by first action, resource and principal, by any condition.

    What covers it covers each of its parts, so one of each is enough; a part that it hasn't says nothing.
    """
    for dimension, texts_ in (("action", [a.lower() for a in narrow.actions]), ("resource", narrow.resources)):
        if texts_:
            first = texts_[0]
            starts = [(f"{dimension}*", first[:length]) for length in range(len(first) + 1)]
            yield [(dimension, first), *starts]
    if narrow.principals:
        yield [("principal", "*"), ("principal", narrow.principals[0])]
    named = [_condition(operator, key, v) for operator, key, values in narrow.conditions for v in ("", *values)]
    yield [("condition", ""), *named]


def _condition(operator: str, key: str, value: str) -> tuple[str, str]:
    return "condition", f"{operator.lower()} {key.lower()} {value}"


def _start(glob: str, dimension: str) -> tuple[str, str]:
    match = _WILDCARD.search(glob)
    return (f"{dimension}*", glob[: match.start()]) if match else (dimension, glob)


def has_hidden(statement: Statement) -> bool:
    """Two hidden texts look alike and needn't be: nothing can be said about them."""
    values = (v for _, _, wanted in statement.conditions for v in wanted)
    shown = (*statement.actions, *statement.resources, *statement.principals, *values)
    return any("(sensitive)" in t or "(hidden: " in t for t in shown)


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
    if not narrow.resources and wide.resources and "*" not in wide.resources:
        return False
    return (
        all(any(_matches(w.lower(), n.lower()) for w in wide.actions) for n in narrow.actions)
        and all(any(_matches(w, n) for w in wide.resources) for n in narrow.resources)
        and bool(wide.principals) == bool(narrow.principals)
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
    negated = "not" in operator.lower()
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
    parts = ["".join("[^*]" if c == "?" else re.escape(c) for c in part) for part in glob.split("*")]
    if len(parts) == 1:
        return re.compile(parts[0], re.DOTALL)
    # The first place where a part fits is as good as any later one: going back would take a time of its own power.
    middle = "".join(f"(?>.*?{part})" for part in parts[1:-1] if part)
    return re.compile(f"{parts[0]}{middle}.*{parts[-1]}", re.DOTALL)
