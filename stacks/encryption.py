"""One customer key for a deployment's secrets, logs, tables, queues and alarms, or none: then AWS's own keys.

Resource: https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/kms_key
Logs' use of a key: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
"""

from __future__ import annotations

from stacks.base import Home, output
from stacks.bindings import KmsAlias, KmsKey, TerraformStack
from stacks.inputs import Inputs
from stacks.permissions import customer_key_policy


def add_key(stack: TerraformStack, inputs: Inputs, home: Home) -> str:
    """The ARN of the key to use; "" for none."""
    encryption = inputs.shared.encryption
    if not encryption.create_key:
        return encryption.key_arn or ""
    key = KmsKey(
        stack,
        "key",
        description=f"{inputs.name}: secrets, logs, state",
        enable_key_rotation=True,
        # The shortest that AWS allows: `cdktf destroy` schedules the deletion, and a week is left to think again.
        deletion_window_in_days=7,
        policy=customer_key_policy(
            partition=home.partition,
            region=home.region,
            account=home.account,
            dns_suffix=home.dns_suffix,
            log_groups=f"/{inputs.name}/*",
        ),
    )
    KmsAlias(stack, "key-alias", name=f"alias/{inputs.name}", target_key_id=key.key_id)
    output(stack, "key-arn", key.arn, "KMS key of secrets, logs, tables, queues and alarms.")
    return str(key.arn)
