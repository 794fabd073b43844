"""Makes the model of a plan from its typed records: all parts of the file that say what is, or will be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from plan_review.coverage import LOCAL_PROVIDERS, provider_of
from plan_review.plan.configuration import Configuration, read_configuration
from plan_review.plan.leaks import Leak, redact, suspicion
from plan_review.plan.literals import configuration_leaks, variable_leaks
from plan_review.plan.model import Action, Change, FailedCheck, Invocation, Plan
from plan_review.plan.sides import Sides, Sources
from plan_review.plan.source import (
    PlanError,
    RawChange,
    RawCheck,
    RawInvocation,
    RawModule,
    RawObject,
    RawPlan,
    RawRelevant,
    RawResource,
    RawValues,
    decode,
    planned_values,
    prior_values,
)
from plan_review.plan.values import Value, hidden_paths, mask, show

#: Whose types the review's tables describe: those of HashiCorp's providers, and what is built into Terraform.
_KNOWN_SOURCES = frozenset(
    {"registry.terraform.io/hashicorp", "registry.opentofu.org/hashicorp", "terraform.io/builtin"}
)
_READ_PROVIDERS = LOCAL_PROVIDERS | {"aws", "azurerm", "google"}
_ACTIONS: Mapping[tuple[str, ...], Action] = {
    ("create",): Action.CREATE,
    ("update",): Action.UPDATE,
    ("delete", "create"): Action.REPLACE,
    ("create", "delete"): Action.REPLACE,
    ("create", "forget"): Action.REPLACE,
    ("forget", "create"): Action.REPLACE,
    ("delete",): Action.DELETE,
    ("forget",): Action.FORGET,
    ("read",): Action.READ,
    ("no-op",): Action.NOOP,
}
_REASONS = {
    "replace_because_cannot_update": "can't be updated in place",
    "replace_because_tainted": "marked as damaged (tainted)",
    "replace_by_request": "asked for with -replace",
    "replace_by_triggers": "replace_triggered_by",
    "delete_because_no_resource_config": "no longer in the configuration",
    "delete_because_wrong_repetition": "count or for_each came or went",
    "delete_because_count_index": "its index is beyond count",
    "delete_because_each_key": "its key is no longer in for_each",
    "delete_because_no_module": "its module is no longer in the configuration",
    "delete_because_no_move_target": "it was moved to an address that isn't in the configuration",
    "read_because_config_unknown": "its arguments are only known after apply",
    "read_because_dependency_pending": "something that it depends on changes first",
    "read_because_check_nested": "a check reads it",
}


#: Why something is left to a later run, when Terraform doesn't say.
_UNKNOWN = "unknown"
_TRUE, _FALSE, _NULL = msgspec.Raw(b"true"), msgspec.Raw(b"false"), msgspec.Raw(b"null")


def build(raw: RawPlan, label: str = "", sources: Sources | None = None) -> Plan:
    """Make the model of one plan.

    Args:
        raw: the decoded file.
        label: what the plan is called when several are reviewed together.
        sources: texts that the plan doesn't know before apply, from the synthesised configuration. They explain.

    Raises:
        PlanError: a part of the plan can't be read.
    """
    written = decode(raw.configuration)
    configuration = read_configuration(written)
    builder = _Builder(label, configuration, sources or {})
    try:
        return _plan(raw, builder, (*variable_leaks(raw.variables, configuration), *configuration_leaks(written)))
    except RecursionError as error:
        raise PlanError("a value in the plan is nested too deeply to be read") from error


def _plan(raw: RawPlan, builder: _Builder, leaks: tuple[Leak, ...]) -> Plan:
    resources = raw.resource_changes or []
    invoked = (builder.invocation(i) for i in raw.action_invocations or ())
    later = raw.deferred_action_invocations or ()
    copies = _Copies(raw)
    return Plan(
        label=builder.label,
        tool=_tool(raw, resources),
        format_version=raw.format_version,
        changes=tuple(builder.change(r) for r in (*resources, *copies.created)),
        unchanged=tuple(builder.change(r) for r in copies.unchanged),
        copies=tuple(builder.change(r) for r in copies.different),
        drift=tuple(builder.change(r) for r in raw.resource_drift or ()),
        relevant=_relevant(raw),
        deferred=tuple(builder.change(d.resource_change, d.reason or _UNKNOWN) for d in raw.deferred_changes or ()),
        outputs=tuple(builder.output(name, c) for name, c in sorted((raw.output_changes or {}).items())),
        invocations=(*invoked, *(builder.invocation(i.action_invocation, i.reason or _UNKNOWN) for i in later)),
        failed_checks=tuple(c for check in raw.checks or () for c in _failed(check)),
        leaks=leaks,
        configuration=builder.configuration,
        errored=raw.errored is True,
        applyable=raw.applyable is not False,
        incomplete=raw.complete is False,
    )


class _Builder:
    def __init__(self, label: str, configuration: Configuration, sources: Sources) -> None:
        self.label = label
        self.configuration = configuration
        self._sources = sources

    def change(self, raw: RawResource, deferred: str = "") -> Change:
        actions = tuple(raw.change.actions)
        reason = raw.action_reason or ""
        return Change(
            plan=self.label,
            address=raw.address,
            mode=raw.mode or "managed",
            type=_type_of(raw.type, raw.provider_name or ""),
            name=raw.name,
            module=raw.module_address or "",
            provider=self.configuration.provider(raw.address, raw.provider_name or ""),
            action=_ACTIONS.get(actions, Action.OTHER),
            reason=_REASONS.get(reason, reason.replace("_", " ")),
            sides=Sides(raw, self.configuration, self._sources),
            replace_paths=tuple(path_text(p) for p in raw.change.replace_paths or ()),
            create_first=actions[:1] == ("create",) and len(actions) > 1,
            previous_address=raw.previous_address or "",
            importing=_imported(raw.change),
            deposed=raw.deposed or "",
            deferred=deferred.replace("_", " "),
            raw_actions=actions,
        )

    def output(self, name: str, raw: RawChange) -> Change:
        resource = RawResource(address=f"output.{name}", type="output", name=name, change=raw, mode="output")
        return self.change(resource)

    def invocation(self, raw: RawInvocation, deferred: str = "") -> Invocation:
        trigger = raw.lifecycle_action_trigger
        masked = mask(decode(raw.config_values), decode(raw.config_unknown), decode(raw.config_sensitive))
        shown, leaks = redact(masked)
        return Invocation(
            plan=self.label,
            address=raw.address,
            type=raw.type or "",
            event=(trigger.action_trigger_event or "").replace("_", " ").replace("Action", "") if trigger else "",
            resource=(trigger.triggering_resource_address or "") if trigger else "",
            values=shown,
            leaks=tuple(leaks),
            sensitive=tuple(hidden_paths(masked)),
            deferred=deferred.replace("_", " "),
        )


class _Copies:
    """What the state before and the planned values say that the list of changes doesn't.

    Both repeat most objects of the list. Those that aren't in it stay as they are (`-target` leaves them out, and data
    sources that are read already); those that say something else are at least searched for secrets.
    """

    def __init__(self, raw: RawPlan) -> None:
        listed = [*(raw.resource_changes or ()), *(d.resource_change for d in raw.deferred_changes or ())]
        self._listed = {r.address: r.change for r in listed if not r.deposed}
        #: Objects that are nowhere else.
        self.unchanged: list[RawResource] = []
        #: Objects that will be there and weren't, without an entry in the list of changes.
        self.created: list[RawResource] = []
        #: Other values of objects that are in the list.
        self.different: list[RawResource] = []
        prior, planned = prior_values(raw), planned_values(raw)
        seen: dict[str, RawObject] = {}
        for item in _objects(prior.root_module):
            if not self._is_listed(item):
                seen[item.address] = item
                self.unchanged.append(_resource(item, ["no-op"], before=item.values, after=item.values))
        for item in _objects(planned.root_module):
            if not self._is_listed(item) and item.address not in seen and item.mode == "managed":
                self.created.append(_resource(item, ["create"], before=_NULL, after=item.values))
            elif item.address in seen and bytes(seen[item.address].values) != bytes(item.values):
                self.different.append(_resource(item, ["no-op"], before=item.values, after=item.values))
        self._outputs(raw.output_changes or {}, prior, planned)

    def _is_listed(self, item: RawObject) -> bool:
        change = self._listed.get(item.address)
        if change is None or item.deposed_key:
            return False
        if bytes(item.values) not in (bytes(change.before), bytes(change.after)):
            self.different.append(_resource(item, ["no-op"], before=item.values, after=item.values))
        return True

    def _outputs(self, changes: Mapping[str, RawChange], prior: RawValues, planned: RawValues) -> None:
        for values in (prior, planned):
            for name, output in (values.outputs or {}).items():
                change = changes.get(name)
                if change is None or bytes(output.value) not in (bytes(change.before), bytes(change.after)):
                    marked = _TRUE if output.sensitive else _FALSE
                    item = RawObject(f"output.{name}", "output", name, "output", None, output.value, marked)
                    self.different.append(_resource(item, ["no-op"], before=item.values, after=item.values))


def _type_of(kind: str, provider: str) -> str:
    """The type's name; with the provider before it where that is not the one which the tables of this review know.

    Terraform before 0.13 names no source, only "aws".
    """
    source = provider.rpartition("/")[0]
    if not source or source in _KNOWN_SOURCES or provider_of(kind) not in _READ_PROVIDERS:
        return kind
    return f"{provider}:{kind}"


def _objects(module: RawModule | None) -> Iterator[RawObject]:
    if module is not None:
        yield from module.resources or ()
        for child in module.child_modules or ():
            yield from _objects(child)


def _resource(item: RawObject, actions: list[str], *, before: msgspec.Raw, after: msgspec.Raw) -> RawResource:
    sensitive = item.sensitive_values
    change = RawChange(actions, before, after, _NULL, sensitive, sensitive)
    return RawResource(
        item.address, item.type, item.name, change, item.mode, None, item.provider_name, deposed=item.deposed_key
    )


def path_text(steps: list[str | int]) -> str:
    """A path of keys and indexes as it is shown: `vpc_config[0].subnet_ids`."""
    text = ""
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text or "(the whole object)"


def _imported(change: RawChange) -> str:
    """What is imported, by its id or its identity."""
    importing = change.importing
    if importing is None:
        return ""
    if importing.id:
        return _harmless(importing.id)
    identity: Value = decode(importing.identity)
    shown, _ = redact(identity)
    if isinstance(shown, dict) and shown:
        return ", ".join(f"{key} {item if isinstance(item, str) else show(item)}" for key, item in shown.items())
    return "known after apply"


def _tool(raw: RawPlan, resources: list[RawResource]) -> str:
    opentofu = any((r.provider_name or "").startswith("registry.opentofu.org/") for r in resources)
    return f"{'OpenTofu' if opentofu else 'Terraform'} {raw.terraform_version or '(version unknown)'}"


def _relevant(raw: RawPlan) -> tuple[tuple[str, str], ...] | None:
    """The attributes that the changes may come from; None for a Terraform before 1.2, which doesn't say."""
    if raw.relevant_attributes is None and raw.format_version.startswith(("0.", "1.0")):
        return None
    return tuple((item.resource, _attribute(item)) for item in raw.relevant_attributes or ())


def _attribute(item: RawRelevant) -> str:
    return path_text(item.attribute) if item.attribute else ""


def _failed(check: RawCheck) -> Iterator[FailedCheck]:
    if check.status in ("fail", "error"):
        messages = [_harmless(p.message or "") for i in check.instances or () for p in i.problems or ()]
        yield FailedCheck(check.address.to_display or "a check", check.status, tuple(m for m in messages if m))


def _harmless(message: str) -> str:
    """What a check says may hold any value of the plan."""
    why = suspicion(message, "")
    return f"(hidden: looks like {why})" if why else message
