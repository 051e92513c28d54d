"""Lists of models are ranked by the scores of those who have them, where there are any."""

from dataclasses import replace

import pytest
from test_listing_store import model

from inferproof.storage.ports.models import ModelFilter, ModelOrder, ModelStatus
from inferproof.storage.sql.scores import SqlScores
from inferproof.testing.memory_store import Stores
from inferproof.types.digest import Address

FIRST, SECOND, THIRD = (Address(bytes([number]) * 20) for number in (3, 2, 1))


@pytest.fixture
async def scores(stores: Stores) -> SqlScores:
    """A model of each of three providers, added in this order, the dearest first."""
    for number, provider in enumerate((FIRST, SECOND, THIRD)):
        added = model("1.0.0", ModelStatus.ACTIVE)
        await stores.models.add(
            replace(added, id=f"sample-{number}", provider=provider, card_price=9 - number)
        )
    return SqlScores(stores.database)


async def listed(stores: Stores, order: ModelOrder = ModelOrder.USE) -> list[Address]:
    return [found.provider for found in await stores.models.list(ModelFilter(order=order))]


async def test_whose_models_are_listed(stores: Stores, scores: SqlScores) -> None:
    pending = replace(model("1.0.0", ModelStatus.PENDING), id="other", provider=Address(bytes(20)))
    await stores.models.add(pending)
    assert await scores.providers() == [THIRD, SECOND, FIRST]


async def test_without_scores_the_order_is_as_it_was(stores: Stores, scores: SqlScores) -> None:
    assert await listed(stores) == [FIRST, SECOND, THIRD]
    await scores.record({FIRST: 7, SECOND: 7, THIRD: 7}, now=1)
    assert await listed(stores) == [FIRST, SECOND, THIRD], "those of equal score stay as they were"


async def test_the_best_score_comes_first(stores: Stores, scores: SqlScores) -> None:
    await scores.record({SECOND: 10_000, THIRD: 1}, now=1)
    assert await listed(stores) == [SECOND, THIRD, FIRST], "who has none has 0"
    await scores.record({FIRST: 2, THIRD: 3}, now=2)
    assert await listed(stores) == [THIRD, FIRST, SECOND], "the scores of before are gone"


async def test_who_asks_for_another_order_has_it(stores: Stores, scores: SqlScores) -> None:
    await scores.record({FIRST: 10_000}, now=1)
    assert await listed(stores, ModelOrder.PRICE) == [THIRD, SECOND, FIRST]
    assert await listed(stores, ModelOrder.NEWEST) == [THIRD, SECOND, FIRST]


async def test_scores_are_forgotten_where_no_market_is_asked(
    stores: Stores, scores: SqlScores
) -> None:
    await scores.record({THIRD: 10_000}, now=1)
    await scores.forget()
    assert await listed(stores) == [FIRST, SECOND, THIRD]
