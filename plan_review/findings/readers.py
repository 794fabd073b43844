"""Which resource types are read for which question. What isn't here, and can matter, is said to be not judged."""

from __future__ import annotations

from collections.abc import Mapping

from plan_review.findings.resource_policies import RESOURCE_POLICIES
from plan_review.findings.unjudged import Question

_IAM = frozenset(
    {
        *(
            f"aws_iam_{who}{what}"
            for who in ("role", "user", "group")
            for what in ("", "_policy", "_policy_attachment")
        ),
        "aws_iam_policy",
        "aws_iam_policy_attachment",
    }
)
_SECURITY_GROUPS = frozenset(
    {
        "aws_default_security_group",
        "aws_security_group",
        "aws_security_group_rule",
        "aws_vpc_security_group_egress_rule",
        "aws_vpc_security_group_ingress_rule",
    }
)
_OPEN = frozenset(
    {
        *("aws_alb", "aws_elb", "aws_lb"),
        *("aws_apigatewayv2_api", "aws_api_gateway_method", "aws_cloudfront_distribution", "aws_ecrpublic_repository"),
        *("aws_db_instance", "aws_dms_replication_instance", "aws_mq_broker", "aws_rds_cluster_instance"),
        *("aws_ecs_service", "aws_eip", "aws_eks_cluster", "aws_instance", "aws_lambda_function_url", "aws_subnet"),
        *("aws_redshift_cluster", "aws_s3_account_public_access_block", "aws_s3_bucket", "aws_s3_bucket_acl"),
        "aws_s3_bucket_public_access_block",
    }
)

READERS: Mapping[Question, frozenset[str]] = {
    Question.RIGHTS: _IAM | frozenset(RESOURCE_POLICIES) | {"aws_lambda_permission"},
    Question.NETWORK: _SECURITY_GROUPS | _OPEN | frozenset(RESOURCE_POLICIES) | {"aws_lambda_permission"},
}
