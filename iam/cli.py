"""The command line `python -m iam`: data to stdout, progress to stderr, one line for an error.

Exit codes: 0 done, 1 an AWS call failed or a check found something wrong, 2 wrong input or refused.
"""

from __future__ import annotations

from typing import Any

import click

from iam.aws import BotoAws
from iam.errors import IamError
from iam.mint import mint as mint_key


class Commands(click.Group):
    """A group whose expected errors become one line on stderr and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; see `click.Group.invoke`."""
        try:
            return super().invoke(ctx)
        except IamError as error:
            click.echo(f"error: {error}", err=True)
            ctx.exit(error.exit_code)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """The credentials of a source, for their whole life.

    Nobody ever sees the secret key: it goes from IAM straight into Secrets Manager.
    """


@main.command()
@click.option("--user-name", required=True, help="The IAM user that gets the key.")
@click.option("--secret-id", required=True, help="Name or ARN of the secret that the key goes into.")
@click.option("--region", help="The secret's region; taken from its ARN when --secret-id is one.")
@click.option("--profile", help="Profile of the AWS configuration to use.")
def mint(user_name: str, secret_id: str, region: str | None, profile: str | None) -> None:
    """Put a new access key of an existing user into an existing secret.

    Prints nothing when all is well. Does nothing when the secret already holds an active key of the user. Deletes keys
    of the user that an earlier, failed run left behind.
    """
    mint_key(BotoAws(profile, region), user_name, secret_id, region)
