"""Data at risk: stores that the plan destroys or replaces, and what is lost with each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from plan_review.coverage import Trait, traits
from plan_review.plan.model import Action, Change, Plan
from plan_review.plan.values import get

#: What is gone when an object of the type is destroyed.
_LOST: Mapping[str, str] = {
    "aws_backup_vault": "its recovery points",
    "aws_cloudwatch_event_archive": "the archived events",
    "aws_cloudwatch_log_group": "all of its log events",
    "aws_cognito_user_pool": "all of its users",
    "aws_db_instance": "the database",
    "aws_docdb_cluster": "the database",
    "aws_dynamodb_table": "all of its items",
    "aws_ebs_volume": "the volume's data",
    "aws_ecr_repository": "all of its images",
    "aws_efs_file_system": "all of its files",
    "aws_elasticache_cluster": "the cached data",
    "aws_elasticache_replication_group": "the cached data",
    "aws_elasticsearch_domain": "all of its indexes",
    "aws_fsx_lustre_file_system": "all of its files",
    "aws_glacier_vault": "its archives",
    "aws_iam_access_key": "the key: whatever uses it stops working",
    "aws_iam_user": "the user with its keys",
    "aws_kinesis_stream": "unread records",
    "aws_kms_key": "whatever is encrypted with the key can't be read any more",
    "aws_memorydb_cluster": "the data",
    "aws_msk_cluster": "all topics",
    "aws_neptune_cluster": "the database",
    "aws_opensearch_domain": "all of its indexes",
    "aws_qldb_ledger": "the ledger",
    "aws_rds_cluster": "the database",
    "aws_redshift_cluster": "the database",
    "aws_s3_bucket": "all of its objects",
    "aws_secretsmanager_secret": "the secret's value",
    "aws_sqs_queue": "messages that are still in the queue",
    "aws_ssm_parameter": "the parameter's value",
    "aws_timestreamwrite_table": "its records",
}


#: Words in the names of types of other providers that hold data.
_STORE = re.compile(
    r"database|sql|bucket|storage|disk|volume|snapshot|backup|table|cosmosdb|redis|bigquery|spanner|firestore|vault|secret"
    r"|kms|key_ring|file_?share|filestore|registry|persistent|topic|queue|log_analytics|elastic|mongo"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """A store that is destroyed or replaced."""

    plan: str
    address: str
    action: Action
    lost: str
    #: What softens it, or what will stop the apply: "a deletion protection will refuse it".
    note: str


def data_at_risk(plan: Plan) -> list[Risk]:
    """Stores whose data the plan (or one that Terraform defers) would lose."""
    return [
        Risk(plan=c.plan, address=c.address, action=c.action, lost=lost, note=_note(c))
        for c in (*plan.changes, *plan.deferred)
        if c.managed and c.destroys and (lost := _lost(c.type))
    ]


def _lost(kind: str) -> str:
    """What is lost with an object of a type, in words, or nothing."""
    if kind in _LOST:
        return _LOST[kind]
    known = traits(kind)
    holds = Trait.HOLDS_DATA in known if known is not None else bool(_STORE.search(kind))
    return "what it holds" if holds else ""


def _note(change: Change) -> str:
    before = change.before
    if get(before, "deletion_protection_enabled") is True or get(before, "deletion_protection") is True:
        return "deletion protection is on: the apply will be refused"
    if change.type == "aws_s3_bucket" and get(before, "force_destroy") is not True:
        return "refused while the bucket has objects"
    if change.type == "aws_ecr_repository" and get(before, "force_delete") is not True:
        return "refused while the repository has images"
    if change.type == "aws_kms_key":
        days = get(before, "deletion_window_in_days")
        return f"can be cancelled for {days:.0f} days" if isinstance(days, int | float) else "can be cancelled at first"
    if change.type == "aws_secretsmanager_secret":
        days = get(before, "recovery_window_in_days")
        if isinstance(days, int | float) and days > 0:
            return f"can be restored for {days:.0f} days"
    if change.type in ("aws_db_instance", "aws_rds_cluster") and get(before, "skip_final_snapshot") is False:
        return "a final snapshot is made"
    if change.type == "aws_dynamodb_table" and get(before, "point_in_time_recovery", 0, "enabled") is True:
        return "AWS keeps a system backup for 35 days"
    return "can't be undone"
