"""The account that settles: as the settler drives it, and as the facilitator does."""

import asyncio
from dataclasses import replace

import pytest
from chain_samples import Authorize

from inferproof.chain.accounts import DirectSettlement, SettlementAccount
from inferproof.chain.rpc import Rpc
from inferproof.chain.token import TokenChain
from inferproof.chain.transactions import wait_receipt
from inferproof.errors import Conflict, PaymentRejected, Reason, Unavailable
from inferproof.payments.x402.facilitator import Chain
from inferproof.services.settlement.base import SettlementChain
from inferproof.testing.devnet import Devnet, DevnetInfo, dev_key
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Address
from inferproof.types.money import Asset
from inferproof.types.payment import Authorization, SettlementState


@pytest.fixture
def account(token: TokenChain, devnet: DevnetInfo) -> SettlementAccount:
    return SettlementAccount(token, devnet.accounts.gateway)


@pytest.fixture
def direct(token: TokenChain) -> DirectSettlement:
    return DirectSettlement(token, dev_key(4), wait_s=5)


async def test_store_send_and_see_it_settled(
    account: SettlementAccount, authorize: Authorize
) -> None:
    chain: SettlementChain = account
    authorization = authorize()
    sight = await chain.look()
    before = await chain.balance(authorization.payee)
    signed = await chain.sign_settlement([authorization], sight.pending, sight.fees)
    assert signed.sender == chain.sender
    assert await chain.included([signed.tx]) == {}
    assert await chain.settled_by(authorization, sight.head) is None

    await chain.submit(signed.raw)
    await wait_receipt(account._token.rpc, signed.tx)

    included = (await chain.included([signed.tx]))[signed.tx]
    assert included.succeeded
    found = await chain.settled_by(authorization, sight.head)
    assert found is not None
    assert (found.tx, found.block) == (included.tx, included.block)
    assert await chain.authorization_used(authorization.payer, authorization.nonce)
    assert await chain.balance(authorization.payee) == before + authorization.amount
    with pytest.raises(Conflict):  # a crash after sending: the outbox sends the bytes again
        await chain.submit(signed.raw)
    assert await chain.balance(authorization.payee) == before + authorization.amount


async def test_a_refund_is_signed_and_sent(account: SettlementAccount, devnet: DevnetInfo) -> None:
    buyer = devnet.accounts.buyer.address
    before, sight = await account.balance(buyer), await account.look()
    signed = await account.sign_refund(buyer, 5, sight.pending, sight.fees)
    await account.submit(signed.raw)
    assert (await wait_receipt(account._token.rpc, signed.tx)).succeeded
    assert await account.balance(buyer) == before + 5


async def test_a_shallow_block_is_not_yet_inclusion(
    rpc: Rpc, token: TokenChain, devnet: DevnetInfo, authorize: Authorize
) -> None:
    careful = SettlementAccount(token, devnet.accounts.gateway, confirmations=3)
    authorization = authorize()
    sight = await careful.look()
    signed = await careful.sign_settlement([authorization], sight.pending, sight.fees)
    await careful.submit(signed.raw)
    await wait_receipt(rpc, signed.tx)
    shallow = await careful.look()
    assert shallow.spent_deep <= signed.nonce < shallow.spent
    with rejects(
        Reason.TX_NOT_CONFIRMED,
        f"transaction {signed.tx} is 1 blocks deep, 3 are required",
        kind=Unavailable,
    ):
        await careful.settled_by(authorization, sight.head)
    await rpc.request("evm_mine")
    await rpc.request("evm_mine")
    deep = await careful.look()
    assert deep.spent_deep == signed.nonce + 1
    assert shallow.time <= deep.time
    assert await careful.settled_by(authorization, sight.head) is not None


async def test_nobody_asked_many_things_is_fine(account: SettlementAccount) -> None:
    assert await account.included([]) == {}
    assert await account.payer_states([]) == []
    assert await account.block_digests([]) == []


def test_zero_confirmations_make_no_sense(token: TokenChain, devnet: DevnetInfo) -> None:
    with pytest.raises(ValueError, match="at least one block"):
        SettlementAccount(token, devnet.accounts.gateway, confirmations=0)


# -- the facilitator's shape -------------------------------------------------------------------


async def test_settling_directly_and_again(direct: DirectSettlement, authorize: Authorize) -> None:
    chain: Chain = direct
    authorization = authorize()
    await chain.precheck(authorization)
    first = await chain.settle(authorization)
    assert first.state is SettlementState.SETTLED
    assert first.block is not None
    assert await chain.settle(authorization) == first


async def test_two_settlements_at_once_send_one_transaction(
    direct: DirectSettlement, authorize: Authorize, token: TokenChain
) -> None:
    authorization = authorize()
    before = await token.balance(authorization.payee)
    settlements = await asyncio.gather(*(direct.settle(authorization) for _ in range(5)))
    assert {s.state for s in settlements} == {SettlementState.SETTLED}
    assert len({s.transaction for s in settlements}) == 1
    assert await token.balance(authorization.payee) == before + authorization.amount


async def test_a_settlement_that_comes_into_a_block_while_it_is_checked_is_given(
    direct: DirectSettlement,
    authorize: Authorize,
    token: TokenChain,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    authorization = authorize()
    simulate, first = token.simulate_settlement, DirectSettlement(token, dev_key(5), wait_s=5)

    async def settled_meanwhile(wanted: Authorization, sender: Address) -> None:
        monkeypatch.setattr(token, "simulate_settlement", simulate)
        await first.settle(wanted)
        await simulate(wanted, sender)

    monkeypatch.setattr(token, "simulate_settlement", settled_meanwhile)
    settlement = await direct.settle(authorization)
    assert settlement.state is SettlementState.SETTLED
    assert settlement == await first.settle(authorization)


async def test_a_used_nonce_fails_the_precheck(
    direct: DirectSettlement, authorize: Authorize
) -> None:
    authorization = authorize()
    await direct.settle(authorization)
    with rejects(
        Reason.PAYMENT_NONCE_USED,
        f"the authorization's nonce {authorization.nonce} is used up on the chain; sign a new one",
        kind=PaymentRejected,
    ):
        await direct.precheck(authorization)
    reused = authorize(amount=1, nonce=authorization.nonce)
    with pytest.raises(PaymentRejected) as caught:
        await direct.settle(reused)
    assert caught.value.reason is Reason.PAYMENT_NONCE_USED


async def test_an_empty_purse_fails_the_precheck(
    direct: DirectSettlement, authorize: Authorize
) -> None:
    poor = dev_key(9)
    authorization = authorize(signer=poor, payer=poor.address)
    with rejects(
        Reason.PAYMENT_BALANCE,
        "the payer has 0 devUSDC, the price is 0.25 devUSDC",
        kind=PaymentRejected,
    ):
        await direct.precheck(authorization)
    with pytest.raises(PaymentRejected) as caught:
        await direct.settle(authorization)
    assert caught.value.reason is Reason.AUTHORIZATION_REFUSED


async def test_a_forged_signature_sends_nothing(
    direct: DirectSettlement, authorize: Authorize, devnet: DevnetInfo, token: TokenChain
) -> None:
    before = await token.nonce(direct.sender)
    with rejects(
        Reason.AUTHORIZATION_REFUSED,
        "the token refuses the authorization: ERC3009InvalidSignature()",
        kind=PaymentRejected,
    ):
        await direct.settle(authorize(signer=devnet.accounts.provider))
    assert await token.nonce(direct.sender) == before


REFUSING = "0x60006000fd"
"""PUSH1 0 PUSH1 0 REVERT: code that says no to whatever it is asked."""


async def test_an_account_with_code_that_refuses_is_told_before_anything_is_sent(
    rpc: Rpc, devnet: DevnetInfo, fiat_token: Asset, authorize: Authorize
) -> None:
    """Circle's token asks the code of an account whether its signature holds (EIP-1271)."""
    account = SettlementAccount(TokenChain(rpc, fiat_token), devnet.accounts.gateway)
    payment = authorize(fiat_token)
    await account.check_settles(payment)
    assert not (await account.payer_states([payment]))[0].has_code
    await rpc.request("anvil_setCode", payment.payer.hex, REFUSING)
    try:
        (state,) = await account.payer_states([payment])
        assert (state.has_code, state.used) == (True, False)
        with pytest.raises(PaymentRejected) as caught:
            await account.check_settles(payment)
        assert caught.value.reason is Reason.AUTHORIZATION_REFUSED
    finally:
        await rpc.request("anvil_setCode", payment.payer.hex, "0x")
    await account.check_settles(payment)


async def test_a_settlement_that_was_not_ours_is_found_by_its_transfer(
    account: SettlementAccount, direct: DirectSettlement, authorize: Authorize
) -> None:
    payment = authorize()
    assert await account.earlier_settlement(payment) is None
    settled = await direct.settle(payment)
    assert await account.earlier_settlement(payment) == settled.block
    assert await account.earlier_settlement(authorize(nonce=payment.nonce, amount=1)) is None


async def test_a_block_that_does_not_come_leaves_it_pending(authorize: Authorize) -> None:
    with Devnet() as running:
        async with Rpc(running.info.rpc_url) as rpc:
            token = TokenChain(rpc, running.info.token)
            hasty = DirectSettlement(token, running.info.accounts.gateway, wait_s=0.2)
            await rpc.request("evm_setAutomine", False)
            authorization = authorize(running.info.token)
            pending = await hasty.settle(authorization)
            assert pending.state is SettlementState.PENDING
            await rpc.request("evm_mine")
            settled = await hasty.settle(authorization)
            assert settled.state is SettlementState.SETTLED
            assert settled.transaction == pending.transaction


async def test_a_stranger_who_was_faster_settles_it_too(authorize: Authorize) -> None:
    with Devnet() as running:
        async with Rpc(running.info.rpc_url) as rpc:
            token = TokenChain(rpc, running.info.token)
            accounts = running.info.accounts
            ours = DirectSettlement(token, accounts.gateway, wait_s=5)
            authorization = authorize(running.info.token)
            await rpc.request("evm_setAutomine", False)
            fees = await token.fees()
            theirs = token.build_settlement_tx(
                authorization,
                accounts.owner,
                nonce=await token.nonce(accounts.owner.address),
                fees=replace(fees, cap=fees.cap * 10 + 10**9, tip=fees.tip * 10 + 10**9),
            )
            await token.submit_raw(theirs.raw)
            settling = asyncio.create_task(ours.settle(authorization))
            while await rpc.nonce(accounts.gateway.address) == 0:  # noqa: ASYNC110 - a node
                await asyncio.sleep(0.01)
            await rpc.request("evm_mine")
            settlement = await settling
            assert settlement.state is SettlementState.SETTLED
            assert settlement.transaction == theirs.tx


async def test_a_node_that_dies_while_sending_leaves_it_uncertain(
    token: TokenChain, authorize: Authorize
) -> None:
    class Dying(TokenChain):
        async def submit_raw(self, raw: bytes) -> object:  # type: ignore[override]
            raise Unavailable(Reason.CHAIN_UNREACHABLE, url="here", why="it fell silent")

    direct = DirectSettlement(Dying(token.rpc, token.asset), dev_key(4))
    settlement = await direct.settle(authorize())
    assert settlement.state is SettlementState.UNCERTAIN
    assert settlement.transaction is not None
