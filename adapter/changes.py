"""What changed of a user, as a pure function of what is known, what is seen and how the pool is being read.

A change has two rows of state: `intent(change)` is stored before its event is sent, `change.after` once the sink has
it. The first is *in doubt* (see adapter.model.KnownUser): whatever happens in between, the next look at this user
either gives the same event with the same id, or a newer one that puts the consumer right.
"""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from typing import Final

from adapter.model import Change, Kind, KnownUser, User

#: Bytes of the raw JSON's digest, and of the attributes' fingerprint, as KnownUser describes them.
DIGEST_SIZE: Final = 8
FINGERPRINT_SIZE: Final = 16

#: `changed` when a user may have been told in a form that the state does not hold: any part can differ from that.
ANY_PART: Final = ("attributes", "enabled", "status")
#: `changed` when only UserLastModifiedDate moved, or when nothing else is known.
ONLY_DATE: Final = ("modified",)

_DELETED: Final = b"deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """How users that the state does not know are reported.

    `first` is None once the first sweep is complete; during it, `baseline` or `snapshot`. `started_ms` is when it
    began, by Cognito's clock.
    """

    first: str | None = None
    started_ms: int = 0


def raw_digest(raw: bytes) -> bytes:
    """The digest of a user's JSON as it was sent: equal bytes, nothing to do."""
    return hashlib.blake2b(raw, digest_size=DIGEST_SIZE).digest()


def attributes_fingerprint(user: User) -> bytes:
    """The digest of attributes and MFA options, whatever their order."""
    hasher = hashlib.blake2b(digest_size=FINGERPRINT_SIZE)
    for pairs in (user.attributes, user.mfa_options):
        hasher.update(b"\x02")
        for encoded in sorted(_packed(pair) for pair in pairs):
            hasher.update(encoded)
    return hasher.digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """Finds the changes of one pool's users. `report_deletions` is EVENTS_DELETED."""

    pool_arn: str
    report_deletions: bool = True

    def examine(
        self, user: User, digest: bytes, known: KnownUser | None, phase: Phase, now_ms: int
    ) -> Change | KnownUser:
        """Compare a user whose raw JSON is new with what is known of it.

        Args:
            user: the user as ListUsers describes it now.
            digest: `raw_digest` of its JSON.
            known: what the state remembers; None: nothing.
            phase: whether this is part of the first sweep.
            now_ms: the time for events of users without dates, and of deletions.

        Returns:
            A Change to report, or the KnownUser to remember without a word. A deletion means that another user has
            taken this username: report it, then examine again with `known` None.
        """
        seen = _form(user, digest)
        if known is None:
            return self._first_sight(user, seen, phase, now_ms)
        if _other_person(known, user) and self.report_deletions:
            return self.gone(known, now_ms)
        if known.missing_since_ms is not None or _other_person(known, user):
            # Perhaps told as deleted, or silently replaced: for the consumer this is a new user.
            return self._change(Kind.CREATED, user, seen, known, abs(known.revision) + 1, now_ms)
        if known.in_doubt:
            return self._doubtful(user, seen, known, now_ms)
        changed = _changed(known, seen)
        if not changed:
            return dataclasses.replace(seen, revision=known.revision)
        return self._change(Kind.UPDATED, user, seen, known, known.revision + 1, now_ms, changed)

    def gone(self, known: KnownUser, now_ms: int) -> Change:
        """The change of a user who is no longer in the pool."""
        return Change(
            kind=Kind.DELETED,
            username=known.username,
            event_id=self._event_id(Kind.DELETED, known, abs(known.revision)),
            time_ms=now_ms if known.missing_since_ms is None else known.missing_since_ms,
            before=known,
        )

    def replay(self, user: User, run_id: str, now_ms: int) -> Change:
        """The change that tells a user's present form once more. Ids are stable within one `run_id`."""
        seen = _form(user, b"")
        text = self._event_id(Kind.REPLAY, seen, 0, run_id)
        return Change(
            kind=Kind.REPLAY,
            username=user.username,
            event_id=text,
            time_ms=_first(user.modified_ms, user.created_ms, now_ms),
            user=user,
        )

    def _first_sight(self, user: User, seen: KnownUser, phase: Phase, now_ms: int) -> Change | KnownUser:
        if phase.first == "snapshot":
            return self._change(Kind.SNAPSHOT, user, seen, None, 1, now_ms)
        if phase.first == "baseline" and not _since(user.created_ms, phase.started_ms):
            if not _since(user.modified_ms, phase.started_ms):
                return seen
            return self._change(Kind.UPDATED, user, seen, None, 1, now_ms, ONLY_DATE)
        return self._change(Kind.CREATED, user, seen, None, 1, now_ms)

    def _doubtful(self, user: User, seen: KnownUser, known: KnownUser, now_ms: int) -> Change:
        """An event was on its way when this row was stored: the same again, or the next after it."""
        same = known.digest == _target(seen)
        revision = abs(known.revision) + (0 if same else 1)
        kind = _untold_kind(known)
        if kind is None:
            changed = _changed(known, seen) if same else ANY_PART
            return self._change(Kind.UPDATED, user, seen, known, revision, now_ms, changed)
        changed = ONLY_DATE if kind is Kind.UPDATED else ()
        return self._change(kind, user, seen, known, revision, now_ms, changed)

    def _change(
        self,
        kind: Kind,
        user: User,
        seen: KnownUser,
        known: KnownUser | None,
        revision: int,
        now_ms: int,
        changed: tuple[str, ...] = (),
    ) -> Change:
        dates = (user.modified_ms, user.created_ms) if kind is Kind.UPDATED else (user.created_ms, user.modified_ms)
        return Change(
            kind=kind,
            username=user.username,
            event_id=self._event_id(kind, seen, revision),
            time_ms=_first(*dates, now_ms),
            user=user,
            before=known,
            after=dataclasses.replace(seen, revision=revision),
            changed=changed,
        )

    def _event_id(self, kind: Kind, form: KnownUser, revision: int, salt: str = "") -> str:
        """A UUID of version 8 (RFC 9562, section 5.8): the hash of all that makes this event this event."""
        hasher = hashlib.blake2b(digest_size=16)
        for part in (self.pool_arn, form.username, kind.value, form.sub or "", str(revision), salt):
            hasher.update(_sized(part))
        hasher.update(_fingerprint(form))
        h = hasher.hexdigest()
        return f"{h[:8]}-{h[8:12]}-8{h[13:16]}-{'89ab'[int(h[16], 16) & 3]}{h[17:20]}-{h[20:]}"


def intent(change: Change) -> KnownUser:
    """The row to store before the event of this change is sent."""
    if change.after is None:
        known = change.before
        assert known is not None, "a deletion is always of a known user"  # noqa: S101 - narrows the type
        return dataclasses.replace(known, digest=_target(known, _DELETED), missing_since_ms=change.time_ms)
    before, after = change.before, change.after
    if before is None or before.missing_since_ms is not None or change.kind is not Kind.UPDATED:
        base = dataclasses.replace(after, attributes=_untold(change.kind))
    else:
        base = before
    return dataclasses.replace(base, digest=_target(after), revision=-after.revision)


def _form(user: User, digest: bytes) -> KnownUser:
    return KnownUser(
        username=user.username,
        sub=user.sub,
        digest=digest,
        attributes=attributes_fingerprint(user),
        enabled=user.enabled,
        status=user.status,
        created_ms=user.created_ms,
        modified_ms=user.modified_ms,
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


def _fingerprint(form: KnownUser) -> bytes:
    hasher = hashlib.blake2b(form.attributes, digest_size=FINGERPRINT_SIZE)
    hasher.update(f"{form.enabled}|{form.created_ms}|{form.modified_ms}|".encode())
    hasher.update(_sized(form.status))
    return hasher.digest()


def _target(form: KnownUser, extra: bytes = b"") -> bytes:
    """What stands in the digest of a row in doubt: which form its event tells."""
    hasher = hashlib.blake2b(_fingerprint(form), digest_size=DIGEST_SIZE, person=b"in doubt")
    hasher.update(extra)
    return hasher.digest()


def _untold(kind: Kind) -> bytes:
    """The `attributes` of a row in doubt of a user about whom nothing is confirmed, and the kind of its event."""
    return kind.value.encode().rjust(FINGERPRINT_SIZE, b"\0")


def _untold_kind(known: KnownUser) -> Kind | None:
    text = known.attributes.lstrip(b"\0")
    return next((kind for kind in (Kind.CREATED, Kind.UPDATED, Kind.SNAPSHOT) if kind.value.encode() == text), None)


def _since(time_ms: int | None, start_ms: int) -> bool:
    return time_ms is not None and time_ms >= start_ms


def _first(*values: int | None) -> int:
    return next(value for value in values if value is not None)


def _packed(pair: tuple[str | None, str | None]) -> bytes:
    return _sized(pair[0]) + _sized(pair[1])


def _sized(text: str | None) -> bytes:
    """A prefix code, so that no two sequences of texts have the same bytes."""
    if text is None:
        return b"\x00"
    encoded = text.encode("utf-8", "surrogatepass")
    return b"\x01" + len(encoded).to_bytes(4, "big") + encoded
