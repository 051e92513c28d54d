"""Many authorizations settled in one transaction, through the BatchSettler contract.

An item that the token refuses is refused alone: the items beside it settle. Money counts as
moved by the token's own events, never by the contract's; the contract tells why it did not move.

| item | the receipt holds | then |
|---|---|---|
| SETTLED | the token's use of the nonce and, next to it, exactly its transfer | paid |
| REFUSED | the contract's word on it, and no such pair | look up the nonce: used by another? |
| NOT_TRIED | neither: the gas ended, or the whole transaction failed | send it again |
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inferproof.chain.abi import event_topic, revert_reason, words
from inferproof.chain.answers import ChainReceipt
from inferproof.chain.contracts import BATCH_SETTLER, load_artifact
from inferproof.chain.rpc import Rpc
from inferproof.chain.token import settlement_calldata
from inferproof.chain.transactions import SignedTx, sign_tx
from inferproof.errors import Misconfigured, NotFound, Reason
from inferproof.protocol.encoding import keccak256
from inferproof.protocol.settlement import is_settlement
from inferproof.protocol.signature import SigningKey
from inferproof.protocol.transfer import AUTHORIZATION_USED_EVENT
from inferproof.types.chain import Fees, ItemOutcome, ItemState
from inferproof.types.digest import Address, Digest
from inferproof.types.payment import Authorization

MAX_ITEMS = 200
"""The contract's own limit."""
ITEM_OVERHEAD = 6_500
"""Gas that the contract keeps back for each item beside the token's call. Its own constant."""
ITEM_GAS = 42_500
"""The devnet token takes 41,757 for the first transfer of a transaction to a payee who holds some,
and 36,957 for those after it. Circle's takes 54,549, and some 7,000 more behind its proxy. A share
that covers the first transfer holds whatever the items before it do."""
SPARE_ITEMS = 4
"""Shares beyond those of the items: one for the first transfer to a new payee, which takes 17,100
more, and one for each of three items before it that burn all they are given."""

_ITEM = "(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)"
_SETTLE = keccak256(f"settle(address,uint32,{_ITEM}[])".encode())[:4]
SETTLED_EVENT = event_topic("Settled(address,address,bytes32)")
REFUSED_EVENT = event_topic("Refused(address,address,bytes32,bytes)")

_TX_GAS = 21_000
_START_GAS = 10_000
"""What comes before the first item: the contract's checks and the token's cold account."""


@dataclass(frozen=True, slots=True)
class BatchTerms:
    """How to settle in batches: through which contract, how many at most, and the gas of each."""

    contract: Address
    items: int = 80
    item_gas: int = ITEM_GAS


async def check_batch_settler(rpc: Rpc, address: Address) -> None:
    """Returns when the code at the address is the BatchSettler that this package ships.

    Raises: NotFound CHAIN_NO_CONTRACT; Misconfigured BATCH_CODE_UNKNOWN; Unavailable.
    """
    code = await rpc.code(address)
    if not code:
        raise NotFound(Reason.CHAIN_NO_CONTRACT, address=address, chain_id=await rpc.chain_id())
    if code != load_artifact(BATCH_SETTLER).deployed:
        raise Misconfigured(Reason.BATCH_CODE_UNKNOWN, address=address, contract=BATCH_SETTLER)


def settlement_batch_calldata(
    authorizations: Sequence[Authorization], *, item_gas: int = ITEM_GAS
) -> bytes:
    """The call that settles each of the authorizations on its own.

    Units: `item_gas` is the gas kept back for the token's call of each item.
    Encoding: a batch item is the argument list of its single settlement, word for word.
    Raises: PaymentRejected AUTHORIZATION_SIGNATURE_FORM; ValueError when they are none, too
    many, of several assets, or when one is there twice.
    """
    if not 0 < len(authorizations) <= MAX_ITEMS:
        raise ValueError(f"a batch holds 1 to {MAX_ITEMS} items, not {len(authorizations)}")
    if not 0 < item_gas < 2**32:
        raise ValueError("the gas of an item is a positive number of four bytes")
    asset = authorizations[0].asset
    if any(authorization.asset != asset for authorization in authorizations):
        raise ValueError("a batch is for one asset")
    if len({(a.payer, a.nonce) for a in authorizations}) != len(authorizations):
        raise ValueError("an authorization is in the batch twice")
    head = (int.from_bytes(asset.address.raw, "big"), item_gas, 3 * 32, len(authorizations))
    return b"".join(
        (
            _SETTLE,
            *(word.to_bytes(32, "big") for word in head),
            *(settlement_calldata(authorization)[4:] for authorization in authorizations),
        )
    )


def batch_gas_limit(
    data: bytes, items: int, *, item_gas: int = ITEM_GAS, spare_items: int = SPARE_ITEMS
) -> int:
    """The least gas limit under which a bad item cannot harm the items beside it.

    A node's estimate is of no use here: a batch with too little gas does nothing, and succeeds.
    Source: a byte of call data takes 16 gas, a zero 4 (EIP-2028); the rest is the contract's.
    """
    zeros = data.count(0)
    call_data = 16 * (len(data) - zeros) + 4 * zeros
    shares = items * (item_gas + ITEM_OVERHEAD) + spare_items * item_gas
    # A call gets 63 of 64 parts of the gas at most (EIP-150): the last item needs that beside.
    return _TX_GAS + call_data + _START_GAS + shares + item_gas // 63


def build_batch_tx(
    authorizations: Sequence[Authorization],
    key: SigningKey,
    *,
    contract: Address,
    nonce: int,
    fees: Fees,
    item_gas: int = ITEM_GAS,
    spare_items: int = SPARE_ITEMS,
) -> SignedTx:
    """The signed transaction that settles each of the authorizations on its own; nothing is sent.

    Raises: as `settlement_batch_calldata`.
    """
    data = settlement_batch_calldata(authorizations, item_gas=item_gas)
    return sign_tx(
        key,
        chain_id=authorizations[0].asset.network.chain_id,
        nonce=nonce,
        fees=fees,
        gas=batch_gas_limit(data, len(authorizations), item_gas=item_gas, spare_items=spare_items),
        to=contract,
        data=data,
    )


def batch_outcomes(
    receipt: ChainReceipt, contract: Address, authorizations: Sequence[Authorization]
) -> tuple[ItemOutcome, ...]:
    """What the transaction did with each of the authorizations, in their order.

    Soundness: REFUSED says that *this* transaction moved no money. The authorization may have
    been settled by another one, which its refusal as used does not tell from a cancellation.
    """
    used = {
        (log.address, log.topics): at
        for at, log in enumerate(receipt.logs)
        if log.topics[:1] == (AUTHORIZATION_USED_EVENT,)
    }
    ours = {log.topics: log.data for log in receipt.logs if log.address == contract}
    return tuple(_outcome(receipt, item, used, ours) for item in authorizations)


def _outcome(
    receipt: ChainReceipt,
    item: Authorization,
    used: Mapping[tuple[Address, tuple[Digest, ...]], int],
    ours: Mapping[tuple[Digest, ...], bytes],
) -> ItemOutcome:
    token, payer = item.asset.address, _topic(item.payer)
    at = used.get((token, (AUTHORIZATION_USED_EVENT, payer, item.nonce)))
    # The two events that count, alone: searching all logs for each item would be quadratic.
    pair = () if at is None or not receipt.succeeded else receipt.logs[at : at + 2]
    if len(pair) == 2 and is_settlement(*pair, item):
        return ItemOutcome(item, ItemState.SETTLED)
    about = (_topic(token), payer, item.nonce)
    if (SETTLED_EVENT, *about) in ours:
        return ItemOutcome(item, ItemState.REFUSED, "accepted without moving these funds")
    if (REFUSED_EVENT, *about) not in ours:
        return ItemOutcome(item, ItemState.NOT_TRIED)
    reason = _reason(ours[REFUSED_EVENT, *about])
    return ItemOutcome(item, ItemState.REFUSED, revert_reason(reason), may_lack_gas=not reason)


def _topic(address: Address) -> Digest:
    return Digest(bytes(12) + address.raw)


def _reason(data: bytes) -> bytes:
    """The bytes in a Refused event: an offset, their length, and they, filled up."""
    size = int.from_bytes(words(data)[1], "big")
    return data[64 : 64 + size]
