"""What a payer has promised to orders whose money has not come yet.

A balance covers many authorizations, and pays for few of them. Without this sum a payer could
have a gateway send, at the gateway's cost, any number of settlements of which one succeeds.
"""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from inferproof.storage.base import OrderBook
from inferproof.types.digest import Address, Digest
from inferproof.types.payment import Authorization


@dataclass(frozen=True, slots=True)
class Promise:
    """A payment that is being taken; those with a lower number came before it."""

    number: int
    payment: Authorization


class Promises:
    """The payments of this process that are between their check and their reservation, and by
    the order book those that are reserved and not settled."""

    def __init__(self, orders: OrderBook) -> None:
        self._orders = orders
        self._numbers = itertools.count()
        self._taking: dict[int, Authorization] = {}

    @contextmanager
    def taking(self, payment: Authorization) -> Iterator[Promise]:
        """Counts the payment for those that come after it, while the block runs."""
        promise = Promise(next(self._numbers), payment)
        self._taking[promise.number] = payment
        try:
            yield promise
        finally:
            del self._taking[promise.number]

    async def to_others(self, promise: Promise) -> int:
        """What the payer promised to other orders, in atomic units.

        Soundness: of two payments at once the later one counts the earlier, in one process.
        Several processes on one database may each let one through that the others do not see.
        """
        own = promise.payment
        amounts: dict[Digest, int] = {
            other.nonce: other.amount
            for number, other in self._taking.items()
            if number < promise.number and _purse(other) == _purse(own)
        }
        unsettled = await self._orders.unsettled(own.asset.network, own.asset.address, own.payer)
        amounts |= unsettled
        amounts.pop(own.nonce, None)  # the same payment, sent twice
        return sum(amounts.values())


def _purse(payment: Authorization) -> tuple[str, Address, Address]:
    return (payment.asset.network.caip2, payment.asset.address, payment.payer)
