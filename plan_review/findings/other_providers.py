"""The commonest rights and openings of other clouds: role assignments, bindings of Google's IAM, firewall rules.

https://registry.terraform.io/providers/hashicorp/azurerm/latest/docs,
https://registry.terraform.io/providers/hashicorp/google/latest/docs. What isn't here is said to be not judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from plan_review.findings.declared import RightRule, at_path
from plan_review.findings.found import FoundRight, Kind, named_object
from plan_review.findings.internet import is_wide
from plan_review.findings.policies import Statement
from plan_review.plan.model import Change, World
from plan_review.plan.values import Hidden, Unknown, Value, get, show, text

#: What Google's IAM is attached to, with the attribute that names it.
_GOOGLE: Mapping[str, str] = {
    "artifact_registry_repository": "repository",
    "bigquery_dataset": "dataset_id",
    "bigquery_table": "table_id",
    "billing_account": "billing_account_id",
    "cloud_run_service": "service",
    "cloud_run_v2_job": "name",
    "cloud_run_v2_service": "name",
    "cloudfunctions2_function": "cloud_function",
    "cloudfunctions_function": "cloud_function",
    "compute_instance": "instance_name",
    "compute_subnetwork": "subnetwork",
    "dns_managed_zone": "managed_zone",
    "folder": "folder",
    "kms_crypto_key": "crypto_key_id",
    "kms_key_ring": "key_ring_id",
    "organization": "org_id",
    "project": "project",
    "pubsub_subscription": "subscription",
    "pubsub_topic": "topic",
    "secret_manager_secret": "secret_id",
    "service_account": "service_account_id",
    "spanner_database": "database",
    "spanner_instance": "instance",
    "storage_bucket": "bucket",
}
_EVERYBODY = frozenset({"allUsers", "allAuthenticatedUsers"})
#: Types that only say who may do what, with the attribute that names on what.
GOOGLE_RIGHTS: Mapping[str, str] = {
    f"google_{what}_iam_{form}": on for what, on in _GOOGLE.items() for form in ("member", "binding", "policy")
}
AZURE_RIGHTS: Mapping[str, tuple[RightRule, ...]] = {
    "azurerm_role_assignment": (
        RightRule(
            may="({role_definition_name?} {role_definition_id?} {condition?})",
            who=("principal_id",),
            on="scope",
        ),
    ),
}
#: Types that only say what may pass.
FIREWALLS = frozenset({"azurerm_network_security_group", "azurerm_network_security_rule", "google_compute_firewall"})
OTHER_RIGHTS = frozenset({*GOOGLE_RIGHTS, *AZURE_RIGHTS})


def read_google_rights(world: World, change: Change) -> Iterator[FoundRight]:
    """Who gets which role, of a member, a binding or a whole policy."""
    value = change.at(world.phase)
    holder = named_object(world, change, GOOGLE_RIGHTS[change.type])
    for statement in _policy(get(value, "policy_data")) if change.type.endswith("_policy") else [_binding(value)]:
        yield FoundRight(Kind.RESOURCE, holder, statement, change)


def _policy(document: Value) -> Iterator[Statement]:
    bindings = get(document, "bindings") if isinstance(document, dict) else None
    if not isinstance(bindings, list):
        yield Statement(actions=(f"(a policy that can't be read: {show(document)})",), opaque=True)
        return
    for binding in bindings:
        yield _binding(binding)


def _binding(value: Value) -> Statement:
    members = [v for key in ("member", "members") for v in at_path(value, key)]
    who = tuple(show(v) if not isinstance(v, str) else "*" if v in _EVERYBODY else v for v in members)
    written = ", ".join(v if isinstance(v, str) else show(v) for v in at_path(value, "condition.expression"))
    return Statement(
        principals=tuple(sorted(dict.fromkeys(who))) or ("(not known)",),
        actions=(f"({text(get(value, 'role')) or show(get(value, 'role'))})",),
        conditions=(("Expression", "condition", (written,)),) if written else (),
        opaque=isinstance(value, Unknown | Hidden),
    )


def firewall_openings(value: Value) -> Iterator[tuple[str, bool]]:
    """What a rule, or a group of rules, lets in from much of the internet, and whether that isn't known yet."""
    rules = at_path(value, "security_rule") if get(value, "security_rule") is not None else [value]
    for rule in rules:
        if isinstance(rule, Unknown | Hidden):
            yield "a rule that isn't known before apply may let anyone in", True
        elif _lets_in(rule):
            sources = [v for path in _SOURCES for v in at_path(rule, path)]
            if any(isinstance(v, Unknown | Hidden) for v in sources):
                yield f"it isn't known yet who may reach {_ports(rule)}", True
            elif _anyone(rule, [v for v in sources if isinstance(v, str)]):
                yield f"anyone may reach {_ports(rule)}", False


_SOURCES = ("source_address_prefix", "source_address_prefixes", "source_ranges")
_OTHER_SOURCES = ("source_tags", "source_service_accounts", "source_application_security_group_ids")
_INTERNET = frozenset({"*", "any", "internet"})


def _lets_in(rule: Value) -> bool:
    direction = text(get(rule, "direction")).lower()
    denied = text(get(rule, "access")).lower() == "deny" or (at_path(rule, "deny") and not at_path(rule, "allow"))
    return direction not in ("outbound", "egress") and not denied and get(rule, "disabled") is not True


def _anyone(rule: Value, sources: list[str]) -> bool:
    """A rule of Google's without any source lets everybody in."""
    if not sources:
        return bool(at_path(rule, "allow")) and not any(at_path(rule, path) for path in _OTHER_SOURCES)
    return any(source.lower() in _INTERNET for source in sources) or is_wide(sources)


def _ports(rule: Value) -> str:
    paths = ("destination_port_range", "destination_port_ranges", "allow.ports")
    protocols = [v for path in ("protocol", "allow.protocol") for v in at_path(rule, path)]
    ports = [v for path in paths for v in at_path(rule, path)]
    said = " ".join("all ports" if v == "*" else v if isinstance(v, str) else show(v) for v in ports)
    if "*" in protocols:
        return f"{said or 'all ports'} of any protocol"
    return " ".join((*(v if isinstance(v, str) else show(v) for v in protocols), said)).strip() or "all ports"
