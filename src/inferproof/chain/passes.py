"""Calls that were bought before: a gateway's door to a contract of access, and what it sends there.

Nothing here sends: the settler's outbox stores each transaction before that. Each carries a mark
behind the arguments of its call, where the contract does not look, as refunds do: events of two
calls of one right are alike, and a gateway whose database has forgotten a call, since it was
restored from a backup, finds it by that before it takes another.
"""

from collections.abc import Mapping, Sequence
from functools import partial

from inferproof.chain.abi import calldata
from inferproof.chain.access import CONSUME
from inferproof.chain.access_questions import IS_CONSUMER, AccessQuestions
from inferproof.chain.answers import ChainReceipt, PlacedLog
from inferproof.chain.ranges import in_ranges
from inferproof.chain.rpc import CallReverted, Rpc
from inferproof.chain.transactions import SignedTx, sign_tx
from inferproof.errors import PaymentRejected, Reason
from inferproof.protocol.passes import CALL_CONSUMED, CALL_RESTORED, takes_call
from inferproof.protocol.signature import SigningKey
from inferproof.types.access import Consumption
from inferproof.types.chain import Fees, ItemOutcome, ItemState, RefundTerms
from inferproof.types.digest import Address, Digest

RESTORE = "restore(address,bytes32,bytes32)"
PASS_GAS = 150_000
"""Twice what taking a call of a pack takes at first, with its mark. What is left is not charged."""


class PassQuestions(AccessQuestions):
    """What a gateway asks a contract of access. Implements payments.passes.method.PassChain."""

    async def head(self) -> int:
        """The number of the newest block."""
        return (await self._rpc.head()).number

    async def now(self) -> int:
        """The time of the newest block, in Unix seconds."""
        return (await self._rpc.head()).timestamp

    async def may_consume(self, who: Address) -> bool:
        """Whether somebody may take calls there."""
        (allowed,) = await self._ask(IS_CONSUMER, ["bool"], "a flag", who)
        return bool(allowed)


def consume_data(taken: Consumption) -> bytes:
    """The call that takes a call of the right."""
    arguments = (taken.buyer, taken.model, taken.token, taken.right)
    return calldata(CONSUME, *arguments) + taken.mark.raw


def restore_data(taken: Consumption, mark: Digest | None) -> bytes:
    """The call that gives it back."""
    data = calldata(RESTORE, taken.buyer, taken.model, taken.right)
    return data if mark is None else data + mark.raw


def sign_pass_tx(
    key: SigningKey, taken: Consumption, data: bytes, *, chain_id: int, nonce: int, fees: Fees
) -> SignedTx:
    """The transaction that makes one of these calls; nothing is sent."""
    return sign_tx(
        key, chain_id=chain_id, nonce=nonce, fees=fees, gas=PASS_GAS, to=taken.access, data=data
    )


async def check_consumption(rpc: Rpc, taken: Consumption) -> None:
    """Returns when the contract would let the call be taken now.

    Raises: PaymentRejected PASS_REFUSED with the contract's own words; Unavailable.
    """
    try:
        await rpc.call(taken.access, consume_data(taken), what=CONSUME, sender=taken.consumer)
    except CallReverted as error:
        why = error.facts.get("why", error.message)
        raise PaymentRejected(Reason.PASS_REFUSED, right=taken.right, why=why) from error


def consumption_outcome(receipt: ChainReceipt, taken: Consumption) -> ItemOutcome:
    """What a transaction of ours did with the consumption that it was signed for."""
    if receipt.succeeded and takes_call(receipt.logs, taken):
        return ItemOutcome(taken, ItemState.SETTLED)
    return ItemOutcome(taken, ItemState.REFUSED, "reverted")


async def find_consumption(rpc: Rpc, taken: Consumption, first_block: int) -> ChainReceipt | None:
    """The transaction since a block that took this very call, however deep."""
    found = await _find(rpc, taken, CALL_CONSUMED, {consume_data(taken): taken.mark}, first_block)
    return found.get(taken.mark)


async def find_restores(
    rpc: Rpc, wanted: Mapping[Digest, RefundTerms], *, first_block: int
) -> dict[Digest, ChainReceipt]:
    """Those of the calls that were given back since a block, by the marks of their refunds.

    Soundness: what gave nothing back, since nothing had been counted, left no event, and is not
    found: to do it again gives nothing back either.
    """
    found: dict[Digest, ChainReceipt] = {}
    for mark, terms in wanted.items():
        if terms.taken is not None:
            by_data = {restore_data(terms.taken, mark): mark}
            found |= await _find(rpc, terms.taken, CALL_RESTORED, by_data, first_block)
    return found


async def _find(
    rpc: Rpc,
    taken: Consumption,
    event: Digest,
    by_data: Mapping[bytes, Digest],
    first_block: int,
) -> dict[Digest, ChainReceipt]:
    """Transactions of the consumer's to the contract, with one of these data and this event."""
    topics = (event, taken.right, _topic(taken.buyer), _topic(taken.consumer))
    last = (await rpc.head()).number
    logs = await in_ranges(partial(_logs, rpc, taken.access, topics), first_block, last)
    txs = list(dict.fromkeys(log.tx for log in logs))
    calls = await rpc.ask_all([("eth_getTransactionByHash", [tx.hex]) for tx in txs])
    marks: dict[Digest, Digest] = {}
    for tx, call in zip(txs, calls, strict=True):
        if call is None or not call["to"] or Address.from_hex(call["to"]) != taken.access:
            continue
        mark = by_data.get(bytes.fromhex(call["input"][2:]))
        if mark is not None and Address.from_hex(call["from"]) == taken.consumer:
            marks[tx] = mark
    receipts = await rpc.receipts(list(marks))
    return {marks[tx]: receipt for tx, receipt in receipts.items() if receipt.succeeded}


async def _logs(
    rpc: Rpc, access: Address, topics: Sequence[Digest], start: int, end: int
) -> tuple[PlacedLog, ...]:
    return await rpc.logs(access, topics, first_block=start, last_block=end)


def _topic(address: Address) -> Digest:
    return Digest(bytes(12) + address.raw)
