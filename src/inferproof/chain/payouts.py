"""Payouts through the Payouts contract: many developers paid in one transaction, each once.

The contract takes the sum by an EIP-3009 signature that is in the call itself, so that nothing is
ever allowed to it. It pays an id of the payer's once for ever, whatever is sent how often; whether
it has is asked before a payout is signed, since a database that was restored does not know.
"""

from collections.abc import Sequence
from functools import partial

from inferproof.chain.abi import calldata, encode_arguments, event_topic, words
from inferproof.chain.answers import ChainReceipt, PlacedLog
from inferproof.chain.contracts import PAYOUTS, deploy, load_artifact
from inferproof.chain.ranges import in_ranges
from inferproof.chain.rpc import Rpc
from inferproof.chain.token import TokenChain
from inferproof.chain.transactions import SignedTx, sign_tx
from inferproof.errors import Conflict, Misconfigured, NotFound, Reason, Unavailable
from inferproof.protocol.encoding import keccak256
from inferproof.protocol.revenue import (
    MAX_ITEMS,
    funding_digest,
    funding_nonce,
    ledger_digest,
    payout_id,
)
from inferproof.protocol.signature import SigningKey
from inferproof.types.chain import Fees
from inferproof.types.digest import Address, Digest
from inferproof.types.event import Log
from inferproof.types.money import MAX_AMOUNT
from inferproof.types.revenue import Payout

_ITEMS = "(bytes32,address,uint256)[]"
_FUNDING = "(uint256,uint256,bytes32,uint8,bytes32,bytes32)"
_PAY = f"payWithAuthorization(address,{_ITEMS},{_FUNDING})"
_PAID_BITS = "paidBits(address,bytes32)"
PAID_EVENT = event_topic("PaidOut(address,bytes32,address,address,uint256)")
CREDITED_EVENT = event_topic("PayoutCredited(address,bytes32,address,address,uint256)")

ITEM_GAS = 135_000
"""The contract wants 130,000 left before each item; the rest is for checking it."""
START_GAS = 250_000
"""The first slot, and the token's taking of the sum: 80,000 for Circle's behind its proxy."""


async def deploy_payouts(rpc: Rpc, key: SigningKey) -> Address:
    """A newly deployed Payouts contract. Raises: as `deploy`."""
    return await deploy(rpc, load_artifact(PAYOUTS), key)


async def check_payouts(rpc: Rpc, address: Address) -> None:
    """Returns when the code at the address is the Payouts contract that this package ships.

    Raises: NotFound CHAIN_NO_CONTRACT; Misconfigured PAYOUTS_CODE_UNKNOWN; Unavailable.
    """
    code = await rpc.code(address)
    if not code:
        raise NotFound(Reason.CHAIN_NO_CONTRACT, address=address, chain_id=await rpc.chain_id())
    if not load_artifact(PAYOUTS).is_code(code):
        raise Misconfigured(Reason.PAYOUTS_CODE_UNKNOWN, address=address, contract=PAYOUTS)


class PayoutAccount:
    """One payer's door to one contract. Implements services.settlement.base.PayoutChain."""

    def __init__(self, token: TokenChain, key: SigningKey, contract: Address) -> None:
        self._token = token
        self._key = key
        self.contract = contract

    @property
    def payer(self) -> Address:
        """Whose tokens are paid out."""
        return self._key.address

    async def sign_payout(self, payout: Payout, nonce: int, fees: Fees) -> SignedTx:
        """The signed transaction that makes the payout; nothing is sent."""
        data = payout_calldata(self._token, self._key, payout)
        return sign_tx(
            self._key,
            chain_id=self._token.asset.network.chain_id,
            nonce=nonce,
            fees=fees,
            gas=payout_gas(data, len(payout.items)),
            to=payout.contract,
            data=data,
        )

    async def is_used(self, number: int) -> bool:
        """Whether the contract has paid anything under this number."""
        return await paid_bits(self._token, self.contract, self.payer, number) != 0

    async def made(self, payout: Payout) -> ChainReceipt | None:
        """The transaction that made the payout, however deep; None where none has.

        Raises: Conflict PAYOUT_ELSEWHERE where the contract has paid something else under its
        number; Unavailable.
        """
        contract, payer, number = payout.contract, payout.payer, payout.number
        bits = await paid_bits(self._token, contract, payer, number)
        if bits == 0:
            return None
        first = _id(self._token, payout, 0)
        topics: list[Digest | Sequence[Digest] | None] = [
            [PAID_EVENT, CREDITED_EVENT],
            _topic(payer),
            first,
        ]
        last = (await self._token.head()).number
        ask = partial(_logs, self._token, contract, topics)
        for log in await in_ranges(ask, payout.first_block, last):
            receipt = await self._token.receipt(log.tx)
            if receipt is None:
                raise Unavailable(Reason.TX_NOT_MINED, tx=log.tx, seconds="0")
            read_credits(receipt, self._token, payout)
            return receipt
        raise _elsewhere(payout)

    async def credited(self, tx: Digest, payout: Payout) -> frozenset[int]:
        """The positions whose money the contract kept for the payee, in the transaction that made
        the payout. Raises: Conflict PAYOUT_ELSEWHERE; Unavailable."""
        receipt = await self._token.receipt(tx)
        if receipt is None:
            raise Unavailable(Reason.TX_NOT_MINED, tx=tx, seconds="0")
        return read_credits(receipt, self._token, payout)


def payout_calldata(token: TokenChain, key: SigningKey, payout: Payout) -> bytes:
    """The call that makes the payout, with the key's signature for its sum."""
    asset = token.asset
    ledger = ledger_digest(asset, payout.contract, payout.payer)
    nonce = funding_nonce(ledger, payout.number)
    signature = key.sign(
        funding_digest(asset, payout.payer, payout.contract, payout.total, nonce, MAX_AMOUNT)
    )
    items = [
        (payout_id(ledger, payout.number, item.position).raw, item.developer.hex, item.amount)
        for item in payout.items
    ]
    v = signature[64] + 27 if signature[64] < 2 else signature[64]
    funding = (0, MAX_AMOUNT, nonce.raw, v, signature[:32], signature[32:64])
    return keccak256(_PAY.encode())[:4] + encode_arguments(
        ["address", _ITEMS, _FUNDING], [asset.address, items, funding]
    )


def payout_gas(data: bytes, items: int) -> int:
    """A gas limit under which a payout is made whatever its payees' tokens do.

    Source: a byte of call data takes 16 gas, a zero 4 (EIP-2028); the rest is the contract's. What
    is left over is not charged.
    """
    zeros = data.count(0)
    return 21_000 + 16 * (len(data) - zeros) + 4 * zeros + START_GAS + items * ITEM_GAS


async def paid_bits(token: TokenChain, contract: Address, payer: Address, number: int) -> int:
    """Bit n is set where the contract has paid item n under this number.

    Raises: Misconfigured CHAIN_BAD_ANSWER; Unavailable.
    """
    first = payout_id(ledger_digest(token.asset, contract, payer), number, 0)
    data = calldata(_PAID_BITS, payer, first)
    answer = await token.rpc.call(contract, data, what=_PAID_BITS)
    if len(answer) != 32:
        raise Misconfigured(
            Reason.CHAIN_BAD_ANSWER, address=contract, call=_PAID_BITS, got=len(answer), expected=32
        )
    return int.from_bytes(answer, "big")


def read_credits(receipt: ChainReceipt, token: TokenChain, payout: Payout) -> frozenset[int]:
    """The positions whose money the contract kept for the payee, where the transaction did exactly
    what the payout says. Raises: Conflict PAYOUT_ELSEWHERE."""
    told: dict[Digest, Log] = {}
    for log in receipt.logs:
        ours = log.address == payout.contract and log.topics[:1] in _TOLD
        if ours and log.topics[1] == _topic(payout.payer):
            told[log.topics[2]] = log
    credited = set()
    for item in payout.items:
        found = told.pop(_id(token, payout, item.position), None)
        expected = (_topic(token.asset.address).raw, item.amount.to_bytes(32, "big"))
        if (
            found is None
            or not receipt.succeeded
            or found.topics[3] != _topic(item.developer)
            or words(found.data) != expected
        ):
            raise _elsewhere(payout)
        if found.topics[0] == CREDITED_EVENT:
            credited.add(item.position)
    ids = {_id(token, payout, position) for position in range(MAX_ITEMS)}
    if ids & set(told):
        raise _elsewhere(payout)
    return frozenset(credited)


_TOLD = ((PAID_EVENT,), (CREDITED_EVENT,))


def _elsewhere(payout: Payout) -> Conflict:
    return Conflict(
        Reason.PAYOUT_ELSEWHERE,
        contract=payout.contract,
        number=payout.number,
        payer=payout.payer,
    )


def _id(token: TokenChain, payout: Payout, position: int) -> Digest:
    ledger = ledger_digest(token.asset, payout.contract, payout.payer)
    return payout_id(ledger, payout.number, position)


def _topic(address: Address) -> Digest:
    return Digest(bytes(12) + address.raw)


async def _logs(
    token: TokenChain,
    contract: Address,
    topics: Sequence[Digest | Sequence[Digest] | None],
    start: int,
    end: int,
) -> tuple[PlacedLog, ...]:
    return await token.rpc.logs(contract, topics, first_block=start, last_block=end)
