"""What every SettlementChain must do. A test module gives the fixture `till` and imports this.

The cash chain and a real node run the same tests, so that what is shown on the one holds on
the other.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from inferproof.errors import Reason
from inferproof.protocol.authorization import authorization_digest
from inferproof.protocol.encoding import keccak256
from inferproof.protocol.signature import SigningKey
from inferproof.services.settlement.base import Executed, SettlementChain, SignedTransaction
from inferproof.testing.rejections import rejects
from inferproof.types.chain import Fees, ItemState, RefundTerms
from inferproof.types.digest import Address, Digest
from inferproof.types.payment import Authorization

STRANGER = SigningKey(keccak256(b"a stranger of the suite"))
PAYEE = Address(b"\x51" * 20)


@dataclass(frozen=True)
class Till:
    """A chain to test, with a buyer who has money; the chain's own sender has money too."""

    chain: SettlementChain
    buyer: SigningKey
    now: Callable[[], int]
    salt: bytes

    def authorize(self, number: int = 0, **changes: Any) -> Authorization:
        unsigned = Authorization(
            asset=self.chain.asset,
            payer=self.buyer.address,
            payee=PAYEE,
            amount=250,
            valid_after=0,
            valid_before=self.now() + 10_000,
            nonce=Digest(keccak256(self.salt + bytes([number]))),
            signature=b"",
        )
        unsigned = replace(unsigned, **changes)
        return replace(unsigned, signature=self.buyer.sign(authorization_digest(unsigned)))

    async def sign(self, *authorizations: Authorization, number: int | None = None) -> Any:
        sight = await self.chain.look()
        nonce = sight.pending if number is None else number
        return await self.chain.sign_settlement(authorizations, nonce, sight.fees)

    async def sign_refund(self, to: Address, amount: int, *, number: int | None = None) -> Any:
        sight = await self.chain.look()
        nonce = sight.pending if number is None else number
        return await self.chain.sign_refund(to, amount, nonce, sight.fees)

    async def settle(self, *authorizations: Authorization) -> Executed:
        return await self.send(await self.sign(*authorizations))

    async def send(self, signed: SignedTransaction) -> Executed:
        """What came of the transaction, once it is in a block."""
        await self.chain.submit(signed.raw)
        return await self.block_of(signed.tx)

    async def included(self, tx: Digest) -> Executed | None:
        return (await self.chain.included([tx])).get(tx)

    async def block_of(self, tx: Digest) -> Executed:
        """What came of a sent transaction. A node that mines at once still answers first."""
        for _ in range(1000):
            included = await self.included(tx)
            if included is not None:
                assert included.tx == tx
                return included
            await asyncio.sleep(0.02)
        raise AssertionError(f"no block took transaction {tx} in 20 seconds")


async def test_funds_move_once(till: Till) -> None:
    chain, authorization = till.chain, till.authorize()
    before, start = await chain.balance(PAYEE), await chain.head()
    assert not await chain.authorization_used(authorization.payer, authorization.nonce)
    assert await chain.settled_by(authorization, start) is None
    first = await till.settle(authorization)
    assert first.succeeded
    assert await chain.head() >= first.block > start
    assert await chain.authorization_used(authorization.payer, authorization.nonce)
    found = await chain.settled_by(authorization, start)
    assert found is not None
    assert (found.tx, found.block) == (first.tx, first.block)
    second = await till.settle(authorization)
    assert not second.succeeded
    found = await chain.settled_by(authorization, start)
    assert found is not None
    assert found.tx == first.tx
    assert await chain.settled_by(authorization, first.block + 1) is None
    assert await chain.balance(PAYEE) == before + 250


async def test_same_bytes_again_do_nothing(till: Till) -> None:
    chain, authorization = till.chain, till.authorize()
    before = await chain.balance(PAYEE)
    signed = await till.sign(authorization)
    assert await till.included(signed.tx) is None
    await till.send(signed)
    message = (
        f"the number of transaction {signed.tx} is spent: "
        "it, or another one of its sender, is in a block"
    )
    with rejects(Reason.TX_NONCE_USED, message):
        await chain.submit(signed.raw)
    assert await chain.balance(PAYEE) == before + 250


async def test_a_number_is_spent_by_whatever_comes_first(till: Till) -> None:
    chain = till.chain
    number = (await chain.look()).pending
    late = await till.sign(till.authorize(), number=number)
    early = await till.sign_refund(PAYEE, 1, number=number)
    await till.send(early)
    sight = await chain.look()
    assert (sight.spent, sight.spent_deep, sight.pending) == (number + 1,) * 3
    with rejects(
        Reason.TX_NONCE_USED,
        f"the number of transaction {late.tx} is spent: "
        "it, or another one of its sender, is in a block",
    ):
        await chain.submit(late.raw)
    assert await till.included(late.tx) is None
    assert not await chain.authorization_used(till.buyer.address, till.authorize().nonce)


async def test_numbers_are_taken_in_order(till: Till) -> None:
    chain = till.chain
    number = (await chain.look()).pending
    first = await till.sign(till.authorize(1), number=number)
    second = await till.sign(till.authorize(2), number=number + 1)
    await chain.submit(second.raw)
    assert await till.included(second.tx) is None
    assert (await chain.look()).pending == number  # it waits for the first
    await chain.submit(second.raw)
    await chain.submit(first.raw)
    for signed in (first, second):
        assert (await till.block_of(signed.tx)).succeeded


async def test_what_the_token_refuses_moves_nothing(till: Till) -> None:
    chain = till.chain
    before, funds = await chain.balance(PAYEE), await chain.balance(till.buyer.address)
    forged = replace(till.authorize(1), amount=251)
    refused = [
        forged,
        till.authorize(2, valid_before=till.now() - 100),
        till.authorize(3, valid_after=till.now() + 5_000),
        till.authorize(4, amount=funds + 1),
    ]
    start = await chain.head()
    for authorization in refused:
        assert not (await till.settle(authorization)).succeeded
        assert not await chain.authorization_used(authorization.payer, authorization.nonce)
        assert await chain.settled_by(authorization, start) is None
    assert await chain.balance(PAYEE) == before


async def test_time_goes_on_with_blocks_and_decides_what_is_over(till: Till) -> None:
    chain, before = till.chain, (await till.chain.look()).time
    assert (await till.settle(till.authorize(1))).succeeded
    now = (await chain.look()).time
    assert before <= now
    assert abs(now - till.now()) < 60
    assert not (await till.settle(till.authorize(2, valid_before=now))).succeeded


async def test_refund(till: Till) -> None:
    chain = till.chain
    before, funds = await chain.balance(PAYEE), await chain.balance(chain.sender)
    for amount, succeeds in ((7, True), (funds + 1, False)):
        signed = await till.sign_refund(PAYEE, amount)
        assert (signed.sender, await chain.balance(PAYEE)) == (chain.sender, before)
        assert (await till.send(signed)).succeeded is succeeds
        before = await chain.balance(PAYEE)
    assert await chain.balance(chain.sender) == funds - 7


async def test_a_batch_settles_each_on_its_own(till: Till) -> None:
    chain = till.chain
    assert chain.batch_size >= 4
    items = [till.authorize(n) for n in range(4)]
    items[1] = replace(items[1], amount=251)  # not what was signed
    before, start = await chain.balance(PAYEE), await chain.head()
    settled = await till.settle(*items)
    assert settled.succeeded
    states = [outcome.state for outcome in settled.outcomes(items)]
    assert states == [ItemState.SETTLED, ItemState.REFUSED, ItemState.SETTLED, ItemState.SETTLED]
    assert await chain.balance(PAYEE) == before + 3 * 250
    states = await chain.payer_states(items)
    assert [state.used for state in states] == [True, False, True, True]
    found = await chain.settled_by(items[3], start)
    assert found is not None
    assert (found.tx, found.block, found.block_hash) == (
        settled.tx,
        settled.block,
        settled.block_hash,
    )
    again = await till.settle(*items[2:])
    assert [o.state for o in again.outcomes(items[2:])] == [ItemState.REFUSED] * 2
    assert not any(o.may_lack_gas for o in again.outcomes(items[2:]))


async def test_one_alone_says_what_it_did(till: Till) -> None:
    good = till.authorize(1)
    for item, state in ((good, ItemState.SETTLED), (good, ItemState.REFUSED)):
        (outcome,) = (await till.settle(item)).outcomes([item])
        assert (outcome.state, outcome.authorization) == (state, item)


async def test_a_filler_takes_its_number_and_nothing_else(till: Till) -> None:
    sight, funds = await till.chain.look(), await till.chain.balance(till.chain.sender)
    filled = await till.send(await till.chain.sign_filler(sight.pending, sight.fees))
    assert filled.succeeded
    after = await till.chain.look()
    assert after.spent == sight.spent + 1
    assert await till.chain.balance(till.chain.sender) == funds


async def test_the_same_again_with_other_fees_is_another_transaction(till: Till) -> None:
    signed = await till.sign(till.authorize(1), till.authorize(2))
    sight = await till.chain.look()
    higher = Fees(2 * sight.fees.cap, 2 * sight.fees.tip)
    again = await till.chain.sign_again(signed.raw, higher)
    assert (again.nonce, again.sender) == (signed.nonce, signed.sender)
    assert again.tx != signed.tx
    settled = await till.send(again)
    items = [till.authorize(1), till.authorize(2)]
    assert [o.state for o in settled.outcomes(items)] == [ItemState.SETTLED] * 2
    assert await till.chain.included([signed.tx, again.tx]) == {again.tx: settled}


async def test_blocks_have_digests(till: Till) -> None:
    settled = await till.settle(till.authorize(1))
    sight = await till.chain.look()
    digests = await till.chain.block_digests([settled.block, sight.head, sight.head + 50])
    assert digests[0] == settled.block_hash
    assert digests[1:] == [sight.digest, None]


async def test_a_refund_is_found_by_its_mark(till: Till) -> None:
    chain, sight = till.chain, await till.chain.look()
    marks = [Digest(keccak256(till.salt + bytes([9, n]))) for n in range(4)]
    terms = RefundTerms(PAYEE, 3)
    wanted = dict.fromkeys(marks, terms)
    assert await chain.refunds_made(wanted, sight.head) == {}
    signed = await chain.sign_refund(PAYEE, 3, sight.pending, sight.fees, marks[0])
    made = await till.send(signed)
    plain = await till.send(await chain.sign_refund(PAYEE, 3, sight.pending + 1, sight.fees))
    more = await chain.balance(chain.sender) + 1
    much = await chain.sign_refund(PAYEE, more, sight.pending + 2, sight.fees, marks[1])
    assert plain.succeeded
    assert not (await till.send(much)).succeeded
    found = await chain.refunds_made({**wanted, marks[1]: RefundTerms(PAYEE, more)}, sight.head)
    assert {mark: (f.tx, f.block, f.block_hash) for mark, f in found.items()} == {
        marks[0]: (made.tx, made.block, made.block_hash)
    }
    other = {marks[0]: RefundTerms(PAYEE, 4)}, {marks[0]: RefundTerms(till.buyer.address, 3)}
    for terms_of_another in other:
        assert await chain.refunds_made(terms_of_another, sight.head) == {}
    assert await chain.refunds_made(wanted, made.block + 1) == {}
