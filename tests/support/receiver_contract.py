"""What examples/receiver promises, whichever database it keeps its tables in: one suite for both.

A test module makes a class of it and gives it a fixture `desk`.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from receiver import create_app

from adapter.arn import parse_pool_arn
from adapter.changes.detector import attributes_fingerprint
from adapter.events.builder import EventBuilder
from adapter.events.formats import BATCH_TYPE, STRUCTURED_TYPE, batched, binary_headers, structured
from adapter.model import Change, Event, Kind, KnownUser, User

ARN = "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_AbCdEfGhI"
BUILDER = EventBuilder(pool=parse_pool_arn(ARN))
T0 = 1_760_000_000_000
#: The time of deletions.
NOTICED = T0 + 100

THERE = "deleted_ms IS NULL"

_ids = itertools.count()


def user(name: str = "ann", at: int = 0, since: int = 0, **attributes: str) -> User:
    """A user created `since` and changed `at` these milliseconds."""
    return User(
        username=name,
        attributes=tuple(attributes.items()),
        enabled=True,
        status="CONFIRMED",
        created_ms=T0 + since,
        modified_ms=T0 + at,
    )


def told(who: User, kind: Kind = Kind.UPDATED) -> Event:
    """The event that tells this form of a user, with an id of its own."""
    change = Change(kind=kind, username=who.username, event_id=f"id-{next(_ids)}", time_ms=T0, user=who)
    if kind is Kind.DELETED:
        known = KnownUser(
            username=who.username,
            sub=who.sub,
            digest=b"",
            attributes=attributes_fingerprint(who),
            enabled=who.enabled,
            status=who.status,
            created_ms=who.created_ms,
            modified_ms=who.modified_ms,
        )
        change = replace(change, user=None, before=known, time_ms=NOTICED)
    return BUILDER.build(change)


@dataclass
class Desk:
    """The receiver without a network, and its table. `now` is what its clock shows, in seconds."""

    url: str
    connect: Callable[[], Any]

    def __post_init__(self) -> None:
        self.client = create_app({"DATABASE_URL": self.url}).test_client()

    def post(self, headers: Mapping[str, str], body: bytes) -> int:
        return self.client.post("/events", headers=dict(headers), data=body).status_code

    def send(self, event: Event) -> int:
        return self.post(binary_headers(event), event.data)

    def send_all(self, events: Sequence[Event]) -> None:
        for event in events:
            assert self.send(event) == 204

    def rows(
        self, columns: str = "*", table: str = "users", where: str = "deleted_ms IS NULL"
    ) -> list[tuple[Any, ...]]:
        with closing(self.connect()) as connection:
            query = f"SELECT {columns} FROM {table} WHERE {where} ORDER BY 1"  # noqa: S608 (the test's own words)
            return [tuple(row) for row in connection.execute(query).fetchall()]

    def attributes(self) -> dict[str, dict[str, str]]:
        return {name: json.loads(text) for name, text in self.rows("username, attributes")}

    def duplicates(self) -> int:
        return sum(arrivals - 1 for (arrivals,) in self.rows("arrivals", "seen", "arrivals > 1"))


class ReceiverContract:
    """The suite."""

    def test_each_content_mode_is_stored(self, desk: Desk) -> None:
        names = ("ann", "bob", "cy", "dé 名")
        one, two, three, four = (told(user(name, email=f"{name}@example.com")) for name in names)
        assert desk.post(binary_headers(one), one.data) == 204
        assert desk.post({"Content-Type": STRUCTURED_TYPE}, structured(two)) == 204
        assert desk.post({"Content-Type": BATCH_TYPE}, batched([three, four])) == 204
        assert desk.attributes() == {name: {"email": f"{name}@example.com"} for name in names}

    def test_a_row_holds_what_cognito_shows(self, desk: Desk) -> None:
        desk.send(told(user(at=120, sub="s-1", name_="<Ann> & 'co' 😀")))
        assert desk.rows("source, username, created_ms, modified_ms, deleted_ms, enabled, status") == [
            (ARN, "ann", T0, T0 + 120, None, True, "CONFIRMED")
        ]
        assert desk.attributes() == {"ann": {"sub": "s-1", "name_": "<Ann> & 'co' 😀"}}

    def test_an_event_that_comes_again_is_counted_and_not_applied(self, desk: Desk) -> None:
        first = told(user(at=1, email="old@example.com"))
        second = told(user(at=1, email="new@example.com"))
        desk.send_all([first, second, first, first])
        assert desk.attributes() == {"ann": {"email": "new@example.com"}}
        assert desk.duplicates() == 2

    def test_an_attribute_that_is_gone_is_removed(self, desk: Desk) -> None:
        desk.send_all([told(user(at=1, email="a@example.com", phone="1")), told(user(at=2, email="a@example.com"))])
        assert desk.attributes() == {"ann": {"email": "a@example.com"}}

    def test_an_older_form_that_comes_late_does_not_overwrite_a_newer_one(self, desk: Desk) -> None:
        desk.send_all([told(user(at=12, n="new")), told(user(at=5, n="old")), told(user(at=5, n="old"), Kind.REPLAY)])
        assert desk.attributes() == {"ann": {"n": "new"}}

    def test_with_equal_dates_the_event_that_comes_later_wins(self, desk: Desk) -> None:
        desk.send_all([told(user(at=5)), told(replace(user(at=5), enabled=False))])
        assert desk.rows("enabled") == [(False,)]

    def test_a_deleted_user_leaves_nothing_personal_and_stays_deleted(self, desk: Desk) -> None:
        last = user(at=7, email="ann@example.com")
        desk.send_all([told(last), told(user(at=2), Kind.DELETED)])
        late = [told(user(at=2)), told(last), told(last, Kind.REPLAY), told(user(at=1), Kind.CREATED)]
        late += [told(user(at=9)), told(user(at=9), Kind.REPLAY)]  # a form that was on its way meanwhile
        desk.send_all(late)
        assert desk.rows() == []
        assert desk.rows("deleted_ms, enabled, status, attributes", where="1 = 1") == [(NOTICED, None, None, None)]

    def test_the_deletion_of_a_user_that_it_never_heard_of_is_remembered(self, desk: Desk) -> None:
        desk.send_all([told(user(at=7), Kind.DELETED), told(user(at=7))])
        assert desk.rows() == []

    def test_a_new_user_of_the_same_name_takes_the_row_whatever_comes_late_of_the_old_one(self, desk: Desk) -> None:
        old = user(at=90, who="old")
        desk.send_all([told(old), told(old, Kind.DELETED), told(user(at=50, since=50, who="new"), Kind.CREATED)])
        desk.send_all([told(old), told(old, Kind.DELETED), told(old, Kind.REPLAY)])
        assert desk.attributes() == {"ann": {"who": "new"}}

    def test_a_user_that_cognito_hid_and_shows_again_comes_back(self, desk: Desk) -> None:
        ann = user(at=3)
        desk.send_all([told(ann), told(ann, Kind.DELETED), told(ann, Kind.CREATED)])
        assert [name for (name,) in desk.rows("username")] == ["ann"]

    def test_a_user_who_changes_after_the_deletion_was_noticed_is_there_again(self, desk: Desk) -> None:
        desk.send_all([told(user(at=3)), told(user(at=3), Kind.DELETED), told(user(at=101))])
        assert [name for (name,) in desk.rows("username")] == ["ann"]

    def test_a_dead_letter_does_not_bring_a_deleted_user_back(self, desk: Desk) -> None:
        event = told(user(at=3), Kind.CREATED)
        late = replace(event, attributes={**event.attributes, "id": "again", "knativeerrordest": "http://x"})
        desk.send_all([event, told(user(at=3), Kind.DELETED), late])
        assert desk.rows() == []

    def test_after_a_replay_of_all_users_it_shows_who_was_not_told(self, desk: Desk) -> None:
        desk.send_all([told(user("ann")), told(user("bob"))])
        with closing(desk.connect()) as connection, connection:
            connection.execute("UPDATE users SET stored_s = 0")
        desk.send(told(user("ann"), Kind.REPLAY))
        assert desk.rows("username", where="deleted_ms IS NULL AND stored_s < 1000") == [("bob",)]

    def test_the_same_username_in_two_pools_is_two_users(self, desk: Desk) -> None:
        other = replace(told(user(pool="2")), attributes={**told(user()).attributes, "source": ARN + "2"})
        desk.send_all([told(user(pool="1")), other])
        assert [source for (source,) in desk.rows("source")] == [ARN, ARN + "2"]

    def test_in_whatever_order_and_however_often_events_come_the_newest_form_remains(self, desk: Desk) -> None:
        rng = random.Random(7)
        wanted = {}
        history: list[Event] = []
        for number in range(40):
            name, age = f"user-{number}", rng.randint(0, 3)
            forms = [user(name, at=rng.randint(0, 2) + 3 * step, n=str(step)) for step in range(age + 1)]
            history += map(told, forms)
            if rng.random() < 0.4:
                history.append(told(forms[-1], Kind.DELETED))
            else:
                wanted[name] = {"n": str(age)}
        arrivals = history + rng.sample(history, 40)
        rng.shuffle(arrivals)
        for start in range(0, len(arrivals), 7):
            body = batched(arrivals[start : start + 7])
            assert desk.post({"Content-Type": BATCH_TYPE}, body) == 204
        assert desk.attributes() == wanted
        assert desk.duplicates() == 40

    def test_what_fails_in_the_middle_leaves_nothing_behind(self, desk: Desk) -> None:
        event = told(user())
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("store.APPLY", "INSERT INTO no_such_table VALUES (:source)")
            assert desk.send(event) >= 500
        assert desk.rows(table="seen", where="1 = 1") == []
        assert desk.send(event) == 204
        assert (len(desk.rows()), desk.duplicates()) == (1, 0)

    def test_a_batch_with_one_bad_event_is_refused_as_a_whole(self, desk: Desk) -> None:
        good, bad = told(user("ann")), replace(told(user("bob")), data=b'{"Username":"bob"}')
        assert desk.post({"Content-Type": BATCH_TYPE}, batched([good, bad])) == 400
        assert desk.rows() == desk.rows(table="seen", where="1 = 1") == []
        assert desk.send(good) == 204


def sqlite_url(folder: Path) -> str:
    return f"sqlite:///{folder / 'users.db'}"
