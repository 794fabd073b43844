"""The only file that imports cdktf and the AWS provider's bindings.

The provider package imports all of its 1,500 modules when it is imported the ordinary way: 44 s. An empty module with
the package's folder as its `__path__`, put in its place first, lets each submodule be imported alone, and
stacks/node.py does the like for Node's half: 2 s in all. This relies on the package's layout, so pyproject.toml pins
it exactly; and cdktf was archived in December 2025, so the move to its successor (`cdktn`, same interface) is a change
of this file.
"""

from __future__ import annotations

import importlib.util
import sys
import types

from stacks.node import lean_node

_PROVIDER = "cdktf_cdktf_provider_aws"


def _import_only_submodules() -> None:
    spec = importlib.util.find_spec(_PROVIDER)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"{_PROVIDER} is not installed; run: pip install '.[deploy]'", name=_PROVIDER)
    hollow = types.ModuleType(_PROVIDER)
    hollow.__path__ = list(spec.submodule_search_locations)
    hollow.__spec__ = spec
    hollow.__file__ = spec.origin
    sys.modules[_PROVIDER] = hollow


_import_only_submodules()
with lean_node():
    import constructs  # noqa: F401 - the first package of jsii's: this starts Node

from cdktf import (  # noqa: E402 - after the provider package was hollowed out
    App,
    CloudBackend,
    DataResource,
    LocalBackend,
    LocalExecProvisioner,
    NamedCloudWorkspace,
    S3Backend,
    TerraformOutput,
    TerraformStack,
    Testing,
)
from cdktf_cdktf_provider_aws.cloudwatch_dashboard import CloudwatchDashboard  # noqa: E402
from cdktf_cdktf_provider_aws.cloudwatch_event_bus import CloudwatchEventBus  # noqa: E402
from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup  # noqa: E402
from cdktf_cdktf_provider_aws.cloudwatch_metric_alarm import CloudwatchMetricAlarm  # noqa: E402
from cdktf_cdktf_provider_aws.cloudwatch_query_definition import CloudwatchQueryDefinition  # noqa: E402
from cdktf_cdktf_provider_aws.data_aws_caller_identity import DataAwsCallerIdentity  # noqa: E402
from cdktf_cdktf_provider_aws.data_aws_partition import DataAwsPartition  # noqa: E402
from cdktf_cdktf_provider_aws.data_aws_subnets import DataAwsSubnets  # noqa: E402
from cdktf_cdktf_provider_aws.data_aws_vpc import DataAwsVpc  # noqa: E402
from cdktf_cdktf_provider_aws.dynamodb_table import DynamodbTable  # noqa: E402
from cdktf_cdktf_provider_aws.ecr_lifecycle_policy import EcrLifecyclePolicy  # noqa: E402
from cdktf_cdktf_provider_aws.ecr_repository import EcrRepository, EcrRepositoryEncryptionConfiguration  # noqa: E402
from cdktf_cdktf_provider_aws.ecs_cluster import EcsCluster  # noqa: E402
from cdktf_cdktf_provider_aws.ecs_service import EcsService  # noqa: E402
from cdktf_cdktf_provider_aws.ecs_task_definition import EcsTaskDefinition  # noqa: E402
from cdktf_cdktf_provider_aws.iam_access_key import IamAccessKey  # noqa: E402
from cdktf_cdktf_provider_aws.iam_policy import IamPolicy  # noqa: E402
from cdktf_cdktf_provider_aws.iam_role import IamRole  # noqa: E402
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy  # noqa: E402
from cdktf_cdktf_provider_aws.iam_user import IamUser  # noqa: E402
from cdktf_cdktf_provider_aws.iam_user_policy_attachment import IamUserPolicyAttachment  # noqa: E402
from cdktf_cdktf_provider_aws.kms_alias import KmsAlias  # noqa: E402
from cdktf_cdktf_provider_aws.kms_key import KmsKey  # noqa: E402
from cdktf_cdktf_provider_aws.provider import AwsProvider  # noqa: E402
from cdktf_cdktf_provider_aws.secretsmanager_secret import SecretsmanagerSecret  # noqa: E402
from cdktf_cdktf_provider_aws.secretsmanager_secret_version import SecretsmanagerSecretVersion  # noqa: E402
from cdktf_cdktf_provider_aws.security_group import SecurityGroup  # noqa: E402
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic  # noqa: E402
from cdktf_cdktf_provider_aws.sqs_queue import SqsQueue  # noqa: E402
from cdktf_cdktf_provider_aws.vpc_endpoint import VpcEndpoint  # noqa: E402
from cdktf_cdktf_provider_aws.vpc_security_group_egress_rule import VpcSecurityGroupEgressRule  # noqa: E402
from cdktf_cdktf_provider_aws.vpc_security_group_ingress_rule import VpcSecurityGroupIngressRule  # noqa: E402

__all__ = [
    "App",
    "AwsProvider",
    "CloudBackend",
    "CloudwatchDashboard",
    "CloudwatchEventBus",
    "CloudwatchLogGroup",
    "CloudwatchMetricAlarm",
    "CloudwatchQueryDefinition",
    "DataAwsCallerIdentity",
    "DataAwsPartition",
    "DataAwsSubnets",
    "DataAwsVpc",
    "DataResource",
    "DynamodbTable",
    "EcrLifecyclePolicy",
    "EcrRepository",
    "EcrRepositoryEncryptionConfiguration",
    "EcsCluster",
    "EcsService",
    "EcsTaskDefinition",
    "IamAccessKey",
    "IamPolicy",
    "IamRole",
    "IamRolePolicy",
    "IamUser",
    "IamUserPolicyAttachment",
    "KmsAlias",
    "KmsKey",
    "LocalBackend",
    "LocalExecProvisioner",
    "NamedCloudWorkspace",
    "S3Backend",
    "SecretsmanagerSecret",
    "SecretsmanagerSecretVersion",
    "SecurityGroup",
    "SnsTopic",
    "SqsQueue",
    "TerraformOutput",
    "TerraformStack",
    "Testing",
    "VpcEndpoint",
    "VpcSecurityGroupEgressRule",
    "VpcSecurityGroupIngressRule",
]
