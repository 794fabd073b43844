"""A small pool and what happens in it: the same in every recording, and in the tests that go on from one.

Dates are fixed, so that ids are, too. The state that is recorded has a user in each shape that the state knows: as the
baseline found it, changed, disabled, in doubt (told, perhaps, when the process ended), and with a strange name.
"""

from __future__ import annotations

from adapter.model import Event
from adapter.sinks.base import Delivered, Outcome
from tests.support.rig import DOWN, MemoryPool, MemorySink

#: 2026-01-01T00:00:00Z and later, in seconds: before the baseline began.
CREATED_S = 1_767_225_600.5
#: After every baseline that a test could begin: 2033-05-18T03:33:20Z.
LATER_S = 2_000_000_000.25
#: Every field that the adapter itself reads.
MANIFEST = """\
apiVersion: sources.triggermesh.io/v1alpha1
kind: AWSCognitoUserPoolSource
metadata:
  name: customers
  namespace: crm
spec:
  arn: arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_AbCdEfGhI
  sink:
    uri: https://events.example.com/users
    audience: users
  auth:
    credentials:
      accessKeyID: {value: AKIAIOSFODNN7EXAMPLE}
      secretAccessKey: {value: wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY}
      assumeIamRole: arn:aws:iam::210987654321:role/reader
  polling: {maxRps: 20, minSeconds: 2, maxSeconds: 60}
  events: {initial: snapshot, deleted: false, deletedMaxPercent: 5, attributes: [sub, email]}
  state: {url: "sqlite:////var/lib/cognito-source/state.db"}
  delivery:
    format: batched
    batch: {size: 50, seconds: 0.5}
    concurrency: 4
    retry: 5
    backoffPolicy: linear
    backoffDelay: PT1S
    timeout: PT10S
    retryAfterMax: PT1M
    deadLetterSink: {uri: "https://events.example.com/dead"}
  adapterOverrides:
    env: [{name: LOG_LEVEL, value: debug}]
---
apiVersion: sources.triggermesh.io/v1alpha1
kind: AWSCognitoUserPoolSource
metadata: {name: partners}
spec:
  arn: arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_Partners
  sink: {uri: "http://events.example.com"}
"""


def first_users(pool: MemoryPool) -> None:
    """The pool when it is first seen."""
    pool.create("anna", at=CREATED_S, email="anna@example.com")
    pool.create("ben", at=CREATED_S + 1, email="ben@example.com", phone_number="+491700000000")
    pool.create("carl", at=CREATED_S + 2, email="carl@example.com")
    pool.create("Ünïcödé 😀 'quoted'", at=CREATED_S + 3, name="Ü")
    pool.create("eve", at=CREATED_S + 4)


def changes(pool: MemoryPool) -> None:
    """What happens while the recorded version runs; the sink takes all but what is told of carl."""
    pool.users["anna"]["Attributes"][1]["Value"] = "anna@example.net"
    pool.set("anna", UserLastModifiedDate=LATER_S)
    pool.set("ben", Enabled=False, UserLastModifiedDate=LATER_S + 1)
    pool.set("carl", UserStatus="FORCE_CHANGE_PASSWORD", UserLastModifiedDate=LATER_S + 2)
    pool.create("dora", at=LATER_S + 3, email="dora@example.com")


def later_changes(pool: MemoryPool) -> None:
    """What happens after the upgrade."""
    pool.users["anna"]["Attributes"][1]["Value"] = "anna@example.com"
    pool.set("anna", UserLastModifiedDate=LATER_S + 100)
    pool.set("ben", Enabled=True, UserLastModifiedDate=LATER_S + 101)
    pool.create("finn", at=LATER_S + 102)
    del pool.users["eve"]


def told(sink: MemorySink) -> list[dict[str, object]]:
    """The events as they are compared: all but when a deletion was noticed."""
    return sorted((_shown(event) for event in sink.events), key=lambda shown: str(shown["id"]))


def _shown(event: Event) -> dict[str, object]:
    attributes = dict(event.attributes)
    if attributes["changetype"] == "deleted":
        del attributes["time"]
    return {"id": event.id, "key": event.key, **attributes, "data": event.data.decode()}


def answer(event: Event) -> Outcome:
    """The sink's answer while the recorded version runs."""
    return DOWN if event.key == "carl" else Delivered()
