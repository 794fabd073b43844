"""Reads the bytes of `terraform show -json PLAN` into typed records, and says in one line what is wrong with others.

The format: https://developer.hashicorp.com/terraform/internals/json-format (version 1.x; minor versions only add, so
unknown fields are passed over). OpenTofu writes the same: https://opentofu.org/docs/internals/json-format/.
The bulky parts stay undecoded (`msgspec.Raw`) until something needs them, which keeps plans of 50 MB quick.
"""

from __future__ import annotations

import codecs
from typing import Any, TypeAlias, TypeVar

import msgspec

from plan_review.plan.addresses import shown_address

_HOW = "make it with `terraform show -json PLANFILE > plan.json`"
#: Nobody reviews a larger one; it is refused instead of filling the memory.
SIZE_MAX = 512 * 1024 * 1024
_NULL = msgspec.Raw(b"null")
_T = TypeVar("_T")


class PlanError(ValueError):
    """Not a plan that can be reviewed. The message is one line: what was found and how to mend it."""


#: A text that some tools write as null where Terraform leaves it out.
_Text: TypeAlias = str | None


class RawImporting(msgspec.Struct):
    """Where an imported object comes from: an id, or an identity (an object of attributes)."""

    id: _Text = None
    identity: msgspec.Raw = _NULL
    unknown: bool | None = None


class RawChange(msgspec.Struct):
    """What happens to one object: the values before and after, and which of them are unknown or sensitive."""

    actions: list[str]
    before: msgspec.Raw = _NULL
    after: msgspec.Raw = _NULL
    after_unknown: msgspec.Raw = _NULL
    before_sensitive: msgspec.Raw = _NULL
    after_sensitive: msgspec.Raw = _NULL
    replace_paths: list[list[str | int]] | None = None
    importing: RawImporting | None = None


class RawResource(msgspec.Struct):
    """One entry of `resource_changes` or `resource_drift`."""

    address: str
    type: str
    name: str
    change: RawChange
    mode: _Text = "managed"
    module_address: _Text = None
    provider_name: _Text = None
    previous_address: _Text = None
    deposed: _Text = None
    action_reason: _Text = None

    def __post_init__(self) -> None:
        """No key of an instance that looks like a secret gets any further."""
        self.address = shown_address(self.address)
        self.module_address = self.module_address and shown_address(self.module_address)
        self.previous_address = self.previous_address and shown_address(self.previous_address)


class RawDeferred(msgspec.Struct):
    """A change that Terraform will only plan in a later run."""

    resource_change: RawResource
    reason: _Text = None


class RawVariable(msgspec.Struct):
    """The value of an input variable of the root module."""

    value: msgspec.Raw = _NULL


class RawTrigger(msgspec.Struct):
    """What makes Terraform invoke an action."""

    triggering_resource_address: _Text = None
    action_trigger_event: _Text = None

    def __post_init__(self) -> None:
        """See RawResource."""
        self.triggering_resource_address = self.triggering_resource_address and shown_address(
            self.triggering_resource_address
        )


class RawInvocation(msgspec.Struct):
    """An action that Terraform invokes (Terraform 1.14)."""

    address: str
    type: _Text = None
    provider_name: _Text = None
    config_values: msgspec.Raw = _NULL
    config_sensitive: msgspec.Raw = _NULL
    config_unknown: msgspec.Raw = _NULL
    lifecycle_action_trigger: RawTrigger | None = None

    def __post_init__(self) -> None:
        """See RawResource."""
        self.address = shown_address(self.address)


class RawDeferredInvocation(msgspec.Struct):
    """An action that is left to a later run."""

    action_invocation: RawInvocation
    reason: _Text = None


class RawProblem(msgspec.Struct):
    """Why a check failed."""

    message: _Text = None


class RawCheckInstance(msgspec.Struct):
    """One instance of what is checked."""

    status: _Text = None
    problems: list[RawProblem] | None = None


class RawCheckAddress(msgspec.Struct):
    """What is checked."""

    to_display: _Text = None
    kind: _Text = None

    def __post_init__(self) -> None:
        """See RawResource."""
        self.to_display = self.to_display and shown_address(self.to_display)


class RawCheck(msgspec.Struct):
    """The result of a `check` block, a condition, or a validation."""

    address: RawCheckAddress
    status: _Text = None
    instances: list[RawCheckInstance] | None = None


class RawRelevant(msgspec.Struct):
    """An attribute that the plan's changes may come from."""

    resource: str
    attribute: list[str | int] | None = None

    def __post_init__(self) -> None:
        """See RawResource."""
        self.resource = shown_address(self.resource)


class RawPlan(msgspec.Struct):
    """The whole file."""

    format_version: str
    terraform_version: _Text = None
    variables: dict[str, RawVariable] | None = None
    resource_changes: list[RawResource] | None = None
    resource_drift: list[RawResource] | None = None
    relevant_attributes: list[RawRelevant] | None = None
    deferred_changes: list[RawDeferred] | None = None
    output_changes: dict[str, RawChange] | None = None
    action_invocations: list[RawInvocation] | None = None
    deferred_action_invocations: list[RawDeferredInvocation] | None = None
    checks: list[RawCheck] | None = None
    configuration: msgspec.Raw = _NULL
    planned_values: msgspec.Raw = _NULL
    prior_state: msgspec.Raw = _NULL
    errored: bool | None = None
    applyable: bool | None = None
    complete: bool | None = None


class RawObject(msgspec.Struct):
    """One object of a state, or of the planned values."""

    address: str
    type: str
    name: str
    mode: _Text = "managed"
    provider_name: _Text = None
    values: msgspec.Raw = _NULL
    sensitive_values: msgspec.Raw = _NULL
    deposed_key: _Text = None

    def __post_init__(self) -> None:
        """See RawResource."""
        self.address = shown_address(self.address)


class RawModule(msgspec.Struct):
    """The objects of one module, and the modules inside of it."""

    resources: list[RawObject] | None = None
    child_modules: list[RawModule] | None = None


class RawOutput(msgspec.Struct):
    """One output of a state, or of the planned values."""

    value: msgspec.Raw = _NULL
    sensitive: bool | None = None


class RawValues(msgspec.Struct):
    """All objects and outputs: `planned_values`, and `values` of a state."""

    root_module: RawModule | None = None
    outputs: dict[str, RawOutput] | None = None


class _RawState(msgspec.Struct):
    values: RawValues | None = None


_DECODER = msgspec.json.Decoder(RawPlan)
_STATE_DECODER = msgspec.json.Decoder(_RawState | None)
_ANY_DECODER: msgspec.json.Decoder[Any] = msgspec.json.Decoder()
_VALUES_DECODER = msgspec.json.Decoder(RawValues | None)


class _Probe(msgspec.Struct):
    """As much of any JSON object as tells what kind of file it is."""

    format_version: msgspec.Raw = _NULL
    planned_values: msgspec.Raw = _NULL
    resource_changes: msgspec.Raw = _NULL
    values: msgspec.Raw = _NULL
    lineage: msgspec.Raw = _NULL
    provider_schemas: msgspec.Raw = _NULL


def read(data: bytes) -> RawPlan:
    """Decode one plan.

    Raises:
        PlanError: the file is something else, or damaged.
    """
    data = _unwrapped(_as_utf8(data))
    _refuse_other_bytes(data)
    try:
        raw = _DECODER.decode(data)
        if raw.resource_changes is None and raw.planned_values == _NULL:
            _refuse_other_json(data)
    except msgspec.ValidationError as error:
        _refuse_other_json(data)
        raise PlanError(f"the plan has an unexpected shape: {error}") from error
    except msgspec.DecodeError as error:
        raise PlanError(f"not valid JSON ({error}); is it cut off? {_HOW}") from error
    except UnicodeDecodeError as error:
        raise PlanError(f"the file is not UTF-8; {_HOW}") from error
    except RecursionError as error:
        raise PlanError(f"the JSON is nested too deeply to be a plan; {_HOW}") from error
    major = raw.format_version.partition(".")[0]
    if major not in ("0", "1"):
        raise PlanError(f"format_version is {raw.format_version!r}; this review reads 1.x and 0.x")
    return raw


def decode(raw: msgspec.Raw) -> Any:
    """The value of a part that `read` left undecoded.

    Raises:
        PlanError: it is nested too deeply, or not JSON.
    """
    return _decode(raw, _ANY_DECODER)


def prior_values(raw: RawPlan) -> RawValues:
    """The state that the plan starts from.

    Raises:
        PlanError: it can't be read.
    """
    state = _decode(raw.prior_state, _STATE_DECODER)
    return state.values if state is not None and state.values is not None else RawValues()


def planned_values(raw: RawPlan) -> RawValues:
    """The state that the plan leads to, as far as it is known.

    Raises:
        PlanError: it can't be read.
    """
    return _decode(raw.planned_values, _VALUES_DECODER) or RawValues()


def _decode(raw: msgspec.Raw, decoder: msgspec.json.Decoder[_T]) -> _T:
    try:
        return decoder.decode(raw)
    except RecursionError as error:
        raise PlanError("a value in the plan is nested too deeply to be read") from error
    except UnicodeDecodeError as error:
        raise PlanError(f"a value in the plan is not UTF-8; {_HOW}") from error
    except msgspec.ValidationError as error:
        raise PlanError(f"the plan has an unexpected shape: {error}") from error
    except msgspec.DecodeError as error:
        raise PlanError(f"a value in the plan can't be read: {error}") from error


def _as_utf8(data: bytes) -> bytes:
    """Windows PowerShell's `>` writes UTF-16, some editors a byte order mark."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return data.decode("utf-16").encode()
        except UnicodeDecodeError as error:
            raise PlanError(f"the file begins like UTF-16 text but isn't ({error.reason}); {_HOW}") from error
    return data.removeprefix(codecs.BOM_UTF8)


def _unwrapped(data: bytes) -> bytes:
    """Without what the wrapper of GitHub's `setup-terraform` prints around it (`[command]...`, `::debug::...`)."""
    if not data.startswith(b"[command]"):
        return data
    _, _, data = data.partition(b"\n")
    lines = data.rstrip().splitlines(keepends=True)
    while lines and lines[-1].startswith(b"::"):
        lines.pop()
    return b"".join(lines)


def _refuse_other_bytes(data: bytes) -> None:
    if len(data) > SIZE_MAX:
        raise PlanError(f"the file has {len(data) // 1_000_000} MB; more than {SIZE_MAX // 1_000_000} MB is not read")
    start = data[:4096].lstrip()
    if not start:
        raise PlanError(f"the file is empty; {_HOW}")
    if start.startswith(b"PK\x03\x04"):
        raise PlanError(f"this is Terraform's binary plan file, not its JSON; {_HOW}")
    if start.startswith(b'{"@level"'):
        raise PlanError(f"this is the log of `terraform plan -json`, not the plan; {_HOW}")
    if not start.startswith(b"{"):
        raise PlanError(f"not a JSON object; {_HOW}")


def _refuse_other_json(data: bytes) -> None:
    try:
        probe = msgspec.json.decode(data, type=_Probe)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return  # `read` words what is wrong
    if probe.format_version != _NULL and (probe.planned_values != _NULL or probe.resource_changes != _NULL):
        return
    if probe.lineage != _NULL or probe.values != _NULL:
        raise PlanError(f"this is a state, not a plan; {_HOW}")
    if probe.provider_schemas != _NULL:
        raise PlanError(f"these are provider schemas, not a plan; {_HOW}")
    raise PlanError(f"JSON, but not a plan: it has no format_version with planned_values or resource_changes; {_HOW}")
