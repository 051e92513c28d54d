"""The settler: sends what the outbox holds, and moves jobs on by what the chain says.

A transaction is stored, in the database transaction that moves its jobs, before it is sent for
the first time; so whatever is stopped where, the next run finds it and sends the same bytes
again, which the chain includes at most once.

    RESERVED ─ would settle now ─ sign, store: SETTLING ─ send         screening.py, sending.py
    SETTLING ─ in a block: QUEUED                                      outcomes.py
    FAILED ─ sign, store: REFUNDING ─ send ─ in a block: REFUNDED
    WITHDRAWN ─ not sent any more; settled by whoever has seen it: FAILED, or over: VOID
    payouts to developers: the same, in their own words               payouts.py
    orders in an escrow: accepted as payments are settled, then delivered         orders.py
    calls that were bought: taken as payments are settled, given back as they are refunded
    QUEUED, RUNNING, REFUNDED ─ the chain took their block back: SETTLING, REFUNDING   blocks.py

All payments that wait go into one transaction, as far as it holds them, where there is a contract
for that; nobody waits on purpose for others, except shortly while transactions are under way. One
round asks the chain a fixed number of questions, however many payments are in it.

One settler at a time sends with a key: of several gateways on one database, the one whose turn it
is. If two should ever overlap, they meet each other's numbers as spent and sign again; what moves
funds once is the guarded change of a job's state, and the authorization itself.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from inferproof.errors import Conflict, InferproofError, Reason
from inferproof.observability.faults import loggable
from inferproof.protocol.commitments import refund_mark
from inferproof.services.base import Clock
from inferproof.services.event_bus import SETTLE, EventBus
from inferproof.services.heartbeat import Heartbeat
from inferproof.services.metrics import Metrics
from inferproof.services.settlement.base import SettlementChain, Settles
from inferproof.services.settlement.blocks import Blocks
from inferproof.services.settlement.bonds import BondParts, KeepingBonds
from inferproof.services.settlement.orders import Delivering, DeliveryParts
from inferproof.services.settlement.outcomes import Outcomes
from inferproof.services.settlement.parts import (
    Faults,
    Parts,
    SettlerSettings,
    about,
    in_portions,
    together,
)
from inferproof.services.settlement.payouts import PayingOut, PayoutParts
from inferproof.services.settlement.refunds import RefundsMade
from inferproof.services.settlement.screening import Screened, Screening
from inferproof.services.settlement.sending import Sending
from inferproof.storage.ports.jobs import Jobs
from inferproof.storage.ports.leader_lock import LeaderLock
from inferproof.storage.ports.outbox import (
    NewTransaction,
    Outbox,
    OutboxItem,
    Payable,
)
from inferproof.storage.ports.settlements import Settlements
from inferproof.types.chain import Sight
from inferproof.types.digest import Digest

__all__ = ["Settler", "SettlerSettings"]

log = logging.getLogger("inferproof.settler")

_Raws = dict[Digest, bytes]

STORE_TRIES = 3
"""How often a round signs its payments anew because one of them was cancelled meanwhile."""


class Settler:
    """Settles and refunds the jobs of one database with one key."""

    def __init__(
        self,
        *,
        jobs: Jobs,
        settlements: Settlements,
        outbox: Outbox,
        chain: SettlementChain,
        methods: Mapping[str, Settles],
        settings: SettlerSettings,
        clock: Clock,
        metrics: Metrics,
        event_bus: EventBus,
        leader: LeaderLock,
        heartbeat: Heartbeat | None = None,
        payouts: PayoutParts | None = None,
        deliveries: DeliveryParts | None = None,
        bonds: BondParts | None = None,
    ) -> None:
        self._chain = chain
        self._leader = leader
        self._heartbeat = heartbeat or Heartbeat()
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._event_bus = event_bus
        self._parts = Parts(
            jobs, settlements, outbox, chain, settings, clock, metrics, event_bus, methods
        )
        self._sending = Sending(self._parts)
        self._paying_out = (
            None if payouts is None else PayingOut(self._parts, payouts, self._free_nonces)
        )
        self._delivering = (
            None if deliveries is None else Delivering(self._parts, deliveries, self._free_nonces)
        )
        self._bonds = None if bonds is None else KeepingBonds(self._parts, bonds, self._free_nonces)
        self._outcomes = Outcomes(self._parts, self._paying_out, self._delivering)
        self._screening = Screening(self._parts, self._outcomes)
        self._blocks = Blocks(self._parts)
        self._made = RefundsMade(self._parts)
        self._poor = False
        self._more_waits = False

    async def run(self) -> None:
        """While it holds the lock, settles, until it is cancelled. What it leaves, the next run
        takes up."""
        try:
            await self._settle_forever()
        finally:
            await self._leader.release()

    async def _settle_forever(self) -> None:
        settings = self._settings
        backoff = settings.poll_s
        while True:
            self._heartbeat.beat("settling")
            try:
                under_way = await self.settle_once() if await self._leader.held() else 0
            except InferproofError as error:
                log.warning("cannot settle: %s", loggable(error))
                backoff = await self._back_off(backoff)
                continue
            except Exception:  # the edge of the settler: its state is stored, so it goes on
                log.exception("a fault of ours")
                backoff = await self._back_off(backoff)
                continue
            backoff = settings.poll_s
            if self._more_waits:
                await asyncio.sleep(0)
            elif under_way:
                # Whoever comes now shares a transaction; the event bus then ends the waiting.
                await asyncio.sleep(settings.group_s)
                await self._event_bus.wait(SETTLE, max(0.0, settings.poll_s - settings.group_s))
            else:
                await self._event_bus.wait(SETTLE, settings.idle_s)

    async def _back_off(self, seconds: float) -> float:
        await asyncio.sleep(seconds)
        return min(2 * seconds, self._settings.max_backoff_s)

    async def settle_once(self) -> int:
        """Brings everything one step on; returns how much there is to look at again soon.

        Raises: Unavailable when the chain or the storage cannot be asked; what was done stays.
        """
        faults = Faults()
        sight = await self._chain.look()
        await self._blocks.follow(sight)
        items = list(await self._open())
        raws: _Raws = {}
        items += await self._start(items, sight, raws, faults)
        if await self._sending.send(items, raws, sight, faults):
            sight = await self._chain.look()
        items = await self._outcomes.record(items, sight, faults)
        await self._sending.unstick(
            [item for item in items if item.nonce >= sight.spent], sight, faults
        )
        await self._outcomes.reconcile(sight, faults)
        faults.tell()
        return len(items)

    async def _open(self) -> Sequence[OutboxItem]:
        return await self._parts.outbox.open_outbox(self._chain.asset.network, self._chain.sender)

    # -- storing what is to be sent ---------------------------------------------------------

    async def _start(
        self, items: Sequence[OutboxItem], sight: Sight, raws: _Raws, faults: Faults
    ) -> list[OutboxItem]:
        """What was stored now, with its bytes in `raws`."""
        # What was spent by others takes no room: it can only end.
        under_way = [item for item in items if item.nonce_spent_at is None]
        room, self._more_waits = self._settings.max_open - len(under_way), False
        if room <= 0:
            return []
        started: list[OutboxItem] = []
        if self._delivering is not None:  # first: each has a time until which it earns
            started += await self._delivering.start(sight, room, raws, faults)
            room -= len(started)
        if self._bonds is not None and room > 0:
            kept = await self._bonds.start(items, sight, raws)
            started, room = started + kept, room - len(kept)
        if room > 0:
            refunds = await self._refunds(items, sight, room, raws, faults)
            started, room = started + refunds, room - len(refunds)
        if self._paying_out is not None and room > 0:
            try:
                paid = await self._paying_out.start(sight, room, raws)
            except InferproofError as error:  # whatever it is: buyers do not wait for developers
                faults.note(error)
                paid = []
            started, room = started + paid, room - len(paid)
        return started + await self._settlements(sight, room, raws) if room > 0 else started

    async def _free_nonces(self, sight: Sight, count: int) -> Sequence[int]:
        return await self._parts.outbox.free_nonces(
            self._chain.asset.network, self._chain.sender, least=sight.pending, count=count
        )

    async def _settlements(self, sight: Sight, room: int, raws: _Raws) -> list[OutboxItem]:
        for _ in range(STORE_TRIES):
            try:
                return await self._store_settlements(sight, room, raws)
            except Conflict as error:
                if error.reason is not Reason.JOB_TRANSITION_ILLEGAL:
                    raise
                # Its payer cancelled one after it was read; the others do not wait for that.
        self._more_waits = True
        return []

    async def _store_settlements(self, sight: Sight, room: int, raws: _Raws) -> list[OutboxItem]:
        size, most = self._chain.batch_size, room
        if size > 1:
            room = min(room, self._settings.max_new)
        waiting = await self._parts.settlements.to_settle(self._chain.asset, limit=room * size)
        self._more_waits = room < most and len(waiting) == room * size
        if not waiting:
            return []
        groups = _groups(await self._screening.screen(waiting, sight), size)[:room]
        if not groups:
            return []
        nonces, fees = await self._free_nonces(sight, len(groups)), self._parts.fees(sight.fees)
        sendings: list[tuple[list[Digest], NewTransaction]] = []
        for group, nonce in zip(groups, nonces, strict=True):
            orders = [self._parts.order(payable.payment) for payable in group]
            signed = await self._chain.sign_settlement(orders, nonce, fees)
            raws[signed.tx] = signed.raw
            job_ids = [payable.job_id for payable in group]
            sendings.append((job_ids, self._parts.stored(signed, fees)))
            await asyncio.sleep(0)  # signing a large batch takes milliseconds
        return await in_portions(
            sendings,
            lambda sending: len(sending[0]),
            lambda part: self._parts.settlements.send_settlements(part, now=self._clock()),
        )

    async def _refunds(
        self, items: Sequence[OutboxItem], sight: Sight, room: int, raws: _Raws, faults: Faults
    ) -> list[OutboxItem]:
        due = await self._parts.settlements.due_refunds(
            self._chain.asset, now=self._clock(), limit=room
        )
        due = await self._made.left(due, items, sight)
        if not due:
            return []
        funds = await self._chain.balance(self._chain.sender)
        payable = []
        for refund in due:
            if refund.payment.amount <= funds:
                funds -= refund.payment.amount
                payable.append(refund)
        self._say_poor(len(due) - len(payable))
        nonces, fees = await self._free_nonces(sight, len(payable)), self._parts.fees(sight.fees)
        work = []
        for refund, nonce in zip(payable, nonces, strict=True):
            payment = refund.payment
            mark = refund_mark(refund.job_id)
            taken = self._parts.taken(payment)
            signed = await (
                self._chain.sign_refund(payment.payer, payment.amount, nonce, fees, mark)
                if taken is None
                else self._chain.sign_restore(taken, nonce, fees, mark)
            )
            raws[signed.tx] = signed.raw
            tx = self._parts.stored(signed, fees)
            work.append(self._parts.settlements.send_refund(refund.job_id, tx, now=self._clock()))
            self._metrics.refund("sent")
            log.info("refund %s is sent", signed.tx, extra=about(refund.job_id))
        return await together(work, faults)

    def _say_poor(self, waiting: int) -> None:
        if waiting and not self._poor:
            log.error("%d refunds must wait: %s lacks the tokens", waiting, self._chain.sender)
        self._poor = waiting > 0


def _groups(screened: Screened, size: int) -> list[list[Payable]]:
    """Payments by transaction: as many together as it holds, but for those that must be alone."""
    shared = screened.shared
    alone = [[payable] for payable in screened.alone]
    return alone + [list(shared[at : at + size]) for at in range(0, len(shared), size)]
