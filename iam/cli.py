"""The command line `python -m iam`: data to stdout, progress to stderr, one line for an error.

Exit codes: 0 done, 1 an AWS call failed or a check found something wrong, 2 wrong input or refused, 3 a rotation is due
(`rotate --every ... --check`), 130 interrupted.
"""

from __future__ import annotations

import click

from adapter.version import VERSION
from iam import names, secret, show
from iam.aws import Aws
from iam.bootstrap import Wanted, foreign, plan_bootstrap, secret_ref
from iam.errors import IamError, InputError, RefusedError
from iam.find import (
    check_account,
    left_of,
    observe_wanted,
    recorded_secret,
    refuse_to_rotate,
    the_only_user,
    user_and_secret,
)
from iam.mint import mint as mint_key
from iam.names import BY_CLI
from iam.observe import Observed, named_policies, pools_of, read_user
from iam.options import (
    Commands,
    Duration,
    Edges,
    carry_out,
    connection,
    dry_run_option,
    read_pools,
    region_option,
    restore_first,
    say,
)
from iam.policy import policy_documents
from iam.revoke import plan_revoke
from iam.rotate import Keyring, due, plan_rotation
from iam.status import status as read_status
from iam.verify import foreign_grants
from iam.verify import verify as verify_key

DUE = 3


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="cognito-source", message="%(prog)s %(version)s")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Create, rotate, verify and revoke the credentials of a source.

    The secret key goes from IAM straight into Secrets Manager and is never shown.
    """
    ctx.ensure_object(Edges)


@main.command()
@click.argument("arns", metavar="ARN...", nargs=-1)
@click.option("--manifest", help="Also use the pools of this manifest.")
@click.option("--name", help="Name of the IAM user.  [default: cognito-source-POOL_ID]")
@click.option("--secret-name", help="Name of the secret.  [default: cognito-source/NAME]")
@click.option("--region", help="Region of the secret.  [default: that of the first pool]")
@click.option("--path", help=f"IAM path of the user and its policies.  [default: {names.DEFAULT_PATH}]")
@click.option("--boundary", help="ARN of the policy that is the user's permissions boundary.")
@click.option("--kms-key", help="KMS key (ARN, id or alias) that encrypts the secret.  [default: AWS's own]")
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="Tag for all created resources (repeatable).")
@click.option(
    "--wait", type=Duration(), default="2m", show_default=True, help="How long to wait until the new key works."
)
@dry_run_option
@connection
@click.pass_obj
def bootstrap(
    edges: Edges,
    arns: tuple[str, ...],
    manifest: str | None,
    name: str | None,
    secret_name: str | None,
    region: str | None,
    path: str | None,
    boundary: str | None,
    kms_key: str | None,
    tags: tuple[str, ...],
    wait: float,
    dry_run: bool,  # noqa: FBT001 - click passes options by name
    profile: str | None,
    output: str,
) -> None:
    """Create user, policy, secret and key for user pools. Then proves that the key works.

    Idempotent: a second run changes nothing, a run after a failure completes. Resources of a stack are not changed.

    \b
      python -m iam bootstrap ARN --tag team=identity
      python -m iam bootstrap --manifest source.yaml --dry-run
    """  # noqa: D301 - click's mark for lines that it must not join
    pools = read_pools(arns, manifest)
    if not name and len(pools) > 1:
        raise InputError("several pools: name their user with --name")
    user_name = names.check_user_name(name or names.default_user_name(pools[0]))
    wanted = Wanted(
        name=user_name,
        pools=pools,
        region=region or pools[0].region,
        secret_name=names.check_secret_name(secret_name or names.default_secret_name(user_name)),
        path=names.check_path(path) if path else None,
        boundary=names.check_boundary(boundary) if boundary else None,
        kms_key=kms_key,
        tags=names.check_tags(_pairs(tags)),
        verify_wait_s=wait,
    )
    policy_documents(pools)  # refuses what no user can be given, before anything is asked of AWS
    aws = edges.connect(profile, wanted.region)
    check_account(aws, wanted)
    found = observe_wanted(aws, wanted, edges.clock.now())
    plan = plan_bootstrap(wanted, found)
    if found.unread:
        if not restore_first(plan, edges, aws, dry_run=dry_run, output=output):
            return
        found = observe_wanted(aws, wanted, edges.clock.now())
        plan = plan_bootstrap(wanted, found)
    if not carry_out(plan, aws, edges.clock, dry_run=dry_run, output=output):
        return
    found = observe_wanted(aws, wanted, edges.clock.now())
    if not found.user or not found.secret or not found.current:
        raise IamError("AWS doesn't show what was just created yet; run the command again in a minute")
    say("nothing had to be changed" if not plan.changes else f"{len(plan.changes)} changes made")
    result = {
        "user": found.user.arn,
        "policies": [policy.arn for policy in found.policies],
        "secret": found.secret.arn,
        "key": found.current.key_id,
        "pools": [str(pool) for pool in pools],
        "changes": [step.sentence for step in plan.changes],
    }
    click.echo(show.as_json(result) if output == "json" else show.bootstrap_text(result))


@main.command()
@click.argument("name", required=False)
@click.option("--secret-id", help="The secret, if the user's tags don't name it (ARN, or a name with --region).")
@click.option("--grace", type=Duration(), default="5m", show_default=True, help="How long the old key keeps working.")
@click.option("--every", type=Duration(), help="Rotate only a key that is older than this, like 90d.")
@click.option("--check", is_flag=True, help="Change nothing; exit with 3 if a rotation is due, else 0.")
@click.option(
    "--wait", type=Duration(), default="2m", show_default=True, help="How long to wait until the new key works."
)
@region_option
@dry_run_option
@connection
@click.pass_obj
def rotate(
    edges: Edges,
    name: str | None,
    secret_id: str | None,
    grace: float,
    every: float | None,
    check: bool,  # noqa: FBT001 - click passes options by name
    wait: float,
    region: str | None,
    dry_run: bool,  # noqa: FBT001 - click passes options by name
    profile: str | None,
    output: str,
) -> None:
    """Rotate the key of the user NAME without downtime.

    The new key is AWSPENDING until it has listed every pool, then AWSCURRENT. After the grace period the old key is
    deactivated, the new one tried again, and the old one deleted. An interrupted run can be repeated.

    NAME is optional if there is only one user.

    \b
      python -m iam rotate                             # the only user
      python -m iam rotate NAME
      python -m iam rotate NAME --every 90d            # from a scheduler, every day
      python -m iam rotate NAME --every 90d --check    # is one due? exit code 3
    """  # noqa: D301 - click's mark for lines that it must not join
    aws = edges.connect(profile, region)
    name = name or _the_only_user(aws)
    user, found = user_and_secret(aws, name, secret_id, region, edges.clock.now())
    if found.secret is None:
        raise InputError(f"{user.name} has no secret: run bootstrap first")
    refuse_to_rotate(user, found)
    pools = pools_of([policy.document for policy in found.policies])
    if not pools:
        say(f"note: no policy of {user.name} names a pool: new keys are tried with sts:GetCallerIdentity only")
    secret_name, secret_region = recorded_secret(user, secret_id, region)
    ref = secret_ref(user.home, secret_name, secret_region or "", found.secret)
    ring = Keyring(user=user.name, user_arn=user.arn, secret=ref, pools=pools, wait_s=wait)
    plan = plan_rotation(ring, found, edges.clock.now(), grace_s=grace, every_s=every)
    if found.unread and not check:
        if not restore_first(plan, edges, aws, dry_run=dry_run, output=output):
            return
        _, found = user_and_secret(aws, name, secret_id, region, edges.clock.now())
        plan = plan_rotation(ring, found, edges.clock.now(), grace_s=grace, every_s=every)
    if check:
        click.echo(show.as_json(show.plan_value(plan)) if output == "json" else show.plan_text(plan))
        raise click.exceptions.Exit(DUE if plan.changes else 0)
    if not carry_out(plan, aws, edges.clock, dry_run=dry_run, output=output):
        return
    _, found = user_and_secret(aws, name, secret_id, region, edges.clock.now())
    result = {
        "user": user.arn,
        "secret": found.secret.arn if found.secret else "",
        "key": found.current.key_id if found.current else "",
        "due": due(found.current, every) if found.current and every else None,
        "changes": [step.sentence for step in plan.changes],
    }
    click.echo(show.as_json(result) if output == "json" else show.rotate_text(result))


@main.command()
@click.argument("name", required=False)
@click.option("--secret-id", help="The secret, if the user's tags don't name it (ARN, or a name with --region).")
@click.option(
    "--pool", "arns", multiple=True, metavar="ARN", help="A pool that must be allowed.  [default: the policy's]"
)
@region_option
@connection
@click.pass_obj
def verify(
    edges: Edges,
    name: str | None,
    secret_id: str | None,
    arns: tuple[str, ...],
    region: str | None,
    profile: str | None,
    output: str,
) -> None:
    """Verify what the key of the user NAME can and can't do. Exit code 1 if it can do too much or too little.

    NAME is optional if there is only one user.
    """
    aws = edges.connect(profile, region)
    name = name or _the_only_user(aws)
    user, found = user_and_secret(aws, name, secret_id, region, edges.clock.now())
    if found.secret is None:
        raise InputError(f"{user.name} has no secret: run bootstrap first")
    pools = read_pools(arns, None) if arns else pools_of([policy.document for policy in found.policies])
    if not pools:
        raise IamError(f"no policy of {user.name} names a pool: it can list none")
    checks = verify_key(aws, found, user, pools, edges.clock.now())
    click.echo(show.as_json(checks) if output == "json" else show.checks_text(checks))
    unknown = [each for each in checks if not each.known]
    if unknown:
        say(f"note: {len(unknown)} of {len(checks)} checks could not be made: {'; '.join(e.found for e in unknown)}")
    wrong = [each for each in checks if not each.ok]
    if wrong:
        raise IamError(f"{len(wrong)} of {len(checks)} checks are wrong")


@main.command()
@click.argument("name", required=False)
@click.option("--secret-name", help="The secret, if the user's tags don't name it.")
@click.option(
    "--recovery-days",
    type=click.IntRange(7, 30),
    default=30,
    show_default=True,
    help="How long the secret can be restored.",
)
@click.option("--yes", is_flag=True, help="Don't ask.")
@region_option
@dry_run_option
@connection
@click.pass_obj
def revoke(
    edges: Edges,
    name: str | None,
    secret_name: str | None,
    recovery_days: int,
    yes: bool,  # noqa: FBT001 - click passes options by name
    region: str | None,
    dry_run: bool,  # noqa: FBT001 - click passes options by name
    profile: str | None,
    output: str,
) -> None:
    """Delete the keys, the secret, the policies and the user NAME. Refuses what bootstrap did not create.

    An interrupted run can be repeated. NAME is optional if bootstrap created only one user.
    """
    aws = edges.connect(profile, region)
    if not name:
        name = the_only_user(aws, lambda user: names.managed_by(user.tags) == BY_CLI, or_remains=True)
        if name is None:
            _nothing_to_revoke("there is no user of bootstrap in this account", output)
            return
        say(f"the only user that bootstrap made here: {name}")
    user = read_user(aws, name)
    grants: list[str] = []
    if user is None:
        found, recorded = left_of(aws, name, secret_name, region)
    else:
        if (problem := foreign(f"the user {name}", user.tags)) is not None:
            raise RefusedError(problem)
        recorded, secret_region = recorded_secret(user, secret_name, region)
        policies = named_policies(aws, user.home, user.path, user)
        found = Observed(user, tuple(policies), secret.describe(aws, recorded, secret_region))
        grants = foreign_grants(aws, user)
    plan = plan_revoke(found, recorded, recovery_days=recovery_days, foreign_grants=grants, name=name)
    if not plan.steps:
        _nothing_to_revoke(
            f"there is no IAM user {name}, no policy of its own, and no secret {recorded} in use", output
        )
        return
    if not dry_run and not yes:
        say(show.plan_text(plan))
        click.confirm("Do this?", abort=True, err=True)
    if carry_out(plan, aws, edges.clock, dry_run=dry_run, output=output):
        result = {"user": user.arn if user else None, "changes": [step.sentence for step in plan.changes]}
        done = user.arn if user else f"what was left of {name}"
        click.echo(show.as_json(result) if output == "json" else f"revoked {done}")


@main.command()
@click.argument("only", metavar="[NAME]...", nargs=-1)
@click.option("--every", type=Duration(), default="90d", show_default=True, help="Maximum age of a key.")
@click.option("--region", help="Region of the IAM endpoint, for partitions other than the profile's.")
@connection
@click.pass_obj
def status(
    edges: Edges, only: tuple[str, ...], every: float, region: str | None, profile: str | None, output: str
) -> None:
    """Show all users of this tool in the account. Names pools, keys, secret, and when to rotate."""
    report = read_status(edges.connect(profile, region), every, only)
    for problem in report.problems:
        say(f"note: not all users can be seen: {problem}")
    for name in report.missing:
        say(f"note: there is no user {name}, or this tool did not create it")
    if output == "json":
        click.echo(show.as_json(report.rows))
    elif report.rows:
        click.echo(show.status_text(report.rows, edges.clock.now()))
    elif report.complete and not only:
        click.echo("no user of this tool in the account")
    if not report.complete:
        raise IamError("not everything could be read; what could be is shown")


@main.command()
@click.argument("arns", metavar="ARN...", nargs=-1)
@click.option("--manifest", help="Also use the pools of this manifest.")
def policy(arns: tuple[str, ...], manifest: str | None) -> None:
    """Print the policy for these pools.

    Makes no AWS call. If the pools need several policies, prints a JSON list.
    """
    documents = policy_documents(read_pools(arns, manifest))
    click.echo(show.as_json(documents[0] if len(documents) == 1 else documents))


@main.command()
@click.option("--user-name", required=True, help="The IAM user that gets the key.")
@click.option("--secret-id", required=True, help="Name or ARN of the secret that the key goes into.")
@click.option("--region", help="The secret's region; taken from its ARN when --secret-id is one.")
@click.option("--profile", help="Profile of the AWS configuration to use.")
@click.pass_obj
def mint(edges: Edges, user_name: str, secret_id: str, region: str | None, profile: str | None) -> None:
    """Put a new key of a user into an existing secret. The stacks run this.

    Prints nothing on success. Does nothing if the secret already holds an active key of the user. Deletes keys of the
    user that a failed run left behind.
    """
    mint_key(
        edges.connect(profile, region or secret.region_of(secret_id, None)), user_name, secret_id, region, edges.clock
    )


def _pairs(tags: tuple[str, ...]) -> dict[str, str]:
    bad = [tag for tag in tags if "=" not in tag]
    if bad:
        raise InputError(f"--tag {bad[0]!r} is no KEY=VALUE")
    return dict(tag.split("=", 1) for tag in tags)


def _nothing_to_revoke(why: str, output: str) -> None:
    say(f"nothing to do: {why}")
    if output == "json":
        click.echo(show.as_json({"user": None, "changes": []}))


def _the_only_user(aws: Aws) -> str:
    name = the_only_user(aws, lambda user: names.managed_by(user.tags) is not None)
    if name is None:
        raise InputError("this tool has no user in the account: `python -m iam bootstrap` creates one")
    say(f"the only user managed here: {name}")
    return name
