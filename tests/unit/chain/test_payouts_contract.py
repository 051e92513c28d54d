"""Payouts on a chain: what is signed, what the contract says of it, and other code at its place."""

from dataclasses import replace

import pytest
from payout_parts import Payer

from inferproof.chain.accounts import SettlementAccount
from inferproof.chain.payouts import (
    PayoutAccount,
    check_payouts,
    deploy_payouts,
    payout_calldata,
    payout_gas,
    read_credits,
)
from inferproof.chain.rpc import CallReverted, Rpc
from inferproof.chain.token import TokenChain
from inferproof.errors import Conflict, Misconfigured, NotFound, Reason
from inferproof.protocol.signature import SigningKey
from inferproof.testing.devnet import DevnetInfo
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Address
from inferproof.types.revenue import Payout, PayoutItem

NOBODY = Address(b"\x77" * 20)


@pytest.fixture
async def payer(rpc: Rpc, devnet: DevnetInfo) -> Payer:
    made = Payer(rpc, devnet, devnet.token)
    await made.fund(10**9)
    return made


def payout_of(payer: Payer, *amounts: int, number: int = 1, first_block: int = 0) -> Payout:
    items = [
        PayoutItem(place, Address(bytes([place + 1]) + payer.key.address.raw[1:]), amount)
        for place, amount in enumerate(amounts)
    ]
    return Payout(number, payer.key.address, payer.devnet.payouts, items, first_block, 1000)


async def send(payer: Payer, payout: Payout) -> bool:
    """Whether the payout's transaction succeeded."""
    account = SettlementAccount(payer.token, payer.key)
    sight = await account.look()
    signed = await payer.chain.sign_payout(payout, sight.pending, sight.fees)
    await account.submit(signed.raw)
    for _ in range(1000):
        found = await account.included([signed.tx])
        if found:
            return found[signed.tx].succeeded
    raise AssertionError("no block took it")


async def test_a_payout_is_made_and_found(payer: Payer) -> None:
    payout, chain = payout_of(payer, 7, 5), payer.chain
    assert (chain.payer, chain.contract) == (payer.key.address, payer.devnet.payouts)
    assert await chain.made(payout) is None
    assert not await chain.is_used(1)
    assert await send(payer, payout)
    assert await chain.is_used(1)
    assert not await chain.is_used(2)
    found = await chain.made(payout)
    assert found is not None
    assert found.succeeded
    assert await chain.credited(found.tx, payout) == frozenset()
    assert [await payer.token.balance(item.developer) for item in payout.items] == [7, 5]
    # Again by another transaction: nothing moves.
    assert not await send(payer, payout)
    assert [await payer.token.balance(item.developer) for item in payout.items] == [7, 5]
    assert (await chain.made(payout)) == found


async def test_another_payout_of_its_number_is_not_taken_for_it(payer: Payer) -> None:
    payout, chain = payout_of(payer, 7, 5), payer.chain
    assert await send(payer, payout)
    found = await chain.made(payout)
    assert found is not None
    message = (
        f"the contract {payout.contract} has paid payout 1 of {payer.key.address} already, and "
        "not as this database says; it seems restored from an older copy: see "
        "docs/guide/revenue.md"
    )
    first, second = payout.items
    for items in (
        [first],
        [first, replace(second, amount=6)],
        [first, replace(second, developer=NOBODY)],
        [first, second, PayoutItem(2, NOBODY, 1)],
    ):
        other = replace(payout, items=items)
        with rejects(Reason.PAYOUT_ELSEWHERE, message, kind=Conflict):
            await chain.made(other)
        with rejects(Reason.PAYOUT_ELSEWHERE, message, kind=Conflict):
            await chain.credited(found.tx, other)
    # Nor one that was made before this was planned.
    with rejects(Reason.PAYOUT_ELSEWHERE, message, kind=Conflict):
        await chain.made(replace(payout, first_block=found.block + 1))
    # Nor what a transaction says that failed, or says of another payer.
    with rejects(Reason.PAYOUT_ELSEWHERE, message, kind=Conflict):
        read_credits(replace(found, succeeded=False), payer.token, payout)
    assert await chain.made(payout_of(payer, 7, 5, number=2)) is None


async def test_payers_have_numbers_of_their_own(payer: Payer, rpc: Rpc, devnet: DevnetInfo) -> None:
    other = Payer(rpc, devnet, devnet.token)
    await other.fund(100)
    assert await send(payer, payout_of(payer, 7))
    assert not await other.chain.is_used(1)
    assert await send(other, payout_of(other, 9))


async def test_fifty_developers_within_the_bound(payer: Payer) -> None:
    payout = payout_of(payer, *range(1, 51))
    assert await send(payer, payout)
    found = await payer.chain.made(payout)
    assert found is not None
    assert found.gas_used <= 50 * 45_000
    assert await payer.chain.credited(found.tx, payout) == frozenset()


async def test_a_hundred_fit_one_transaction(payer: Payer) -> None:
    payout = payout_of(payer, *range(1, 101))
    data = payout_calldata(payer.token, payer.key, payout)
    assert payout_gas(data, 100) < 2**24  # EIP-7825
    assert await send(payer, payout)


async def test_nobody_else_makes_a_payers_payout(payer: Payer, rpc: Rpc) -> None:
    """Who sees the call in the mempool has the signature, and can do nothing with it."""
    payout = payout_of(payer, 7)
    data = payout_calldata(payer.token, payer.key, payout)
    with pytest.raises(CallReverted, match="ERC3009InvalidSignature"):
        await rpc.call(payout.contract, data, what="payout", sender=NOBODY)
    assert await send(payer, payout)


async def test_only_our_contract_is_taken(rpc: Rpc, devnet: DevnetInfo) -> None:
    await check_payouts(rpc, devnet.payouts)
    made = await deploy_payouts(rpc, devnet.accounts.owner)
    await check_payouts(rpc, made)
    with rejects(
        Reason.PAYOUTS_CODE_UNKNOWN,
        f"the code at {devnet.batch_settler} is not the Payouts that this version ships; name the "
        "contract of this chain, or deploy one with inferproof chain deploy",
        kind=Misconfigured,
    ):
        await check_payouts(rpc, devnet.batch_settler)
    with rejects(
        Reason.CHAIN_NO_CONTRACT,
        f"there is no contract at {NOBODY} on chain {devnet.chain_id}",
        kind=NotFound,
    ):
        await check_payouts(rpc, NOBODY)


async def test_another_contract_answers_nothing_of_use(
    rpc: Rpc, token: TokenChain, devnet: DevnetInfo
) -> None:
    account = PayoutAccount(token, SigningKey(b"\x11" * 32), NOBODY)
    with rejects(
        Reason.CHAIN_BAD_ANSWER,
        f"the contract at {NOBODY} answers paidBits(address,bytes32) with 0 bytes, not 32",
        kind=Misconfigured,
    ):
        await account.is_used(1)
