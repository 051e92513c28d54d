"""Settling, refunding and the check at start, on the devnet token and on Circle's."""

from dataclasses import replace

import pytest
from chain_samples import Authorize

from inferproof.chain.abi import calldata
from inferproof.chain.answers import ChainReceipt
from inferproof.chain.rpc import Rpc
from inferproof.chain.token import (
    TokenChain,
    check_token,
    settlement_calldata,
)
from inferproof.chain.transactions import transact, wait_receipt
from inferproof.errors import Misconfigured, PaymentRejected, Reason, Rejection
from inferproof.protocol.authorization import authorization_digest
from inferproof.protocol.settlement import moves_funds, require_settlement
from inferproof.protocol.signature import SigningKey
from inferproof.protocol.transfer import AUTHORIZATION_USED_EVENT, TRANSFER_EVENT
from inferproof.testing.devnet import DevnetInfo
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Address, Digest
from inferproof.types.event import Log
from inferproof.types.money import Asset, Network
from inferproof.types.payment import Authorization


async def settle(
    token: TokenChain, authorization: Authorization, key: SigningKey, *, as_bytes: bool = False
) -> ChainReceipt:
    signed = token.build_settlement_tx(
        authorization,
        key,
        nonce=await token.nonce(key.address),
        fees=await token.fees(),
        as_bytes=as_bytes,
    )
    assert await token.submit_raw(signed.raw) == signed.tx
    return await wait_receipt(token.rpc, signed.tx)


# -- the check at start ------------------------------------------------------------------------


async def test_the_devnet_token_passes_the_check(token: TokenChain) -> None:
    await token.check()


async def test_circles_token_passes_the_check(rpc: Rpc, fiat_token: Asset) -> None:
    await check_token(rpc, fiat_token)


@pytest.mark.parametrize(
    ("name", "version"), [("USD Coin", "1"), ("USD Coin (devnet)", "2"), ("", "")]
)
async def test_another_domain_is_refused(
    rpc: Rpc, devnet: DevnetInfo, name: str, version: str
) -> None:
    wrong = replace(devnet.token, domain_name=name, domain_version=version)
    with rejects(
        Reason.TOKEN_DOMAIN_MISMATCH,
        f"token {devnet.token.address} does not sign as name {name!r}, version {version!r} on "
        "chain 31337; set the EIP-712 name and version that the token has",
        kind=Misconfigured,
    ):
        await check_token(rpc, wrong)


async def test_other_decimals_are_refused(rpc: Rpc, devnet: DevnetInfo) -> None:
    with rejects(
        Reason.TOKEN_DECIMALS_MISMATCH,
        f"token {devnet.token.address} has 6 decimals, the settings say 18",
        kind=Misconfigured,
    ):
        await check_token(rpc, replace(devnet.token, decimals=18))


async def test_another_chain_is_refused_before_the_token_is_asked(
    rpc: Rpc, devnet: DevnetInfo
) -> None:
    with pytest.raises(Misconfigured) as caught:
        await check_token(rpc, replace(devnet.token, network=Network("eip155:8453")))
    assert caught.value.reason is Reason.CHAIN_ID_MISMATCH


async def test_an_address_without_a_token_is_refused(rpc: Rpc, devnet: DevnetInfo) -> None:
    nowhere = Address(b"\x99" * 20)
    with rejects(
        Reason.CHAIN_NO_CONTRACT,
        f"there is no contract at {nowhere} on chain 31337",
        kind=Misconfigured,
    ):
        await check_token(rpc, replace(devnet.token, address=nowhere))


async def test_a_contract_that_is_no_token_is_refused(rpc: Rpc, devnet: DevnetInfo) -> None:
    with rejects(
        Reason.CHAIN_CALL_REVERTED,
        f"the contract at {devnet.verifier} refuses DOMAIN_SEPARATOR(): reverted without a reason",
        kind=Rejection,
    ):
        await check_token(rpc, replace(devnet.token, address=devnet.verifier))


async def test_a_contract_that_answers_nothing_is_refused(rpc: Rpc, devnet: DevnetInfo) -> None:
    mute = Address(b"\x55" * 20)
    await rpc.request("anvil_setCode", mute.hex, "0x00")
    with rejects(
        Reason.CHAIN_BAD_ANSWER,
        f"the contract at {mute} answers DOMAIN_SEPARATOR() with 0 bytes, not 32",
        kind=Misconfigured,
    ):
        await check_token(rpc, replace(devnet.token, address=mute))


# -- settling ----------------------------------------------------------------------------------


@pytest.mark.parametrize("as_bytes", [False, True])
@pytest.mark.parametrize("published", [False, True])
async def test_settling_moves_the_money_once(
    rpc: Rpc,
    devnet: DevnetInfo,
    fiat_token: Asset,
    authorize: Authorize,
    published: bool,
    as_bytes: bool,
) -> None:
    token = TokenChain(rpc, fiat_token if published else devnet.token)
    buyer, provider = devnet.accounts.buyer.address, devnet.accounts.provider.address
    before = await token.balance(buyer), await token.balance(provider)
    authorization = authorize(token.asset)
    assert not await token.authorization_state(buyer, authorization.nonce)
    await token.simulate_settlement(authorization, devnet.accounts.gateway.address)

    receipt = await settle(token, authorization, devnet.accounts.gateway, as_bytes=as_bytes)

    require_settlement(receipt, authorization)
    assert receipt.gas_used < 110_000
    after = await token.balance(buyer), await token.balance(provider)
    assert after == (before[0] - 250_000, before[1] + 250_000)
    assert await token.authorization_state(buyer, authorization.nonce)


async def test_a_replayed_authorization_moves_nothing(
    token: TokenChain, devnet: DevnetInfo, authorize: Authorize
) -> None:
    authorization = authorize()
    gateway = devnet.accounts.gateway
    await settle(token, authorization, gateway)
    balance = await token.balance(authorization.payer)
    with rejects(
        Reason.AUTHORIZATION_REFUSED,
        f"the token refuses the authorization: ERC3009UsedAuthorization({authorization.payer}, "
        f"{authorization.nonce})",
        kind=PaymentRejected,
    ):
        await token.simulate_settlement(authorization, gateway.address)
    again = await settle(token, authorization, gateway)
    assert not again.succeeded
    assert await token.balance(authorization.payer) == balance
    with rejects(
        Reason.SETTLEMENT_NO_TRANSFER,
        f"transaction {again.tx} does not move 250000 from {authorization.payer} to "
        f"{authorization.payee} under nonce {authorization.nonce}",
        kind=PaymentRejected,
    ):
        require_settlement(again, authorization)


async def test_circles_token_refuses_a_replay_in_its_own_words(
    rpc: Rpc, devnet: DevnetInfo, fiat_token: Asset, authorize: Authorize
) -> None:
    token = TokenChain(rpc, fiat_token)
    authorization = authorize(fiat_token)
    await settle(token, authorization, devnet.accounts.gateway)
    with pytest.raises(PaymentRejected) as caught:
        await token.simulate_settlement(authorization, devnet.accounts.gateway.address)
    assert caught.value.message == (
        "the token refuses the authorization: FiatTokenV2: authorization is used or canceled"
    )


async def test_a_signature_for_another_token_is_refused(
    token: TokenChain, devnet: DevnetInfo, authorize: Authorize, fiat_token: Asset
) -> None:
    elsewhere = replace(authorize(fiat_token), asset=devnet.token)
    with pytest.raises(PaymentRejected) as caught:
        await token.simulate_settlement(elsewhere, devnet.accounts.gateway.address)
    assert caught.value.message == (
        "the token refuses the authorization: ERC3009InvalidSignature()"
    )


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("amount", 10**15, "ERC20InsufficientBalance"),
        ("valid_before", 1_000, "ERC3009InvalidAuthorizationTime(0, 1000)"),
        ("valid_after", 2**39, f"ERC3009InvalidAuthorizationTime({2**39}, {2**40})"),
    ],
)
async def test_terms_that_the_token_refuses(
    token: TokenChain,
    devnet: DevnetInfo,
    authorize: Authorize,
    field: str,
    value: int,
    why: str,
) -> None:
    with pytest.raises(PaymentRejected) as caught:
        await token.simulate_settlement(
            authorize(**{field: value}), devnet.accounts.gateway.address
        )
    assert why in caught.value.message


async def test_an_altered_amount_is_refused(
    token: TokenChain, devnet: DevnetInfo, authorize: Authorize
) -> None:
    with pytest.raises(PaymentRejected) as caught:
        await token.simulate_settlement(
            replace(authorize(), amount=1), devnet.accounts.gateway.address
        )
    assert caught.value.reason is Reason.AUTHORIZATION_REFUSED


def test_both_ways_to_write_v_are_understood(authorize: Authorize) -> None:
    authorization = authorize()
    low = authorization.signature[:64] + bytes([authorization.signature[64] - 27])
    assert settlement_calldata(replace(authorization, signature=low)) == settlement_calldata(
        authorization
    )


@pytest.mark.parametrize("size", [0, 64, 66])
def test_a_signature_of_another_length_takes_the_other_form(
    authorize: Authorize, size: int
) -> None:
    odd = replace(authorize(), signature=bytes(size))
    with rejects(
        Reason.AUTHORIZATION_SIGNATURE_FORM,
        f"the signature is {size} bytes; r, s and v take 65",
        kind=PaymentRejected,
    ):
        settlement_calldata(odd)
    assert settlement_calldata(odd, as_bytes=True)


# -- what counts as settled --------------------------------------------------------------------


async def test_a_settlement_by_a_stranger_is_found(
    token: TokenChain, devnet: DevnetInfo, authorize: Authorize
) -> None:
    authorization = authorize()
    start = (await token.head()).number
    assert await token.find_settlement(authorization, first_block=start) is None
    theirs = await settle(token, authorization, devnet.accounts.owner)
    ours = await settle(token, authorization, devnet.accounts.gateway)
    assert not ours.succeeded
    assert await token.find_settlement(authorization, first_block=start) == theirs


async def test_a_cancelled_authorization_is_used_but_not_settled(
    token: TokenChain, devnet: DevnetInfo, authorize: Authorize
) -> None:
    from inferproof.protocol.authorization import asset_domain
    from inferproof.protocol.eip712 import Struct, digest, hash_struct

    authorization = authorize()
    buyer = devnet.accounts.buyer
    start = (await token.head()).number
    cancel = Struct("CancelAuthorization", {"authorizer": "address", "nonce": "bytes32"})
    struct_hash = hash_struct(cancel, {"authorizer": buyer.address, "nonce": authorization.nonce})
    signature = buyer.sign(digest(asset_domain(devnet.token), struct_hash))
    data = calldata(
        "cancelAuthorization(address,bytes32,uint8,bytes32,bytes32)",
        *(buyer.address, authorization.nonce),
        *(signature[64], signature[:32], signature[32:64]),
    )
    await transact(
        token.rpc, devnet.accounts.owner, to=devnet.token.address, data=data, what="cancel"
    )
    assert await token.authorization_state(buyer.address, authorization.nonce)
    assert await token.find_settlement(authorization, first_block=start) is None


async def test_the_same_nonce_spent_on_another_payee_is_not_our_settlement(
    token: TokenChain, devnet: DevnetInfo, authorize: Authorize
) -> None:
    ours = authorize()
    start = (await token.head()).number
    theirs = authorize(payee=devnet.accounts.owner.address, nonce=ours.nonce)
    receipt = await settle(token, theirs, devnet.accounts.owner)
    assert receipt.succeeded
    assert not moves_funds(receipt, ours)
    assert await token.find_settlement(ours, first_block=start) is None


def word(address: Address) -> Digest:
    return Digest(bytes(12) + address.raw)


def events(authorization: Authorization) -> tuple[Log, Log]:
    token = authorization.asset.address
    payer, payee = word(authorization.payer), word(authorization.payee)
    return (
        Log(token, (AUTHORIZATION_USED_EVENT, payer, authorization.nonce), b""),
        Log(token, (TRANSFER_EVENT, payer, payee), authorization.amount.to_bytes(32, "big")),
    )


def in_block(*logs: Log, succeeded: bool = True) -> ChainReceipt:
    return ChainReceipt(Digest(b"\1" * 32), succeeded, 1, Digest(b"\2" * 32), 1, 1, logs)


def test_one_transfer_never_counts_for_two_nonces(authorize: Authorize) -> None:
    """A payer spends both nonces on itself and adds one plain transfer in one transaction."""
    first, second = authorize(), authorize()
    (used_first, paid), (used_second, _) = events(first), events(second)
    to_self = Log(paid.address, (TRANSFER_EVENT, paid.topics[1], paid.topics[1]), bytes(32))
    receipt = in_block(used_first, to_self, used_second, to_self, paid)
    assert not moves_funds(receipt, first)
    assert not moves_funds(receipt, second)
    batch = in_block(used_first, paid, used_second, paid)
    assert moves_funds(batch, first)
    assert moves_funds(batch, second)


def test_every_part_of_the_events_counts(authorize: Authorize) -> None:
    authorization = authorize()
    used, paid = events(authorization)
    other = Address(b"\3" * 20)
    assert moves_funds(in_block(used, paid), authorization)
    for receipt in (
        in_block(used, paid, succeeded=False),
        in_block(paid, used),
        in_block(used),
        in_block(paid),
        in_block(),
        in_block(replace(used, address=other), paid),
        in_block(used, replace(paid, address=other)),
        in_block(used, replace(paid, data=(250_001).to_bytes(32, "big"))),
        in_block(used, replace(paid, topics=(TRANSFER_EVENT, word(other), paid.topics[2]))),
        in_block(used, replace(paid, topics=(TRANSFER_EVENT, paid.topics[1], word(other)))),
        in_block(replace(used, topics=(*used.topics[:2], Digest(bytes(32)))), paid),
    ):
        assert not moves_funds(receipt, authorization)


# -- refunds -----------------------------------------------------------------------------------


async def test_a_refund_goes_back(token: TokenChain, devnet: DevnetInfo) -> None:
    gateway, buyer = devnet.accounts.gateway, devnet.accounts.buyer.address
    before = await token.balance(buyer)
    refund = token.build_transfer_tx(
        buyer, 77, gateway, nonce=await token.nonce(gateway.address), fees=await token.fees()
    )
    await token.submit_raw(refund.raw)
    assert (await wait_receipt(token.rpc, refund.tx)).succeeded
    assert (await token.receipt(refund.tx)) is not None
    assert await token.balance(buyer) == before + 77


def test_the_signed_bytes_are_the_same_each_time(devnet: DevnetInfo, authorize: Authorize) -> None:
    """An outbox that signs again after a crash stores and sends the very same transaction."""
    from inferproof.chain.transactions import Fees

    token = TokenChain(Rpc("http://127.0.0.1:1"), devnet.token)
    authorization = authorize()
    assert authorization_digest(authorization)
    first, second = (
        token.build_settlement_tx(
            authorization, devnet.accounts.gateway, nonce=3, fees=Fees(10**9, 1)
        )
        for _ in range(2)
    )
    assert first.raw == second.raw
    assert first.tx == second.tx
    assert first.sender == devnet.accounts.gateway.address
