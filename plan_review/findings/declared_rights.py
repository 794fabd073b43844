"""The rules of rights that types give by naming who gets them; attributes are those of the AWS provider.

https://registry.terraform.io/providers/hashicorp/aws/latest/docs; checked against the bindings by a test.
"""

from __future__ import annotations

from collections.abc import Mapping

from plan_review.findings.declared import RightRule

_TRUE: frozenset[object] = frozenset({True})
_FALSE: frozenset[object] = frozenset({False})


def _rule(may: str, *who: str, on: str = "", whoever: str = "", each: str = "") -> tuple[RightRule, ...]:
    return (RightRule(may=may, who=who, on=on, whoever=whoever, each=each),)


def _admin(attribute: str) -> tuple[RightRule, ...]:
    """Another account that administers a service for the organization, or for this account."""
    return _rule("(administer the service for others)", attribute)


_SNAPSHOT = _rule("(restore databases from it)", "shared_accounts")
_LAUNCH = "distribution.ami_distribution_configuration.launch_permission"

_SHARES: Mapping[str, tuple[RightRule, ...]] = {
    "aws_ami_launch_permission": _rule(
        "(launch instances from it)",
        *("account_id", "group", "organization_arn", "organizational_unit_arn"),
        on="image_id",
    ),
    "aws_config_aggregate_authorization": _rule("(collect the account's configuration)", "account_id"),
    "aws_db_cluster_snapshot": _SNAPSHOT,
    "aws_db_snapshot": _SNAPSHOT,
    "aws_db_snapshot_copy": _SNAPSHOT,
    "aws_rds_cluster_snapshot_copy": _SNAPSHOT,
    "aws_directory_service_shared_directory": _rule("(use the directory)", "target.id", on="directory_id"),
    "aws_dlm_lifecycle_policy": _rule("(use the snapshots)", "policy_details.schedule.share_rule.target_accounts"),
    "aws_ecr_replication_configuration": _rule(
        "(gets copies of the images)", "replication_configuration.rule.destination.registry_id"
    ),
    "aws_globalaccelerator_cross_account_attachment": _rule("(use as endpoints: {resource})", "principals"),
    "aws_imagebuilder_distribution_configuration": _rule(
        "(launch instances from the images)",
        *(f"{_LAUNCH}.{name}" for name in ("user_ids", "user_groups", "organization_arns", "organizational_unit_arns")),
        "distribution.ami_distribution_configuration.target_account_ids",
    ),
    "aws_lambda_layer_version_permission": (
        RightRule(
            may="{action}",
            who=("principal",),
            on="layer_name",
            conditions=(("StringEquals", "aws:PrincipalOrgID", "organization_id"),),
        ),
    ),
    "aws_licensemanager_grant": _rule("{allowed_operations}", "principal", on="license_arn"),
    "aws_network_interface_permission": _rule("({permission})", "aws_account_id", on="network_interface_id"),
    "aws_oam_link": _rule("(read {resource_types} of this account)", "sink_identifier"),
    "aws_opensearch_authorize_vpc_endpoint_access": _rule(
        "(reach it by an endpoint of theirs)", "account", on="domain_name"
    ),
    "aws_ram_principal_association": _rule("(use what the share holds)", "principal", on="resource_share_arn"),
    "aws_ram_resource_association": _rule(
        "(use {resource_arn})", on="resource_share_arn", whoever="whoever the share is for"
    ),
    "aws_ram_resource_share": (
        RightRule(
            may="(be given the share)",
            whoever="accounts outside of the organization",
            unless=("allow_external_principals", _FALSE),
        ),
        RightRule(may="{permission_arns}", whoever="whoever the share is for", needs="permission_arns"),
    ),
    "aws_ram_resource_share_accepter": _rule("(use what {share_arn} holds)", whoever="this account"),
    "aws_ram_sharing_with_organization": _rule("(be given shares unasked)", whoever="the whole organization"),
    "aws_redshift_data_share_authorization": _rule("(read the share)", "consumer_identifier", on="data_share_arn"),
    "aws_redshift_data_share_consumer_association": (
        RightRule(may="(read the share)", who=("consumer_arn",), on="data_share_arn"),
        RightRule(
            may="(read the share)",
            whoever="the whole account",
            on="data_share_arn",
            when=("associate_entire_account", _TRUE),
        ),
    ),
    "aws_redshift_endpoint_authorization": _rule(
        "(reach it by an endpoint of theirs)", "account", on="cluster_identifier"
    ),
    "aws_route53_vpc_association_authorization": _rule("(use the private zone)", "vpc_id", on="zone_id"),
    "aws_s3_bucket_replication_configuration": _rule(
        "(gets copies of the objects)", "rule.destination.account", "rule.destination.bucket", on="bucket"
    ),
    "aws_servicecatalog_portfolio_share": _rule("(use the portfolio)", "principal_id", on="portfolio_id"),
    "aws_servicecatalog_principal_portfolio_association": _rule(
        "(launch what the portfolio holds)", "principal_arn", on="portfolio_id"
    ),
    "aws_snapshot_create_volume_permission": _rule("(create volumes from it)", "account_id", on="snapshot_id"),
    "aws_ssm_document": (RightRule(may="(use the document)", who=("permissions.account_ids",)),),
    "aws_vpc_endpoint_service": _rule("(connect to the service)", "allowed_principals"),
    "aws_vpc_endpoint_service_allowed_principal": _rule(
        "(connect to the service)", "principal_arn", on="vpc_endpoint_service_id"
    ),
    "aws_acmpca_permission": (
        RightRule(
            may="{actions}",
            who=("principal",),
            on="certificate_authority_arn",
            conditions=(("StringEquals", "aws:SourceAccount", "source_account"),),
        ),
    ),
    "aws_cloudwatch_event_permission": (
        RightRule(
            may="{action}",
            who=("principal",),
            on="event_bus_name",
            conditions=(("StringEquals", "aws:PrincipalOrgID", "condition.value"),),
        ),
    ),
    "aws_lambda_permission": (
        RightRule(
            may="{action} {qualifier?}",
            who=("principal",),
            on="function_name",
            conditions=(
                ("ArnLike", "aws:SourceArn", "source_arn"),
                ("StringEquals", "aws:SourceAccount", "source_account"),
                ("StringEquals", "aws:PrincipalOrgID", "principal_org_id"),
                ("StringEquals", "lambda:EventSourceToken", "event_source_token"),
                ("StringEquals", "lambda:FunctionUrlAuthType", "function_url_auth_type"),
            ),
        ),
    ),
    "aws_signer_signing_profile_permission": _rule("{action}", "principal", on="profile_name"),
}


def _member(attribute: str) -> tuple[RightRule, ...]:
    return _rule(f"(see the findings of {{{attribute}}})", whoever="this account")


_ADMINISTRATORS: Mapping[str, tuple[RightRule, ...]] = {
    "aws_auditmanager_organization_admin_account_registration": _admin("admin_account_id"),
    "aws_cloudtrail_organization_delegated_admin_account": _admin("account_id"),
    "aws_detective_invitation_accepter": _admin("graph_arn"),
    "aws_detective_organization_admin_account": _admin("account_id"),
    "aws_fms_admin_account": _admin("account_id"),
    "aws_guardduty_invite_accepter": _admin("master_account_id"),
    "aws_guardduty_organization_admin_account": _admin("admin_account_id"),
    "aws_inspector2_delegated_admin_account": _admin("account_id"),
    "aws_macie2_invitation_accepter": _admin("administrator_account_id"),
    "aws_macie2_organization_admin_account": _admin("admin_account_id"),
    "aws_organizations_account": (
        *_rule("(act as {role_name} in the account)", whoever="the management account"),
        RightRule(may="(act within the policies of {parent_id})", whoever="the account", needs="parent_id"),
    ),
    "aws_organizations_delegated_administrator": _rule(
        "(administer {service_principal} for the organization)", "account_id"
    ),
    "aws_organizations_organization": _rule("(act in all accounts)", "aws_service_access_principals"),
    "aws_securityhub_invite_accepter": _admin("master_id"),
    "aws_securityhub_organization_admin_account": _admin("admin_account_id"),
    "aws_shield_drt_access_role_arn_association": _rule("(act as it)", on="role_arn", whoever="AWS's response team"),
    "aws_shield_drt_access_log_bucket_association": _rule(
        "(read the logs)", on="log_bucket", whoever="AWS's response team"
    ),
    "aws_detective_member": _member("account_id"),
    "aws_guardduty_member": _member("account_id"),
    "aws_inspector2_member_association": _member("account_id"),
    "aws_macie2_member": _member("account_id"),
    "aws_securityhub_member": _member("account_id"),
    "aws_vpc_ipam_organization_admin_account": _admin("delegated_admin_account_id"),
}

_ASSIGNMENTS: Mapping[str, tuple[RightRule, ...]] = {
    "aws_cognito_user_in_group": _rule("(all that the group {group_name} may)", "username", on="user_pool_id"),
    "aws_eks_access_entry": _rule(
        "(sign in as {user_name}, groups {kubernetes_groups}, {type})", "principal_arn", on="cluster_name"
    ),
    "aws_eks_access_policy_association": _rule(
        "({policy_arn} in {access_scope.type} {access_scope.namespaces?})", "principal_arn", on="cluster_name"
    ),
    "aws_eks_cluster": (
        RightRule(
            may="(administer it)",
            whoever="whoever creates the cluster",
            unless=("access_config.bootstrap_cluster_creator_admin_permissions", _FALSE),
        ),
    ),
    "aws_eks_identity_provider_config": _rule(
        "(sign in with its tokens, groups by {oidc.groups_claim})", "oidc.issuer_url", on="cluster_name"
    ),
    "aws_identitystore_group_membership": _rule(
        "(all that the group {group_id} may)", "member_id", on="identity_store_id"
    ),
    "aws_kms_grant": (
        RightRule(
            may="{operations}",
            who=("grantee_principal", "retiring_principal"),
            on="key_id",
            conditions=(
                ("StringEquals", "kms:EncryptionContext", "constraints.encryption_context_equals"),
                ("StringEquals", "kms:EncryptionContext (subset)", "constraints.encryption_context_subset"),
            ),
        ),
    ),
    "aws_s3control_access_grant": _rule(
        "({permission} {s3_prefix_type?} {access_grants_location_configuration.s3_sub_prefix?}"
        " of location {access_grants_location_id})",
        "grantee.grantee_identifier",
    ),
    "aws_s3control_access_grants_location": _rule("(act as {iam_role_arn} for grants)", "location_scope"),
    "aws_s3control_access_grants_instance": _rule("(be given grants)", "identity_center_arn"),
    "aws_ssoadmin_account_assignment": _rule(
        "(all that the permission set allows in account {target_id})", "principal_id", on="permission_set_arn"
    ),
    "aws_ssoadmin_application_access_scope": _rule("({scope})", "authorized_targets", on="application_arn"),
    "aws_ssoadmin_application_assignment": _rule("(use the application)", "principal_id", on="application_arn"),
    "aws_ssoadmin_application_assignment_configuration": (
        RightRule(
            may="(use the application)",
            whoever="every user of the directory",
            on="application_arn",
            unless=("assignment_required", _TRUE),
        ),
    ),
    **{
        f"aws_quicksight_{kind}": _rule("{actions}", "principal", each="permissions")
        for kind in ("analysis", "dashboard", "data_set", "folder", "template", "theme")
    },
}

_LAKE_OBJECTS = ("database", "table", "table_with_columns", "data_location", "lf_tag", "lf_tag_policy")
_LAKE: Mapping[str, tuple[RightRule, ...]] = {
    "aws_glue_catalog_database": _rule(
        "{permissions}", "principal.data_lake_principal_identifier", each="create_table_default_permission"
    ),
    "aws_lakeformation_data_lake_settings": (
        RightRule(may="(administer the data lake)", who=("admins",)),
        RightRule(may="(read all of the data lake)", who=("read_only_admins",)),
        RightRule(may="{permissions}", who=("principal",), each="create_database_default_permissions"),
        RightRule(may="{permissions}", who=("principal",), each="create_table_default_permissions"),
        RightRule(may="(is trusted as owner)", who=("trusted_resource_owners",)),
        RightRule(may="(filter data outside)", who=("external_data_filtering_allow_list",)),
        RightRule(
            may="(read whole tables outside)",
            whoever="engines outside",
            when=("allow_full_table_external_data_access", _TRUE),
        ),
    ),
    "aws_lakeformation_opt_in": _rule("(is governed on {resource_data})", "principal.data_lake_principal_identifier"),
    "aws_lakeformation_permissions": _rule(
        "{permissions}, may give on {permissions_with_grant_option}: on "
        + " ".join(f"{{{name}?}}" for name in (*_LAKE_OBJECTS, "data_cells_filter", "catalog_resource")),
        "principal",
    ),
    "aws_lakeformation_resource": _rule("(give access to {arn} with the role {role_arn})", whoever="Lake Formation"),
}

_IDENTITY = "(act as {%s})"
_CREDENTIALS: Mapping[str, tuple[RightRule, ...]] = {
    "aws_budgets_budget_action": _rule(
        "(gets {definition.iam_action_definition.policy_arn?} {definition.scp_action_definition.policy_id?})",
        *(f"definition.iam_action_definition.{name}" for name in ("roles", "users", "groups")),
        "definition.scp_action_definition.target_ids",
    ),
    "aws_chatbot_slack_channel_configuration": _rule(
        "(act as {iam_role_arn} within {guardrail_policy_arns})", whoever="members of the channel {slack_channel_id}"
    ),
    "aws_chatbot_teams_channel_configuration": _rule(
        "(act as {iam_role_arn} within {guardrail_policy_arns})", whoever="members of the channel {channel_id}"
    ),
    "aws_cognito_identity_pool_roles_attachment": (
        RightRule(
            may=_IDENTITY % "roles.authenticated",
            whoever="whoever signs in",
            on="identity_pool_id",
            needs="roles.authenticated",
        ),
        RightRule(
            may=_IDENTITY % "roles.unauthenticated",
            whoever="*",
            on="identity_pool_id",
            needs="roles.unauthenticated",
        ),
        RightRule(
            may="(act by the rules {role_mapping})",
            whoever="whoever signs in",
            on="identity_pool_id",
            needs="role_mapping",
        ),
    ),
    "aws_cognito_identity_pool": (
        RightRule(
            may="(get credentials without signing in)",
            whoever="*",
            when=("allow_unauthenticated_identities", _TRUE),
        ),
        *_rule("(get credentials)", "cognito_identity_providers", "openid_connect_provider_arns"),
        *_rule("(get credentials)", "saml_provider_arns", "supported_login_providers"),
    ),
    "aws_cognito_identity_provider": _rule("(sign in as {provider_type})", "provider_name", on="user_pool_id"),
    "aws_cognito_user_group": _rule(_IDENTITY % "role_arn", whoever="members of the group {name}", on="user_pool_id"),
    "aws_db_instance_role_association": _rule(
        _IDENTITY % "role_arn", whoever="the database", on="db_instance_identifier"
    ),
    "aws_eks_pod_identity_association": _rule(
        "(act as {role_arn} {target_role_arn?})",
        whoever="service account {namespace}/{service_account}",
        on="cluster_name",
    ),
    "aws_iam_access_key": (
        RightRule(
            may="(act as it)",
            whoever="whoever holds the access key",
            on="user",
            unless=("status", frozenset({"Inactive"})),
        ),
    ),
    "aws_iam_instance_profile": _rule("(act as it)", whoever="instances with the profile", on="role"),
    "aws_iam_openid_connect_provider": _rule(
        "(sign in with tokens for {client_id_list}, certificates {thumbprint_list})", "url"
    ),
    "aws_iam_saml_provider": _rule(
        "(sign in by the metadata {saml_metadata_document#})", whoever="users of the SAML provider {name}"
    ),
    "aws_iam_service_linked_role": _rule("(act as it)", "aws_service_name"),
    "aws_iam_service_specific_credential": _rule(
        "({service_name})", whoever="whoever holds the credential", on="user_name"
    ),
    "aws_iam_signing_certificate": _rule("(act as it)", whoever="whoever holds the certificate", on="user_name"),
    "aws_iam_user_login_profile": _rule("(sign in to the console)", whoever="whoever knows the password", on="user"),
    "aws_iam_user_ssh_key": _rule("(sign in as it)", whoever="whoever holds the SSH key {public_key#}", on="username"),
    "aws_iot_policy_attachment": _rule("(all that the policy {policy} allows)", "target"),
    "aws_iot_role_alias": _rule(_IDENTITY % "role_arn", whoever="devices with the alias {alias}"),
    "aws_iot_thing_principal_attachment": _rule("(act as the thing)", "principal", on="thing"),
    "aws_lambda_function_url": (
        RightRule(
            may="(call its URL without signing in)",
            whoever="*",
            on="function_name",
            unless=("authorization_type", frozenset({"AWS_IAM"})),
        ),
    ),
    "aws_msk_scram_secret_association": _rule("(sign in)", "secret_arn_list", on="cluster_arn"),
    "aws_msk_single_scram_secret_association": _rule("(sign in)", "secret_arn", on="cluster_arn"),
    "aws_rds_cluster_role_association": _rule(
        _IDENTITY % "role_arn", whoever="the database", on="db_cluster_identifier"
    ),
    "aws_redshift_cluster_iam_roles": _rule(
        "(act as {iam_role_arns} {default_iam_role_arn?})", whoever="the database", on="cluster_identifier"
    ),
    "aws_rolesanywhere_profile": _rule(
        "(act as {role_arns} within {managed_policy_arns} {session_policy?})", whoever="holders of trusted certificates"
    ),
    "aws_rolesanywhere_trust_anchor": _rule(
        "(get credentials by certificates of {source.source_type} {source.source_data#})",
        whoever="holders of its certificates",
    ),
    "aws_ssm_activation": _rule(_IDENTITY % "iam_role", whoever="machines with the activation code"),
    "aws_ssm_service_setting": _rule("(has {setting_id} as {setting_value})", whoever="the account"),
    "aws_transfer_access": _rule(_IDENTITY % "role", "external_id", on="server_id"),
    "aws_transfer_ssh_key": _rule("(sign in with the key {body#})", "user_name", on="server_id"),
    "aws_transfer_user": _rule(
        "(act as {role} in {home_directory?} {home_directory_mappings?})", "user_name", on="server_id"
    ),
    "aws_workspaces_workspace": _rule("(use the desktop)", "user_name", on="directory_id"),
}

_USERS: Mapping[str, tuple[RightRule, ...]] = {
    "aws_elasticache_user": _rule("({access_string})", "user_name"),
    "aws_elasticache_user_group": _rule("(sign in)", "user_ids"),
    "aws_elasticache_user_group_association": _rule("(sign in)", "user_id", on="user_group_id"),
    "aws_grafana_role_association": _rule("({role})", "user_ids", "group_ids", on="workspace_id"),
    "aws_grafana_workspace_api_key": _rule("({key_role})", whoever="whoever holds the key", on="workspace_id"),
    "aws_grafana_workspace_service_account": _rule("({grafana_role})", "name", on="workspace_id"),
    "aws_grafana_workspace_service_account_token": _rule(
        "(all that the service account {service_account_id} may)", whoever="whoever holds the token", on="workspace_id"
    ),
    "aws_memorydb_acl": _rule("(sign in)", "user_names"),
    "aws_memorydb_user": _rule("({access_string})", "user_name"),
    "aws_quicksight_data_source": _rule("{actions}", "principal", each="permission"),
    "aws_quicksight_group_membership": _rule("(all that the group {group_name} may)", "member_name"),
    "aws_quicksight_role_membership": _rule("(the role {role})", "member_name"),
    "aws_quicksight_user": _rule("({user_role})", "user_name", "email"),
}

DECLARED: Mapping[str, tuple[RightRule, ...]] = {
    **_SHARES,
    **_ADMINISTRATORS,
    **_ASSIGNMENTS,
    **_LAKE,
    **_CREDENTIALS,
    **_USERS,
}
