"""The table that remembers what was reported.

Resource: https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/dynamodb_table
"""

from __future__ import annotations

from adapter.state.dynamodb.requirements import HASH_KEY, RANGE_KEY, TTL_ATTRIBUTE
from stacks.base import output
from stacks.bindings import DynamodbTable, TerraformStack
from stacks.inputs import SourceInputs


def add_table(stack: TerraformStack, source: SourceInputs, kms_key_arn: str) -> DynamodbTable:
    """One table per source: its rows are one pool's users."""
    table = DynamodbTable(
        stack,
        f"{source.name}_state",
        name=source.table_name,
        billing_mode="PAY_PER_REQUEST",
        hash_key=HASH_KEY,
        range_key=RANGE_KEY,
        attribute=[{"name": HASH_KEY, "type": "S"}, {"name": RANGE_KEY, "type": "S"}],
        # Tombstones of forgotten users go by themselves (docs/adr/0002-dynamodb-lease-and-fencing.md).
        ttl={"attribute_name": TTL_ATTRIBUTE, "enabled": True},
        point_in_time_recovery={"enabled": source.point_in_time_recovery},
        # Always encrypted; this names the key: the customer's, or the one that AWS keeps in this account.
        server_side_encryption={"enabled": True, "kms_key_arn": kms_key_arn} if kms_key_arn else None,
        deletion_protection_enabled=source.deletion_protection,
    )
    output(stack, f"{source.name}-table-name", table.name, "DynamoDB table that remembers what was reported.")
    return table
