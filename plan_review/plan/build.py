"""Makes the model of a plan from its typed records: masked first, then searched for secrets in clear."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from plan_review.plan.configuration import Configuration, mapping, read_configuration, sequence
from plan_review.plan.leaks import Leak, redact, suspicion
from plan_review.plan.model import Action, Change, Plan
from plan_review.plan.sides import Sides, Sources
from plan_review.plan.source import PlanError, RawChange, RawPlan, RawResource, decode
from plan_review.plan.values import mask

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


def build(raw: RawPlan, label: str = "", sources: Sources | None = None) -> Plan:
    """Make the model of one plan.

    Args:
        raw: the decoded file.
        label: what the plan is called when several are reviewed together.
        sources: texts that the plan doesn't know before apply, from the synthesised configuration.

    Raises:
        PlanError: a part of the plan can't be read.
    """
    written = decode(raw.configuration)
    configuration = read_configuration(written)
    builder = _Builder(label, configuration, sources or {})
    resources = raw.resource_changes or []
    try:
        changes = tuple(builder.change(r) for r in resources)
        drift = tuple(builder.change(r) for r in raw.resource_drift or ())
        deferred = tuple(builder.change(d.resource_change, deferred=d.reason) for d in raw.deferred_changes or ())
        outputs = tuple(builder.output(name, c) for name, c in sorted((raw.output_changes or {}).items()))
        leaks = (*_variable_leaks(raw, configuration), *_configuration_leaks(written))
    except RecursionError as error:
        raise PlanError("a value in the plan is nested too deeply to be read") from error
    return Plan(
        label=label,
        tool=_tool(raw, resources),
        changes=changes,
        drift=drift,
        deferred=deferred,
        outputs=outputs,
        leaks=leaks,
        configuration=configuration,
        errored=raw.errored,
        incomplete=raw.complete is False,
    )


class _Builder:
    def __init__(self, label: str, configuration: Configuration, sources: Sources) -> None:
        self._label = label
        self._configuration = configuration
        self._sources = sources

    def change(self, raw: RawResource, deferred: str = "") -> Change:
        actions = tuple(raw.change.actions)
        importing = raw.change.importing
        return Change(
            plan=self._label,
            address=raw.address,
            mode=raw.mode,
            type=raw.type,
            name=raw.name,
            module=raw.module_address,
            provider=self._configuration.provider(raw.address, raw.provider_name),
            action=_ACTIONS.get(actions, Action.OTHER),
            reason=_REASONS.get(raw.action_reason, raw.action_reason.replace("_", " ")),
            sides=Sides(raw, self._configuration, self._sources),
            replace_paths=tuple(_path(p) for p in raw.change.replace_paths or ()),
            create_first=actions[:1] == ("create",) and len(actions) > 1,
            previous_address=raw.previous_address,
            importing=(importing.id or "known after apply") if importing is not None else "",
            deposed=raw.deposed,
            deferred=deferred.replace("_", " "),
            raw_actions=actions,
        )

    def output(self, name: str, raw: RawChange) -> Change:
        resource = RawResource(address=f"output.{name}", type="output", name=name, change=raw, mode="output")
        return self.change(resource)


def _path(steps: list[str | int]) -> str:
    text = ""
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text or "(the whole object)"


def _tool(raw: RawPlan, resources: list[RawResource]) -> str:
    opentofu = any(r.provider_name.startswith("registry.opentofu.org/") for r in resources)
    return f"{'OpenTofu' if opentofu else 'Terraform'} {raw.terraform_version or '(version unknown)'}"


def _variable_leaks(raw: RawPlan, configuration: Configuration) -> Iterator[Leak]:
    """A plan's JSON holds the values of all input variables in clear, those of sensitive ones too."""
    for name, variable in sorted((raw.variables or {}).items()):
        value = decode(variable.value)
        if value in (None, ""):
            continue
        if name in configuration.sensitive_variables:
            yield Leak(f"var.{name}", "the value of a sensitive variable")
            continue
        _, leaks = redact(mask(value), f"var.{name}", name)
        yield from leaks


def _configuration_leaks(written: Any, path: str = "") -> Iterator[Leak]:
    """Literals of providers and provisioners: they stand in nobody's `after`."""
    root = written.get("root_module") if isinstance(written, dict) else None
    if not isinstance(root, dict):
        return
    for key, provider in sorted(mapping(written.get("provider_config")).items()):
        yield from _literal_leaks(provider, f"provider.{key}", "")
    yield from _provisioner_leaks(root, "")


def _provisioner_leaks(module: dict[str, Any], prefix: str) -> Iterator[Leak]:
    for resource in sequence(module.get("resources")):
        for provisioner in sequence(mapping(resource).get("provisioners")):
            yield from _literal_leaks(provisioner, f"{prefix}{resource.get('address')}.provisioner", "")
    for name, call in mapping(module.get("module_calls")).items():
        child = call.get("module") if isinstance(call, dict) else None
        if isinstance(child, dict):
            yield from _provisioner_leaks(child, f"{prefix}module.{name}.")


def _literal_leaks(expression: Any, path: str, name: str) -> Iterator[Leak]:
    if isinstance(expression, dict):
        constant = expression.get("constant_value")
        if isinstance(constant, str):
            why = suspicion(constant, name)
            if why:
                yield Leak(path, why)
            return
        for key, item in expression.items():
            if key != "references":
                yield from _literal_leaks(item, f"{path}.{key}" if key != "expressions" else path, key)
    elif isinstance(expression, list):
        for item in expression:
            yield from _literal_leaks(item, path, name)
