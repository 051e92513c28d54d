"""Who is charged for what."""

import os
from collections.abc import AsyncIterator

import pytest

from inferproof.errors import Reason, RequestRejected, TooMany
from inferproof.services.limits.keys import ApiKeys, new_key
from inferproof.services.limits.service import Action, Limits, Policy, Standing
from inferproof.storage.ratelimit.memory import MemoryLimiter
from inferproof.storage.sql.api_keys import SqlApiKeys
from inferproof.storage.sql.engine import MEMORY, Database
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Address
from inferproof.types.limits import Rate

POLICY = Policy(
    requests=Rate(20, 86_400),
    quotes=Rate(3, 86_400),
    verifications=Rate(2, 86_400),
    submissions=Rate(1, 86_400),
    orders=Rate(2, 86_400),
)
ONE, TWO = Address(b"\x01" * 20), Address(b"\x02" * 20)


class Parts:
    """Limits on a store in memory, and what they refused."""

    def __init__(self, store: SqlApiKeys, policy: Policy) -> None:
        self.store = store
        self.refused: list[str] = []
        self.limits = Limits(
            MemoryLimiter(clock=lambda: 10**9), ApiKeys(store), policy, self.refused.append
        )

    async def key(self, factor: int) -> str:
        key, text = new_key("one", factor, entropy=os.urandom, now=0)
        await self.store.add(key)
        return text


@pytest.fixture
async def parts() -> AsyncIterator[Parts]:
    database = await Database.open(MEMORY)
    yield Parts(SqlApiKeys(database), POLICY)
    await database.close()


@pytest.mark.parametrize(
    ("action", "count"), [(Action.UNPAID, 3), (Action.VERIFY, 2), (Action.SUBMIT, 1)]
)
async def test_each_action_has_its_bucket(parts: Parts, action: Action, count: int) -> None:
    for _ in range(count):
        await parts.limits.admit("10.0.0.1", action)
    with pytest.raises(TooMany) as caught:
        await parts.limits.admit("10.0.0.1", action)
    assert caught.value.facts["what"] == action.value
    await parts.limits.admit("10.0.0.2", action)
    await parts.limits.admit("10.0.0.1", Action.READ)
    assert parts.refused == [action.value]


async def test_a_refusal_says_what_when_and_how_to_mend_it(parts: Parts) -> None:
    await parts.limits.admit("10.0.0.1", Action.SUBMIT)
    with rejects(
        Reason.RATE_LIMITED,
        "more than 1/day submissions from one address; try again in 86400 seconds",
        kind=TooMany,
    ):
        await parts.limits.admit("10.0.0.1", Action.SUBMIT)


async def test_every_request_counts_as_one(parts: Parts) -> None:
    for _ in range(20):
        await parts.limits.admit("10.0.0.1", Action.READ)
    with pytest.raises(TooMany) as caught:
        await parts.limits.admit("10.0.0.1", Action.UNPAID)
    assert caught.value.facts["what"] == "requests"


async def test_the_standing_is_that_of_the_nearest_limit(parts: Parts) -> None:
    _, standing = await parts.limits.admit("10.0.0.1", Action.UNPAID)
    assert standing == Standing("quotes", Rate(3, 86_400), 2, 28_800)


async def test_a_key_raises_limits_and_is_counted_by_itself(parts: Parts) -> None:
    text = await parts.key(2)
    for address in ("10.0.0.1", "10.0.0.2"):
        for _ in range(3):
            holder, _ = await parts.limits.admit(address, Action.UNPAID, text)
            assert holder is not None
    with pytest.raises(TooMany) as caught:
        await parts.limits.admit("10.0.0.3", Action.UNPAID, text)
    assert caught.value.facts["whose"] == "API key"
    await parts.limits.admit("10.0.0.3", Action.UNPAID)


async def test_unknown_keys_are_charged_to_their_address(parts: Parts) -> None:
    for number in range(3):
        with pytest.raises(RequestRejected):
            await parts.limits.admit("10.0.0.1", Action.READ, f"inf_{number:016x}_{'A' * 43}")
    with pytest.raises(TooMany):
        await parts.limits.admit("10.0.0.1", Action.READ, "inf_x")


async def test_orders_are_counted_by_payer_or_by_key(parts: Parts) -> None:
    for _ in range(2):
        await parts.limits.order(ONE, None)
    with rejects(
        Reason.RATE_LIMITED,
        "more than 2/day orders from one payer; try again in 43200 seconds",
        kind=TooMany,
    ):
        await parts.limits.order(ONE, None)
    await parts.limits.order(TWO, None)
    holder, _ = await parts.limits.admit("10.0.0.1", Action.READ, await parts.key(3))
    for _ in range(6):
        await parts.limits.order(ONE, holder)
    with pytest.raises(TooMany):
        await parts.limits.order(TWO, holder)


async def test_off_counts_nothing(parts: Parts) -> None:
    limits = Parts(parts.store, Policy()).limits
    for _ in range(50):
        assert await limits.admit("10.0.0.1", Action.SUBMIT) == (None, None)
        await limits.order(ONE, None)
