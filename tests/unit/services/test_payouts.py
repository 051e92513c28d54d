"""Payouts on a real chain: each developer is paid once, whatever is stopped where."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from payout_parts import SHARES, TOTAL, Payer
from test_crash import Boundary, Crash, Watched

from inferproof.chain.accounts import SettlementAccount
from inferproof.chain.escrow import open_escrow
from inferproof.chain.rpc import Rpc
from inferproof.errors import Misconfigured, Reason
from inferproof.storage.ports.revenue import PayoutTerms
from inferproof.storage.sql.engine import MEMORY, sqlite_url
from inferproof.storage.sql.payouts import SqlPayouts
from inferproof.storage.sql.revenue import SqlRevenue
from inferproof.testing.devnet import DevnetInfo
from inferproof.testing.memory_store import Stores, open_stores
from inferproof.types.money import Asset
from inferproof.types.revenue import PayoutState

PAYOUT_WRITES = frozenset(["send", "paid", "found", "failed"])
OUTBOX_WRITES = frozenset(["note_sent", "replace", "drop", "note_nonce_spent", "unwatch"])


@pytest.fixture
async def rpc(devnet: DevnetInfo) -> AsyncIterator[Rpc]:
    async with Rpc(devnet.rpc_url) as connection:
        yield connection


@pytest.fixture
async def payer(rpc: Rpc, devnet: DevnetInfo) -> Payer:
    made = Payer(rpc, devnet, devnet.token)
    await made.fund()
    return made


@pytest.fixture
async def fiat(rpc: Rpc, devnet: DevnetInfo, fiat_token: Asset) -> Payer:
    """The same in Circle's own token, whose owner can block accounts."""
    made = Payer(rpc, devnet, fiat_token)
    await made.fund()
    return made


@pytest.fixture
async def stores() -> AsyncIterator[Stores]:
    async with open_stores() as made:
        yield made


async def settle(payer: Payer, stores: Stores, **parts: Any) -> PayoutState:
    """What the settler does until the payout is paid, or for a while."""
    settler = payer.settler(stores, **parts)
    for _ in range(8):
        await settler.settle_once()
        if (await payer.payout(stores)).state is PayoutState.PAID:
            return PayoutState.PAID
        payer.now += 5
    return (await payer.payout(stores)).state


async def test_developers_are_paid(payer: Payer, stores: Stores) -> None:
    await payer.earn(stores)
    await payer.plan(stores)
    assert await settle(payer, stores) is PayoutState.PAID
    assert await payer.balances() == list(SHARES)
    assert await payer.token.balance(payer.key.address) == 10 * TOTAL - TOTAL
    payout = await payer.payout(stores)
    assert payout.transaction is not None
    receipt = await payer.token.receipt(payout.transaction)
    assert receipt is not None
    assert (receipt.block, receipt.succeeded, payout.credited) == (payout.block, True, frozenset())
    # What comes later is in the next one, and the first is not paid again.
    await payer.earn(stores, first=2)
    (second,) = await payer.plan(stores)
    settler = payer.settler(stores)
    for _ in range(4):
        await settler.settle_once()
    assert second.number == 2
    assert await payer.balances() == [2 * share for share in SHARES]


# -- crashes -------------------------------------------------------------------------------------


async def tell(payer: Payer, boundary: Boundary, url: str) -> None:
    """The story with a crash in it, after which the database is opened anew."""
    async with AsyncExitStack() as stack:
        stores = await stack.enter_async_context(open_stores(url))
        await payer.earn(stores)
        await payer.plan(stores)
        outbox: Any = Watched(stores.orders.outbox, boundary, OUTBOX_WRITES)
        account = SettlementAccount(payer.token, payer.key)
        settler = payer.settler(
            Stores(stores.database, _with(stores, outbox), stores.models, stores.verifications),
            Watched(account, boundary, frozenset(["submit"])),
            Watched(SqlPayouts(stores.database), boundary, PAYOUT_WRITES),
        )
        try:
            for _ in range(8):
                await settler.settle_once()
                payer.now += 5
        except Crash:
            payer.now += 40
        if url != MEMORY:
            await stack.aclose()
            stores = await stack.enter_async_context(open_stores(url))
        assert await settle(payer, stores) is PayoutState.PAID
    assert await payer.balances() == list(SHARES)
    assert await payer.token.balance(payer.key.address) == 10 * TOTAL - TOTAL


def _with(stores: Stores, outbox: Any) -> Any:
    return replace(stores.orders, outbox=outbox)


async def test_a_crash_at_any_step_pays_once(
    rpc: Rpc, devnet: DevnetInfo, payer: Payer, tmp_path: Path
) -> None:
    whole = Boundary()
    await tell(payer, whole, MEMORY)
    effects = {"send", "submit", "note_sent", "paid"}
    assert {f"{side} {name}" for side in ("before", "after") for name in effects} <= set(
        whole.names
    )
    assert whole.names.count("before submit") == 1
    for at in range(1, len(whole.names) + 1):
        one = Payer(rpc, devnet, devnet.token)
        await one.fund()
        boundary = Boundary(at)
        await tell(one, boundary, sqlite_url(tmp_path / f"{at}.db"))
        assert boundary.count == at, whole.names[at - 1]


async def test_a_database_that_forgot_the_payout_finds_it(payer: Payer, stores: Stores) -> None:
    """As one that was restored from a backup of before it was sent."""
    await payer.earn(stores)
    (payout,) = await payer.plan(stores)
    assert await settle(payer, stores) is PayoutState.PAID
    made = (await payer.payout(stores)).transaction
    async with open_stores() as restored:
        await payer.earn(restored)
        await SqlRevenue(restored.database).plan(
            payer.asset, _terms(payer, payout.first_block), first=1, now=payer.now
        )
        assert await settle(payer, restored) is PayoutState.PAID
        assert (await payer.payout(restored)).transaction == made
    assert await payer.balances() == list(SHARES)


async def test_another_payout_of_the_same_number_is_not_made(
    payer: Payer, stores: Stores, caplog: pytest.LogCaptureFixture
) -> None:
    await payer.earn(stores)
    (payout,) = await payer.plan(stores)
    assert await settle(payer, stores) is PayoutState.PAID
    async with open_stores() as restored:
        await payer.earn(restored)
        await payer.earn(restored, first=2)
        await SqlRevenue(restored.database).plan(
            payer.asset, _terms(payer, payout.first_block), first=1, now=payer.now
        )
        assert await settle(payer, restored) is PayoutState.DUE
        assert f"has paid payout 1 of {payer.key.address} already" in caplog.text
        # It holds up nothing else, and is not asked for in every round.
        assert (
            await restored.orders.outbox.open_outbox(payer.asset.network, payer.key.address) == []
        )
        assert (
            await SqlPayouts(restored.database).due(
                payer.asset, payer.key.address, now=payer.now, limit=9
            )
            == []
        )
    assert await payer.balances() == list(SHARES)


def _terms(payer: Payer, first_block: int) -> Any:
    return PayoutTerms(payer.key.address, payer.devnet.payouts, 1, 50, first_block)


# -- what may go wrong ---------------------------------------------------------------------------


async def test_a_block_that_is_taken_back_pays_once_all_the_same(
    payer: Payer, stores: Stores
) -> None:
    await payer.earn(stores)
    await payer.plan(stores)
    before = await payer.rpc.request("evm_snapshot")
    assert await settle(payer, stores) is PayoutState.PAID
    await payer.rpc.request("evm_revert", before)
    assert await payer.balances() == [0, 0]
    # Another block has its number.
    await payer.rpc.request("anvil_mine", "0x3")
    settler = payer.settler(stores)
    await settler.settle_once()
    assert await settle(payer, stores) is PayoutState.PAID
    assert await payer.balances() == list(SHARES)


async def test_a_blocked_developer_holds_up_nobody(
    fiat: Payer, stores: Stores, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = fiat.developers[0]
    await fiat.call("blacklist(address)", blocked)
    await fiat.earn(stores)
    (payout,) = await fiat.plan(stores)
    assert await settle(fiat, stores) is PayoutState.PAID
    position = next(i.position for i in payout.items if i.developer == blocked)
    assert (await fiat.payout(stores)).credited == {position}
    assert await fiat.balances() == [0, SHARES[1]]
    assert f"the token did not pay {blocked}" in caplog.text
    assert await fiat.token.balance(fiat.devnet.payouts) >= SHARES[0]


async def test_a_payout_that_fails_on_the_chain_is_made_later(fiat: Payer, stores: Stores) -> None:
    await fiat.earn(stores)
    await fiat.plan(stores)
    await fiat.call("blacklist(address)", fiat.key.address)
    settler = fiat.settler(stores)
    for _ in range(3):
        await settler.settle_once()
    payout = await fiat.payout(stores)
    assert (payout.state, payout.attempts) == (PayoutState.DUE, 1)
    await fiat.call("unBlacklist(address)", fiat.key.address)
    fiat.now += 20
    assert await settle(fiat, stores) is PayoutState.PAID
    assert await fiat.balances() == list(SHARES)


async def test_a_payout_waits_for_tokens(
    rpc: Rpc, devnet: DevnetInfo, stores: Stores, caplog: pytest.LogCaptureFixture
) -> None:
    payer = Payer(rpc, devnet, devnet.token)
    await payer.fund(TOTAL - 1)
    await payer.earn(stores)
    await payer.plan(stores)
    assert await settle(payer, stores) is PayoutState.DUE
    assert caplog.text.count("lacks the tokens") == 1
    await payer.fund(1)
    assert await settle(payer, stores) is PayoutState.PAID
    assert await payer.balances() == list(SHARES)


async def test_what_an_escrow_holds_pays_nobody_until_it_is_taken_out(
    rpc: Rpc, devnet: DevnetInfo, stores: Stores, caplog: pytest.LogCaptureFixture
) -> None:
    payer, escrow = Payer(rpc, devnet, devnet.token), await open_escrow(rpc, devnet.escrow)
    await payer.fund(TOTAL)
    await escrow.deposit(payer.asset.address, TOTAL, payer.key)
    await payer.earn(stores)
    await payer.plan(stores)
    assert await settle(payer, stores) is PayoutState.DUE
    assert caplog.text.count("lacks the tokens") == 1
    await escrow.withdraw(payer.asset.address, payer.key.address, TOTAL, payer.key)
    assert await settle(payer, stores) is PayoutState.PAID
    assert await payer.balances() == list(SHARES)


async def test_a_stuck_payout_is_sent_with_higher_fees(payer: Payer, stores: Stores) -> None:
    await payer.earn(stores)
    await payer.plan(stores)
    await payer.rpc.request("evm_setAutomine", False)
    try:
        settler = payer.settler(stores)
        await settler.settle_once()
        for _ in range(3):
            payer.now += 40
            await asyncio.sleep(0)
            await payer.rpc.request("anvil_dropAllTransactions")
            await payer.rpc.request("anvil_mine", "0x2")
            await settler.settle_once()
        (item,) = await stores.orders.outbox.open_outbox(payer.asset.network, payer.key.address)
        assert len(item.raws) > 1
    finally:
        await payer.rpc.request("evm_setAutomine", True)
    await payer.rpc.request("anvil_mine", "0x1")
    assert await settle(payer, stores) is PayoutState.PAID
    assert await payer.balances() == list(SHARES)


async def test_a_chain_that_is_asked_in_vain_holds_up_no_settlement(
    payer: Payer, stores: Stores
) -> None:
    await payer.earn(stores)
    await payer.plan(stores)

    class Down:
        async def due(self, *_: Any, **__: Any) -> Any:
            raise Misconfigured(
                Reason.CHAIN_BAD_ANSWER,
                address=payer.devnet.payouts,
                call="paidBits",
                got=0,
                expected=32,
            )

    asked = []
    settler = payer.settler(stores, payouts=Down())
    waiting = stores.orders.settlements.to_settle

    async def seen(*given: Any, **named: Any) -> Any:
        asked.append(1)
        return await waiting(*given, **named)

    settler._parts.settlements.to_settle = seen  # type: ignore[method-assign]
    with pytest.raises(Misconfigured, match="paidBits"):
        await settler.settle_once()
    assert asked
