"""Payouts to developers, made as settlements are: stored before they are sent, followed to the end.

    DUE ─ made before? ─ sign, store: SENT ─ send ─ in a block: PAID
    SENT ─ failed, or its number was lost: DUE
    PAID ─ the chain took its block back: SENT

That none is made twice is kept three times over: by the guarded change from DUE to SENT, by the
contract, which pays an id once, and by the token, which takes the payer's signature once.
"""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from inferproof.errors import Conflict
from inferproof.services.settlement.base import Included, PayoutChain
from inferproof.services.settlement.parts import Parts, log
from inferproof.storage.ports.outbox import BlockRef, OutboxItem
from inferproof.storage.ports.revenue import Payouts
from inferproof.types.chain import Sight
from inferproof.types.digest import Digest
from inferproof.types.revenue import Payout

AT_A_TIME = 4
"""Payouts that are begun in one round: each takes millions of gas at most."""
OWED = 1000
"""Refunds that are due and whose money a payout leaves alone."""

FreeNonces = Callable[[Sight, int], Coroutine[Any, Any, Sequence[int]]]


@dataclass(frozen=True, slots=True)
class PayoutParts:
    """What payouts need beside what settling needs."""

    payouts: Payouts
    chain: PayoutChain


class PayingOut:
    """Makes the payouts of one payer."""

    def __init__(self, parts: Parts, more: PayoutParts, free_nonces: FreeNonces) -> None:
        self._parts = parts
        self._payouts = more.payouts
        self._chain = more.chain
        self._free_nonces = free_nonces
        self._poor = False

    async def start(self, sight: Sight, room: int, raws: dict[Digest, bytes]) -> list[OutboxItem]:
        """What was stored now, with its bytes in `raws`. Raises: Unavailable."""
        parts, now = self._parts, self._parts.clock()
        asset, limit = parts.chain.asset, min(room, AT_A_TIME)
        due = await self._payouts.due(asset, self._chain.payer, now=now, limit=limit)
        if not due:
            return []
        owed = await parts.settlements.due_refunds(asset, now=now, limit=OWED)
        funds = await parts.chain.balance(self._chain.payer)
        funds -= sum(refund.payment.amount for refund in owed)
        started = []
        for payout in due:
            if await self._was_made(payout, sight):
                continue
            if payout.total > funds:
                self._say_poor(payout)
                break
            self._poor, funds = False, funds - payout.total
            (nonce,), fees = await self._free_nonces(sight, 1), parts.fees(sight.fees)
            signed = await self._chain.sign_payout(payout, nonce, fees)
            raws[signed.tx] = signed.raw
            tx = parts.stored(signed, fees)
            started.append(await self._payouts.send(payout.number, tx, now=now))
            log.info("payout %d is sent in %s", payout.number, signed.tx)
        return started

    async def _was_made(self, payout: Payout, sight: Sight) -> bool:
        """Whether nothing is to be sent for it: it is on the chain, or something else is."""
        try:
            made = await self._chain.made(payout)
            if made is None:
                return False
            if sight.head - made.block + 1 >= self._parts.chain.confirmations:
                credited = await self._chain.credited(made.tx, payout)
                block = BlockRef(made.block, made.block_hash)
                await self._payouts.found(payout.number, made.tx, block, credited)
                log.warning("payout %d was made in %s before", payout.number, made.tx)
        except Conflict as error:
            await self._put_off(payout, None, error.message)
        return True

    async def record(self, item: OutboxItem, included: Included) -> None:
        """Records what its transaction did. Raises: Unavailable."""
        payout = await self._payouts.carried(self._parts.chain.asset, item)
        if not included.succeeded:
            await self._put_off(payout, item, f"{included.tx} failed")
            return
        try:
            credited = await self._chain.credited(included.tx, payout)
        except Conflict as error:
            await self._put_off(payout, item, error.message)
            return
        block = BlockRef(included.block, included.block_hash)
        await self._payouts.paid(payout.number, item, included.tx, block, credited)
        log.info("payout %d is made in %s", payout.number, included.tx)
        for position in sorted(credited):
            payee = payout.items[position].developer
            log.warning("the token did not pay %s: it waits in %s", payee, payout.contract)

    async def _put_off(self, payout: Payout, item: OutboxItem | None, why: str) -> None:
        settings, now = self._parts.settings, self._parts.clock()
        pause = settings.refund_pause_s * 2 ** min(payout.attempts, 30)
        wait_s = settings.refund_longest_s if item is None else pause
        retry_at = now + min(wait_s, settings.refund_longest_s)
        await self._payouts.failed(payout.number, item, retry_at=retry_at)
        log.error(
            "payout %d is not made, and tried again in %d s: %s",
            payout.number,
            retry_at - now,
            why,
        )

    def _say_poor(self, payout: Payout) -> None:
        if not self._poor:
            payer = self._chain.payer
            log.error("payout %d must wait: %s lacks the tokens", payout.number, payer)
        self._poor = True
