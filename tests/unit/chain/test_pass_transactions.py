"""What takes a call that was bought before on a real chain, gives it back, and finds both again."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from access_samples import BLOCK_S, DAY, Stall, open_stall

from inferproof.chain.accounts import Execution, SettlementAccount
from inferproof.chain.passes import PASS_GAS, PassQuestions, consume_data
from inferproof.chain.rpc import Rpc
from inferproof.chain.token import TokenChain
from inferproof.errors import PaymentRejected, Reason, Unavailable
from inferproof.testing.devnet import DevnetInfo
from inferproof.testing.rejections import rejects
from inferproof.types.access import Consumption, PlanKind
from inferproof.types.chain import ItemState, RefundTerms
from inferproof.types.digest import Digest


@pytest.fixture
async def stall(registry_chain: DevnetInfo) -> AsyncIterator[Stall]:
    async with Rpc(registry_chain.rpc_url) as rpc:
        yield await open_stall(rpc, registry_chain)


class Till:
    """The gateway's account, which may consume, and a buyer's right."""

    def __init__(self, stall: Stall, confirmations: int = 1) -> None:
        self.stall, self.key = stall, stall.chain.accounts.gateway
        token = TokenChain(stall.rpc, stall.chain.token)
        self.account = SettlementAccount(token, self.key, confirmations=confirmations)

    async def open(self, **terms: int) -> "Till":
        await self.stall.access.set_consumer(self.key.address, True, self.key)
        kind = PlanKind.PASS if "span" in terms and "calls" not in terms else PlanKind.PACK
        name = await self.stall.plan(kind, **terms)
        self.right = (await self.stall.access.buy(name, self.stall.buyer)).purchase.right
        return self

    def taken(self, **changes: Any) -> Consumption:
        own = Consumption(
            access=self.stall.access.address,
            buyer=self.stall.buyer.address,
            model=self.stall.model,
            token=self.stall.chain.token.address,
            right=self.right,
            consumer=self.key.address,
            nonce=Digest(secrets.token_bytes(32)),
            mark=Digest(secrets.token_bytes(32)),
            valid_before=2**39,
        )
        return replace(own, **changes)

    async def used(self) -> int:
        return (await self.stall.access.purchase(self.right)).used

    async def send(self, signed: Any) -> Execution:
        await self.account.submit(signed.raw)
        await self.stall.rpc.request("anvil_mine", "0x1")
        return (await self.account.included([signed.tx]))[signed.tx]

    async def take(self, taken: Consumption) -> Execution:
        sight = await self.account.look()
        return await self.send(
            await self.account.sign_settlement([taken], sight.pending, sight.fees)
        )

    async def give_back(self, taken: Consumption, mark: Digest) -> Execution:
        sight = await self.account.look()
        return await self.send(
            await self.account.sign_restore(taken, sight.pending, sight.fees, mark)
        )

    async def refund_of(self, taken: Consumption, mark: Digest) -> Any:
        wanted = {mark: RefundTerms(taken.buyer, 0, taken)}
        return (await self.account.refunds_made(wanted, 0)).get(mark)


async def test_a_call_is_taken_and_found_by_its_mark(stall: Stall) -> None:
    till = await Till(stall).open(calls=3)
    first, second = till.taken(), till.taken()
    await till.account.check_settles(first)
    (state,) = await till.account.payer_states([first])
    assert (state.used, state.has_code) == (False, True)
    assert await till.account.settled_by(first, 0) is None
    done = await till.take(first)
    (outcome,) = done.outcomes([first])
    assert (outcome.state, await till.used()) == (ItemState.SETTLED, 1)
    assert done.receipt.gas_used < PASS_GAS // 2
    # The events of the two are alike.
    assert await till.account.settled_by(second, 0) is None
    await till.take(second)
    found = await till.account.settled_by(first, 0)
    assert found is not None
    assert found.tx == done.tx
    assert await till.account.settled_by(first, done.block + 1) is None


async def test_a_call_that_is_not_deep_is_neither(stall: Stall) -> None:
    till = await Till(stall, confirmations=9).open(calls=3)
    taken = till.taken()
    await till.take(taken)
    with pytest.raises(Unavailable) as caught:
        await till.account.settled_by(taken, 0)
    assert caught.value.reason is Reason.TX_NOT_CONFIRMED
    await stall.rpc.request("anvil_mine", "0x9")
    assert await till.account.settled_by(taken, 0) is not None


async def test_what_the_contract_refuses(stall: Stall) -> None:
    till = await Till(stall).open(calls=1)
    taken, again = till.taken(), till.taken()
    await till.take(taken)
    why = f"NotEntitled({taken.buyer}, {taken.model}, {taken.right})"
    with rejects(
        Reason.PASS_REFUSED,
        f"the contract lets no call of the right {taken.right} be taken: {why}",
        kind=PaymentRejected,
    ):
        await till.account.check_settles(again)
    failed = await till.take(again)
    (outcome,) = failed.outcomes([again])
    assert (failed.succeeded, outcome.state) == (False, ItemState.REFUSED)
    assert await till.account.settled_by(again, 0) is None
    stranger = till.taken(consumer=stall.provider.address)
    with pytest.raises(PaymentRejected) as caught:
        await till.account.check_settles(stranger)
    assert "NotAConsumer" in caught.value.message


async def test_a_call_is_given_back_and_found_by_its_mark(stall: Stall) -> None:
    till = await Till(stall).open(calls=2)
    taken, mark, other = till.taken(), Digest(b"\x21" * 32), Digest(b"\x22" * 32)
    await till.take(taken)
    assert await till.refund_of(taken, mark) is None
    done = await till.give_back(taken, mark)
    assert (done.succeeded, await till.used()) == (True, 0)
    found = await till.refund_of(taken, mark)
    assert (found.tx, found.block) == (done.tx, done.block)
    assert await till.refund_of(taken, other) is None


async def test_what_is_not_counted_is_given_back_without_a_trace(stall: Stall) -> None:
    """Of a pass that cannot be given back any more there is nothing to count."""
    till = await Till(stall).open(span=DAY)
    taken, mark = till.taken(), Digest(b"\x21" * 32)
    (outcome,) = (await till.take(taken)).outcomes([taken])
    assert (outcome.state, await till.used()) == (ItemState.SETTLED, 0)
    assert (await till.give_back(taken, mark)).succeeded
    assert await till.refund_of(taken, mark) is None


async def test_questions(stall: Stall) -> None:
    till = await Till(stall).open(calls=2)
    asked = PassQuestions(stall.rpc, stall.access.address)
    assert await asked.may_consume(till.key.address)
    assert not await asked.may_consume(stall.provider.address)
    before = await asked.head(), await asked.now()
    await stall.rpc.request("anvil_mine", "0x1")
    assert (await asked.head(), await asked.now()) == (before[0] + 1, before[1] + BLOCK_S)
    assert consume_data(till.taken())[-32:] != consume_data(till.taken())[-32:]
