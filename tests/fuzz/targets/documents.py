"""Manifests: YAML text, as people and templates write it."""

from __future__ import annotations

from random import Random

from adapter.errors import ConfigError
from adapter.manifest import environment, parse
from tests.fuzz.engine import FuzzTarget, promise
from tests.fuzz.mutate import binary
from tests.fuzz.targets.texts import CANARY, POOL

_HEAD = (
    "apiVersion: sources.triggermesh.io/v1alpha1\nkind: AWSCognitoUserPoolSource\nmetadata: {name: customers}\nspec:\n"
)
_SAMPLES = (
    f"{_HEAD}  arn: {POOL}\n  sink: {{uri: https://example.com}}\n",
    (
        f"{_HEAD}  arn: {POOL}\n  sink: {{uri: https://example.com}}\n  auth:\n    credentials:\n"
        f"      accessKeyID: {{value: AKIAX}}\n      secretAccessKey: {{value: {CANARY}}}\n"
    ),
    (
        f"{_HEAD}  arn: {POOL}\n  sink: {{uri: https://example.com}}\n  auth:\n    credentials:\n"
        f"      accessKeyID: AKIAX\n      secretAccessKey: {CANARY}\n"
    ),
    (
        f"{_HEAD}  arn: {POOL}\n  sink: {{sqs: {{queueArn: 'arn:aws:sqs:eu-central-1:123456789012:q'}}}}\n"
        "  polling: {maxRps: 5, minSeconds: 1, maxSeconds: 60}\n  delivery: {retry: 3, backoffDelay: PT0.2S}\n"
    ),
    (
        f"{_HEAD}  arn: &a {POOL}\n  sink: {{ref: {{apiVersion: v1, kind: Broker, name: x}}}}\n  adapterOverrides:\n"
        "    env: [{name: K_SINK_TIMEOUT, value: '5'}]\n  events: {initial: snapshot, attributes: [sub]}\n"
    ),
    (
        f"{_HEAD}  arn: {POOL}\n  sink: {{eventBridge: {{create: bus}}}}\n---\napiVersion: cognito-source/v1alpha1\n"
        "kind: CognitoSourceDeployment\nspec: {}\n"
    ),
)
_TOKENS = (
    *(
        "  ",
        "\n",
        "\n  ",
        "\n---\n",
        "...\n",
        "- ",
        ": ",
        "? ",
        "# ",
        "|\n",
        ">-\n",
        "&a ",
        "*a",
        "<<: *a\n",
        "!!int ",
        "!x ",
    ),
    *(
        "!!python/object:os.system ",
        "!!binary ",
        "!!set ",
        "%YAML 9.9\n",
        "%TAG ! x\n",
        '"\\U00110000"',
        '"\\ud800"',
        "{}",
    ),
    *(
        "0x" + "f" * 5_000,
        "0o7",
        "0b",
        "1:1:1",
        "1" + ":1" * 200 + ".0",
        ".inf",
        ".nan",
        "-.INF",
        "1e400",
        "2026-01-01",
        "~",
    ),
    *("true", "yes", "=", "<<", "value", "name", "sink", "uri", "spec", "arn", "delivery", "&a [*a]", "&a {x: *a}"),
)
_KIT = binary([sample.encode() for sample in _SAMPLES], [token.encode() for token in _TOKENS], 8_000)
_TOLD = tuple(
    f"\n    credentials:\n      accessKeyID: {key}\n      secretAccessKey: {secret}\n".encode()
    for key, secret in (("{value: AKIAX}", f"{{value: {CANARY}}}"), ("AKIAX", CANARY))
)


def _make(rng: Random) -> bytes:
    return _KIT.make(rng)


def _manifest(raw: bytes) -> None:
    manifest = parse(raw, "source.yaml")
    promise(manifest.sources, "a manifest has a source")
    promise(CANARY not in repr(manifest), "a manifest's repr holds no secret")
    promise(CANARY not in "".join(manifest.warnings), "a warning quotes no secret")
    for source in manifest.sources:
        promise(str(source.pool) == source.spec.arn, "the pool is the one of the manifest")
        for name, value in environment(source).items():
            promise("\0" not in name + value and "=" not in name, "a process can be given the variables")
            f"{name}={value}".encode()


def _secret(raw: bytes) -> str:
    """A secret where people write it; elsewhere it is just a word."""
    return CANARY if any(line in raw for line in _TOLD) and raw.count(CANARY.encode()) == 1 else ""


TARGETS = (FuzzTarget(name="manifest", make=_make, parse=_manifest, refusals=(ConfigError,), secret=_secret),)
