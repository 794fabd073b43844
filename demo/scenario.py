"""The demo's story, chapter by chapter. `python -m demo` tells it; tests/deploy/test_demo.py listens."""

from __future__ import annotations

import base64
import json
import signal
import statistics
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from demo.console import Narrator
from emulator.aws import EmulatedAws
from emulator.deployment import MIRROR, TERRAFORM, Deployment, write_manifest
from emulator.processes import Child
from emulator.sink import Received, RecordingSink
from emulator.task import Task, resolve_secret, task_of

SETTLERS = ("amara", "bruno", "chiyo", "dmitri", "elif", "farid")
#: The longest that one event may take, in seconds: the demo's pool is swept several times a second.
EVENT_TIMEOUT_S = 30.0
HEALTHY_TIMEOUT_S = 60.0
#: How much of an event's data is shown, in characters.
_PEEK = 95
#: Faster than the defaults, so that nobody waits for the demo. All else is as a user gets it.
SPEC: dict[str, Any] = {
    "polling": {"minSeconds": 0.2, "maxSeconds": 0.5},
    # A killed task's lease has to run out before the next one may write: 30 s by default.
    "adapterOverrides": {"env": [{"name": "STATE_LEASE_SECONDS", "value": "5"}]},
    # The demo removes what it made.
    "state": {"dynamodb": {"deletionProtection": False}},
}


class StoryError(RuntimeError):
    """Something that the demo promised did not happen; the message says what."""


@dataclass
class Story:
    """What one run of the demo knows."""

    tell: Narrator
    folder: Path
    aws: EmulatedAws
    sink: RecordingSink
    pool: str
    deployment: Deployment
    outputs: dict[str, str] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    expected: int = 0

    @property
    def pool_id(self) -> str:
        """The pool's id."""
        return self.pool.rpartition("/")[2]

    @property
    def users(self) -> Any:
        """Cognito, as the administrator who changes users."""
        return self.aws.client("cognito-idp")

    def create(self, name: str) -> None:
        """Create a user."""
        attributes = [{"Name": "email", "Value": f"{name}@example.com"}]
        self.users.admin_create_user(UserPoolId=self.pool_id, Username=name, UserAttributes=attributes)

    def key(self) -> tuple[str, str]:
        """The minted key: its id and its secret."""
        client, arn = self.aws.client("secretsmanager"), self.outputs["customers-secret-arn"]
        return (
            resolve_secret(client, f"{arn}:AWS_ACCESS_KEY_ID::"),
            resolve_secret(client, f"{arn}:AWS_SECRET_ACCESS_KEY::"),
        )


def tell_story(tell: Narrator, folder: Path) -> bool:
    """Tell it from beginning to end, and clean up whatever happens.

    Returns:
        whether everything was as promised.

    Raises:
        StoryError, DeployError, EmulatorError: it could not go on.
    """
    began = time.monotonic()
    tell.line(tell.style("cognito-source", "bold") + ": every change of a Cognito user pool as a CloudEvent")
    tell.line(tell.style("Everything runs on this machine; nothing reaches AWS.", "dim"))
    with ExitStack() as stack:
        story = _prepare(tell, folder, stack)
        _deploy(story)
        good = _try_the_key(story)
        task = stack.enter_context(task_of(story.aws, story.outputs["customers-task-definition-arn"]))
        with _running(task, folder) as adapter:
            _wait_until_healthy(story, task, adapter, "starts, reads all users, remembers them: healthy")
            tell.fact("status page", f"http://127.0.0.1:{task.status_port}/", "while the demo runs")
            tell.fact(f"{len(SETTLERS)} users were there before: nothing is reported of them")
            _change_users(story)
            _kill(story, adapter)
        _miss_a_user(story)
        with _running(task, folder) as adapter:
            tell.event("+", "the adapter is started again", "")
            began_again = time.monotonic()
            _hear(story, "grace", "created", began_again, "since the restart")
            _stop(story, adapter)
        good &= _search_for_the_key(story)
        _destroy(story)
        good &= _sum_up(story, time.monotonic() - began)
    return good


def _prepare(tell: Narrator, folder: Path, stack: ExitStack) -> Story:
    tell.chapter("An AWS of its own")
    with tell.step("emulated AWS, IAM policies enforced"):
        aws = stack.enter_context(EmulatedAws.start(log=folder / "emulated-aws.log"))
        aws.enforce_iam(on=True)
    sink = stack.enter_context(RecordingSink.start())
    pool = aws.create_pool("customers")
    manifest = folder / "source.yaml"
    write_manifest(manifest, pool=pool, sink=sink.url, spec=SPEC)
    story = Story(tell, folder, aws, sink, pool, Deployment(folder / "deployment", aws, manifest))
    for name in SETTLERS:
        story.create(name)
    tell.fact("user pool", story.pool_id, f"{len(SETTLERS)} users")
    tell.fact("sink for events", sink.url)
    return story


def _deploy(story: Story) -> None:
    tell = story.tell
    shown = subprocess.run(
        [TERRAFORM, "version", "-json"],
        env=story.deployment.environment(),
        capture_output=True,
        check=False,
        timeout=60,
    )
    version = json.loads(shown.stdout or b"{}").get("terraform_version", "of this machine")
    tell.chapter(f"cdktf deploy, with Terraform {version} and HashiCorp's AWS provider")
    with tell.step("main.py synthesized, applied, the key minted"):
        story.outputs = story.deployment.deploy()
    resources = story.deployment.resources()
    tell.fact("resources", str(len(resources)), _counted(resources))
    tell.fact("IAM user", story.outputs["customers-user-name"])
    tell.fact("its key is in the secret", story.outputs["customers-secret-arn"].split(":secret:")[1])
    tell.fact("task definition", story.outputs["customers-task-definition-arn"].rpartition("/")[2])
    if MIRROR.exists():
        edits = json.loads((story.deployment.outdir / "edits.json").read_text())
        tell.fact("edited for its old provider", f"{len(edits)} places", "why: emulator/provider_downgrade.py")


def _counted(addresses: Iterable[str]) -> str:
    families = [address.split(".")[0].removeprefix("aws_").split("_")[0] for address in addresses]
    known = {"iam": "IAM", "ecs": "ECS", "ecr": "ECR", "dynamodb": "DynamoDB", "cloudwatch": "CloudWatch"}
    known |= {"security": "network", "secretsmanager": "secret", "terraform": "minted key"}
    counts: dict[str, int] = {}
    for family in families:
        name = known.get(family, family)
        counts[name] = counts.get(name, 0) + 1
    most = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    others = sum(count for _, count in most[4:])
    return ", ".join([*(f"{count} {name}" for name, count in most[:4]), *([f"{others} others"] if others else [])])


def _try_the_key(story: Story) -> bool:
    story.tell.chapter("What the minted key may do")
    key_id, secret = story.key()
    aws, pool_id = story.aws, story.pool_id
    other = aws.create_pool("somebody-elses").rpartition("/")[2]

    def as_key(service: str) -> Any:
        return aws.client_with(service, key_id, secret)

    cognito = as_key("cognito-idp")
    table, secret_arn = story.outputs["customers-table-name"], story.outputs["customers-secret-arn"]
    user = story.outputs["customers-user-name"]
    tries: list[tuple[str, bool, Callable[[], Any]]] = [
        ("ListUsers of its pool", True, lambda: cognito.list_users(UserPoolId=pool_id)),
        ("ListUsers of another pool", False, lambda: cognito.list_users(UserPoolId=other)),
        ("DescribeUserPool", False, lambda: cognito.describe_user_pool(UserPoolId=pool_id)),
        ("AdminGetUser", False, lambda: cognito.admin_get_user(UserPoolId=pool_id, Username="amara")),
        ("AdminDeleteUser", False, lambda: cognito.admin_delete_user(UserPoolId=pool_id, Username="amara")),
        ("read its own secret", False, lambda: as_key("secretsmanager").get_secret_value(SecretId=secret_arn)),
        ("read the adapter's table", False, lambda: as_key("dynamodb").scan(TableName=table)),
        ("make another key", False, lambda: as_key("iam").create_access_key(UserName=user)),
    ]
    verdicts = [_try(story, label, call, allowed=allowed) for label, allowed, call in tries]
    return all(verdicts)


def _try(story: Story, label: str, call: Callable[[], Any], *, allowed: bool) -> bool:
    try:
        call()
    except ClientError as fault:
        code = fault.response["Error"]["Code"]
        denied = code.startswith("AccessDenied")
        story.tell.check(label, "denied" if denied else "failed", good=denied and not allowed, note=code)
        return denied and not allowed
    story.tell.check(label, "allowed", good=allowed)
    return allowed


@contextmanager
def _running(task: Task, folder: Path) -> Iterator[Child]:
    adapter = task.start(folder / "adapter.log", folder / "container")
    try:
        yield adapter
    finally:
        adapter.stop()


def _wait_until_healthy(story: Story, task: Task, adapter: Child, what: str) -> None:
    story.tell.chapter("The adapter, started as the task definition says")
    names = ", ".join(sorted(each["name"] for each in task.container["secrets"]))
    story.tell.fact("from the secret", names, "read as the execution role")
    story.tell.fact("state", task.environment["STATE_URL"].partition("?")[0], "written as the task role")
    with story.tell.step(what):
        _wait(lambda: task.health() == 204, HEALTHY_TIMEOUT_S, "GET /health to answer 204", adapter, story.folder)
        code = task.health_check(story.folder / "health-check.log")
        if code:
            raise StoryError(f"the container's health check failed with exit code {code}")


def _change_users(story: Story) -> None:
    story.tell.chapter("Changes, and the events that tell them")
    users, pool_id = story.users, story.pool_id
    email = [{"Name": "email", "Value": "fatima@example.org"}]
    changes: list[tuple[str, str, Callable[[], Any]]] = [
        ("fatima is created", "created", lambda: story.create("fatima")),
        (
            "her e-mail address changes",
            "updated",
            lambda: users.admin_update_user_attributes(UserPoolId=pool_id, Username="fatima", UserAttributes=email),
        ),
        ("she is disabled", "updated", lambda: users.admin_disable_user(UserPoolId=pool_id, Username="fatima")),
        ("she is deleted", "deleted", lambda: users.admin_delete_user(UserPoolId=pool_id, Username="fatima")),
    ]
    for text, kind, change in changes:
        story.tell.event("+", text, "")
        since = time.monotonic()
        change()
        event = _hear(story, "fatima", kind, since, "after it")
        if event["changetype"] == "created":
            story.tell.line(story.tell.style(f"     {_peek(event)}", "dim"))


def _hear(story: Story, user: str, kind: str, since: float, what: str) -> Received:
    """Wait for the next event, and check that it is the one that is due."""
    story.expected += 1
    _wait(
        lambda: len(story.sink.events) >= story.expected,
        EVENT_TIMEOUT_S,
        f"the event {kind!r} of {user}",
        None,
        story.folder,
    )
    latency = time.monotonic() - since
    event = story.sink.events[story.expected - 1]
    if (event["partitionkey"], event["changetype"]) != (user, kind):
        raise StoryError(
            f"expected {kind!r} of {user}, but the sink got {event['changetype']!r} of {event['partitionkey']}"
        )
    if what == "after it":
        story.latencies.append(latency)
    story.tell.event("→", _described(event), f"{latency:.1f} s {what}  id {event['id'][:8]}…")

    return event


def _peek(event: Received) -> str:
    """The beginning of an event's data."""
    text = json.dumps(event.data, separators=(",", ":"))
    return text if len(text) <= _PEEK else text[: _PEEK - 1] + "…"


def _described(event: Received) -> str:
    changed = event.attributes.get("changed")
    parts = f" ({changed})" if changed and event["changetype"] == "updated" else ""
    return f"{event['type']:<38}{event['changetype']}{parts}"


def _kill(story: Story, adapter: Child) -> None:
    story.tell.chapter("Killed, and started again")
    adapter.signal(signal.SIGKILL)
    adapter.wait(10)
    story.tell.event("+", "the adapter is killed (SIGKILL)", "")


def _miss_a_user(story: Story) -> None:
    story.create("grace")
    story.tell.event("+", "grace is created while it is down", "")


def _stop(story: Story, adapter: Child) -> None:
    with story.tell.step("asked to stop (SIGTERM), it ends with exit code 0"):
        code = adapter.stop()
        if code:
            raise StoryError(f"after SIGTERM the adapter ended with exit code {code}, expected 0")


def _search_for_the_key(story: Story) -> bool:
    story.tell.chapter("Where the secret key is not")
    with story.tell.step("planned once more: nothing would change"):
        changed = [address for _, plan in story.deployment.plan("again") for address in changes_of(plan)]
        if changed:
            raise StoryError(f"a second deployment would change {', '.join(changed)}")
    secret = story.key()[1]
    definition = story.aws.client("ecs").describe_task_definition(
        taskDefinition=story.outputs["customers-task-definition-arn"]
    )
    places = [*story.deployment.files(), ("task definition", json.dumps(definition, default=str).encode())]
    places += [(path.name, path.read_bytes()) for path in sorted(story.folder.glob("*.log"))]
    found = [name for name, content in places if any(form in content for form in forms_of(secret))]
    verdict = "nowhere" if not found else f"in {found[0]}"
    label = f"searched {len(places)} files and their parts"
    story.tell.check(label, verdict, good=not found, note="state, plans, logs, outputs, task definition")
    return not found


def changes_of(plan: Mapping[str, Any]) -> list[str]:
    """The addresses of the resources that a plan would change."""
    changes = plan.get("resource_changes", [])
    return [each["address"] for each in changes if each["change"]["actions"] not in (["no-op"], ["read"])]


def forms_of(secret: str) -> tuple[bytes, ...]:
    """What a secret may look like in a file: as it is, escaped for JSON, in base64 at each of its three offsets."""
    raw = secret.encode()
    escaped = json.dumps(secret)[1:-1].encode()
    # JSON allows a slash to be escaped, and Go escapes these three.
    go = escaped.replace(b"&", b"\\u0026").replace(b"<", b"\\u003c").replace(b">", b"\\u003e")
    padded = (base64.b64encode(b"\0" * offset + raw) for offset in range(3))
    # The first and last groups hold bits of the neighbours.
    middles = tuple(text[4 if offset else 0 : len(text) // 4 * 4 - 4] for offset, text in enumerate(padded))
    return (raw, escaped, go, raw.replace(b"/", b"\\/"), *middles)


def _destroy(story: Story) -> None:
    story.tell.chapter("cdktf destroy")
    with story.tell.step("everything that was deployed is removed"):
        story.deployment.destroy()
    left = story.deployment.resources()
    if left:
        raise StoryError(f"destroy left {', '.join(left)}")


def _sum_up(story: Story, took: float) -> bool:
    events = story.sink.events
    ids = {(event["source"], event["id"]) for event in events}
    surplus = len(events) - story.expected
    tell = story.tell
    tell.line()
    tell.line(tell.style("Summary", "bold"))
    lost = story.expected - len(ids)
    tell.fact("changes made", str(story.expected))
    tell.fact("events received", str(len(events)), f"{surplus} duplicates, {lost} lost")
    slowest = f"median; the slowest {max(story.latencies):.1f} s"
    tell.fact("from change to event", f"{statistics.median(story.latencies):.1f} s", slowest)
    tell.fact("the whole demo", f"{took:.0f} s")
    return surplus == 0 and len(ids) == story.expected


def _wait(predicate: Callable[[], bool], timeout_s: float, what: str, child: Child | None, folder: Path) -> None:
    deadline = time.monotonic() + timeout_s
    while not predicate():
        if child and child.exit_code is not None:
            raise StoryError(
                f"the adapter ended with exit code {child.exit_code}: {_last_line(folder / 'adapter.log')}"
            )
        if time.monotonic() > deadline:
            raise StoryError(f"waited {timeout_s:.0f} s for {what}: {_last_line(folder / 'adapter.log')}")
        time.sleep(0.02)


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1][:500] if lines else "its log is empty"
