"""What changes in one object, field by field: old and new, ready to be shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from plan_review.plan.addresses import bare_address
from plan_review.plan.model import Action, Change, Phase
from plan_review.plan.values import Unknown, Value, has_unknown, is_empty, show

#: Fields that repeat others; they would only lengthen the list.
_ECHOES = frozenset({"tags_all", "id", "arn"})
_COMPUTED = show(Unknown())
#: What tells the members of a list of objects apart, the first that all of them have.
_IDENTITIES = ("name", "Name", "sid", "Sid", "key", "id", "containerPort")


#: Lists of a policy, whose order says nothing.
_UNORDERED = frozenset(
    {"Action", "NotAction", "Resource", "NotResource", "AWS", "Service", "Federated", "CanonicalUser"}
)


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field: its path and its values as texts; None where it has none on that side."""

    path: str
    old: str | None
    new: str | None
    #: The change of this field is why the object is replaced.
    forces_replacement: bool = False


def field_changes(change: Change) -> list[FieldChange]:
    """The fields of an object that differ before and after, in the order of their paths.

    An object that is created has only new values, one that is destroyed only old ones; empty fields are left out.
    """
    if change.action is Action.NOOP:
        return []
    after = change.after
    if change.sides.written and isinstance(after, dict):
        after = {**after, **change.sides.written}
    found = list(_differences(change.before, after, "", top=True))
    if not found:
        found = list(_differences(change.before, after, ""))
    fields: list[FieldChange] = []
    for path, old, new in found:
        if change.action is Action.REPLACE and new == _COMPUTED and path not in change.replace_paths:
            continue  # every new object has new computed values
        forces = any(path == p or path.startswith((f"{p}.", f"{p}[")) for p in change.replace_paths)
        fields.append(FieldChange(path or "value", old, new, forces))
    listed = {f.path for f in fields}
    unseen = [
        path
        for path in change.replace_paths
        if not any(p == path or p.startswith((f"{path}.", f"{path}[")) for p in listed)
    ]
    return fields + [FieldChange(path, None, None, forces_replacement=True) for path in unseen]


class Relevance:
    """Which drift matters: what changed in an attribute that the plan's changes may come from."""

    def __init__(self, attributes: Iterable[tuple[str, str]] | None) -> None:
        self._paths: dict[str, list[str]] | None = None if attributes is None else {}
        for resource, path in attributes or ():
            if self._paths is not None:
                self._paths.setdefault(bare_address(resource), []).append(path)

    def to(self, change: Change) -> bool:
        """Whether the change outside of Terraform matters for the plan; always, where the plan doesn't say."""
        if self._paths is None:
            return True
        paths = self._paths.get(bare_address(change.address))
        if paths is None:
            return False
        if not change.exists(Phase.AFTER):
            return True
        return any(_overlap(path, field.path) for field in field_changes(change) for path in paths)


def _overlap(one: str, other: str) -> bool:
    """Whether one path is the other, or leads into it."""
    longer, shorter = (one, other) if len(one) > len(other) else (other, one)
    return longer == shorter or not shorter or longer.startswith((f"{shorter}.", f"{shorter}["))


def _differences(
    old: Value, new: Value, path: str, *, top: bool = False
) -> Iterator[tuple[str, str | None, str | None]]:
    if isinstance(old, dict | None) and isinstance(new, dict | None) and (old or new):
        before, after = old or {}, new or {}
        for key in sorted({*before, *after}):
            if top and key in _ECHOES:
                continue
            yield from _differences(before.get(key), after.get(key), f"{path}.{key}" if path else key)
        return
    if isinstance(old, list) and isinstance(new, list) and old and new:
        yield from _list_differences(old, new, path)
        return
    if isinstance(new, list) and is_empty(old) and any(isinstance(item, dict) for item in new):
        yield from _list_differences([], new, path)
        return
    if _same(old, new):
        return
    yield path, None if is_empty(old) else show(old), None if _absent(new) else show(new)


def _list_differences(old: list[Value], new: list[Value], path: str) -> Iterator[tuple[str, str | None, str | None]]:
    identity = _identity(old, new)
    if identity:
        before, after = _by(old, identity), _by(new, identity)
        for key in [*before, *(k for k in after if k not in before)]:
            one, other = _without(before.get(key), identity), _without(after.get(key), identity)
            yield from _differences(one, other, f"{path}[{key}]")
        if list(before) != list(after) and set(before) == set(after):
            yield f"{path} (order)", show([*before]), show([*after])
        return
    if any(isinstance(item, dict | list) for item in (*old, *new)):
        for index in range(max(len(old), len(new))):
            one = old[index] if index < len(old) else None
            other = new[index] if index < len(new) else None
            yield from _differences(one, other, f"{path}[{index}]")
        return
    unordered = path.rpartition(".")[2] in _UNORDERED or ".Condition." in path
    same = sorted(map(show, old)) == sorted(map(show, new)) if unordered else old == new
    if not same or has_unknown(new):
        yield path, show(old) if old else None, show(new)


def _identity(old: list[Value], new: list[Value]) -> str:
    """The key that all members have, with a different text each on either side."""
    for key in _IDENTITIES:
        if all(isinstance(item, dict) and isinstance(item.get(key), str) for item in (*old, *new)) and all(
            len(_by(items, key)) == len(items) for items in (old, new)
        ):
            return key
    return ""


def _without(item: Value, identity: str) -> Value:
    """The object without what tells it apart; that alone when there is nothing else."""
    rest = {k: v for k, v in item.items() if k != identity} if isinstance(item, dict) else None
    return item if is_empty(rest) else rest


def _by(items: list[Value], key: str) -> dict[str, Value]:
    return {str(item[key]): item for item in items if isinstance(item, dict)}


def _same(old: Value, new: Value) -> bool:
    if isinstance(new, Unknown):
        return False
    return old == new or (is_empty(old) and is_empty(new))


def _absent(value: Value) -> bool:
    return not isinstance(value, Unknown) and is_empty(value)
