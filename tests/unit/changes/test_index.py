"""The index of known users."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.changes.detector import raw_digest
from adapter.changes.index import Index


def digests(count: int) -> list[tuple[int, bytes]]:
    return [(row, raw_digest(str(row).encode())) for row in range(count)]


def index_of(known: list[tuple[int, bytes]]) -> Index:
    return Index([([row for row, _ in known], b"".join(digest for _, digest in known))])


def test_a_known_digest_is_unchanged_and_marks_its_user_seen() -> None:
    known = digests(100)
    index = index_of(known)
    index.begin_sweep()
    assert all(index.unchanged(digest) for row, digest in known if row != 17)
    assert not index.unchanged(raw_digest(b"other"))
    assert list(index.unseen()) == [17]


def test_a_new_sweep_forgets_who_was_seen() -> None:
    index = index_of(digests(3))
    for _ in range(2):
        index.begin_sweep()
        assert list(index.unseen()) == [0, 1, 2]
        index.mark_seen(1)
        assert list(index.unseen()) == [0, 2]


def test_an_index_that_is_empty_misses_nobody() -> None:
    index = Index()
    index.begin_sweep()
    assert (len(index), list(index.unseen())) == (0, [])
    assert not index.unchanged(raw_digest(b""))


def test_rows_with_gaps_and_in_several_groups_are_all_known() -> None:
    known = [(row, raw_digest(str(row).encode())) for row in (0, 1, 2, 7, 9, 5_000, 5_001)]
    groups = [known[:3], known[3:5], known[5:]]
    index = Index([([row for row, _ in group], b"".join(digest for _, digest in group)) for group in groups])
    index.begin_sweep()
    assert (len(index), list(index.unseen())) == (7, [row for row, _ in known])
    assert [index.lookup(digest) for _, digest in known] == [row for row, _ in known]


def test_two_users_with_the_same_digest_are_told_apart_by_their_rows() -> None:
    index = index_of([(0, b"12345678"), (1, b"12345678")])
    index.put(0, b"abcdefgh", b"12345678")
    assert index.unchanged(b"12345678")
    index.forget(1, b"12345678")
    assert not index.unchanged(b"12345678")
    assert len(index) == 1


def test_a_digest_is_not_found_across_two_records() -> None:
    """Records lie next to each other: the end of one and the beginning of the next can spell a digest."""
    index = index_of([(5, b"abcdefgh"), (0x01020304, b"ab\x03\x02\x01efg")])
    assert not index.unchanged(b"ab\x04\x03\x02\x01ab")
    assert index.unchanged(b"abcdefgh")


def test_a_user_whose_event_is_on_its_way_counts_but_is_never_found_unchanged() -> None:
    index = index_of([(0, b"12345678")])
    index.begin_sweep()
    index.suspend(0, b"12345678")
    index.suspend(1)
    assert (len(index), list(index.unseen())) == (2, [])
    assert not index.unchanged(b"12345678")
    index.put(0, b"12345678")
    assert index.unchanged(b"12345678")
    index.forget(1)
    assert len(index) == 1


def test_a_wrong_former_digest_is_an_error() -> None:
    index = index_of(digests(1))
    with pytest.raises(KeyError):
        index.put(0, b"abcdefgh", b"12345678")


def test_a_hundred_thousand_users_take_less_than_4_mb() -> None:
    index = index_of(digests(100_000))
    size = sum(sys.getsizeof(bucket) for bucket in index._buckets)
    size += sys.getsizeof(index._buckets) + sys.getsizeof(index._alive) + sys.getsizeof(index._seen)
    overhead = 65_536 * 120  # a bucket costs this much however full it is; it does not grow with the users
    assert size - overhead < 4_000_000


ROW = st.integers(0, 40)
DIGEST = st.binary(min_size=1, max_size=1).map(lambda byte: b"sam" + byte + b"\0\0\0\0")
STEPS = st.lists(
    st.tuples(st.sampled_from(["put", "hold", "forget", "see", "unchanged", "sweep"]), ROW, DIGEST), max_size=60
)


@given(STEPS)
def test_it_behaves_like_a_dictionary(steps: list[tuple[str, int, bytes]]) -> None:
    index, model, seen = Index(), dict[int, bytes | None](), set[int]()
    for step, row, digest in steps:
        if step == "put":
            index.put(row, digest, model.get(row))
            model[row] = digest
            seen.add(row)
        elif step == "hold":
            index.suspend(row, model.get(row))
            model[row] = None
            seen.add(row)
        elif step == "forget" and row in model:
            index.forget(row, model.pop(row))
        elif step == "see" and row in model:
            index.mark_seen(row)
            seen.add(row)
        elif step == "unchanged":
            assert index.unchanged(digest) == (digest in model.values())
            # Which of several rows with one digest was seen is not promised: see them all.
            for other, its in model.items():
                if its == digest:
                    index.mark_seen(other)
                    seen.add(other)
        elif step == "sweep":
            index.begin_sweep()
            seen.clear()
        assert len(index) == len(model)
        assert list(index.unseen()) == sorted(set(model) - seen)
