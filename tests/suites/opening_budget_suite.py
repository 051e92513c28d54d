"""What every store of opening budgets keeps to. A test module gives the fixtures `budgets` and
`elsewhere`, two stores, and `again`, which opens the first of them anew."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from inferproof.errors import Conflict, Reason, RequestRejected
from inferproof.protocol.opening_budget import Level, Slice, Use
from inferproof.storage.ports.opening_budgets import OpeningBudgets
from inferproof.storage.sql.engine import Database
from inferproof.storage.sql.opening_budgets import SqlOpeningBudgets
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Digest

KEY = Digest(bytes([7]) * 32)
OTHER_KEY = Digest(bytes([8]) * 32)

SPENT = (Reason.OPENINGS_SPENT, Reason.OPENINGS_GIVEN, Reason.ROTATION_SPENT)

Again = Callable[[], AbstractAsyncContextManager[OpeningBudgets]]


@asynccontextmanager
async def sql_budgets(url: str) -> AsyncIterator[SqlOpeningBudgets]:
    """The store in the database at the URL, closed when the block ends."""
    database = await Database.open(url)
    try:
        yield SqlOpeningBudgets(database)
    finally:
        await database.close()


def record_of(root: Path) -> Path:
    """The file in which a folder of records counts the key."""
    return root / f"{KEY.raw.hex()}.json"


async def slots_of(
    budgets: OpeningBudgets, use: Use = Use.PROOF, key: Digest = KEY
) -> AsyncIterator[int]:
    """Slots until the budget is spent."""
    while True:
        try:
            yield (await budgets.take(key, use)).slot
        except Conflict as error:
            if error.reason not in SPENT:
                raise
            return


class TestOpeningBudget:
    async def test_slots_until_it_is_spent(self, budgets: OpeningBudgets) -> None:
        await budgets.register(KEY, 5)
        assert [slot async for slot in slots_of(budgets)] == [0, 1, 2, 3]
        assert [slot async for slot in slots_of(budgets, Use.ROTATION)] == [4]
        assert (await budgets.budget(KEY)).level is Level.SPENT

    async def test_what_an_opening_says(self, budgets: OpeningBudgets) -> None:
        await budgets.register(KEY, 3, reserved=0)
        store = await budgets.store(KEY)
        first, second = await budgets.take(KEY), await budgets.take(KEY)
        assert (first.key, first.store, first.slot, first.taken) == (KEY, store, 0, 1)
        assert (second.slot, second.left, second.fell_to) == (1, 1, None)
        assert (await budgets.take(KEY)).fell_to is Level.SPENT

    async def test_many_at_once_never_have_the_same(self, budgets: OpeningBudgets) -> None:
        await budgets.register(KEY, 41)
        taken = await asyncio.gather(
            *(budgets.take(KEY) for _ in range(60)), return_exceptions=True
        )
        slots = [each.slot for each in taken if not isinstance(each, BaseException)]
        assert sorted(slots) == list(range(40))
        assert all(
            isinstance(each, Conflict) and each.reason is Reason.OPENINGS_SPENT
            for each in taken
            if isinstance(each, BaseException)
        )

    async def test_it_goes_on_where_it_was(self, budgets: OpeningBudgets, again: Again) -> None:
        await budgets.register(KEY, 9)
        await budgets.take(KEY)
        async with again() as later:
            assert await later.store(KEY) == await budgets.store(KEY)
            assert (await later.take(KEY)).slot == 1
        assert (await budgets.take(KEY)).slot == 2

    async def test_keys_are_counted_apart(self, budgets: OpeningBudgets) -> None:
        await budgets.register(KEY, 9)
        await budgets.register(OTHER_KEY, 9)
        await budgets.take(KEY)
        assert (await budgets.take(OTHER_KEY)).slot == 0
        assert (await budgets.budget(KEY)).left == 7

    async def test_a_key_is_registered_once(self, budgets: OpeningBudgets) -> None:
        await budgets.register(KEY, 9)
        await budgets.take(KEY)
        with rejects(
            Reason.OPENINGS_COUNTED, f"the openings of key {KEY} are counted already", kind=Conflict
        ):
            await budgets.register(KEY, 9)
        assert (await budgets.take(KEY)).slot == 1

    async def test_a_key_that_nobody_counts_is_spent(self, budgets: OpeningBudgets) -> None:
        for use in Use:
            with rejects(
                Reason.OPENINGS_UNKNOWN,
                f"nothing here counts the openings of key {KEY}, so they count as spent; prove "
                "where the key was made, or bring openings from there: inferproof provider "
                "openings show DIR here tells the store, give DIR --to STORE there writes them, "
                "accept FILE here counts them",
                kind=Conflict,
            ):
                await budgets.take(KEY, use)
        assert (await budgets.budget(KEY)).level is Level.SPENT

    async def test_a_count_behind_what_was_seen_is_spent(self, budgets: OpeningBudgets) -> None:
        await budgets.register(KEY, 9)
        await budgets.take(KEY, seen=0)
        assert (await budgets.take(KEY, seen=1)).taken == 2
        with rejects(
            Reason.OPENINGS_OLDER,
            f"2 openings of key {KEY} are counted and 3 were taken before: the count was brought "
            "back from a backup, so they count as spent",
            kind=Conflict,
        ):
            await budgets.take(KEY, seen=3)

    async def test_an_epoch_that_was_forgotten_is_spent(
        self, budgets: OpeningBudgets, again: Again
    ) -> None:
        await budgets.register(KEY, 3, reserved=0)
        await budgets.register(OTHER_KEY, 3, reserved=0)
        store = await budgets.store(KEY)
        await budgets.take(KEY)
        await budgets.forget(KEY)
        async with again() as later:
            with pytest.raises(Conflict) as caught:
                await later.take(KEY)
            assert caught.value.reason is Reason.OPENINGS_UNKNOWN
            assert (await later.take(OTHER_KEY)).slot == 0
        await budgets.forget(KEY)
        # Nothing that was made out to the count before is taken by another.
        assert await budgets.store(KEY) != store

    async def test_a_key_that_can_be_rotated_is_not_forgotten(
        self, budgets: OpeningBudgets
    ) -> None:
        await budgets.register(KEY, 2)
        await budgets.take(KEY)
        with rejects(
            Reason.OPENINGS_KEPT,
            f"the openings of key {KEY} are not forgotten: it can still be rotated, or have a "
            "slice back",
            kind=Conflict,
        ):
            await budgets.forget(KEY)
        assert (await budgets.take(KEY, Use.ROTATION)).slot == 1
        with rejects(
            Reason.ROTATION_SPENT,
            f"the opening of key {KEY} that is reserved for its rotation is gone, so no new key of "
            "the same weights can be shown; compile the model anew, which gives it another "
            "identity",
            kind=Conflict,
        ):
            await budgets.take(KEY, Use.ROTATION)
        with pytest.raises(Conflict) as caught:
            await budgets.forget(KEY)
        assert caught.value.reason is Reason.OPENINGS_KEPT

    async def test_a_slice_is_used_by_its_taker_once(
        self, budgets: OpeningBudgets, elsewhere: OpeningBudgets
    ) -> None:
        await budgets.register(KEY, 9)
        slots = await budgets.delegate(KEY, await elsewhere.store(KEY), 3)
        assert [slot async for slot in slots_of(budgets)] == [3, 4, 5, 6, 7]
        await elsewhere.accept(slots)
        assert (await elsewhere.take(KEY)).slot == 0
        with rejects(
            Reason.SLICE_USED,
            f"openings 0 to 2 of key {KEY} were counted here before",
            kind=Conflict,
        ):
            await elsewhere.accept(slots)
        assert [slot async for slot in slots_of(elsewhere)] == [1, 2]

    async def test_a_slice_is_for_nobody_else(
        self, budgets: OpeningBudgets, elsewhere: OpeningBudgets
    ) -> None:
        await budgets.register(KEY, 9)
        stranger = Digest(bytes([9]) * 32)
        slots = await budgets.delegate(KEY, stranger, 3)
        with rejects(
            Reason.SLICE_OTHER_STORE,
            f"the slice of openings is for the store {stranger}, and this is "
            f"{await elsewhere.store(KEY)}",
            kind=RequestRejected,
        ):
            await elsewhere.accept(slots)

    async def test_a_budget_moves_whole_and_back(
        self, budgets: OpeningBudgets, elsewhere: OpeningBudgets
    ) -> None:
        await budgets.register(KEY, 6)
        await budgets.take(KEY)
        slots = await budgets.delegate(KEY, await elsewhere.store(KEY), None)
        assert slots == Slice(KEY, await elsewhere.store(KEY), first=1, size=5, reserved=1)
        for use in Use:
            with rejects(
                Reason.OPENINGS_GIVEN,
                f"what was left of the openings of key {KEY} was given to another store; prove "
                "where that counts them, or have it give some back: inferproof provider openings "
                "show DIR here tells this store, give DIR --to STORE there writes them, accept "
                "FILE here counts them",
                kind=Conflict,
            ):
                await budgets.take(KEY, use)
        await elsewhere.accept(slots)
        assert (await elsewhere.take(KEY)).slot == 1
        back = await elsewhere.delegate(KEY, await budgets.store(KEY), None)
        with rejects(
            Reason.SLICE_USED,
            f"openings 2 to 5 of key {KEY} were counted here before",
            kind=Conflict,
        ):
            await budgets.accept(back)
