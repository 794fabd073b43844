"""The policies of resources: which attribute of which type holds one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from plan_review.findings.found import FoundRight, Kind, left_to_aws, statements_of, target_of
from plan_review.plan.model import Change, World
from plan_review.plan.values import Unknown, get

#: Type -> attributes with a policy in IAM's language, of the resource itself or of the one that it belongs to.
RESOURCE_POLICIES: Mapping[str, tuple[str, ...]] = {
    "aws_acmpca_policy": ("policy",),
    "aws_api_gateway_domain_name": ("policy",),
    "aws_api_gateway_rest_api": ("policy",),
    "aws_api_gateway_rest_api_policy": ("policy",),
    "aws_backup_vault_policy": ("policy",),
    "aws_cloudsearch_domain_service_access_policy": ("access_policy",),
    "aws_cloudwatch_event_bus_policy": ("policy",),
    "aws_cloudwatch_log_delivery_destination_policy": ("delivery_destination_policy",),
    "aws_cloudwatch_log_destination_policy": ("access_policy",),
    "aws_cloudwatch_log_resource_policy": ("policy_document",),
    "aws_codeartifact_domain_permissions_policy": ("policy_document",),
    "aws_codeartifact_repository_permissions_policy": ("policy_document",),
    "aws_codebuild_resource_policy": ("policy",),
    "aws_dynamodb_resource_policy": ("policy",),
    "aws_ecr_registry_policy": ("policy",),
    "aws_ecr_repository_creation_template": ("repository_policy",),
    "aws_ecr_repository_policy": ("policy",),
    "aws_ecrpublic_repository_policy": ("policy",),
    "aws_efs_file_system_policy": ("policy",),
    "aws_elasticsearch_domain": ("access_policies",),
    "aws_elasticsearch_domain_policy": ("access_policies",),
    "aws_glacier_vault": ("access_policy",),
    "aws_glacier_vault_lock": ("policy",),
    "aws_glue_resource_policy": ("policy",),
    "aws_kinesis_resource_policy": ("policy",),
    "aws_kms_external_key": ("policy",),
    "aws_kms_key": ("policy",),
    "aws_kms_key_policy": ("policy",),
    "aws_kms_replica_external_key": ("policy",),
    "aws_kms_replica_key": ("policy",),
    "aws_media_store_container_policy": ("policy",),
    "aws_msk_cluster_policy": ("policy",),
    "aws_networkfirewall_resource_policy": ("policy",),
    "aws_oam_sink_policy": ("policy",),
    "aws_opensearch_domain": ("access_policies",),
    "aws_opensearch_domain_policy": ("access_policies",),
    "aws_organizations_resource_policy": ("content",),
    "aws_prometheus_resource_policy": ("policy_document",),
    "aws_redshift_resource_policy": ("policy",),
    "aws_redshiftserverless_resource_policy": ("policy",),
    "aws_s3_access_point": ("policy",),
    "aws_s3_bucket": ("policy",),
    "aws_s3_bucket_policy": ("policy",),
    "aws_s3control_access_grants_instance_resource_policy": ("policy",),
    "aws_s3control_access_point_policy": ("policy",),
    "aws_s3control_bucket_policy": ("policy",),
    "aws_s3control_object_lambda_access_point_policy": ("policy",),
    "aws_s3tables_table_bucket_policy": ("resource_policy",),
    "aws_s3tables_table_policy": ("resource_policy",),
    "aws_s3vectors_vector_bucket_policy": ("policy",),
    "aws_sagemaker_model_package_group_policy": ("resource_policy",),
    "aws_schemas_registry_policy": ("policy",),
    "aws_secretsmanager_secret": ("policy",),
    "aws_secretsmanager_secret_policy": ("policy",),
    "aws_ses_identity_policy": ("policy",),
    "aws_sesv2_email_identity_policy": ("policy",),
    "aws_sns_topic": ("policy",),
    "aws_sns_topic_policy": ("policy",),
    "aws_sqs_queue": ("policy",),
    "aws_sqs_queue_policy": ("policy",),
    "aws_vpc_endpoint": ("policy",),
    "aws_vpc_endpoint_policy": ("policy",),
    "aws_vpclattice_auth_policy": ("policy",),
    "aws_vpclattice_resource_policy": ("policy",),
    "aws_xray_resource_policy": ("policy_document",),
}


def read_resource_policy(world: World, change: Change) -> Iterator[FoundRight]:
    """The statements of the policies that an object of one of `RESOURCE_POLICIES` holds."""
    for attribute in RESOURCE_POLICIES[change.type]:
        value = get(change.at(world.phase), attribute)
        if value is None or (isinstance(value, Unknown) and left_to_aws(world, change, attribute)):
            continue
        yield from statements_of(world, change, attribute, Kind.RESOURCE, target_of(world, change))


#: Where a type that isn't known may hold a policy.
_USUAL = ("policy", "access_policy", "access_policies", "policy_document", "resource_policy")


def read_unknown_type(world: World, change: Change) -> Iterator[FoundRight]:
    """What can be seen of the rights that an object without a reader gives. It counts as not judged all the same."""
    if change.sides.mentions(b"polic"):
        for attribute in _USUAL:
            value = get(change.at(world.phase), attribute)
            if isinstance(value, dict) and "Statement" in value:
                yield from statements_of(world, change, attribute, Kind.RESOURCE, target_of(world, change))
