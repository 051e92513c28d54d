"""The rules of a budget of openings, and slices as files."""

import pytest

from inferproof.errors import Conflict, Reason, RequestRejected
from inferproof.protocol.opening_budget import (
    MAX_SLOTS,
    Budget,
    Change,
    Level,
    Opening,
    Range,
    Slice,
    Use,
    figures,
)
from inferproof.protocol.opening_slice import decode_slice, encode_slice
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Digest

KEY = Digest(bytes([1]) * 32)
HERE = Digest(bytes([2]) * 32)
THERE = Digest(bytes([3]) * 32)
SPENT = (Reason.OPENINGS_SPENT, Reason.OPENINGS_GIVEN, Reason.ROTATION_SPENT)


def budget(*ranges: Range) -> Budget:
    return Budget(KEY, HERE, ranges)


def whole(size: int, taken: int = 0, *, reserved: int = 1, delegated: int = 0) -> Budget:
    return budget(Range(HERE, 0, size, reserved, taken, delegated))


def applied(before: Budget, change: Change[object]) -> Budget:
    return before.with_range(change.after)


def openings(now: Budget, use: Use = Use.PROOF) -> list[Opening]:
    """All that the budget gives until it is spent."""
    given = []
    while True:
        try:
            change = now.take(use, seen=0)
        except Conflict as error:
            if error.reason not in SPENT:
                raise
            return given
        now = applied(now, change)
        given.append(change.gives)


def test_every_slot_but_the_reserved_is_given_once_in_order() -> None:
    given = openings(whole(5))
    assert [each.slot for each in given] == [0, 1, 2, 3]
    assert [each.left for each in given] == [3, 2, 1, 0]
    assert [each.taken for each in given] == [1, 2, 3, 4]


def test_the_reserved_slot_is_for_rotation() -> None:
    spent = whole(5, 4)
    with rejects(
        Reason.OPENINGS_SPENT,
        f"of the openings of key {KEY} 0 are left where 1 are needed; make a new key of the same "
        "weights: inferproof provider rotate DIR",
        kind=Conflict,
    ):
        spent.take(Use.PROOF, seen=0)
    assert [each.slot for each in openings(spent, Use.ROTATION)] == [4]
    with rejects(
        Reason.ROTATION_SPENT,
        f"the opening of key {KEY} that is reserved for its rotation is gone, so no new key of the "
        "same weights can be shown; compile the model anew, which gives it another identity",
        kind=Conflict,
    ):
        whole(5, 5).take(Use.ROTATION, seen=0)


def test_an_epoch_is_forgotten_and_a_key_is_not() -> None:
    budget().check_forgotten()
    whole(5, 2, reserved=0).check_forgotten()
    with rejects(
        Reason.OPENINGS_KEPT,
        f"the openings of key {KEY} are not forgotten: it can still be rotated, or have a slice "
        "back",
        kind=Conflict,
    ):
        whole(5, 5).check_forgotten()


def test_a_rotation_that_was_interrupted_may_take_another_slot() -> None:
    """It takes the next in order, so that the reserved one stays for the next attempt."""
    now = whole(3)
    assert [each.slot for each in openings(now, Use.ROTATION)] == [0, 1, 2]
    after = applied(now, now.take(Use.ROTATION, seen=0))
    assert [each.slot for each in openings(after)] == [1]


@pytest.mark.parametrize(
    ("size", "reserved", "changes"),
    [
        (11, 1, {8: Level.LOW, 10: Level.SPENT}),
        (10, 0, {8: Level.LOW, 10: Level.SPENT}),
        (4, 0, {4: Level.SPENT}),
        (1, 0, {1: Level.SPENT}),
    ],
)
def test_it_is_told_once_when_a_fifth_is_left_and_when_nothing_is(
    size: int, reserved: int, changes: dict[int, Level]
) -> None:
    told = {each.taken: each.fell_to for each in openings(whole(size, reserved=reserved))}
    assert {taken: level for taken, level in told.items() if level} == changes


def test_what_was_delegated_does_not_make_a_budget_low() -> None:
    assert whole(101, 80, delegated=80).level is Level.AMPLE
    assert whole(101, 80).level is Level.LOW


def test_nothing_is_known_of_a_key_without_a_count() -> None:
    with rejects(
        Reason.OPENINGS_UNKNOWN,
        f"nothing here counts the openings of key {KEY}, so they count as spent; prove where the "
        "key was made, or bring openings from "
        "there: inferproof provider openings show DIR here tells the store, give DIR --to STORE "
        "there writes them, accept FILE here counts them",
        kind=Conflict,
    ):
        budget().take(Use.PROOF, seen=0)
    assert budget().level is Level.SPENT


@pytest.mark.parametrize("use", Use)
def test_a_count_of_another_store_is_spent(use: Use) -> None:
    copied = budget(Range(THERE, 0, 5, 1))
    with rejects(
        Reason.OPENINGS_COPIED,
        f"the count of the openings of key {KEY} was copied here or brought back from a backup, "
        "so they count as spent; prove where it is counted, or bring openings from "
        "there: inferproof provider openings show DIR here tells the store, give DIR --to STORE "
        "there writes them, accept FILE here counts them",
        kind=Conflict,
    ):
        copied.take(use, seen=0)
    assert (copied.left, copied.level) == (0, Level.SPENT)


def test_a_count_behind_what_was_seen_is_spent() -> None:
    with rejects(
        Reason.OPENINGS_OLDER,
        f"3 openings of key {KEY} are counted and 4 were taken before: the count was brought back "
        "from a backup, so they count as spent",
        kind=Conflict,
    ):
        whole(9, 3).take(Use.PROOF, seen=4)
    assert whole(9, 3).take(Use.PROOF, seen=3).gives.slot == 3


def test_a_key_is_registered_once() -> None:
    assert applied(budget(), budget().register(5, 1)) == whole(5)
    for known in (whole(5), budget(Range(THERE, 0, 5, 1))):
        with rejects(
            Reason.OPENINGS_COUNTED,
            f"the openings of key {KEY} are counted already",
            kind=Conflict,
        ):
            known.register(5, 1)


def test_a_slice_is_gone_for_the_giver_and_a_budget_for_the_taker() -> None:
    change = whole(10, 2).delegate(THERE, 3, seen=0)
    assert change.gives == Slice(KEY, THERE, first=2, size=3)
    giver = applied(whole(10, 2), change)
    assert [each.slot for each in openings(giver)] == [5, 6, 7, 8]
    taker = Budget(KEY, THERE)
    taker = applied(taker, taker.accept(change.gives))
    assert [each.slot for each in openings(taker)] == [2, 3, 4]


def test_a_slice_has_no_more_than_is_left() -> None:
    with rejects(
        Reason.OPENINGS_SPENT,
        f"of the openings of key {KEY} 7 are left where 8 are needed; make a new key of the same "
        "weights: inferproof provider rotate DIR",
    ):
        whole(10, 2).delegate(THERE, 8, seen=0)
    assert whole(10, 2).delegate(THERE, 7, seen=0).gives.size == 7
    with pytest.raises(ValueError, match="not empty"):
        whole(10, 2).delegate(THERE, 0, seen=0)


def test_all_that_is_left_goes_with_what_is_reserved() -> None:
    change = whole(10, 2).delegate(THERE, None, seen=0)
    assert change.gives == Slice(KEY, THERE, first=2, size=8, reserved=1)
    giver = applied(whole(10, 2), change)
    for use in Use:
        with rejects(
            Reason.OPENINGS_GIVEN,
            f"what was left of the openings of key {KEY} was given to another store; prove where "
            "that counts them, or have it give some back: inferproof provider openings show DIR "
            "here tells this store, give DIR --to STORE there writes them, accept FILE here counts "
            "them",
            kind=Conflict,
        ):
            giver.take(use, seen=0)
    taken = whole(10, 10).delegate
    with pytest.raises(Conflict):
        taken(THERE, None, seen=0)


def test_a_slice_is_for_one_store_and_used_once() -> None:
    mine = Slice(KEY, HERE, first=5, size=3)
    with rejects(
        Reason.SLICE_OTHER_STORE,
        f"the slice of openings is for the store {HERE}, and this is {THERE}",
        kind=RequestRejected,
    ):
        Budget(KEY, THERE).accept(mine)
    accepted = applied(budget(), budget().accept(mine))
    spent = budget(Range(HERE, 5, 3, 0, taken=3))
    copied = budget(Range(THERE, 7, 3, 0))
    for known in (accepted, spent, copied):
        with rejects(
            Reason.SLICE_USED,
            f"openings 5 to 7 of key {KEY} were counted here before",
            kind=Conflict,
        ):
            known.accept(mine)


def test_several_slices_are_one_budget() -> None:
    both = budget(Range(HERE, 5, 2, 0), Range(HERE, 20, 2, 1))
    assert [each.slot for each in openings(both)] == [5, 6, 20]
    assert [each.slot for each in openings(both, Use.ROTATION)] == [5, 6, 20, 21]


def test_what_an_operator_is_shown() -> None:
    assert figures(whole(10, 7, delegated=4)) == {
        "left": 2,
        "reserved": 1,
        "used": 3,
        "delegated": 4,
        "level": "ample",
    }
    assert figures(budget(Range(THERE, 0, 5, 1))) == {
        "left": 0,
        "reserved": 0,
        "used": 0,
        "delegated": 0,
        "level": "spent",
    }


@pytest.mark.parametrize(
    "numbers",
    [(0, 0, 0), (-1, 5, 0), (0, 5, 6), (0, 5, -1), (0, 5, 0, 6), (0, 5, 0, 2, 3), (0, 5, 0, 2, -1)],
)
def test_a_range_holds_what_it_counts(numbers: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="range"):
        Range(HERE, *numbers)
    with pytest.raises(ValueError, match="range"):
        Range(HERE, 1, MAX_SLOTS, 0)


def test_a_slice_as_a_file() -> None:
    given = Slice(KEY, THERE, first=2, size=8, reserved=1)
    data = encode_slice(given)
    assert decode_slice(data) == given
    with rejects(
        Reason.DOCUMENT_CHECKSUM,
        "the checksum of the inferproof/opening-slice/1 file does not match its content",
        kind=RequestRejected,
    ):
        decode_slice(data.replace(b'"size":8', b'"size":9'))


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("first", Slice(KEY, THERE, first=MAX_SLOTS, size=1)),
        ("size", Slice(KEY, THERE, first=0, size=0)),
        ("size", Slice(KEY, THERE, first=1, size=MAX_SLOTS)),
        ("reserved", Slice(KEY, THERE, first=0, size=1, reserved=2)),
    ],
)
def test_a_slice_that_no_store_gives(field: str, given: Slice) -> None:
    with rejects(
        Reason.FIELD_MALFORMED,
        f"field {field} of the inferproof/opening-slice/1 is malformed",
        kind=RequestRejected,
    ):
        decode_slice(encode_slice(given))
