"""Holds plan_review/coverage/aws.json to the provider: `python -m tools.docs.coverage`, `--add` writes missing types.

The types and attributes come from the bindings package and from the provider's schema in .tools. A type that is added
carries the mark "unreviewed" until somebody has decided what it can do; the plan review refuses such a table.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import click

from tools.setup.bootstrap import PROVIDER_VERSION
from tools.setup.steps import TOOLS

TABLE: Final = Path(__file__).resolve().parents[2] / "plan_review" / "coverage" / "aws.json"
UNREVIEWED: Final = "unreviewed"
_CLASS: Final = re.compile(
    r"Represents a \{@link https://registry\.terraform\.io/providers/hashicorp/aws/[\d.]+"
    r"/docs/resources/\S+ (aws_\w+)\}"
)
_MAPPING: Final = re.compile(r"name_mapping=\{(.*?)\}", re.DOTALL)
_NAME: Final = re.compile(r'"(\w+)": "\w+"')

#: Attributes that usually give rights, and those that usually open something.
_RIGHTS: Final = re.compile(
    r"(^|_)(policy|policies|policy_document|policy_arns?|principals?|principal_arn|principal_id|grantee\w*|grants?"
    r"|permissions?|permission_set_arn|shared_accounts|permissions_boundary|share_rule|trusted\w*accounts|sharing\w*"
    r"|access_string|account_ids)$"
)
_OPENS: Final = re.compile(
    r"publicly_accessible|^public_|_public$|cidr_blocks?$|^cidrs?$|_cidrs$|cidr_ipv|public_access|^acl$|^ingress$"
    r"|internet|anonymous|unauthenticated|^auth_type$|authorization_type|^authorization$|assign_public_ip"
    r"|associate_public|allow_external|is_public"
)
#: Attributes of such names that have nothing to do with access: routing, scaling, life cycles, keys that are public.
_NEITHER: Final = re.compile(
    r"(routing|alpn|ssl|tls|security|retry|client|maintenance|reuse|instances|termination|update|dns|pull|share|deletion"
    r"|protocol|referrer|build|password|sign_in|pit|lifecycle|backup|padding|sizing|autoscaling|auto_scaling|export|import"
    r"|snapshot|tiering|protection|limit|latency|recrawl|change|context|selection|scale_in|scale_out|scaling|scheduling"
    r"|exception|https|filter|delivery|replay|redrive|redrive_allow|web_app_endpoint|posix|common|firewall|configuration"
    r"|block_public|browser)_polic(y|ies)$|^(posix|ec2_inbound)_permissions?$|^fair_share_policy$|^policies$"
    r"|^public_key(_id)?$|(^|_)public_signing_key_endpoint$|^public_ip_source$|^public_address_allocation_ids$"
    r"|^termination_policies$|scheduling_policy_arn$|firewall_policy_arn$|(kerberos|platform)_principal$"
    r"|^internet_measurements_log_delivery$|^on_unauthenticated_request$|^allow_external_data_filtering$"
    r"|^(ipv6_|assign_generated_ipv6_)cidr_block$|^disallowed_cidrs$"
)
#: Types whose attribute has such a name, and which neither give rights nor open anything; why not.
HARMLESS: Final[Mapping[str, str]] = {
    "aws_accessanalyzer_analyzer": "account_ids says what is analysed",
    "aws_appfabric_app_authorization": "auth_type is how it signs in elsewhere",
    "aws_appstream_fleet": "its way out to the internet",
    "aws_appstream_image_builder": "its way out to the internet",
    "aws_appstream_stack": "what its users may copy",
    "aws_appsync_datasource": "how it signs in to the data source",
    "aws_bedrockagent_data_source": "how it signs in to the data source",
    "aws_cloudwatch_event_connection": "how it signs in to the target",
    "aws_cloudwatch_log_account_policy": "masks, forwards or indexes logs; it names no principal",
    "aws_cloudwatch_log_data_protection_policy": "masks data",
    "aws_cloudwatch_log_index_policy": "says what is indexed",
    "aws_codebuild_source_credential": "how it signs in to the source",
    "aws_config_configuration_aggregator": "collects; each account has to authorize it",
    "aws_default_network_acl": "filters what security groups have let in",
    "aws_dms_endpoint": "how it signs in to the database",
    "aws_docdbelastic_cluster": "how its users sign in; it is in a VPC",
    "aws_ec2_subnet_cidr_reservation": "reserves addresses of a subnet",
    "aws_ec2_traffic_mirror_filter_rule": "the session opens, the filter narrows",
    "aws_ecr_lifecycle_policy": "says what expires",
    "aws_efs_access_point": "POSIX permissions of its folder",
    "aws_globalaccelerator_cross_account_attachment": "addresses that another account may use",
    "aws_imagebuilder_lifecycle_policy": "which images are kept",
    "aws_inspector2_enabler": "account_ids says what is scanned",
    "aws_network_acl": "filters what security groups have let in",
    "aws_network_acl_rule": "filters what security groups have let in",
    "aws_networkmanager_core_network": "a policy of segments and routes",
    "aws_networkmanager_core_network_policy_attachment": "a policy of segments and routes",
    "aws_opensearchserverless_lifecycle_policy": "says what expires",
    "aws_opensearchserverless_security_policy": "encryption and network; data access is a policy of its own",
    "aws_rekognition_stream_processor": "whether AWS may learn from the video",
    "aws_resiliencehub_resiliency_policy": "targets of recovery",
    "aws_route53_cidr_location": "addresses that answers depend on",
    "aws_ses_receipt_filter": "addresses whose mail is refused",
    "aws_ram_resource_share": "read as rights of accounts",
    "aws_sagemaker_notebook_instance": "its way out to the internet",
    "aws_securityhub_insight": "a filter of findings",
    "aws_sns_topic_data_protection_policy": "masks data",
    "aws_vpc": "addresses of the network",
    "aws_vpc_encryption_control": "what needn't be encrypted",
    "aws_vpc_ipam_pool_cidr": "addresses of a pool",
    "aws_vpc_ipam_pool_cidr_allocation": "addresses of a pool",
    "aws_vpc_ipv4_cidr_block_association": "addresses of the network",
}


def resource_types() -> dict[str, frozenset[str]]:
    """All resource types of both versions of the provider, each with the names of its attributes."""
    found = {kind: set(names) for kind, names in _of_bindings().items()}
    for kind, names in _of_schema().items():
        found.setdefault(kind, set()).update(names)
    return {kind: frozenset(names) for kind, names in sorted(found.items())}


def complaints(table: Mapping[str, list[str]], types: Mapping[str, frozenset[str]]) -> list[str]:
    """What is wrong with the table: types that it lacks or doesn't need, and classes that attributes contradict."""
    wrong = [f"{kind}: missing in the table" for kind in types if kind not in table]
    wrong += [f"{kind}: the provider has no such type" for kind in table if kind not in types]
    wrong += [f"{kind}: it has not been reviewed" for kind, traits in table.items() if UNREVIEWED in traits]
    if list(table) != sorted(table):
        wrong.append("the types are not in the order of their names")
    for kind in (k for k in types if k in table):
        unmarked = [(trait, name) for trait, name in _suspected(types[kind]) if trait not in table[kind]]
        if kind not in HARMLESS:
            wrong += [f"{kind}: has {name}, but isn't marked as {trait}" for trait, name in unmarked]
        elif not unmarked:
            wrong.append(f"{kind}: HARMLESS excuses it from nothing")
    return wrong


def _suspected(names: frozenset[str]) -> Iterator[tuple[str, str]]:
    for name in sorted(names):
        if _NEITHER.search(name):
            continue
        if _RIGHTS.search(name):
            yield "gives_rights", name
        if _OPENS.search(name):
            yield "opens", name


@cache
def _of_bindings() -> dict[str, frozenset[str]]:
    spec = importlib.util.find_spec("cdktf_cdktf_provider_aws")
    folders = spec.submodule_search_locations if spec is not None else None
    if not folders:
        raise click.ClickException("the package cdktf-cdktf-provider-aws isn't installed; run: make tools")
    found = {}
    for path in sorted(Path(folders[0]).glob("*/__init__.py")):
        text = path.read_text(encoding="utf-8")
        if match := _CLASS.search(text):
            found[match[1]] = frozenset(n for block in _MAPPING.findall(text) for n in _NAME.findall(block))
    return found


def _of_schema() -> dict[str, frozenset[str]]:
    path = TOOLS / "schema" / f"aws-{PROVIDER_VERSION}.json"
    schemas = json.loads(path.read_text(encoding="utf-8"))["resource_schemas"]
    return {kind: frozenset(_attributes(schema["block"])) for kind, schema in schemas.items()}


def _attributes(block: Mapping[str, Any]) -> Iterator[str]:
    """Those that a configuration can set, nested ones included."""
    for name, attribute in block.get("attributes", {}).items():
        if attribute.get("optional") or attribute.get("required"):
            yield name
    for name, nested in block.get("block_types", {}).items():
        yield name
        yield from _attributes(nested["block"])


def rendered(source: str, table: Mapping[str, list[str]]) -> str:
    """The file as it is kept: one type in a line."""
    lines = ",\n".join(f"    {json.dumps(kind)}: {json.dumps(traits)}" for kind, traits in sorted(table.items()))
    return f'{{\n  "source": {json.dumps(source)},\n  "types": {{\n{lines}\n  }}\n}}\n'


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--add", is_flag=True, help="Write the missing types into the table, marked as unreviewed.")
def main(*, add: bool) -> None:
    """Compare the table of resource types with the provider's schema; exit code 1 if they differ."""
    kept = json.loads(TABLE.read_text(encoding="utf-8"))
    table, types = kept["types"], resource_types()
    if add:
        for kind in types.keys() - table.keys():
            table[kind] = [UNREVIEWED, *dict.fromkeys(trait for trait, _ in _suspected(types[kind]))]
        TABLE.write_text(rendered(kept["source"], table), encoding="utf-8")
    wrong = complaints(table, types)
    for line in wrong:
        click.echo(line, err=True)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
