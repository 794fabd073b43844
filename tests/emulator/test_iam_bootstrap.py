"""`python -m iam bootstrap` against the emulated AWS, with IAM policies enforced."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.emulator.iam_world import NAME, IamWorld, world

__all__ = ["world"]


def test_one_command_makes_a_working_key_that_nobody_sees(world: IamWorld) -> None:
    done = world.bootstrap()
    key = world.secret()
    assert world.key_states() == {key.key_id: "Active"}
    assert world.works(key)
    assert key.secret not in done.output
    assert key.key_id in done.stdout


def test_a_second_run_changes_nothing(world: IamWorld) -> None:
    world.bootstrap()
    before = world.snapshot()
    again = world.bootstrap()
    assert world.snapshot() == before
    assert "nothing had to be changed" in again.stderr
    assert {action for action, _ in world.calls} == {
        "sts:GetCallerIdentity",
        "iam:GetUser",
        "iam:ListAccessKeys",
        "iam:ListAttachedUserPolicies",
        "iam:GetPolicy",
        "iam:GetPolicyVersion",
        "iam:ListPolicyVersions",
        "iam:SimulatePrincipalPolicy",
        "secretsmanager:DescribeSecret",
        "secretsmanager:GetSecretValue",
        "cognito-idp:ListUsers",
    }


def test_a_dry_run_prints_the_steps_and_changes_nothing(world: IamWorld) -> None:
    before = world.snapshot()
    printed = world.bootstrap("--dry-run")
    assert world.snapshot() == before
    done = world.bootstrap()
    promised = [line[4:].removesuffix("  (changes nothing)") for line in printed.stdout.splitlines()]
    assert promised == [line[2:] for line in done.stderr.splitlines() if line.startswith("- ")]


def test_a_dry_run_in_json_names_the_permission_of_each_step(world: IamWorld) -> None:
    plan = json.loads(world.bootstrap("--dry-run", "--output", "json").stdout)
    needs = {need["action"]: need["resource"] for step in plan["steps"] for need in step["needs"]}
    assert needs["iam:CreateUser"] == f"arn:aws:iam::{world.aws.account}:user/cognito-source/{NAME}"
    assert needs["secretsmanager:PutSecretValue"].endswith(f":secret:cognito-source/{NAME}-??????")


def test_the_result_can_be_pasted_into_the_manifest(world: IamWorld, tmp_path: Path) -> None:
    from adapter.manifest import load

    pasted = world.bootstrap().stdout.partition("\n\n")[2]
    manifest = tmp_path / "source.yaml"
    head = "apiVersion: sources.triggermesh.io/v1alpha1\nkind: AWSCognitoUserPoolSource\nmetadata:\n  name: users\n"
    manifest.write_text(head + pasted + "\n  sink:\n    uri: https://example.com\n")
    (source,) = load(manifest)
    assert source.spec.arn == world.pool
    assert source.spec.credentials.mode == "existing"
    assert source.spec.credentials.secret_arn == json.loads(world.bootstrap("--output", "json").stdout)["secret"]


def test_the_pools_of_a_manifest_are_taken(world: IamWorld, tmp_path: Path) -> None:
    manifest = tmp_path / "source.yaml"
    manifest.write_text(
        "apiVersion: sources.triggermesh.io/v1alpha1\nkind: AWSCognitoUserPoolSource\nmetadata: {name: users}\n"
        f"spec: {{arn: '{world.pool}', sink: {{uri: 'https://example.com'}}}}\n"
    )
    result = json.loads(world.run("bootstrap", "--manifest", str(manifest), "--output", "json").stdout)
    assert result["pools"] == [world.pool]
    assert result["user"].endswith(f":user/cognito-source/cognito-source-{world.pool.rpartition('/')[2]}")


def test_pools_of_several_regions_share_one_key(world: IamWorld) -> None:
    other = world.aws.create_pool("other", "us-west-2")
    foreign = world.aws.create_pool("foreign", "us-west-2")
    world.run("bootstrap", world.pool, other, "--name", NAME)
    key = world.secret()
    assert [world.works(key, pool) for pool in (world.pool, other, foreign)] == [True, True, False]


def test_another_partition_is_served_from_end_to_end(world: IamWorld) -> None:
    pool = world.aws.create_pool("pool", "us-gov-west-1")
    result = json.loads(world.run("bootstrap", pool, "--name", NAME, "--output", "json").stdout)
    for arn in (result["user"], result["secret"], *result["policies"], *result["pools"]):
        assert arn.startswith("arn:aws-us-gov:")
    assert world.run("verify", NAME, "--region", "us-gov-west-1").exit_code == 0
    world.run("rotate", NAME, "--region", "us-gov-west-1")
    assert world.run("revoke", NAME, "--yes", "--region", "us-gov-west-1").exit_code == 0


def test_the_plan_for_a_partition_names_only_that_partition(world: IamWorld) -> None:
    pool = f"arn:aws-cn:cognito-idp:cn-north-1:{world.aws.account}:userpool/cn-north-1_AbCdEfGhI"
    printed = world.run("bootstrap", pool, "--name", NAME, "--dry-run", "--output", "json").stdout
    assert "arn:aws-cn:iam::" in printed
    assert "arn:aws:" not in printed


def test_a_pool_that_joins_later_is_added_to_the_policy(world: IamWorld) -> None:
    world.bootstrap()
    key = world.secret()
    other = world.aws.create_pool("other")
    world.run("bootstrap", world.pool, other, "--name", NAME)
    assert world.secret() == key
    assert world.works(key, other)


def test_a_pool_that_leaves_is_taken_out_of_the_policy(world: IamWorld) -> None:
    other = world.aws.create_pool("other")
    world.run("bootstrap", world.pool, other, "--name", NAME)
    world.bootstrap()
    assert world.works(world.secret())
    assert not world.works(world.secret(), other)


def test_a_policy_that_was_changed_many_times_makes_room_for_its_next_version(world: IamWorld) -> None:
    other = world.aws.create_pool("other")
    for number in range(8):
        world.run("bootstrap", world.pool, *([other] if number % 2 else []), "--name", NAME)
    assert world.works(world.secret(), other)
    arn = f"arn:aws:iam::{world.aws.account}:policy/cognito-source/{NAME}-list-users"
    assert len(world.client("iam").list_policy_versions(PolicyArn=arn)["Versions"]) <= 5


def test_hundreds_of_pools_are_granted_by_several_policies_and_shrink_again(world: IamWorld) -> None:
    ids = [f"eu-central-1_{number:09}" for number in range(300)]
    arns = [f"arn:aws:cognito-idp:eu-central-1:{world.aws.account}:userpool/{each}" for each in ids]
    result = world.run("bootstrap", world.pool, *arns, "--name", NAME, "--wait", "1s", ok=False)
    assert "there is no user pool" in result.stderr
    attached = world.client("iam").list_attached_user_policies(UserName=NAME)["AttachedPolicies"]
    assert len(attached) >= 4
    world.bootstrap()
    attached = world.client("iam").list_attached_user_policies(UserName=NAME)["AttachedPolicies"]
    assert [policy["PolicyName"] for policy in attached] == [f"{NAME}-list-users"]
    assert len(world.client("iam").list_policies(Scope="Local")["Policies"]) == 1


def test_a_policy_that_a_cut_off_run_only_detached_is_found_and_deleted(world: IamWorld) -> None:
    ids = [f"eu-central-1_{number:09}" for number in range(100)]
    arns = [f"arn:aws:cognito-idp:eu-central-1:{world.aws.account}:userpool/{each}" for each in ids]
    world.run("bootstrap", world.pool, *arns, "--name", NAME, "--wait", "1s", ok=False)
    assert len(world.client("iam").list_policies(Scope="Local")["Policies"]) == 2

    def cut(action: str) -> None:
        if action == "iam:DeletePolicy":
            raise KeyboardInterrupt

    world.before = cut
    assert world.bootstrap(ok=False).exit_code == 130
    world.before = lambda _: None
    world.bootstrap()
    assert len(world.client("iam").list_policies(Scope="Local")["Policies"]) == 1


def test_names_at_their_length_limits_work(world: IamWorld) -> None:
    name, path, secret = "n" * 64, f"/{'p' * 510}/", "s" * 220
    world.run("bootstrap", world.pool, "--name", name, "--path", path, "--secret-name", secret)
    world.run("bootstrap", world.pool, "--name", name, "--path", path, "--secret-name", secret)
    world.run("verify", name)
    world.run("revoke", name, "--yes")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--name", "n" * 65], "is no name of an IAM user"),
        (["--name", "a b"], "is no name of an IAM user"),
        (["--path", "no-slash"], "is no IAM path"),
        (["--secret-name", "s" * 221], "is no name for the secret"),
        (["--tag", "novalue"], "is no KEY=VALUE"),
        (["--tag", "cognito-source:managed-by=me"], "not yours to set"),
        (["--wait", "soon"], "is no duration"),
        (["--boundary", "AdministratorAccess"], "is no ARN of a managed policy"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_asked_of_aws(
    world: IamWorld, arguments: list[str], message: str
) -> None:
    done = world.run("bootstrap", world.pool, *arguments, ok=False)
    assert done.exit_code == 2
    assert message in done.stderr
    assert world.calls == []


def test_every_bad_arn_is_named_on_a_line_of_its_own(world: IamWorld) -> None:
    done = world.run("bootstrap", "arn:aws:s3:::bucket", world.pool[:-3] + "*", ok=False)
    assert done.exit_code == 2
    lines = done.stderr.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("error: ARN: ") for line in lines)
    assert "wildcard" in lines[1]


def test_several_pools_need_a_name(world: IamWorld) -> None:
    done = world.run("bootstrap", world.pool, world.pool[:-1], ok=False)
    assert (done.exit_code, done.stderr) == (2, "error: several pools: name their user with --name\n")


def test_pools_of_another_account_are_refused_before_anything_is_changed(world: IamWorld) -> None:
    before = world.snapshot()
    done = world.run("bootstrap", world.pool.replace(world.aws.account, "999999999999"), ok=False)
    assert done.exit_code == 2
    assert "the caller is in the account 123456789012 (aws), the pools are in 999999999999 (aws)" in done.stderr
    assert world.snapshot() == before


@pytest.mark.parametrize("tags", [[], [{"Key": "ManagedBy", "Value": "cdktf"}]])
def test_a_user_that_is_not_ours_is_left_alone(world: IamWorld, tags: list[dict[str, str]]) -> None:
    world.client("iam").create_user(UserName=NAME, Tags=tags)
    before = world.snapshot()
    done = world.bootstrap(ok=False)
    assert done.exit_code == 2
    assert ("is managed by a stack" if tags else "was not made by us") in done.stderr
    assert world.snapshot() == before


def test_a_secret_that_is_not_ours_is_left_alone(world: IamWorld) -> None:
    world.client("secretsmanager").create_secret(Name=f"cognito-source/{NAME}", SecretString="other")
    before = world.snapshot()
    done = world.bootstrap(ok=False)
    assert done.exit_code == 2
    assert "the secret" in done.stderr
    assert "was not made by us" in done.stderr
    assert world.snapshot() == before


def test_a_policy_that_is_not_ours_is_left_alone(world: IamWorld) -> None:
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}]}
    world.client("iam").create_policy(
        PolicyName=f"{NAME}-list-users", Path="/cognito-source/", PolicyDocument=json.dumps(document)
    )
    before = world.snapshot()
    assert "was not made by us" in world.bootstrap(ok=False).stderr
    assert world.snapshot() == before


def test_another_secret_for_a_user_that_has_one_is_refused(world: IamWorld) -> None:
    world.bootstrap()
    done = world.bootstrap("--secret-name", "elsewhere", ok=False)
    assert done.exit_code == 2
    assert "keeps its key in eu-central-1/cognito-source/reader, not in eu-central-1/elsewhere" in done.stderr


def test_tags_and_the_kms_key_are_given_to_what_is_created(world: IamWorld) -> None:
    world.bootstrap("--tag", "team=identity", "--kms-key", "alias/ours")
    secret = world.client("secretsmanager").describe_secret(SecretId=f"cognito-source/{NAME}")
    assert {"Key": "team", "Value": "identity"} in secret["Tags"]
    assert secret["KmsKeyId"] == "alias/ours"
    assert {"Key": "team", "Value": "identity"} in world.client("iam").list_user_tags(UserName=NAME)["Tags"]


def test_tags_and_the_kms_key_are_given_to_what_is_there_already(world: IamWorld) -> None:
    world.bootstrap("--tag", "team=identity", "--tag", "stage=test")
    key = world.secret()
    done = world.bootstrap("--tag", "team=platform", "--tag", "stage=test", "--kms-key", "alias/ours")
    assert "- tag the user reader: team=platform\n" in done.stderr
    assert "needs kms:Decrypt on that key from then on" in done.stderr
    iam, secrets = world.client("iam"), world.client("secretsmanager")
    (policy,) = iam.list_policies(Scope="Local")["Policies"]
    secret = secrets.describe_secret(SecretId=f"cognito-source/{NAME}")
    for tags in (
        secret["Tags"],
        iam.list_user_tags(UserName=NAME)["Tags"],
        iam.list_policy_tags(PolicyArn=policy["Arn"])["Tags"],
    ):
        found = {tag["Key"]: tag["Value"] for tag in tags}
        assert (found["team"], found["stage"]) == ("platform", "test")
        assert found["cognito-source:managed-by"] == "iam"
    assert secret["KmsKeyId"] == "alias/ours"
    assert world.secret() == key
    before = world.snapshot()
    again = world.bootstrap("--tag", "team=platform", "--kms-key", "alias/ours")
    assert "nothing had to be changed" in again.stderr
    assert world.snapshot() == before


def test_the_boundary_is_given_to_the_user(world: IamWorld) -> None:
    boundary = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
    plan = json.loads(world.bootstrap("--boundary", boundary, "--dry-run", "--output", "json").stdout)
    (created,) = [step["do"] for step in plan["steps"] if step["kind"] == "CreateUser"]
    assert created.endswith(f", with the permissions boundary {boundary}")
    world.bootstrap("--boundary", boundary)


def test_after_revoke_the_secret_is_restored_with_a_new_key(world: IamWorld) -> None:
    world.bootstrap()
    old = world.secret()
    world.run("revoke", NAME, "--yes")
    world.bootstrap()
    assert world.works(world.secret())
    assert world.secret() != old


def test_the_new_key_is_waited_for_while_iam_spreads_the_news(world: IamWorld) -> None:
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "cognito-idp:*", "Resource": "*"}]}

    def deny(action: str) -> None:
        if action == "iam:CreateAccessKey":
            world.client("iam").put_user_policy(UserName=NAME, PolicyName="late", PolicyDocument=json.dumps(document))

    def allow(_: float) -> None:
        if world.clock.slept > 20:
            world.client("iam").delete_user_policy(UserName=NAME, PolicyName="late")
            world.clock.during_sleep = lambda _: None

    world.before, world.clock.during_sleep = deny, allow
    world.bootstrap()
    assert 20 < world.clock.slept < 60
    assert world.works(world.secret())


def test_a_key_that_never_works_is_reported_and_the_next_run_goes_on_with_it(world: IamWorld) -> None:
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "cognito-idp:*", "Resource": "*"}]}

    def deny(action: str) -> None:
        if action == "iam:CreateAccessKey":
            world.client("iam").put_user_policy(UserName=NAME, PolicyName="deny", PolicyDocument=json.dumps(document))

    world.before = deny
    failed = world.bootstrap(ok=False)
    assert failed.exit_code == 1
    assert "still can't list" in failed.stderr
    assert 100 < world.clock.slept < 125
    (key_id,) = world.key_states()
    world.client("iam").delete_user_policy(UserName=NAME, PolicyName="deny")
    world.bootstrap()
    assert list(world.key_states()) == [key_id]
