"""The change detector: what is reported, under which id, and that a consumer always ends up with the pool's state."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from adapter.changes.detector import Detector, InitialScan, attributes_fingerprint, intent, raw_digest
from adapter.model import Change, Kind, KnownUser, User

ARN = "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_AbCdEfGhI"
DETECTOR = Detector(pool_arn=ARN)
NORMAL = InitialScan()
BASELINE = InitialScan(mode="baseline", started_ms=1_000)
NOW = 9_999


def user(**changes: object) -> User:
    made = User(
        username="bob",
        attributes=(("sub", "1"), ("email", "bob@example.com")),
        enabled=True,
        status="CONFIRMED",
        created_ms=100,
        modified_ms=200,
    )
    return structs.replace(made, **changes)


def digest(who: User) -> bytes:
    fields = (who.attributes, who.enabled, who.status, who.created_ms, who.modified_ms, who.mfa_options)
    return raw_digest(repr(fields).encode())


def change(who: User, known: KnownUser | None, initial: InitialScan = NORMAL) -> Change:
    found = DETECTOR.examine(who, digest(who), known, initial, NOW)
    assert isinstance(found, Change)
    return found


def told(who: User, known: KnownUser | None = None, initial: InitialScan = NORMAL) -> KnownUser:
    """The row once the sink has the event."""
    after = change(who, known, initial).after
    assert after is not None
    return after


def quiet(who: User, known: KnownUser | None, initial: InitialScan = NORMAL) -> KnownUser:
    found = DETECTOR.examine(who, digest(who), known, initial, NOW)
    assert isinstance(found, KnownUser)
    return found


def test_an_unknown_user_is_created() -> None:
    found = change(user(), None)
    assert (found.kind, found.time_ms, found.changed) == (Kind.CREATED, 100, ())
    assert found.after is not None
    assert (found.after.revision, found.after.sub, found.after.digest) == (1, "1", digest(user()))


def test_the_baseline_only_remembers_users_from_before_it() -> None:
    assert quiet(user(), None, BASELINE).revision == 0


def test_users_created_or_changed_since_the_baseline_began_are_reported() -> None:
    assert change(user(created_ms=1_000, modified_ms=1_000), None, BASELINE).kind is Kind.CREATED
    modified = change(user(modified_ms=1_000), None, BASELINE)
    assert (modified.kind, modified.changed, modified.time_ms) == (Kind.UPDATED, ("modified",), 1_000)


def test_a_user_without_dates_is_part_of_the_baseline() -> None:
    assert quiet(user(created_ms=None, modified_ms=None), None, BASELINE).created_ms is None


def test_a_snapshot_reports_everybody() -> None:
    assert change(user(), None, InitialScan(mode="snapshot", started_ms=1_000)).kind is Kind.SNAPSHOT


@pytest.mark.parametrize(
    ("later", "changed"),
    [
        ({"enabled": False}, ("enabled",)),
        ({"status": "ARCHIVED"}, ("status",)),
        ({"attributes": (("sub", "1"),)}, ("attributes",)),
        ({"mfa_options": (("phone_number", "SMS"),)}, ("attributes",)),
        ({"enabled": False, "status": None, "attributes": (("sub", "1"),)}, ("attributes", "enabled", "status")),
        ({"modified_ms": 201}, ("modified",)),
        ({"enabled": False, "modified_ms": 201}, ("enabled",)),
    ],
)
def test_an_update_names_what_changed(later: dict[str, object], changed: tuple[str, ...]) -> None:
    found = change(user(**later), told(user()))
    assert (found.kind, found.changed) == (Kind.UPDATED, changed)


def test_another_order_of_attributes_is_no_change() -> None:
    known = told(user())
    other = user(attributes=(("email", "bob@example.com"), ("sub", "1")))
    assert quiet(other, known) == structs.replace(known, digest=digest(other))


def test_the_fingerprint_tells_absent_empty_and_split_values_apart() -> None:
    forms = [
        (("a", "b"),),
        (("a", None),),
        (("a", ""),),
        (("ab", ""),),
        (("a", "b"), ("a", "b")),
        (("a", "b\x00"),),
        (),
    ]
    assert len({attributes_fingerprint(user(attributes=form)) for form in forms}) == len(forms)
    assert attributes_fingerprint(user(mfa_options=(("a", "b"),), attributes=())) != attributes_fingerprint(
        user(attributes=(("a", "b"),))
    )


def test_the_same_change_has_the_same_id_whenever_it_is_found() -> None:
    known = told(user())
    first = change(user(enabled=False), known)
    again = change(user(enabled=False), intent(first))
    assert again.event_id == first.event_id
    assert again.changed == first.changed


def test_going_back_and_forth_gives_new_ids_every_time() -> None:
    forms = [user(), user(enabled=False)] * 3
    known, ids = None, []
    for form in forms:
        found = change(form, known)
        ids.append(found.event_id)
        known = found.after
    assert len(set(ids)) == len(ids)


def test_ids_are_uuids_that_depend_on_pool_and_user() -> None:
    import uuid

    here = change(user(), None).event_id
    other = Detector(pool_arn=ARN + "x").examine(user(), b"", None, NORMAL, NOW)
    assert isinstance(other, Change)
    assert len({here, other.event_id, change(user(username="eve"), None).event_id}) == 3
    assert uuid.UUID(here).variant == uuid.RFC_4122
    assert uuid.UUID(here).version == 8


def test_a_user_who_was_perhaps_told_as_changed_and_went_back_is_told_again() -> None:
    known = told(user())
    unsure = intent(change(user(enabled=False), known))
    back = change(user(), unsure)
    assert (back.kind, back.changed) == (Kind.UPDATED, ("attributes", "enabled", "status"))
    assert back.event_id != change(user(), None).event_id


def test_a_row_in_doubt_never_counts_as_unchanged() -> None:
    known = told(user())
    found = change(user(enabled=False), known)
    assert intent(found).digest not in {known.digest, digest(user(enabled=False))}
    assert intent(found).in_doubt


def test_a_created_user_in_doubt_stays_created_with_the_same_id() -> None:
    first = change(user(), None)
    again = change(user(), intent(first))
    assert (again.kind, again.event_id) == (Kind.CREATED, first.event_id)


def test_the_kind_of_an_untold_event_survives_the_end_of_the_first_sweep() -> None:
    snapshot = change(user(), None, InitialScan(mode="snapshot"))
    updated = change(user(modified_ms=2_000), None, BASELINE)
    for first in (snapshot, updated):
        assert first.user is not None
        again = change(first.user, intent(first))
        assert (again.kind, again.event_id, again.changed) == (first.kind, first.event_id, first.changed)


def test_a_deletion_keeps_its_id_and_time_until_it_is_delivered() -> None:
    gone = DETECTOR.gone(told(user()), NOW)
    row = intent(gone)
    assert (gone.kind, gone.time_ms, gone.after) == (Kind.DELETED, NOW, None)
    later = DETECTOR.gone(row, NOW + 5_000)
    assert (later.event_id, later.time_ms) == (gone.event_id, NOW)


def test_a_user_who_comes_back_before_the_deletion_is_delivered_is_created_again() -> None:
    row = intent(DETECTOR.gone(told(user()), NOW))
    back = change(user(), row)
    assert back.kind is Kind.CREATED
    assert back.event_id != change(user(), None).event_id


@pytest.mark.parametrize("other", [{"attributes": (("sub", "2"),)}, {"attributes": (), "created_ms": 101}])
def test_another_person_of_the_same_name_is_a_deletion_first(other: dict[str, object]) -> None:
    known = told(user())
    found = change(user(**other), known)
    assert (found.kind, found.before) == (Kind.DELETED, known)
    again = DETECTOR.gone(known, NOW)
    assert again.event_id == found.event_id


def test_another_person_is_just_created_when_deletions_are_off() -> None:
    silent = Detector(pool_arn=ARN, report_deletions=False)
    found = silent.examine(user(attributes=(("sub", "2"),)), b"", told(user()), NORMAL, NOW)
    assert isinstance(found, Change)
    assert found.kind is Kind.CREATED


def test_a_replay_has_the_same_id_within_a_run_only() -> None:
    one, two = DETECTOR.replay(user(), "run", NOW), DETECTOR.replay(user(), "run", NOW)
    assert one.event_id == two.event_id != DETECTOR.replay(user(), "other", NOW).event_id
    assert (one.kind, one.time_ms) == (Kind.REPLAY, 200)


# -- any history ---------------------------------------------------------------------------------------------------


@dataclass
class ComparedWorld:
    """A pool with one username, the state, and a consumer who drops events whose id it has seen."""

    pool: User | None = None
    row: KnownUser | None = None
    consumer: User | None = None
    ids: set[str] = field(default_factory=set)
    subs: int = 0
    now: int = 10_000

    def mutate(self, what: str) -> None:
        """Dates do not move: the worst case, an emulator's."""
        if what == "delete":
            self.pool = None
        elif self.pool is None:
            self.subs += 1
            self.now += 1
            self.pool = user(attributes=(("sub", str(self.subs)),), created_ms=self.now, modified_ms=self.now)
        elif what == "toggle":
            self.pool = structs.replace(self.pool, enabled=not self.pool.enabled)
        elif what == "status":
            self.pool = structs.replace(self.pool, status="X" if self.pool.status != "X" else "Y")

    def sweep(self, fate: str) -> None:
        """One look at the user. `fate`: ok; lost (the sink has it, nobody knows); refused; unsent (a crash before)."""
        while True:
            found = self._look()
            if found is None:
                return
            if isinstance(found, KnownUser):
                self.row = found
                return
            self.row = intent(found)
            if fate in {"ok", "lost"} and found.event_id not in self.ids:
                self.ids.add(found.event_id)
                self.consumer = found.user
            if fate != "ok":
                return
            self.row = found.after
            if found.after is not None:
                return

    def _look(self) -> Change | KnownUser | None:
        detector = Detector(pool_arn=ARN)
        if self.pool is None:
            return None if self.row is None else detector.gone(self.row, self.now)
        if self.row is not None and self.row.digest == digest(self.pool):
            return None
        return detector.examine(self.pool, digest(self.pool), self.row, NORMAL, self.now)


STEPS = st.one_of(
    st.tuples(st.just("mutate"), st.sampled_from(["toggle", "status", "delete"])),
    st.tuples(st.just("sweep"), st.sampled_from(["ok", "lost", "refused", "unsent"])),
)


@settings(max_examples=400)
@given(st.lists(STEPS, max_size=30))
def test_after_any_history_the_consumer_has_what_the_pool_has(history: list[tuple[str, str]]) -> None:
    world = ComparedWorld()
    for step, what in history:
        getattr(world, step)(what)
    world.sweep("ok")
    assert world.consumer == world.pool


@given(st.lists(st.sampled_from(["toggle", "status", "delete"]), max_size=20))
def test_a_second_look_finds_nothing(history: list[str]) -> None:
    world = ComparedWorld()
    for what in history:
        world.mutate(what)
        world.sweep("ok")
        before = len(world.ids)
        world.sweep("ok")
        assert len(world.ids) == before
