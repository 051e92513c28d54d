"""Batches on a real chain: what settles, what is refused, and what a receipt says of each item."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from chain_samples import Authorize

from inferproof.chain.abi import calldata, words
from inferproof.chain.answers import ChainReceipt
from inferproof.chain.batch import (
    ITEM_GAS,
    ITEM_OVERHEAD,
    MAX_ITEMS,
    REFUSED_EVENT,
    SETTLED_EVENT,
    ItemOutcome,
    ItemState,
    batch_gas_limit,
    batch_outcomes,
    build_batch_tx,
    check_batch_settler,
    settlement_batch_calldata,
)
from inferproof.chain.contracts import BATCH_SETTLER, deploy, load_artifact
from inferproof.chain.rpc import Rpc
from inferproof.chain.token import TokenChain, settlement_calldata
from inferproof.chain.transactions import suggest_fees, transact, wait_receipt
from inferproof.errors import Misconfigured, NotFound, PaymentRejected, Reason
from inferproof.protocol.settlement import moves_funds
from inferproof.protocol.signature import SigningKey
from inferproof.protocol.transfer import TRANSFER_EVENT
from inferproof.testing.devnet import DevnetInfo, dev_key
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Address, Digest
from inferproof.types.event import Log
from inferproof.types.money import Asset
from inferproof.types.payment import Authorization

SETTLED, REFUSED, NOT_TRIED = ItemState.SETTLED, ItemState.REFUSED, ItemState.NOT_TRIED
FIAT_ITEM_GAS = 55_500


@pytest.fixture
async def contract(rpc: Rpc, devnet: DevnetInfo) -> Address:
    return await deploy(rpc, load_artifact(BATCH_SETTLER), devnet.accounts.owner)


async def settle(
    rpc: Rpc,
    devnet: DevnetInfo,
    contract: Address,
    items: Sequence[Authorization],
    *,
    item_gas: int = ITEM_GAS,
    spare_items: int = 4,
    key: SigningKey | None = None,
) -> ChainReceipt:
    key = key or devnet.accounts.gateway
    signed = build_batch_tx(
        items,
        key,
        contract=contract,
        nonce=await rpc.nonce(key.address),
        fees=await suggest_fees(rpc),
        item_gas=item_gas,
        spare_items=spare_items,
    )
    await rpc.send_raw(signed.raw)
    return await wait_receipt(rpc, signed.tx)


def states(outcomes: Sequence[ItemOutcome]) -> list[ItemState]:
    return [outcome.state for outcome in outcomes]


# -- settling ----------------------------------------------------------------------------------


@pytest.mark.parametrize("published", [False, True])
async def test_of_a_hundred_items_three_bad_ones_fail_alone(
    rpc: Rpc,
    devnet: DevnetInfo,
    fiat_token: Asset,
    authorize: Authorize,
    contract: Address,
    published: bool,
) -> None:
    token = TokenChain(rpc, fiat_token if published else devnet.token)
    payer, payee = devnet.accounts.buyer.address, devnet.accounts.provider.address
    before = await token.balance(payer), await token.balance(payee)
    items = [authorize(token.asset) for _ in range(100)]
    items[0] = authorize(token.asset, signer=devnet.accounts.owner)
    items[41] = authorize(token.asset, valid_before=1_000)
    items[99] = authorize(token.asset, amount=10**12)
    item_gas = FIAT_ITEM_GAS if published else ITEM_GAS

    receipt = await settle(rpc, devnet, contract, items, item_gas=item_gas)

    outcomes = batch_outcomes(receipt, contract, items)
    bad = {0, 41, 99}
    assert states(outcomes) == [REFUSED if i in bad else SETTLED for i in range(100)]
    assert [outcome.authorization for outcome in outcomes] == items
    assert [moves_funds(receipt, item) for item in items] == [i not in bad for i in range(100)]
    after = await token.balance(payer), await token.balance(payee)
    assert after == (before[0] - 97 * 250_000, before[1] + 97 * 250_000)
    for i in bad:
        assert not await token.authorization_state(payer, items[i].nonce)
    why = [outcomes[i].why for i in sorted(bad)]
    assert not any(outcome.may_lack_gas for outcome in outcomes)
    if published:
        assert why == [
            "FiatTokenV2: invalid signature",
            "FiatTokenV2: authorization is expired",
            "ERC20: transfer amount exceeds balance",
        ]
    else:
        assert why[:2] == [
            "ERC3009InvalidSignature()",
            "ERC3009InvalidAuthorizationTime(0, 1000)",
        ]
        assert why[2].startswith(f"ERC20InsufficientBalance({payer}, ")


async def test_an_item_of_the_devnet_token_takes_less_than_44_000_gas(
    rpc: Rpc, devnet: DevnetInfo, authorize: Authorize, contract: Address
) -> None:
    items = [authorize() for _ in range(100)]
    receipt = await settle(rpc, devnet, contract, items)
    assert set(states(batch_outcomes(receipt, contract, items))) == {SETTLED}
    # One payer pays a hundred times here: 4,800 an item less than for a hundred payers.
    assert receipt.gas_used < 100 * 40_000


async def test_the_shares_are_enough_for_a_new_payee_among_many(
    rpc: Rpc, devnet: DevnetInfo, authorize: Authorize, contract: Address
) -> None:
    new = Address(b"\x71" * 20)
    items = [authorize(payee=new) for _ in range(10)]
    items[0] = authorize(payee=new, signer=devnet.accounts.owner)
    receipt = await settle(rpc, devnet, contract, items, spare_items=1)
    assert states(batch_outcomes(receipt, contract, items)) == [REFUSED, *[SETTLED] * 9]


async def test_what_is_settled_already_is_refused_in_a_batch(
    rpc: Rpc, devnet: DevnetInfo, authorize: Authorize, contract: Address
) -> None:
    first, second, third = authorize(), authorize(), authorize()
    await settle(rpc, devnet, contract, [second])
    receipt = await settle(rpc, devnet, contract, [first, second, third])
    outcomes = batch_outcomes(receipt, contract, [first, second, third])
    assert states(outcomes) == [SETTLED, REFUSED, SETTLED]
    assert outcomes[1].why == f"ERC3009UsedAuthorization({second.payer}, {second.nonce})"
    token = TokenChain(rpc, devnet.token)
    earlier = await token.find_settlement(second, first_block=0)
    assert earlier is not None
    assert earlier.tx != receipt.tx


async def test_a_payment_to_the_contract_is_refused(
    rpc: Rpc, devnet: DevnetInfo, authorize: Authorize, contract: Address
) -> None:
    items = [authorize(), authorize(payee=contract)]
    receipt = await settle(rpc, devnet, contract, items)
    outcomes = batch_outcomes(receipt, contract, items)
    assert states(outcomes) == [SETTLED, REFUSED]
    assert outcomes[1].why == "PayeeIsBatchSettler()"
    assert await TokenChain(rpc, devnet.token).balance(contract) == 0


async def test_a_contract_wallet_that_burns_gas_fails_alone(
    rpc: Rpc, devnet: DevnetInfo, fiat_token: Asset, authorize: Authorize, contract: Address
) -> None:
    """Circle's token asks a payer with code whether it signed; such a payer may burn all gas."""
    burner = Address(b"\x72" * 20)
    await rpc.request("anvil_setCode", burner.hex, "0x5b600056")  # JUMPDEST PUSH1 0 JUMP
    items = [authorize(fiat_token) for _ in range(20)]
    for i in (0, 7, 19):
        items[i] = authorize(fiat_token, payer=burner)
    receipt = await settle(rpc, devnet, contract, items, item_gas=FIAT_ITEM_GAS)
    outcomes = batch_outcomes(receipt, contract, items)
    assert states(outcomes) == [REFUSED if i in (0, 7, 19) else SETTLED for i in range(20)]
    assert {outcomes[i].why for i in (0, 7, 19)} == {"FiatTokenV2: invalid signature"}


async def test_items_that_the_gas_does_not_reach_are_not_tried(
    rpc: Rpc, devnet: DevnetInfo, authorize: Authorize, contract: Address
) -> None:
    items = [authorize() for _ in range(20)]
    receipt = await settle(rpc, devnet, contract, items, spare_items=-10)
    found = states(batch_outcomes(receipt, contract, items))
    settled = found.count(SETTLED)
    assert 5 < settled < 20
    assert found == [SETTLED] * settled + [NOT_TRIED] * (20 - settled)
    again = await settle(rpc, devnet, contract, items[settled:])
    assert set(states(batch_outcomes(again, contract, items[settled:]))) == {SETTLED}


async def test_of_a_transaction_that_did_nothing_or_failed_nothing_was_tried(
    rpc: Rpc, devnet: DevnetInfo, authorize: Authorize, contract: Address
) -> None:
    items = [authorize() for _ in range(3)]
    receipt = await settle(rpc, devnet, Address(b"\x73" * 20), items)
    assert states(batch_outcomes(receipt, contract, items)) == [NOT_TRIED] * 3
    done = await settle(rpc, devnet, contract, items)
    assert states(batch_outcomes(done, contract, items)) == [SETTLED] * 3
    failed = replace(done, succeeded=False, logs=())
    assert states(batch_outcomes(failed, contract, items)) == [NOT_TRIED] * 3


# -- reading a receipt -------------------------------------------------------------------------


def word(address: Address) -> Digest:
    return Digest(bytes(12) + address.raw)


@pytest.fixture
async def good_receipt(
    rpc: Rpc, devnet: DevnetInfo, authorize: Authorize, contract: Address
) -> tuple[ChainReceipt, Authorization]:
    item = authorize()
    return await settle(rpc, devnet, contract, [item]), item


async def test_the_contracts_word_alone_pays_nothing(
    good_receipt: tuple[ChainReceipt, Authorization], contract: Address
) -> None:
    receipt, item = good_receipt
    used, moved, settled = receipt.logs
    assert settled.topics[0] == SETTLED_EVENT
    altered: list[tuple[Log, ...]] = [
        (settled,),
        (used, settled),
        (used, settled, moved),
        (used, replace(moved, data=bytes(32)), settled),
        (used, replace(moved, topics=(TRANSFER_EVENT, *moved.topics[:0:-1])), settled),
        (replace(used, address=contract), moved, settled),
    ]
    for logs in altered:
        (outcome,) = batch_outcomes(replace(receipt, logs=logs), contract, [item])
        assert outcome.state is REFUSED
        assert outcome.why == "accepted without moving these funds"
    (outcome,) = batch_outcomes(receipt, contract, [item])
    assert outcome.state is SETTLED
    (outcome,) = batch_outcomes(replace(receipt, logs=(used, moved)), contract, [item])
    assert outcome.state is SETTLED


async def test_only_the_contract_itself_and_only_this_token_refuse(
    good_receipt: tuple[ChainReceipt, Authorization], contract: Address
) -> None:
    receipt, item = good_receipt
    about = (word(item.asset.address), word(item.payer), item.nonce)
    body = calldata("Refused(bytes)", b"\xde\xad\xbe\xef")[4:]
    refusal = Log(contract, (REFUSED_EVENT, *about), body)

    def state(log: Log) -> ItemOutcome:
        return batch_outcomes(replace(receipt, logs=(log,)), contract, [item])[0]

    assert state(refusal) == ItemOutcome(item, REFUSED, "error 0xdeadbeef")
    for other in (
        replace(refusal, address=item.asset.address),
        replace(refusal, topics=(REFUSED_EVENT, word(contract), *about[1:])),
        replace(refusal, topics=(REFUSED_EVENT, about[0], word(contract), about[2])),
        replace(refusal, topics=(REFUSED_EVENT, *about[:2], Digest(bytes(32)))),
    ):
        assert state(other).state is NOT_TRIED
    empty = replace(refusal, data=calldata("Refused(bytes)", b"")[4:])
    assert state(empty) == ItemOutcome(
        item, REFUSED, "reverted without a reason", may_lack_gas=True
    )


# -- the transaction ---------------------------------------------------------------------------


def test_an_item_is_its_own_settlement_word_for_word(authorize: Authorize) -> None:
    items = [authorize(), authorize(amount=1)]
    data = settlement_batch_calldata(items, item_gas=41_000)
    head = words(data[4:])[:4]
    assert head[0] == word(items[0].asset.address).raw
    assert [int.from_bytes(w, "big") for w in head[1:]] == [41_000, 96, 2]
    assert data[4 + 128 :] == b"".join(settlement_calldata(item)[4:] for item in items)
    assert data[:4].hex() == _selector_in_abi()


def _selector_in_abi() -> str:
    from inferproof.protocol.encoding import keccak256

    (entry,) = (e for e in load_artifact(BATCH_SETTLER).abi if e.get("name") == "settle")

    def named(argument: dict[str, object]) -> str:
        kind = str(argument["type"])
        if not kind.startswith("tuple"):
            return kind
        parts = argument["components"]
        assert isinstance(parts, list)
        return f"({','.join(named(part) for part in parts)}){kind.removeprefix('tuple')}"

    signature = f"settle({','.join(named(argument) for argument in entry['inputs'])})"
    return keccak256(signature.encode())[:4].hex()


@pytest.mark.parametrize(
    ("name", "expected"), [("MAX_ITEMS", MAX_ITEMS), ("ITEM_OVERHEAD", ITEM_OVERHEAD)]
)
async def test_our_numbers_are_those_of_the_contract(
    rpc: Rpc, contract: Address, name: str, expected: int
) -> None:
    answer = await rpc.call(contract, calldata(f"{name}()"), what=name)
    assert int.from_bytes(answer, "big") == expected


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda *_: [], "a batch holds 1 to 200 items, not 0"),
        (lambda one, _: [one] * 201, "a batch holds 1 to 200 items, not 201"),
        (lambda one, other: [one, other], "a batch is for one asset"),
        (lambda one, _: [one, one], "an authorization is in the batch twice"),
    ],
)
def test_what_is_no_batch_is_not_built(
    authorize: Authorize,
    make: Callable[[Authorization, Authorization], list[Authorization]],
    why: str,
) -> None:
    one = authorize()
    other = replace(one, asset=replace(one.asset, address=Address(b"\5" * 20)))
    with pytest.raises(ValueError, match=why):
        settlement_batch_calldata(make(one, other))


@pytest.mark.parametrize("item_gas", [0, -1, 2**32])
def test_gas_of_an_item_that_is_none_is_not_built(authorize: Authorize, item_gas: int) -> None:
    with pytest.raises(ValueError, match="the gas of an item is a positive number of four bytes"):
        settlement_batch_calldata([authorize()], item_gas=item_gas)


def test_a_signature_of_another_length_is_not_built(authorize: Authorize) -> None:
    with rejects(
        Reason.AUTHORIZATION_SIGNATURE_FORM,
        "the signature is 64 bytes; r, s and v take 65",
        kind=PaymentRejected,
    ):
        settlement_batch_calldata([authorize(), replace(authorize(), signature=bytes(64))])


def test_the_gas_limit_counts_every_part() -> None:
    data = b"\0" * 10 + b"\1" * 5
    rest = 21_000 + 10 * 4 + 5 * 16 + 10_000
    shares = 3 * (ITEM_GAS + ITEM_OVERHEAD) + ITEM_GAS * 4 + ITEM_GAS // 63
    assert batch_gas_limit(data, 3) == rest + shares
    assert (
        batch_gas_limit(data, 3, item_gas=1_000, spare_items=0)
        == rest + 3 * (1_000 + ITEM_OVERHEAD) + 15
    )


async def test_the_signed_bytes_are_the_same_each_time(
    rpc: Rpc, devnet: DevnetInfo, authorize: Authorize
) -> None:
    items, fees = [authorize(), authorize()], await suggest_fees(rpc)
    first, second = (
        build_batch_tx(
            items, devnet.accounts.gateway, contract=Address(b"\6" * 20), nonce=3, fees=fees
        )
        for _ in range(2)
    )
    assert (first.raw, first.tx) == (second.raw, second.tx)


# -- the check at start ------------------------------------------------------------------------


async def test_the_shipped_code_passes_the_check(rpc: Rpc, contract: Address) -> None:
    await check_batch_settler(rpc, contract)


async def test_other_code_is_refused(rpc: Rpc, devnet: DevnetInfo) -> None:
    token = devnet.token.address
    with rejects(
        Reason.BATCH_CODE_UNKNOWN,
        f"the code at {token} is not the BatchSettler that this version ships; deploy that one",
        kind=Misconfigured,
    ):
        await check_batch_settler(rpc, token)


async def test_no_code_is_refused(rpc: Rpc) -> None:
    nowhere = Address(b"\x98" * 20)
    with rejects(
        Reason.CHAIN_NO_CONTRACT,
        f"there is no contract at {nowhere} on chain 31337",
        kind=NotFound,
    ):
        await check_batch_settler(rpc, nowhere)


async def test_anyone_may_send_a_batch(
    rpc: Rpc, devnet: DevnetInfo, authorize: Authorize, contract: Address
) -> None:
    items = [authorize(), authorize()]
    receipt = await settle(rpc, devnet, contract, items, key=dev_key(8))
    assert states(batch_outcomes(receipt, contract, items)) == [SETTLED, SETTLED]


async def test_an_estimate_finds_the_gas_that_does_nothing(
    rpc: Rpc, devnet: DevnetInfo, authorize: Authorize, contract: Address
) -> None:
    """Why the limit is computed."""
    items = [authorize(), authorize()]
    data = settlement_batch_calldata(items)
    estimate = await rpc.estimate_gas(contract, data, what="settle")
    assert estimate < batch_gas_limit(data, 2)
    receipt = await transact(rpc, dev_key(8), to=contract, data=data, what="settle")
    assert states(batch_outcomes(receipt, contract, items)) == [NOT_TRIED, NOT_TRIED]
