"""Refunds that are on the chain, whoever remembers them.

A refund is a transfer of the token with its job's mark behind the arguments of the call, where the
token does not look. So a gateway whose database has forgotten a refund, since it was restored from
a backup or taken over from a replica that lagged, finds it before it sends another.
"""

from collections.abc import Mapping, Sequence
from functools import partial

from inferproof.chain.answers import ChainReceipt, PlacedLog
from inferproof.chain.ranges import in_ranges
from inferproof.chain.token import TokenChain, transfer_calldata
from inferproof.protocol.transfer import TRANSFER_EVENT
from inferproof.types.chain import RefundTerms
from inferproof.types.digest import Address, Digest

MANY_TOPICS = 100
"""How many recipients one question names; nodes limit their number."""


async def find_refunds(
    token: TokenChain, sender: Address, wanted: Mapping[Digest, RefundTerms], *, first_block: int
) -> dict[Digest, ChainReceipt]:
    """Those of the refunds that the sender made since the block, by their marks, however deep.

    1  transfers of the token from the sender to the recipients
    2  their transactions: one that is the sender's own call with the mark is the refund
    3  its receipt, which says that it succeeded, and in which block

    Raises: Unavailable CHAIN_UNREACHABLE, CHAIN_RPC_ERROR.
    """
    rpc, asset = token.rpc, token.asset
    # 1
    last = (await token.head()).number
    recipients = sorted({Digest(bytes(12) + terms.to.raw) for terms in wanted.values()})
    moved: list[PlacedLog] = []
    for at in range(0, len(recipients), MANY_TOPICS):
        topics: list[Digest | Sequence[Digest] | None] = [
            TRANSFER_EVENT,
            Digest(bytes(12) + sender.raw),
            recipients[at : at + MANY_TOPICS],
        ]
        ask = partial(_logs, token, topics)
        moved += await in_ranges(ask, first_block, last)
    # 2
    txs = list(dict.fromkeys(log.tx for log in moved))
    calls = await rpc.ask_all([("eth_getTransactionByHash", [tx.hex]) for tx in txs])
    by_data = {transfer_calldata(t.to, t.amount, mark): mark for mark, t in wanted.items()}
    marks: dict[Digest, Digest] = {}
    for tx, call in zip(txs, calls, strict=True):
        if call is None or not call["to"]:
            continue
        ours = Address.from_hex(call["from"]) == sender
        if ours and Address.from_hex(call["to"]) == asset.address:
            mark = by_data.get(bytes.fromhex(call["input"][2:]))
            if mark is not None:
                marks[tx] = mark
    # 3
    receipts = await rpc.receipts(list(marks))
    return {marks[tx]: receipt for tx, receipt in receipts.items() if receipt.succeeded}


async def _logs(
    token: TokenChain, topics: Sequence[Digest | Sequence[Digest] | None], start: int, end: int
) -> tuple[PlacedLog, ...]:
    return await token.rpc.logs(token.asset.address, topics, first_block=start, last_block=end)
