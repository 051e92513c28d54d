"""The rules of reading events: spans and gaps, cursors, filters of blocks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferproof.errors import Reason, RequestRejected
from inferproof.protocol import indexing
from inferproof.protocol.indexing import IndexTerms, Place, next_span, set_digest
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Address
from inferproof.types.indexing import Coverage, Cursor, Source, SourceSet

SPANS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 6)), max_size=8)
ONE, TWO = Address(b"\x01" * 20), Address(b"\x02" * 20)


@given(SPANS, st.integers(0, 45), st.integers(0, 45), st.integers(0, 45))
def test_coverage_is_a_set_of_blocks(
    spans: list[tuple[int, int]], cut: int, first: int, last: int
) -> None:
    covered, blocks = Coverage(), set()
    for start, length in spans:
        covered = covered.add(start, start + length)
        blocks |= set(range(start, start + length + 1))
    told = {n for a, b in covered.spans for n in range(a, b + 1)}
    assert told == blocks
    assert (covered.first, covered.last) == (min(blocks, default=None), max(blocks, default=None))
    below = covered.cut(cut)
    assert {n for a, b in below.spans for n in range(a, b + 1)} == {n for n in blocks if n <= cut}
    if first <= last:
        gaps = {n for a, b in covered.gaps(first, last) for n in range(a, b + 1)}
        assert gaps == set(range(first, last + 1)) - blocks


@given(SPANS, st.sets(st.integers(0, 45)), st.integers(1, 9), st.integers(0, 45))
def test_the_next_span_is_the_first_that_can_be_read(
    spans: list[tuple[int, int]], refused: set[int], size: int, head: int
) -> None:
    covered = Coverage()
    for start, length in spans:
        covered = covered.add(start, start + length)
    open_blocks = (
        {n for a, b in covered.gaps(3, head) for n in range(a, b + 1)} if head >= 3 else set()
    )
    found = next_span(Cursor(covered=covered), 3, head, size, frozenset(refused))
    if found is None:
        assert open_blocks <= refused
        return
    first, last = found
    assert first == min(open_blocks - refused)
    assert last - first < size
    assert set(range(first, last + 1)) <= open_blocks - refused


def test_with_too_many_gaps_none_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexing, "MAX_SPANS", 2)
    cursor = Cursor(covered=Coverage(((0, 1), (3, 4))))
    assert next_span(cursor, 0, 9, 5, frozenset({2})) is None
    assert next_span(cursor, 0, 9, 5, frozenset()) == (2, 2)


def test_terms_that_make_no_sense() -> None:
    for wrong in ({"depth": 0}, {"depth": 9, "keep": 8}, {"span": 0}, {"batch": 0}):
        with pytest.raises(ValueError):
            IndexTerms(**wrong)
    assert IndexTerms(depth=3).confirmed(1) == -1
    assert IndexTerms(depth=3).confirmed(10) == 8


def test_what_tells_sets_apart() -> None:
    def digest(chain_id: int, *sources: Source) -> object:
        return set_digest(SourceSet(chain_id, sources))

    a, b = Source("A", ONE, 5), Source("B", TWO, 6)
    assert digest(1, a, b) == digest(1, b, a)
    told = {
        digest(1, a, b),
        digest(2, a, b),
        digest(1, a),
        digest(1, a, Source("B", TWO, 7)),
        digest(1, a, Source("C", TWO, 6)),
        digest(1, Source("A", TWO, 5), Source("B", ONE, 6)),
    }
    assert len(told) == 6
    for wrong in ((), (a, Source("B", ONE, 9))):
        with pytest.raises(ValueError):
            SourceSet(1, wrong)


def test_a_cursor_has_one_text() -> None:
    place = Place(1200, 3, "5f" * 8)
    assert Place.parse(str(place)) == place
    for got in ("", "1-2", "1-2-zz", "01-2-" + "5f" * 8, "1-2-" + "5F" * 8, "-1-2-" + "5f" * 8):
        with rejects(
            Reason.EVENTS_CURSOR_MALFORMED,
            f"{got} is not a cursor of this history; send one that an answer gave, or none",
            kind=RequestRejected,
        ):
            Place.parse(got)
