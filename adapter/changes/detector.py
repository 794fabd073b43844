"""What changed of a user, as a pure function of what is known, what is seen and how the pool is being read.

A change has two rows of state: `intent(change)` is stored before its event is sent, `change.after` once the sink has
it. The first is *in doubt* (see adapter.model.KnownUser): whatever happens in between, the next look at this user
either gives the same event with the same id, or a newer one that puts the consumer right.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from msgspec import structs

from adapter.model import Change, Kind, KnownUser, User

#: Bytes of the raw JSON's digest, and of the attributes' fingerprint, as KnownUser describes them.
DIGEST_SIZE: Final = 8
FINGERPRINT_SIZE: Final = 16

#: `changed` when a user may have been reported in a form that the state does not hold: any part can differ from that.
ANY_PART: Final = ("attributes", "enabled", "status")
#: `changed` when only UserLastModifiedDate moved, or when nothing else is known.
ONLY_DATE: Final = ("modified",)

#: MessagePack as a prefix code: two values have the same bytes only if they are equal.
_pack: Final = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class InitialScan:
    """How users that the state does not know are reported.

    `mode` is None once the first sweep is complete; during it, `baseline` or `snapshot`. `started_ms` is when it
    began, by Cognito's clock.
    """

    mode: str | None = None
    started_ms: int = 0


def raw_digest(raw: bytes) -> bytes:
    """The digest of a user's JSON as it was sent: equal bytes, nothing to do."""
    return hashlib.blake2b(raw, digest_size=DIGEST_SIZE).digest()


def is_older(user: User, known: KnownUser) -> bool:
    """Whether Cognito's dates say that this form is from before the known one: pages can overtake each other."""
    for seen_ms, known_ms in ((user.created_ms, known.created_ms), (user.modified_ms, known.modified_ms)):
        if seen_ms is not None and known_ms is not None and seen_ms != known_ms:
            return seen_ms < known_ms
    return False


def attributes_fingerprint(user: User) -> bytes:
    """The digest of attributes and MFA options, whatever their order."""
    packed = _pack((_ordered(user.attributes), _ordered(user.mfa_options)))
    return hashlib.blake2b(packed, digest_size=FINGERPRINT_SIZE).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """Finds the changes of one pool's users. `report_deletions` is EVENTS_DELETED."""

    pool_arn: str
    report_deletions: bool = True

    def examine(
        self, user: User, digest: bytes, known: KnownUser | None, initial: InitialScan, now_ms: int
    ) -> Change | KnownUser:
        """Compare a user whose raw JSON is new with what is known of it.

        Args:
            user: the user as ListUsers describes it now.
            digest: `raw_digest` of its JSON.
            known: what the state remembers; None: nothing.
            initial: whether this is part of the first sweep.
            now_ms: the time for events of users without dates, and of deletions.

        Returns:
            A Change to report, or the KnownUser to remember without a word. A deletion means that another user has
            taken this username: report it, then examine again with `known` None.
        """
        if known is None:
            return self._first_sight(user, digest, initial, now_ms)
        replaced = _other_person(known, user)
        if replaced and self.report_deletions:
            return self.gone(known, now_ms)
        if replaced or known.missing_since_ms is not None:
            # Perhaps reported as deleted, or silently replaced: for the consumer this is a new user.
            after = _form(user, digest, abs(known.revision) + 1)
            return self._change(Kind.CREATED, user, after, known, now_ms)
        if known.in_doubt:
            return self._doubtful(user, digest, known, now_ms)
        after = _form(user, digest, known.revision + 1)
        changed = _changed(known, after)
        if not changed:
            return _form(user, digest, known.revision)
        return self._change(Kind.UPDATED, user, after, known, now_ms, changed)

    def gone(self, known: KnownUser, now_ms: int) -> Change:
        """The change of a user who is no longer in the pool."""
        return Change(
            kind=Kind.DELETED,
            username=known.username,
            event_id=self._event_id(Kind.DELETED, known),
            time_ms=now_ms if known.missing_since_ms is None else known.missing_since_ms,
            before=known,
        )

    def replay(self, user: User, run_id: str, now_ms: int) -> Change:
        """The change that tells a user's present form once more. Ids are stable within one `run_id`."""
        return Change(
            kind=Kind.REPLAY,
            username=user.username,
            event_id=self._event_id(Kind.REPLAY, _form(user, b"", 0), run_id),
            time_ms=_first(user.modified_ms, user.created_ms, now_ms),
            user=user,
        )

    def _first_sight(self, user: User, digest: bytes, initial: InitialScan, now_ms: int) -> Change | KnownUser:
        kind = Kind.CREATED
        changed: tuple[str, ...] = ()
        if initial.mode == "snapshot":
            kind = Kind.SNAPSHOT
        elif initial.mode == "baseline" and not _since(user.created_ms, initial.started_ms):
            if not _since(user.modified_ms, initial.started_ms):
                return _form(user, digest, 0)
            kind, changed = Kind.UPDATED, ONLY_DATE
        return self._change(kind, user, _form(user, digest, 1), None, now_ms, changed)

    def _doubtful(self, user: User, digest: bytes, known: KnownUser, now_ms: int) -> Change:
        """An event was on its way when this row was stored: the same again, or the next after it."""
        unreported = _unreported_kind(known)
        kind = unreported or Kind.UPDATED
        changed = () if kind is not Kind.UPDATED else ONLY_DATE if unreported else ANY_PART
        again = self._change(kind, user, _form(user, digest, -known.revision), known, now_ms, changed)
        if _mark(again.event_id) != known.digest:
            return self._change(kind, user, _form(user, digest, 1 - known.revision), known, now_ms, changed)
        if unreported is None and again.after is not None:
            return structs.replace(again, changed=_changed(known, again.after))
        return again

    def _change(
        self,
        kind: Kind,
        user: User,
        after: KnownUser,
        known: KnownUser | None,
        now_ms: int,
        changed: tuple[str, ...] = (),
    ) -> Change:
        dates = (user.modified_ms, user.created_ms) if kind is Kind.UPDATED else (user.created_ms, user.modified_ms)
        return Change(
            kind=kind,
            username=user.username,
            event_id=self._event_id(kind, after),
            time_ms=_first(*dates, now_ms),
            user=user,
            before=known,
            after=after,
            changed=changed,
        )

    def _event_id(self, kind: Kind, form: KnownUser, salt: str = "") -> str:
        """A UUID of version 8 (RFC 9562, section 5.8): the hash of all that makes this event this event."""
        packed = _pack((self.pool_arn, form.username, kind, form.sub, abs(form.revision), salt, _parts(form)))
        h = hashlib.blake2b(packed, digest_size=16).hexdigest()
        return f"{h[:8]}-{h[8:12]}-8{h[13:16]}-{'89ab'[int(h[16], 16) & 3]}{h[17:20]}-{h[20:]}"


def intent(change: Change) -> KnownUser:
    """The row to store before the event of this change is sent."""
    before, after = change.before, change.after
    if after is None:
        assert before is not None, "a deletion is always of a known user"  # noqa: S101 - narrows the type
        return structs.replace(before, digest=_mark(change.event_id), missing_since_ms=change.time_ms)
    reported = before if change.kind is Kind.UPDATED else None
    base = after if reported is None else reported
    return KnownUser(
        username=base.username,
        sub=base.sub,
        digest=_mark(change.event_id),
        attributes=_unreported(change.kind) if reported is None else reported.attributes,
        enabled=base.enabled,
        status=base.status,
        created_ms=base.created_ms,
        modified_ms=base.modified_ms,
        revision=-after.revision,
    )


def _form(user: User, digest: bytes, revision: int) -> KnownUser:
    return KnownUser(
        username=user.username,
        sub=user.sub,
        digest=digest,
        attributes=attributes_fingerprint(user),
        enabled=user.enabled,
        status=user.status,
        created_ms=user.created_ms,
        modified_ms=user.modified_ms,
        revision=revision,
    )


def _changed(known: KnownUser, seen: KnownUser) -> tuple[str, ...]:
    parts = tuple(name for name in ANY_PART if getattr(known, name) != getattr(seen, name))
    if parts:
        return parts
    return ONLY_DATE if known.modified_ms != seen.modified_ms else ()


def _other_person(known: KnownUser, user: User) -> bool:
    """Whether the username was given to somebody else: another sub, or another date of creation."""
    sub = user.sub
    if known.sub is not None and sub is not None:
        return known.sub != sub
    return known.created_ms is not None and user.created_ms is not None and known.created_ms != user.created_ms


def _parts(form: KnownUser) -> tuple[object, ...]:
    """All by which two forms of a user differ."""
    return form.attributes, form.enabled, form.status, form.created_ms, form.modified_ms


def _mark(event_id: str) -> bytes:
    """What stands in the digest of a row in doubt: which event is on its way."""
    return bytes.fromhex(event_id[-17:-13] + event_id[-12:])


def _unreported(kind: Kind) -> bytes:
    """The `attributes` of a row in doubt of a user about whom nothing is confirmed, and the kind of its event."""
    return kind.encode().rjust(FINGERPRINT_SIZE, b"\0")


def _unreported_kind(known: KnownUser) -> Kind | None:
    text = known.attributes.lstrip(b"\0")
    return next((kind for kind in (Kind.CREATED, Kind.UPDATED, Kind.SNAPSHOT) if kind.value.encode() == text), None)


def _since(time_ms: int | None, start_ms: int) -> bool:
    return time_ms is not None and time_ms >= start_ms


def _first(*values: int | None) -> int:
    for value in values:
        if value is not None:
            return value
    raise ValueError("no value")


def _ordered(pairs: Sequence[tuple[str | None, str | None]]) -> list[tuple[str | None, str | None]]:
    try:
        return sorted(pairs)
    except TypeError:
        return sorted(pairs, key=_order)


def _order(pair: tuple[str | None, str | None]) -> tuple[str, str]:
    return pair[0] or "", pair[1] or ""
