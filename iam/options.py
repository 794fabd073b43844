"""What the commands have in common: their options, how they reach AWS, how they preview, do and report."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import click

from adapter.arn import ArnError, PoolArn, parse_pool_arn
from adapter.errors import ConfigError
from iam import apply, permissions, show
from iam.aws import Aws
from iam.aws import connect as connect_to_aws
from iam.clock import Clock, SystemClock
from iam.errors import IamError, InputError
from iam.plan import Plan, RestoreSecret
from iam.policy import PolicyError

INTERRUPTED = 130
_F = TypeVar("_F", bound=Callable[..., Any])
_DURATION = re.compile(r"([0-9]{1,9})(s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def _connect(profile: str | None, region: str | None) -> Aws:
    # botocore knows AWS_DEFAULT_REGION only; every other tool of AWS prefers AWS_REGION.
    return connect_to_aws(profile, region or os.environ.get("AWS_REGION"))


@dataclass
class Edges:
    """What the commands reach the world through; tests put their own in."""

    connect: Callable[[str | None, str | None], Aws] = _connect
    clock: Clock = field(default_factory=SystemClock)


class Commands(click.Group):
    """A group whose errors become one line on stderr and an exit code; no traceback, which could show a key."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; see `click.Group.invoke`."""
        try:
            return super().invoke(ctx)
        except (IamError, PolicyError) as error:
            click.echo(f"error: {error}", err=True)
            ctx.exit(getattr(error, "exit_code", 2))
        except KeyboardInterrupt:
            click.echo("interrupted; run the same command to continue", err=True)
            ctx.exit(INTERRUPTED)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:  # noqa: BLE001 - the outermost boundary: a traceback could quote what must not be seen
            click.echo(f"error: unexpected {type(error).__name__}; run the same command to continue", err=True)
            ctx.exit(1)


class Duration(click.ParamType[float]):
    """A duration like 90d, 12h, 15m or 30s, as seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """See `click.ParamType.convert`."""
        if isinstance(value, int | float):
            return float(value)
        found = _DURATION.fullmatch(str(value))
        if not found:
            self.fail(f"{value!r} is no duration; expected a number and s, m, h or d, like 90d or 15m", param, ctx)
        return float(int(found[1]) * _SECONDS[found[2]])


def connection(command: _F) -> _F:
    """Options of every command that calls AWS."""
    command = click.option("--profile", help="Profile of the AWS configuration to use.")(command)
    return click.option(
        "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Output format."
    )(command)


def region_option(command: _F) -> _F:
    """The region, for commands that are given no ARN to take it from."""
    return click.option("--region", help="Region of the IAM endpoint (for its partition) and of --secret-id.")(command)


def dry_run_option(command: _F) -> _F:
    """Preview."""
    return click.option("--dry-run", is_flag=True, help="Print the plan without executing it.")(command)


def read_pools(arns: Sequence[str], manifest: str | None) -> tuple[PoolArn, ...]:
    """The pools of the arguments and of a manifest.

    Raises:
        InputError: an ARN or the manifest is wrong; one line for each problem.
    """
    texts = list(arns)
    problems: list[str] = []
    if manifest:
        from adapter.manifest import load  # the commands without --manifest don't need it

        try:
            texts += [source.spec.arn for source in load(manifest)]
        except ConfigError as error:
            problems += error.problems
    pools: dict[PoolArn, None] = {}
    for text in texts:
        try:
            pools[parse_pool_arn(text)] = None
        except ArnError as error:
            problems.append(f"ARN: {error}")
    if not pools and not problems:
        problems.append("no user pool: give at least one ARN, or --manifest")
    if problems:
        raise InputError("\nerror: ".join(problems))
    return tuple(pools)


def say(text: str) -> None:
    """Progress, to stderr."""
    click.echo(text, err=True)


def carry_out(plan: Plan, aws: Aws, clock: Clock, *, dry_run: bool, output: str) -> bool:
    """Print the plan, or check the caller's permissions and do it; returns whether it was done.

    Raises:
        IamError: a permission is missing (nothing was changed), or a step failed.
    """
    note = permissions.check(aws, plan.needs)
    if note:
        say(f"note: {note}")
    if dry_run:
        click.echo(show.as_json(show.plan_value(plan)) if output == "json" else show.plan_text(plan))
        return False
    for remark in plan.remarks:
        say(remark)
    apply.apply(plan, aws, clock, lambda sentence: say(f"- {sentence}"))
    return True


def restore_first(plan: Plan, edges: Edges, aws: Aws, *, dry_run: bool, output: str) -> bool:
    """Restore a secret that must be read before the rest can be planned; returns whether that was done."""
    why = "the secret holds what was not written here: the rest is planned when it can be read again"
    steps = tuple(step for step in plan.steps if isinstance(step, RestoreSecret))
    return carry_out(Plan(steps, (why,)), aws, edges.clock, dry_run=dry_run, output=output)
