"""A server's door to an escrow: what became of orders, and what the server sends for them.

Nothing here sends: the settler's outbox stores each transaction before that.
"""

import asyncio
from collections.abc import Sequence
from functools import partial

from inferproof.chain.abi import calldata, decode_values
from inferproof.chain.answers import ChainReceipt, PlacedLog
from inferproof.chain.escrow import (
    ACCEPTED,
    APPROVE,
    DELIVERED,
    DEPOSIT,
    REFUNDED,
    REQUESTED,
    WITHDRAW,
    Escrow,
    accept_data,
    deliver_data,
    read_requested,
)
from inferproof.chain.ranges import in_ranges
from inferproof.chain.rpc import CallReverted, Rpc
from inferproof.chain.token import TokenChain
from inferproof.chain.transactions import SignedTx, sign_tx, suggest_fees
from inferproof.errors import PaymentRejected, Reason, Rejection, Unavailable
from inferproof.protocol.escrow import acceptor_in
from inferproof.protocol.signature import SigningKey
from inferproof.types.chain import Fees, ItemOutcome, ItemState
from inferproof.types.digest import Address, Digest
from inferproof.types.escrow import (
    Acceptance,
    OpenOrder,
    Order,
    OrderSlot,
    OrderStatus,
    OrderTransaction,
)
from inferproof.types.payment import PayerState
from inferproof.types.tensor import FixedTensor

ACCEPT_GAS = 250_000
"""More than twice what an acceptance takes (bench/gas). What is left over is not charged."""
_SPARE = 10
"""A delivery is given a tenth more gas than it takes now: its block may be another one."""
BOND_GAS = 250_000
"""Of what moves tokens in and out, also of one behind a proxy."""
ALLOWANCE = "allowance(address,address)"
_DELIVERY = ("bool", "bytes[]", "uint256", "uint256", "uint256")
"""What the event of a delivery tells: late, outputs, paid, given back to the buyer, the fee."""
ACCEPT_CALL = "accept"
DELIVER_CALL = "deliver"


class OrderAccount:
    """One server's account in one escrow. Implements services.settlement.base.OrderChain."""

    def __init__(self, rpc: Rpc, escrow: Escrow, key: SigningKey) -> None:
        self._rpc = rpc
        self._escrow = escrow
        self._key = key

    @property
    def server(self) -> Address:
        return self._key.address

    @property
    def escrow(self) -> Address:
        return self._escrow.address

    def acceptance(self, order: Order) -> Acceptance:
        """What this server sends to accept the order."""
        return Acceptance(self.escrow, order, self._escrow.id_of(order), self.server)

    # -- questions

    async def slot(self, order: Digest, *, block: int | None = None) -> OrderSlot:
        """What the escrow keeps of an order after a block, by default the newest.

        Raises: as `Escrow.slot`.
        """
        return await self._escrow.slot(order, block=block)

    async def head(self) -> int:
        """The number of the newest block."""
        return (await self._rpc.head()).number

    async def gas_price(self) -> int:
        """What a transaction of this server offers for each gas now. Units: wei."""
        return (await suggest_fees(self._rpc)).cap

    async def requested(self, first: int, last: int) -> list[OpenOrder]:
        """The orders that were made in these blocks, both ends included, in their order."""
        found = []
        for placed in await in_ranges(partial(self._logs, (REQUESTED,)), first, last):
            order = read_requested(placed.log)
            if order is not None and order.id == self._escrow.id_of(order.order):
                found.append(OpenOrder(order.id, order.order, order.fee_bps, placed.block))
        return found

    async def payer_states(self, acceptances: Sequence[Acceptance]) -> list[PayerState]:
        """Of each order what the price is worth now: it is `used` once it is not open any more."""
        head = (await self._rpc.head()).number
        slots = await asyncio.gather(*(self.slot(each.id) for each in acceptances))
        return [
            PayerState(each.order.price, slot.status is not OrderStatus.OPEN, head, has_code=True)
            for each, slot in zip(acceptances, slots, strict=True)
        ]

    async def check_acceptance(self, acceptance: Acceptance) -> None:
        """Returns when the escrow would let this server accept the order now, which has the bond.

        Raises: PaymentRejected ORDER_REFUSED with the contract's own words; Unavailable.
        """
        data = accept_data(acceptance.order, acknowledged=True)
        try:
            await self._rpc.call(
                acceptance.escrow, data, what=ACCEPT_CALL, sender=acceptance.server
            )
        except CallReverted as error:
            raise PaymentRejected(
                Reason.ORDER_REFUSED, call=ACCEPT_CALL, why=_why(error)
            ) from error

    async def delivery_gas(
        self, acceptance: Acceptance, outputs: Sequence[FixedTensor], proof: bytes
    ) -> int:
        """The gas of a delivery, once the escrow, asked without a transaction, has taken it.

        Raises: Rejection ORDER_REFUSED with the contract's own words; Unavailable.
        """
        data = deliver_data(acceptance.order, outputs, proof)
        try:
            gas = await self._rpc.estimate_gas(
                acceptance.escrow, data, what=DELIVER_CALL, sender=acceptance.server
            )
        except CallReverted as error:
            raise Rejection(Reason.ORDER_REFUSED, call=DELIVER_CALL, why=_why(error)) from error
        return gas + gas // _SPARE

    async def accepted_in(self, order: Digest, first_block: int) -> OrderTransaction | None:
        """The transaction since a block by which the order was accepted, whoever did."""
        return await self._find(ACCEPTED, order, first_block)

    async def delivered_in(self, order: Digest, first_block: int) -> OrderTransaction | None:
        """The transaction since a block by which it was delivered, whoever did."""
        return await self._find(DELIVERED, order, first_block)

    async def fee_taken(self, acceptance: Acceptance, tx: Digest) -> int:
        """What the market took of the price when this transaction delivered the order.
        Units: atomic. Raises: Unavailable CHAIN_CHANGED where it does not do that any more."""
        receipt = await self._rpc.receipt(tx)
        for log in () if receipt is None else receipt.logs:
            is_it = log.topics[:2] == (DELIVERED, acceptance.id)
            told = decode_values(_DELIVERY, log.data) if is_it else None
            if log.address == acceptance.escrow and told is not None:
                return int(told[-1])
        raise Unavailable(Reason.CHAIN_CHANGED, tx=tx)

    async def refunded_in(self, order: Digest, first_block: int) -> OrderTransaction | None:
        """The transaction since a block by which its buyer was refunded. `server` had accepted."""
        return await self._find(REFUNDED, order, first_block)

    async def acceptance_made(
        self, acceptance: Acceptance, first_block: int
    ) -> ChainReceipt | None:
        """The transaction since a block by which this server accepted the order."""
        found = await self.accepted_in(acceptance.id, first_block)
        if found is None or found.server != acceptance.server:
            return None
        return await self._rpc.receipt(found.tx)

    # -- transactions, signed and not sent

    async def sign_acceptance(self, acceptance: Acceptance, nonce: int, fees: Fees) -> SignedTx:
        """The transaction that accepts the order, and acknowledges its input."""
        data = accept_data(acceptance.order, acknowledged=True)
        return self._sign(acceptance.escrow, data, ACCEPT_GAS, nonce, fees)

    async def sign_delivery(
        self,
        acceptance: Acceptance,
        outputs: Sequence[FixedTensor],
        proof: bytes,
        *,
        gas: int,
        nonce: int,
        fees: Fees,
    ) -> SignedTx:
        """The transaction that delivers the order."""
        data = deliver_data(acceptance.order, outputs, proof)
        return self._sign(acceptance.escrow, data, gas, nonce, fees)

    # -- inside

    def _sign(self, to: Address, data: bytes, gas: int, nonce: int, fees: Fees) -> SignedTx:
        chain_id = self._escrow.chain_id
        return sign_tx(
            self._key, chain_id=chain_id, nonce=nonce, fees=fees, gas=gas, to=to, data=data
        )

    async def _find(self, event: Digest, order: Digest, first: int) -> OrderTransaction | None:
        last = (await self._rpc.head()).number
        logs = await in_ranges(partial(self._logs, (event, order)), first, last)
        if not logs:
            return None
        # Once in the life of an order, but for a chain that changed while it was asked.
        log = logs[-1]
        receipt = await self._rpc.receipt(log.tx)
        if receipt is None:
            raise Unavailable(Reason.CHAIN_CHANGED, tx=log.tx)
        server = Address(log.log.topics[2].raw[12:])
        return OrderTransaction(receipt.tx, receipt.block, receipt.block_hash, server)

    async def _logs(self, topics: Sequence[Digest], start: int, end: int) -> tuple[PlacedLog, ...]:
        return await self._rpc.logs(self.escrow, topics, first_block=start, last_block=end)


class BondAccount:
    """A server's balance in an escrow: a services.settlement.bonds.BondChain of one token."""

    def __init__(self, token: TokenChain, escrow: Escrow, key: SigningKey) -> None:
        self._token = token
        self._escrow = escrow
        self._key = key

    async def bond_balance(self) -> int:
        """What the server has in the escrow. Units: atomic."""
        return await self._escrow.balance(self._key.address, self._token.asset.address)

    async def bond_allowance(self) -> int:
        """What the escrow may take of the server's tokens. Units: atomic."""
        data = calldata(ALLOWANCE, self._key.address, self._escrow.address)
        token = self._token.asset.address
        answer = await self._token.rpc.call(token, data, what=ALLOWANCE)
        return int.from_bytes(answer[:32], "big")

    async def sign_allowance(self, amount: int, nonce: int, fees: Fees) -> SignedTx:
        """The transaction that lets the escrow take so much."""
        data = calldata(APPROVE, self._escrow.address, amount)
        return self._sign(self._token.asset.address, data, nonce, fees)

    async def sign_deposit(self, amount: int, nonce: int, fees: Fees) -> SignedTx:
        """The transaction that puts so much into the escrow."""
        data = calldata(DEPOSIT, self._token.asset.address, amount)
        return self._sign(self._escrow.address, data, nonce, fees)

    async def sign_withdrawal(self, amount: int, nonce: int, fees: Fees) -> SignedTx:
        """The transaction that takes so much out, to the server."""
        data = calldata(WITHDRAW, self._token.asset.address, self._key.address, amount)
        return self._sign(self._escrow.address, data, nonce, fees)

    def _sign(self, to: Address, data: bytes, nonce: int, fees: Fees) -> SignedTx:
        return sign_tx(
            self._key,
            chain_id=self._escrow.chain_id,
            nonce=nonce,
            fees=fees,
            gas=BOND_GAS,
            to=to,
            data=data,
        )


def acceptance_outcome(receipt: ChainReceipt, acceptance: Acceptance) -> ItemOutcome:
    """What a transaction of ours did with the acceptance that it was signed for."""
    logs = receipt.logs if receipt.succeeded else ()
    if acceptor_in(logs, acceptance.escrow, acceptance.id) == acceptance.server:
        return ItemOutcome(acceptance, ItemState.SETTLED)
    return ItemOutcome(acceptance, ItemState.REFUSED, "reverted")


def _why(error: CallReverted) -> object:
    return error.facts.get("why", error.message)
