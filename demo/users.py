"""`python -m demo.users`: a user pool and its users, changed by hand; what docs/get-started.md does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click


@contextmanager
def _told() -> Iterator[None]:
    """A refusal of AWS's, or an AWS that is not there, is one line."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as fault:
        raise click.ClickException(" ".join(str(fault).split())) from None


class _Pool:
    """The pool that ARN names, in whichever AWS the environment names."""

    def __init__(self, arn: str) -> None:
        import boto3  # half a second: --help does without

        self._client: Any = boto3.client("cognito-idp", region_name=arn.split(":")[3])
        self._pool_id = arn.rpartition("/")[2]

    def call(self, action: str, username: str, **parameters: Any) -> None:
        """Call one of Cognito's Admin actions on a user."""
        with _told():
            getattr(self._client, f"admin_{action}")(UserPoolId=self._pool_id, Username=username, **parameters)


_arn = click.option("--arn", envvar="ARN", required=True, help="The user pool; default: the variable ARN.")


def _pairs(texts: tuple[str, ...]) -> list[dict[str, str]]:
    found = [text.partition("=") for text in texts]
    if bad := [name for name, equals, _ in found if not equals]:
        raise click.UsageError(f"{bad[0]!r} is no attribute; expected NAME=VALUE, such as email=fatima@example.com")
    return [{"Name": name, "Value": value} for name, _, value in found]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Make a user pool and change its users, in the AWS that AWS_ENDPOINT_URL and the credentials name."""


@main.command()
@click.option("--region", envvar=["AWS_REGION", "AWS_DEFAULT_REGION"], default="eu-central-1", show_default=True)
@click.argument("name")
def pool(name: str, *, region: str) -> None:
    """Create a user pool called NAME and print its ARN."""
    import boto3

    client: Any = boto3.client("cognito-idp", region_name=region)
    with _told():
        click.echo(client.create_user_pool(PoolName=name)["UserPool"]["Arn"])


@main.command()
@_arn
@click.argument("username")
@click.argument("attributes", nargs=-1, metavar="[NAME=VALUE]...")
def create(arn: str, username: str, attributes: tuple[str, ...]) -> None:
    """Create a user, as an administrator does."""
    _Pool(arn).call("create_user", username, UserAttributes=_pairs(attributes), MessageAction="SUPPRESS")


@main.command()
@_arn
@click.argument("username")
@click.argument("attributes", nargs=-1, required=True, metavar="NAME=VALUE...")
def update(arn: str, username: str, attributes: tuple[str, ...]) -> None:
    """Change attributes of a user."""
    _Pool(arn).call("update_user_attributes", username, UserAttributes=_pairs(attributes))


@main.command()
@_arn
@click.argument("username")
def disable(arn: str, username: str) -> None:
    """Disable a user."""
    _Pool(arn).call("disable_user", username)


@main.command()
@_arn
@click.argument("username")
def delete(arn: str, username: str) -> None:
    """Delete a user."""
    _Pool(arn).call("delete_user", username)


if __name__ == "__main__":
    main(prog_name="python -m demo.users")
