"""The text of a manifest, with comments that say what else there is. Pure."""

from __future__ import annotations

import yaml

from adapter import manifest
from adapter.arn import parse_arn
from adapter.commands.scaffold.answers import Answers
from adapter.errors import ConfigError

_HEAD = """\
# What to watch and where to send, one document per user pool.
#
#   python -m adapter doctor --manifest {file}    check everything that it needs
#   python -m adapter run --manifest {file}       watch the pool from here
#   SOURCE_MANIFEST={file} cdktf deploy           watch it from AWS (docs/deploy.md)
#
# Every field: docs/manifest.md.{schema}
apiVersion: sources.triggermesh.io/v1alpha1
kind: AWSCognitoUserPoolSource
metadata:
  name: {name}
spec:
  # The user pool to watch.
  arn: {arn}

  # Where its events go. On AWS a bus or a queue can be made: `eventBridge: {{create: users}}`, `sqs: {{create: q}}`.
  sink:
{sink}

  # What is sent: `baseline` reports only what changes from now on, `snapshot` begins with an event for every user.
  # `attributes` limits what leaves Cognito.
  events:
    initial: {initial}
    # attributes: [sub, email]

{state}
  # How often Cognito is asked: the account's default quota is 30 requests a second for all callers together.
  # polling: {{maxRps: 10, minSeconds: 1, maxSeconds: 32}}

  # How it is sent, and where it goes when the sink does not take it.
  # delivery:
  #   retry: 3
  #   deadLetterSink: {{sqs: {{create: users-dead}}}}

  # Who calls Cognito on AWS: a user with one permission, its key made at deploy time and stored in a secret only.
  # credentials: {{mode: minted}}
"""
_STATE = """\
  # Where it is remembered what was reported. To deploy on AWS remove this: there it is a table of its own.
  state:
    url: {url}
"""
_NO_STATE = """\
  # Where it is remembered what was reported: here in the file cognito-source.db, on AWS in a table of its own.
  # state: {url: "sqlite:////var/lib/cognito-source/state.db"}
"""
_SCHEMA = "\n# yaml-language-server: $schema={path}"


def compose(answers: Answers, *, file: str, schema: str = "") -> str:
    """The manifest, which was read again by the manifest's own loader.

    Args:
        answers: checked ones.
        file: how the commands in its comments call it.
        schema: the path of the JSON Schema for editors; "": there is none.

    Raises:
        ConfigError: the loader refuses it; one line for each problem.
    """
    text = _HEAD.format(
        file=file,
        schema=_SCHEMA.format(path=schema) if schema else "",
        name=_text(answers.name),
        arn=_text(answers.arn),
        sink=_sink(answers.sink),
        initial=answers.initial,
        state=_STATE.format(url=_text(answers.state_url)) if answers.state_url else _NO_STATE,
    )
    (source,) = manifest.parse(text, file).sources
    made = manifest.environment(source)
    for flag, variable, wanted in (("--sink", "K_SINK", answers.sink), ("--state", "STATE_URL", answers.state_url)):
        if made.get(variable, "") != wanted:
            raise ConfigError(f"{flag} can't be written into a manifest; set it there by hand (docs/manifest.md)")
    return text


def deployable(answers: Answers) -> str:
    """Why this can't be deployed on AWS as it is; "": it can."""
    if not answers.sink.startswith(("http://", "https://", "arn:")):
        return "a file or stdout is a sink of this machine only: give another one before you deploy"
    return "the state's URL is for this machine: remove `state` before you deploy" if answers.state_url else ""


def _sink(target: str) -> str:
    if target.startswith("arn:"):
        service = parse_arn(target).service
        field = "eventBridge: {eventBusArn: %s}" if service == "events" else "sqs: {queueArn: %s}"
        return f"    {field % _text(target)}"
    return f"    uri: {_text(target)}"


def _text(value: str) -> str:
    """A scalar as YAML has it, quoted where it could be taken for something else."""
    return yaml.safe_dump({"": value}, width=len(value) + 80, allow_unicode=True).partition(": ")[2].strip()
