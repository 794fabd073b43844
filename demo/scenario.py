"""The demo's scenario, chapter by chapter. `python -m demo` tells it; tests/deploy/test_demo.py listens."""

from __future__ import annotations

import json
import signal
import statistics
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from demo.console import Console
from emulator.aws import EmulatedAws
from emulator.deployment import MIRROR, SPEC, TERRAFORM, Deployment, changes_of, forms_of, write_manifest
from emulator.processes import Child
from emulator.sink import ReceivedEvent, RecordingSink
from emulator.task import Task, resolve_secret, task_of

SETTLERS = ("amara", "bruno", "chiyo", "dmitri", "elif", "farid")
#: The longest that one event may take, in seconds: the demo's pool is swept several times a second.
EVENT_TIMEOUT_S = 30.0
HEALTHY_TIMEOUT_S = 60.0
#: How much of an event's data is shown, in characters.
_PEEK = 95


class ScenarioError(RuntimeError):
    """Something that the demo promised did not happen; the message says what."""


@dataclass
class Scenario:
    """What one run of the demo knows."""

    console: Console
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


def run_scenario(console: Console, folder: Path) -> bool:
    """Tell it from beginning to end, and clean up whatever happens.

    Returns:
        whether everything was as promised.

    Raises:
        ScenarioError, DeployError, EmulatorError: it could not go on.
    """
    began = time.monotonic()
    console.line(console.style("cognito-source", "bold") + ": every change of a Cognito user pool as a CloudEvent")
    console.line(console.style("Everything runs on this machine; nothing reaches AWS.", "dim"))
    with ExitStack() as stack:
        scenario = _prepare(console, folder, stack)
        _deploy(scenario)
        good = _try_the_key(scenario)
        task = stack.enter_context(task_of(scenario.aws, scenario.outputs["customers-task-definition-arn"]))
        with _running(task, folder) as adapter:
            _wait_until_healthy(scenario, task, adapter, "starts, reads and records all users: healthy")
            console.fact("status page", f"http://127.0.0.1:{task.status_port}/", "while the demo runs")
            console.fact(f"{len(SETTLERS)} users existed before: no events for them")
            _change_users(scenario)
            _kill(scenario, adapter)
        _miss_a_user(scenario)
        with _running(task, folder) as adapter:
            console.event("+", "the adapter is started again", "")
            began_again = time.monotonic()
            _hear(scenario, "grace", "created", began_again, "since the restart")
            _stop(scenario, adapter)
        good &= _search_for_the_key(scenario)
        _destroy(scenario)
        good &= _sum_up(scenario, time.monotonic() - began)
    return good


def _prepare(console: Console, folder: Path, stack: ExitStack) -> Scenario:
    console.chapter("An AWS of its own")
    with console.step("emulated AWS, IAM policies enforced"):
        aws = stack.enter_context(EmulatedAws.start(log=folder / "emulated-aws.log"))
        aws.enforce_iam(on=True)
    sink = stack.enter_context(RecordingSink.start())
    pool = aws.create_pool("customers")
    manifest = folder / "source.yaml"
    write_manifest(manifest, pool=pool, sink=sink.url, spec=SPEC)
    scenario = Scenario(console, folder, aws, sink, pool, Deployment(folder / "deployment", aws, manifest))
    for name in SETTLERS:
        scenario.create(name)
    console.fact("user pool", scenario.pool_id, f"{len(SETTLERS)} users")
    console.fact("sink for events", sink.url)
    return scenario


def _deploy(scenario: Scenario) -> None:
    console = scenario.console
    shown = subprocess.run(
        [TERRAFORM, "version", "-json"],
        env=scenario.deployment.environment(),
        capture_output=True,
        check=False,
        timeout=60,
    )
    version = json.loads(shown.stdout or b"{}").get("terraform_version", "of this machine")
    console.chapter(f"cdktf deploy, with Terraform {version} and HashiCorp's AWS provider")
    with console.step("main.py synthesized, applied, the key minted"):
        scenario.outputs = scenario.deployment.deploy()
    resources = scenario.deployment.resources()
    console.fact("resources", str(len(resources)), _counted(resources))
    console.fact("IAM user", scenario.outputs["customers-user-name"])
    console.fact("its key is in the secret", scenario.outputs["customers-secret-arn"].split(":secret:")[1])
    console.fact("task definition", scenario.outputs["customers-task-definition-arn"].rpartition("/")[2])
    if MIRROR.exists():
        edits = json.loads((scenario.deployment.outdir / "edits.json").read_text())
        console.fact("edited for the old provider", f"{len(edits)} places", "why: emulator/provider_downgrade.py")


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


def _try_the_key(scenario: Scenario) -> bool:
    scenario.console.chapter("What the minted key may do")
    key_id, secret = scenario.key()
    aws, pool_id = scenario.aws, scenario.pool_id
    other = aws.create_pool("somebody-elses").rpartition("/")[2]

    def as_key(service: str) -> Any:
        return aws.client_with(service, key_id, secret)

    cognito = as_key("cognito-idp")
    table, secret_arn = scenario.outputs["customers-table-name"], scenario.outputs["customers-secret-arn"]
    user = scenario.outputs["customers-user-name"]
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
    verdicts = [_try(scenario, label, call, allowed=allowed) for label, allowed, call in tries]
    return all(verdicts)


def _try(scenario: Scenario, label: str, call: Callable[[], Any], *, allowed: bool) -> bool:
    try:
        call()
    except ClientError as fault:
        code = fault.response["Error"]["Code"]
        denied = code.startswith("AccessDenied")
        scenario.console.check(label, "denied" if denied else "failed", good=denied and not allowed, note=code)
        return denied and not allowed
    scenario.console.check(label, "allowed", good=allowed)
    return allowed


@contextmanager
def _running(task: Task, folder: Path) -> Iterator[Child]:
    adapter = task.start(folder / "adapter.log", folder / "container")
    try:
        yield adapter
    finally:
        adapter.stop()


def _wait_until_healthy(scenario: Scenario, task: Task, adapter: Child, what: str) -> None:
    scenario.console.chapter("The adapter, started as the task definition says")
    names = ", ".join(sorted(each["name"] for each in task.container["secrets"]))
    scenario.console.fact("from the secret", names, "read as the execution role")
    scenario.console.fact("state", task.environment["STATE_URL"].partition("?")[0], "written as the task role")
    with scenario.console.step(what):
        _wait(lambda: task.health() == 204, HEALTHY_TIMEOUT_S, "GET /health to answer 204", adapter, scenario.folder)
        code = task.health_check(scenario.folder / "health-check.log")
        if code:
            raise ScenarioError(f"the container's health check failed with exit code {code}")


def _change_users(scenario: Scenario) -> None:
    scenario.console.chapter("Changes, and the events that tell them")
    users, pool_id = scenario.users, scenario.pool_id
    email = [{"Name": "email", "Value": "fatima@example.org"}]
    changes: list[tuple[str, str, Callable[[], Any]]] = [
        ("fatima is created", "created", lambda: scenario.create("fatima")),
        (
            "her e-mail address changes",
            "updated",
            lambda: users.admin_update_user_attributes(UserPoolId=pool_id, Username="fatima", UserAttributes=email),
        ),
        ("she is disabled", "updated", lambda: users.admin_disable_user(UserPoolId=pool_id, Username="fatima")),
        ("she is deleted", "deleted", lambda: users.admin_delete_user(UserPoolId=pool_id, Username="fatima")),
    ]
    for text, kind, change in changes:
        scenario.console.event("+", text, "")
        since = time.monotonic()
        change()
        event = _hear(scenario, "fatima", kind, since, "after it")
        if event["changetype"] == "created":
            scenario.console.line(scenario.console.style(f"     {_peek(event)}", "dim"))


def _hear(scenario: Scenario, user: str, kind: str, since: float, what: str) -> ReceivedEvent:
    """Wait for the next event, and check that it is the one that is due."""
    scenario.expected += 1
    _wait(
        lambda: len(scenario.sink.events) >= scenario.expected,
        EVENT_TIMEOUT_S,
        f"the event {kind!r} of {user}",
        None,
        scenario.folder,
    )
    latency = time.monotonic() - since
    event = scenario.sink.events[scenario.expected - 1]
    if (event["partitionkey"], event["changetype"]) != (user, kind):
        raise ScenarioError(
            f"expected {kind!r} of {user}, but the sink got {event['changetype']!r} of {event['partitionkey']}"
        )
    if what == "after it":
        scenario.latencies.append(latency)
    scenario.console.event("→", _described(event), f"{latency:.1f} s {what}  id {event['id'][:8]}…")

    return event


def _peek(event: ReceivedEvent) -> str:
    """The beginning of an event's data."""
    text = json.dumps(event.data, separators=(",", ":"))
    return text if len(text) <= _PEEK else text[: _PEEK - 1] + "…"


def _described(event: ReceivedEvent) -> str:
    changed = event.attributes.get("changed")
    parts = f" ({changed})" if changed and event["changetype"] == "updated" else ""
    return f"{event['type']:<38}{event['changetype']}{parts}"


def _kill(scenario: Scenario, adapter: Child) -> None:
    scenario.console.chapter("Killed, and started again")
    adapter.signal(signal.SIGKILL)
    adapter.wait(10)
    scenario.console.event("+", "the adapter is killed (SIGKILL)", "")


def _miss_a_user(scenario: Scenario) -> None:
    scenario.create("grace")
    scenario.console.event("+", "grace is created while it is down", "")


def _stop(scenario: Scenario, adapter: Child) -> None:
    with scenario.console.step("stopped with SIGTERM: exit code 0"):
        code = adapter.stop()
        if code:
            raise ScenarioError(f"after SIGTERM the adapter ended with exit code {code}, expected 0")


def _search_for_the_key(scenario: Scenario) -> bool:
    scenario.console.chapter("Where the secret key is not")
    with scenario.console.step("planned again: no changes"):
        changed = [address for _, plan in scenario.deployment.plan("again") for address in changes_of(plan)]
        if changed:
            raise ScenarioError(f"a second deployment would change {', '.join(changed)}")
    secret = scenario.key()[1]
    definition = scenario.aws.client("ecs").describe_task_definition(
        taskDefinition=scenario.outputs["customers-task-definition-arn"]
    )
    places = [*scenario.deployment.files(), ("task definition", json.dumps(definition, default=str).encode())]
    places += [(path.name, path.read_bytes()) for path in sorted(scenario.folder.glob("*.log"))]
    found = [name for name, content in places if any(form in content for form in forms_of(secret))]
    verdict = "nowhere" if not found else f"in {found[0]}"
    label = f"searched {len(places)} files and their parts"
    scenario.console.check(label, verdict, good=not found, note="state, plans, logs, outputs, task definition")
    return not found


def _destroy(scenario: Scenario) -> None:
    scenario.console.chapter("cdktf destroy")
    with scenario.console.step("everything that was deployed is removed"):
        scenario.deployment.destroy()
    left = scenario.deployment.resources()
    if left:
        raise ScenarioError(f"destroy left {', '.join(left)}")


def _sum_up(scenario: Scenario, took: float) -> bool:
    events = scenario.sink.events
    ids = {(event["source"], event["id"]) for event in events}
    surplus = len(events) - scenario.expected
    console = scenario.console
    console.line()
    console.line(console.style("Summary", "bold"))
    lost = scenario.expected - len(ids)
    console.fact("changes made", str(scenario.expected))
    console.fact("events received", str(len(events)), f"{surplus} duplicates, {lost} lost")
    slowest = f"median; the slowest {max(scenario.latencies):.1f} s"
    console.fact("from change to event", f"{statistics.median(scenario.latencies):.1f} s", slowest)
    console.fact("the whole demo", f"{took:.0f} s")
    return surplus == 0 and len(ids) == scenario.expected


def _wait(predicate: Callable[[], bool], timeout_s: float, what: str, child: Child | None, folder: Path) -> None:
    deadline = time.monotonic() + timeout_s
    while not predicate():
        if child and child.exit_code is not None:
            raise ScenarioError(
                f"the adapter ended with exit code {child.exit_code}: {_last_line(folder / 'adapter.log')}"
            )
        if time.monotonic() > deadline:
            raise ScenarioError(f"waited {timeout_s:.0f} s for {what}: {_last_line(folder / 'adapter.log')}")
        time.sleep(0.02)


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1][:500] if lines else "its log is empty"
