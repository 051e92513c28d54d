"""Keeping so much of a server's money in an escrow that bonds can be taken of it.

What is there falls as orders are accepted, and rises as they are paid. Below the set amount it is
filled from the account that settles, with what due refunds leave there; above twice the amount the
rest is taken out. One transaction at a time: what the next one is, the escrow's own balance says,
so that nothing has to be kept of them but the outbox.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from inferproof.services.settlement.base import SignedTransaction
from inferproof.services.settlement.orders import FreeNonces
from inferproof.services.settlement.parts import Parts, log
from inferproof.storage.ports.outbox import OutboxItem, OutboxKind
from inferproof.types.chain import Fees, Sight
from inferproof.types.digest import Digest
from inferproof.types.money import format_units

LOOK_S = 15
"""How often the balance is looked at; a transaction that fails is made again so much later."""
OWED = 1000
"""Refunds that are due and whose money is left alone."""


class BondChain(Protocol):
    """What keeping bonds asks of an escrow, in the token of the orders.

    Raises: Unavailable when the chain cannot be asked. Units: atomic.
    """

    async def bond_balance(self) -> int:
        """What the server has in the escrow."""
        ...

    async def bond_allowance(self) -> int:
        """What the escrow may take of the server's tokens."""
        ...

    async def sign_allowance(self, amount: int, nonce: int, fees: Fees) -> SignedTransaction:
        """The transaction that lets the escrow take so much."""
        ...

    async def sign_deposit(self, amount: int, nonce: int, fees: Fees) -> SignedTransaction:
        """The transaction that puts so much into the escrow."""
        ...

    async def sign_withdrawal(self, amount: int, nonce: int, fees: Fees) -> SignedTransaction:
        """The transaction that takes so much out, to the server."""
        ...


@dataclass(frozen=True, slots=True)
class BondParts:
    """What keeping bonds needs beside what settling needs. `keep` in atomic units."""

    chain: BondChain
    keep: int


class KeepingBonds:
    """Fills and empties one server's balance."""

    def __init__(self, parts: Parts, more: BondParts, free_nonces: FreeNonces) -> None:
        self._parts = parts
        self._chain = more.chain
        self._keep = more.keep
        self._free_nonces = free_nonces
        self._next_look = 0
        self._poor = False

    async def start(
        self, items: Sequence[OutboxItem], sight: Sight, raws: dict[Digest, bytes]
    ) -> list[OutboxItem]:
        """The transaction that was stored now, with its bytes in `raws`. Raises: Unavailable."""
        now = self._parts.clock()
        if now < self._next_look or any(item.kind is OutboxKind.BOND for item in items):
            return []
        self._next_look = now + LOOK_S
        balance = await self._chain.bond_balance()
        if balance > 2 * self._keep:
            return await self._withdraw(balance - self._keep, sight, raws)
        if balance < self._keep:
            return await self._fill(self._keep - balance, sight, raws)
        return []

    async def _fill(
        self, missing: int, sight: Sight, raws: dict[Digest, bytes]
    ) -> list[OutboxItem]:
        parts = self._parts
        owed = await parts.settlements.due_refunds(parts.chain.asset, now=parts.clock(), limit=OWED)
        funds = await parts.chain.balance(parts.chain.sender)
        amount = min(missing, funds - sum(refund.payment.amount for refund in owed))
        if amount <= 0:
            if not self._poor:
                log.error("%s lacks the tokens for bonds", parts.chain.sender)
            self._poor = True
            return []
        self._poor = False
        (nonce,), fees = await self._free_nonces(sight, 1), parts.fees(sight.fees)
        if await self._chain.bond_allowance() < amount:
            self._next_look = 0  # the money follows as soon as that is in a block
            signed = await self._chain.sign_allowance(amount, nonce, fees)
            return await self._store(signed, fees, "allows", amount, raws)
        signed = await self._chain.sign_deposit(amount, nonce, fees)
        return await self._store(signed, fees, "puts in", amount, raws)

    async def _withdraw(
        self, amount: int, sight: Sight, raws: dict[Digest, bytes]
    ) -> list[OutboxItem]:
        (nonce,), fees = await self._free_nonces(sight, 1), self._parts.fees(sight.fees)
        signed = await self._chain.sign_withdrawal(amount, nonce, fees)
        return await self._store(signed, fees, "takes out", amount, raws)

    async def _store(
        self,
        signed: SignedTransaction,
        fees: Fees,
        does: str,
        amount: int,
        raws: dict[Digest, bytes],
    ) -> list[OutboxItem]:
        parts = self._parts
        raws[signed.tx] = signed.raw
        tx = parts.stored(signed, fees)
        item = await parts.outbox.fill(tx, now=parts.clock(), kind=OutboxKind.BOND)
        asset = parts.chain.asset
        shown = format_units(amount, asset.decimals)
        log.info("%s %s %s %s of the escrow's", signed.tx, does, shown, asset.symbol)
        return [item]
