"""What was accepted and is not over, as far as it decides whether more can be accepted.

A balance covers many authorizations, and pays for few of them. Without the sum of what a payer
has promised, it could have a gateway send, at the gateway's cost, any number of settlements of
which one succeeds. And without a bound on the queue, money would be taken for work that comes
too late.

To ask the order book for each order would take longer than all other checks together. So what it
said last is kept, with what was reserved here since, and looked at again after a while; nobody
is refused on what is not fresh.
"""

import asyncio
import itertools
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from inferproof.concurrency.request_coalescing import RequestCoalescer
from inferproof.storage.ports.ledger import Backlog, Ledger
from inferproof.types.payment import Payment

LOOK_AGAIN_S = 0.25
SHARE = 25
"""A look is followed by so many times its length without one: a long backlog is looked at
rarely, and what is known of it is at most this old."""


_Payer = tuple[str, bytes, bytes]
"""Network, token and payer: of plain values, since each order looks a payer up several times."""


@dataclass(frozen=True, slots=True)
class PendingPayment:
    """A payment that is being taken; those with a lower number came before it."""

    number: int
    payment: Payment
    payer_key: _Payer


class PendingExposure:
    """The payments of this process that are between their check and their reservation, and by
    the order book those that are reserved and not settled."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._numbers = itertools.count()
        self._taking: dict[_Payer, dict[int, Payment]] = {}
        self._under_way = 0
        self._unsettled: dict[_Payer, dict[bytes, int]] = {}
        """By the bytes of the nonce."""
        self._waiting = 0
        self._since: list[Payment] = []
        self._look = RequestCoalescer(self._ask)
        self._first = asyncio.Lock()
        self._next_look: float | None = None

    async def depth(self, limit: int) -> int:
        """How many jobs wait, those that are being taken here counted; fresh from `limit` on.

        Soundness: other processes may have added some since the last look.
        """
        await self._refresh()
        if self._depth() >= limit:
            await self._look(None)
        return self._depth()

    def holds(self, payment: Payment) -> bool:
        """True when the payment is known to be reserved; False says nothing."""
        return payment.nonce.raw in self._unsettled.get(_payer_of(payment), ())

    @contextmanager
    def taking(self, payment: Payment) -> Iterator[PendingPayment]:
        """Counts the payment for those that come after it, while the block runs."""
        payer_key = _payer_of(payment)
        pending_payment = PendingPayment(next(self._numbers), payment, payer_key)
        taking = self._taking.setdefault(payer_key, {})
        taking[pending_payment.number] = payment
        self._under_way += 1
        try:
            yield pending_payment
        finally:
            self._under_way -= 1
            del taking[pending_payment.number]
            if not taking and self._taking.get(payer_key) is taking:
                del self._taking[payer_key]

    def reserved(self, payment: Payment) -> None:
        """Counts a payment that was reserved here until a look finds it settled."""
        self._add(payment)
        self._waiting += 1
        self._since.append(payment)

    def to_others(self, pending_payment: PendingPayment) -> Sequence[int]:
        """What the payer promised to each of its other orders, in atomic units; also to some that
        were settled since the last look.

        Soundness: of two payments at once the later one counts the earlier, in one process.
        Several processes on one database may each let one through that the others have not seen
        yet.
        """
        own, payer_key = pending_payment.payment, pending_payment.payer_key
        amounts = dict(self._unsettled.get(payer_key, ()))
        for number, other in self._taking[payer_key].items():
            if number < pending_payment.number:
                amounts[other.nonce.raw] = other.amount
        amounts.pop(own.nonce.raw, None)  # the same payment, sent twice
        return list(amounts.values())

    async def look(self) -> None:
        """Returns when the order book was asked, after this was called.

        Raises: Unavailable STORAGE_UNAVAILABLE.
        """
        await self._look(None)

    async def _refresh(self) -> None:
        if self._next_look is None:
            async with self._first:
                if self._next_look is None:
                    await self._look(None)
        elif time.monotonic() >= self._next_look:
            self._next_look = float("inf")  # the others go on with what is known
            await self._look(None)

    async def _ask(self, keys: Sequence[None]) -> dict[None, None]:
        begun, self._since = time.monotonic(), []
        try:
            backlog = await self._ledger.backlog()
        except BaseException:  # also when it is cancelled, the next call looks
            self._next_look = None
            raise
        self._take_over(backlog)
        took = time.monotonic() - begun
        self._next_look = begun + took + max(LOOK_AGAIN_S, SHARE * took)
        return dict.fromkeys(keys)

    def _take_over(self, backlog: Backlog) -> None:
        self._unsettled = {
            (network, token.raw, payer.raw): dict(amounts)
            for (network, token, payer), amounts in backlog.unsettled.items()
        }
        self._waiting = backlog.waiting
        for payment in self._since:
            if not self.holds(payment):  # reserved after the book was read
                self._add(payment)
                self._waiting += 1

    def _add(self, payment: Payment) -> None:
        self._unsettled.setdefault(_payer_of(payment), {})[payment.nonce.raw] = payment.amount

    def _depth(self) -> int:
        return self._waiting + self._under_way


def _payer_of(payment: Payment) -> _Payer:
    return (payment.asset.network.caip2, payment.asset.address.raw, payment.payer.raw)
