"""The gateway's side of the method `exact`: an authorization that the settler carries out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from inferproof.errors import Conflict, PaymentRejected, Reason
from inferproof.payments.method import PayerExposure, Presented, Reservable
from inferproof.payments.x402.payment import IncomingPayment, parse_payment, payment_header
from inferproof.payments.x402.receipt import (
    EXACT_METHOD,
    ExactPart,
    authorization_of,
    authorization_payment,
)
from inferproof.payments.x402.wire import PAYMENT_SIGNATURE, requirements
from inferproof.protocol.authorization import check_end, check_signature, check_terms, check_time
from inferproof.protocol.commitments import bound_nonce
from inferproof.protocol.encoding import Json
from inferproof.types.digest import Address, Digest
from inferproof.types.money import Asset, format_units
from inferproof.types.payment import Authorization, PayerState, Payment, Quote


class PayerChain(Protocol):
    """What accepting an authorization asks of a chain.

    Raises: Unavailable when the chain cannot be asked.
    """

    async def payer_state(self, payer: Address, nonce: Digest) -> PayerState:
        """Balance, nonce and code at once."""
        ...

    async def check_settles(self, authorization: Authorization) -> None:
        """Returns when settling it would succeed now.

        Raises: PaymentRejected AUTHORIZATION_REFUSED.
        """
        ...

    async def earlier_settlement(self, authorization: Authorization) -> int | None:
        """The block of a transaction, whoever sent it, that used the authorization and moved
        exactly its funds; None when the newest blocks hold none."""
        ...


@dataclass(frozen=True, slots=True)
class ExactTerms:
    """What is asked of an authorization. Units: seconds.

    `timeout_s` is for how long clients are asked to make it valid, `longest_s` for how long it may
    be at most, for so long it may hold a place; `margin_s` is how long it must still be valid when
    it is accepted.
    """

    timeout_s: int = 600
    longest_s: int = 3600
    margin_s: int = 30


def present(incoming: IncomingPayment) -> Presented[Authorization]:
    """The payment of a PAYMENT-SIGNATURE header as all methods' are presented."""
    authorization, salt = incoming.authorization, incoming.binding_salt
    return Presented(
        method=EXACT_METHOD,
        payer=authorization.payer,
        signed=authorization,
        payment=authorization_payment(authorization),
        salt=None if salt is None else Digest(salt),
        quote=incoming.quote,
        payment_id=incoming.payment_id,
    )


class ExactMethod(ExactPart):
    """A PaymentMethod (see payments.method)."""

    header = PAYMENT_SIGNATURE
    takes_key = True

    def __init__(self, asset: Asset, chain: PayerChain, terms: ExactTerms) -> None:
        self._asset = asset
        self._chain = chain
        self._terms = terms

    def challenge(self, quote: Quote) -> dict[str, Json] | None:
        return requirements(quote, self._terms.timeout_s)

    def offer(self) -> dict[str, Json]:
        return {}

    def read(self, headers: Mapping[str, str]) -> Presented[Authorization] | None:
        header = payment_header(headers)
        if header is None:
            return None
        return present(parse_payment(header, [self._asset]))

    def check_signed(self, presented: Presented[Authorization], request: Digest) -> None:
        """Raises: PaymentRejected PAYMENT_SIGNATURE, SIGNATURE_MALFORMED."""
        check_signature(presented.signed)

    def check_bound(self, presented: Presented[Authorization], request: Digest) -> None:
        """Raises: PaymentRejected PAYMENT_SALT_ZERO, PAYMENT_NONCE_BINDING."""
        salt, got = presented.salt, presented.signed.nonce
        if salt is None:
            return
        if not any(salt.raw):  # in a receipt zero stands for no salt
            raise PaymentRejected(Reason.PAYMENT_SALT_ZERO)
        expected = bound_nonce(request, salt.raw)
        if got != expected:
            raise PaymentRejected(Reason.PAYMENT_NONCE_BINDING, got=got, expected=expected)

    def check(self, presented: Presented[Authorization], quote: Quote, now: int) -> None:
        """Raises: PaymentRejected PAYMENT_ASSET, PAYMENT_PAYEE, PAYMENT_AMOUNT,
        PAYMENT_NOT_YET_VALID, PAYMENT_EXPIRED, PAYMENT_TOO_LONG."""
        check_terms(presented.signed, quote)
        check_time(presented.signed, now, self._terms.margin_s)
        check_end(presented.signed, now, self._terms.longest_s)

    async def reserve(
        self, presented: Presented[Authorization], quote: Quote, now: int, exposure: PayerExposure
    ) -> Sequence[Reservable]:
        """The one payment, once the payer has the money for it and for its other unsettled orders,
        of which there are not too many for what it has settled before, and the chain has not seen
        the authorization; where the payer's account has code, a trial settles. A payment that
        somebody else submitted first is told by its own transfer, and pays all the same.

        Raises: PaymentRejected PAYMENT_NONCE_USED, PAYMENT_BALANCE, PAYMENT_PROMISED,
        AUTHORIZATION_REFUSED; TooMany PAYER_EXPOSURE; Unavailable.
        """
        signed = presented.signed
        payment = presented.payment or authorization_payment(signed)
        # Asked in this order: a payment that settles in between is counted twice, and not missed.
        promised = exposure.promised()
        state = await self._chain.payer_state(signed.payer, signed.nonce)
        if not state.used and await _is_too_much(signed, state, exposure, promised):
            # Some may have settled since the last look.
            await exposure.look()
            promised = exposure.promised()
            state = await self._chain.payer_state(signed.payer, signed.nonce)
        if state.used:
            block = await self._chain.earlier_settlement(signed)
            if block is None:
                raise PaymentRejected(Reason.PAYMENT_NONCE_USED, nonce=signed.nonce)
            return [Reservable(payment, block)]
        _check_balance(signed, state.balance, sum(promised))
        await exposure.check()
        if state.has_code:
            await self._chain.check_settles(signed)
        return [Reservable(payment, state.head)]

    def used(self, presented: Presented[Authorization]) -> Conflict:
        return Conflict(Reason.PAYMENT_REPLAYED)

    def settle(self, payment: Payment) -> Authorization | None:
        return authorization_of(payment)

    def view(self, payment: Payment) -> dict[str, Json]:
        return {"kind": "authorization", "nonce": payment.nonce.hex}


async def _is_too_much(
    signed: Authorization, state: PayerState, exposure: PayerExposure, promised: Sequence[int]
) -> bool:
    if not promised or state.balance < signed.amount:
        return False
    return not await exposure.allows() or state.balance < signed.amount + sum(promised)


def _check_balance(signed: Authorization, balance: int, promised: int) -> None:
    decimals, symbol = signed.asset.decimals, signed.asset.symbol
    if balance < signed.amount:
        raise PaymentRejected(
            Reason.PAYMENT_BALANCE,
            balance=format_units(balance, decimals),
            price=format_units(signed.amount, decimals),
            symbol=symbol,
        )
    if balance < signed.amount + promised:
        raise PaymentRejected(
            Reason.PAYMENT_PROMISED,
            balance=format_units(balance, decimals),
            promised=format_units(promised, decimals),
            price=format_units(signed.amount, decimals),
            symbol=symbol,
        )
