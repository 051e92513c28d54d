"""The gateway's side of orders in an escrow: what must hold before its server takes one up.

The server's key is the gateway's: it accepts by its own transaction, and only what it has the input
of. What is checked of that input is said in services.orders.ordered_input.
"""

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from inferproof.errors import Conflict, PaymentRejected, Reason, Unavailable
from inferproof.payments.escrow.receipt import (
    ESCROW_METHOD,
    EscrowPart,
    check_order_price,
    check_order_server,
    check_order_signature,
    order_of_payment,
    order_payment,
)
from inferproof.payments.escrow.wire import (
    ORDER_HEADER,
    IncomingOrder,
    SignedOrder,
    order_offer,
    parse_order,
)
from inferproof.payments.method import PayerExposure, Presented, Reservable
from inferproof.protocol.authorization import check_asset_and_payee
from inferproof.protocol.encoding import Json
from inferproof.protocol.escrow import server_share
from inferproof.types.digest import Address, Digest
from inferproof.types.escrow import (
    Acceptance,
    OrderedInput,
    OrderSlot,
    OrderStatus,
    OrderTransaction,
)
from inferproof.types.money import Asset, format_units
from inferproof.types.payment import Payment, Quote

DELIVERY_GAS = 300_000
"""Of an acceptance and a delivery, beside the verification. Source: contracts/README.md."""
COIN = 10**18
"""Wei of one coin."""


async def nothing_waits() -> float:
    """Of a server that proves each order at once."""
    return 0.0


class ServedOrders(Protocol):
    """What taking an order up asks of an escrow.

    Raises: Unavailable when the chain cannot be asked.
    """

    async def slot(self, order: Digest) -> OrderSlot:
        """What the escrow keeps of an order."""
        ...

    async def head(self) -> int:
        """The number of the newest block."""
        ...

    async def gas_price(self) -> int:
        """What a transaction offers for each gas now, in wei."""
        ...

    async def check_acceptance(self, acceptance: Acceptance) -> None:
        """Returns when the server could accept the order now, its bond included.

        Raises: PaymentRejected ORDER_REFUSED.
        """
        ...

    async def accepted_in(self, order: Digest, first_block: int) -> OrderTransaction | None:
        """The transaction since a block by which the order was accepted, whoever did."""
        ...


@dataclass(frozen=True, slots=True)
class OrderTerms:
    """What is asked of an order. Units: seconds, atomic units, blocks.

    `server` is who accepts, delivers and is paid. `margin_s` is what is left for the chain to take
    a transaction, in each of the order's times; proving is estimated by the quote, and reckoned
    with `slack` times, after what waits before it. `bond_limit` is the most that is staked for one
    order. `coin_units` is what a coin of the chain is worth in units of the token; where it is not
    given, gas is not weighed against the price. `lookback` is how far an acceptance is searched for
    that this gateway does not know.
    """

    escrow: Address
    server: Address
    margin_s: int = 60
    slack: float = 2.0
    bond_limit: int = 10_000_000
    coin_units: int | None = None
    lookback: int = 50_000


class EscrowMethod(EscrowPart):
    """A PaymentMethod (see payments.method). Without `terms` a gateway serves no orders."""

    header = ORDER_HEADER
    takes_key = False

    def __init__(
        self,
        asset: Asset,
        chain: ServedOrders | None,
        terms: OrderTerms | None,
        waiting: Callable[[], Awaitable[float]] = nothing_waits,
    ) -> None:
        """`waiting` says how many proofs are made before the next one, in one place of a worker."""
        self._asset = asset
        self._chain = chain
        self._terms = terms
        self._waiting = waiting

    def challenge(self, quote: Quote) -> dict[str, Json] | None:
        return None

    def offer(self) -> dict[str, Json]:
        return {} if self._terms is None else {ESCROW_METHOD: order_offer(self._terms.escrow)}

    def read(self, headers: Mapping[str, str]) -> Presented[SignedOrder] | None:
        """Raises: PaymentRejected as `parse_order`, and ESCROWS_CLOSED."""
        header = headers.get(self.header.lower())
        if header is None:
            return None
        incoming = parse_order(header, [self._asset])
        return self.present(incoming)

    def present(self, incoming: IncomingOrder) -> Presented[SignedOrder]:
        """The order as all methods' payments are presented. Raises: PaymentRejected
        ESCROWS_CLOSED."""
        terms, signed, order = self._open_terms(), incoming.signed, incoming.signed.order
        return Presented(
            method=ESCROW_METHOD,
            payer=order.buyer,
            signed=signed,
            payment=order_payment(signed, terms.server),
            quote=incoming.quote,
            draws=False,
            ordered=OrderedInput(order.input_commitment, order.inputs, incoming.salt),
        )

    def check_signed(self, presented: Presented[SignedOrder], request: Digest) -> None:
        """Raises: PaymentRejected ORDER_ESCROW, ORDER_SIGNATURE, SIGNATURE_MALFORMED."""
        terms, signed = self._open_terms(), presented.signed
        if signed.escrow != terms.escrow:
            raise PaymentRejected(Reason.ORDER_ESCROW, got=signed.escrow, expected=terms.escrow)
        check_order_signature(signed)

    def check_bound(self, presented: Presented[SignedOrder], request: Digest) -> None:
        """What was signed names the input: that is compared once the body is pre-processed."""

    def check(self, presented: Presented[SignedOrder], quote: Quote, now: int) -> None:
        """Raises: PaymentRejected PAYMENT_ASSET, PAYMENT_PAYEE, ORDER_PRICE, ORDER_SERVER,
        ORDER_MODEL, ORDER_PROVIDER, ORDER_BOND."""
        terms, signed = self._open_terms(), presented.signed
        check_asset_and_payee(signed.asset, terms.server, quote)
        check_order_price(signed, quote)
        check_order_server(signed, terms.server)
        if signed.order.model != quote.model_commitment:
            raise PaymentRejected(
                Reason.ORDER_MODEL, got=signed.order.model, expected=quote.model_commitment
            )
        if quote.provider != terms.server:
            raise PaymentRejected(
                Reason.ORDER_PROVIDER, server=terms.server, provider=quote.provider
            )
        if signed.order.bond > terms.bond_limit:
            decimals = signed.asset.decimals
            raise PaymentRejected(
                Reason.ORDER_BOND,
                got=format_units(signed.order.bond, decimals),
                limit=format_units(terms.bond_limit, decimals),
                symbol=signed.asset.symbol,
            )

    async def reserve(
        self,
        presented: Presented[SignedOrder],
        quote: Quote,
        now: int,
        exposure: PayerExposure,
    ) -> Sequence[Reservable]:
        """The order, while it can be accepted and leaves the time to prove; or taken up already, by
        this server, or by another whose time is over.

        Raises: PaymentRejected ORDER_LATE, ORDER_GAS, ORDER_REFUSED, ORDER_STATUS; Unavailable
        ORDER_UNKNOWN, ORDER_TAKEN.
        """
        terms, chain, signed = self._open_terms(), self._open_chain(), presented.signed
        payment, order = order_payment(signed, terms.server), signed.order
        proofs_s = quote.prove_ms * (1 + await self._waiting()) / 1000
        needed = terms.margin_s + math.ceil(terms.slack * proofs_s)
        head, slot = await chain.head(), await chain.slot(payment.nonce)
        if slot.status is OrderStatus.OPEN:
            self._check_time(signed, "accept_by", order.accept_by, terms.margin_s, now)
            self._check_time(signed, "deliver_by", order.deliver_by, needed + terms.margin_s, now)
            await self._check_gas(signed, slot, quote)
            await chain.check_acceptance(_acceptance(signed, terms))
            return [self._reservable(signed, payment, head)]
        if slot.status is not OrderStatus.ACCEPTED:
            raise _status(signed, slot)
        if slot.server != terms.server and now <= order.deliver_by:
            raise Unavailable(
                Reason.ORDER_TAKEN, order=payment.nonce, server=slot.server, until=order.deliver_by
            )
        self._check_time(signed, "rescue_by", order.rescue_by, needed, now)
        await self._check_gas(signed, slot, quote)
        found = await chain.accepted_in(payment.nonce, max(0, head - terms.lookback))
        if found is None:
            raise Unavailable(Reason.ORDER_UNKNOWN, escrow=signed.escrow, order=payment.nonce)
        return [self._reservable(signed, payment, found.block, found.tx)]

    def used(self, presented: Presented[SignedOrder]) -> Conflict:
        return Conflict(Reason.PAYMENT_REPLAYED)

    def settle(self, payment: Payment) -> Acceptance | None:
        """Also in a process that is not set to serve orders: one that was taken is accepted."""
        signed = order_of_payment(payment)
        return Acceptance(signed.escrow, signed.order, payment.nonce, payment.payee)

    def view(self, payment: Payment) -> dict[str, Json]:
        signed = order_of_payment(payment)
        return {
            "kind": "order",
            "nonce": payment.nonce.hex,
            "escrow": signed.escrow.hex,
            "bond": str(signed.order.bond),
            "deliver_by": signed.order.deliver_by,
            "rescue_by": signed.order.rescue_by,
        }

    # -- inside

    def _open_terms(self) -> OrderTerms:
        if self._terms is None:
            raise PaymentRejected(Reason.ESCROWS_CLOSED)
        return self._terms

    def _open_chain(self) -> ServedOrders:
        if self._chain is None:
            raise PaymentRejected(Reason.ESCROWS_CLOSED)
        return self._chain

    def _check_time(
        self, signed: SignedOrder, what: str, until: int, needed: int, now: int
    ) -> None:
        left = until - now
        if left < needed:
            raise PaymentRejected(
                Reason.ORDER_LATE, order=signed.id, left=max(0, left), what=what, needed=needed
            )

    async def _check_gas(self, signed: SignedOrder, slot: OrderSlot, quote: Quote) -> None:
        """Raises: PaymentRejected ORDER_GAS where the order brings less than it costs."""
        worth = self._open_terms().coin_units
        if worth is None or slot.server == self._open_terms().server:
            return
        gas = DELIVERY_GAS + quote.verify_gas
        cost = gas * await self._open_chain().gas_price() * worth // COIN
        earned = server_share(signed.order.price, slot.fee_bps)
        if earned <= cost:
            decimals = signed.asset.decimals
            raise PaymentRejected(
                Reason.ORDER_GAS,
                earned=format_units(earned, decimals),
                gas=gas,
                cost=format_units(cost, decimals),
                symbol=signed.asset.symbol,
            )

    def _reservable(
        self, signed: SignedOrder, payment: Payment, block: int, tx: Digest | None = None
    ) -> Reservable:
        order = signed.order
        return Reservable(payment, block, tx, order.deliver_by, order.rescue_by)


def _acceptance(signed: SignedOrder, terms: OrderTerms) -> Acceptance:
    return Acceptance(signed.escrow, signed.order, signed.id, terms.server)


def _status(signed: SignedOrder, slot: OrderSlot) -> PaymentRejected | Unavailable:
    if slot.status is OrderStatus.NONE:  # its transaction may not be in a block yet
        return Unavailable(Reason.ORDER_UNKNOWN, escrow=signed.escrow, order=signed.id)
    status = slot.status.name.lower()
    return PaymentRejected(
        Reason.ORDER_STATUS, order=signed.id, status=status, expected="open or accepted"
    )
