"""How much a payer may have unsettled at a time.

Each settlement costs the gateway gas, and a payer can make it fail: it signs many payments within
one balance and moves the balance away before they settle. So a payer without history may have few
of them waiting, and one more for each that it has settled: to have many fail, it must first have
paid for as many.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from inferproof.errors import Reason, TooMany
from inferproof.services.orders.base import ExposureTerms
from inferproof.services.orders.pending_exposure import PendingExposure, PendingPayment
from inferproof.storage.ports.ledger import Ledger, PayerKey
from inferproof.types.money import format_units
from inferproof.types.payment import Payment

KEPT = 10_000
"""How many payers' histories are kept in memory; a history only grows, so an old one allows less
than the whole one, never more, until it is read again."""


class ExposureLimits:
    """The limit of each payer, by the payments that it has settled."""

    def __init__(self, ledger: Ledger, terms: ExposureTerms) -> None:
        self._ledger = ledger
        self._terms = terms
        self._settled: dict[PayerKey, tuple[int, int]] = {}
        """Number and sum of settled payments, as far as they were needed."""

    async def allows(self, payment: Payment, promised: Sequence[int]) -> bool:
        """Whether the payer may have this payment unsettled beside those `promised`.

        Raises: Unavailable STORAGE_UNAVAILABLE.
        """
        count, amount = len(promised) + 1, sum(promised) + payment.amount
        orders, most = self._limit(_payer(payment))
        if count <= orders and amount <= most:
            return True
        await self._read(_payer(payment), count, amount)
        orders, most = self._limit(_payer(payment))
        return count <= orders and amount <= most

    async def check(self, payment: Payment, promised: Sequence[int]) -> None:
        """Raises: TooMany PAYER_EXPOSURE where it may not; Unavailable STORAGE_UNAVAILABLE."""
        if await self.allows(payment, promised):
            return
        orders, most = self._limit(_payer(payment))
        decimals = payment.asset.decimals
        raise TooMany(
            Reason.PAYER_EXPOSURE,
            waiting=len(promised) + 1,
            amount=format_units(sum(promised) + payment.amount, decimals),
            orders=orders,
            most=format_units(most, decimals),
            symbol=payment.asset.symbol,
        )

    def _limit(self, payer: PayerKey) -> tuple[int, int]:
        count, amount = self._settled.get(payer, (0, 0))
        return self._terms.orders + count, self._terms.amount + amount

    async def _read(self, payer: PayerKey, count: int, amount: int) -> None:
        # As many as may be needed: each settled payment allows one more.
        price = max(1, amount // count)
        limit = max(count, (amount - self._terms.amount) // price + 1)
        amounts = await self._ledger.settled_amounts(payer, limit=limit)
        if payer not in self._settled and len(self._settled) >= KEPT:
            del self._settled[next(iter(self._settled))]
        self._settled[payer] = len(amounts), sum(amounts)


@dataclass(frozen=True, slots=True)
class OrderExposure:
    """What an order's payer has unsettled beside it: a PayerExposure (see payments.method)."""

    pending: PendingExposure
    pending_payment: PendingPayment
    limits: ExposureLimits

    def promised(self) -> Sequence[int]:
        return self.pending.to_others(self.pending_payment)

    async def look(self) -> None:
        await self.pending.look()

    async def allows(self) -> bool:
        return await self.limits.allows(self.pending_payment.payment, self.promised())

    async def check(self) -> None:
        await self.limits.check(self.pending_payment.payment, self.promised())


class NoExposure:
    """The PayerExposure of who draws nothing from a balance: no other order matters to it."""

    def promised(self) -> Sequence[int]:
        return ()

    async def look(self) -> None:
        """There is nothing to look at."""

    async def allows(self) -> bool:
        return True

    async def check(self) -> None:
        """Nothing is unsettled."""


def _payer(payment: Payment) -> PayerKey:
    return (payment.asset.network.caip2, payment.asset.address, payment.payer)
