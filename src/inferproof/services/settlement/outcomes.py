"""What became of transactions, and of the payments in them.

| item of a transaction in a block | then |
|---|---|
| its money moved | the job may run |
| refused by the token | REFUSED: see below |
| refused without a reason, beside others | sent again alone: it may have lacked gas |
| not tried, since the gas ended | sent again |

| REFUSED payment | then |
|---|---|
| some transaction moved exactly these funds | settled, whoever sent it |
| nonce used, and no transfer found for a while | cancelled by the payer: void |
| unused, and over on the chain's own clock | void |
| otherwise | stays; UNCERTAIN after a while |

Until it is over, anyone who has seen an authorization can still settle it, and the payee has the
money: to call the job void before would be to take money for nothing. Of orders in an escrow,
orders.py says what becomes of those that are REFUSED. A call that was bought is taken by us alone:
one that is REFUSED and was not taken is void at once. Where the chain took back the settlement of a
job that was answered or refunded since, and it can never be made again, the loss is recorded: its
settlement FAILED beside a job that is DONE.
"""

from collections.abc import Mapping, Sequence

from inferproof.errors import Conflict, InferproofError, PaymentRejected, Reason, Unavailable
from inferproof.services.base import failure_of
from inferproof.services.event_bus import SETTLE, WORK
from inferproof.services.settlement.base import Executed, Included, Moved
from inferproof.services.settlement.orders import Delivering
from inferproof.services.settlement.parts import Faults, Parts, about, in_portions, log, together
from inferproof.services.settlement.payouts import PayingOut
from inferproof.storage.ports.outbox import (
    BlockRef,
    Inclusion,
    OutboxItem,
    OutboxKind,
    Payable,
    SettlementStep,
)
from inferproof.types.access import Consumption
from inferproof.types.chain import ItemOutcome, ItemState, Sight
from inferproof.types.digest import Digest
from inferproof.types.escrow import Acceptance
from inferproof.types.job import JobState

MANY = 1_000
"""How many refused payments are known at a time. They take no place in the queue."""
AT_A_TIME = 100
"""How many of them are asked for in one round."""
UNSETTLED = frozenset({JobState.RESERVED, JobState.SETTLING, JobState.WITHDRAWN})


class Outcomes:
    """Moves jobs on by what the chain says of their transactions."""

    def __init__(
        self,
        parts: Parts,
        paying_out: PayingOut | None = None,
        delivering: Delivering | None = None,
    ) -> None:
        self._parts = parts
        self._paying_out = paying_out
        self._delivering = delivering
        self._next_look: dict[Digest, int] = {}
        self._told_late: set[int] = set()
        self._missing_at: dict[int, tuple[int, int]] = {}

    async def record(
        self, items: Sequence[OutboxItem], sight: Sight, faults: Faults
    ) -> list[OutboxItem]:
        """Those of the items that are in no block, or not deep enough, or not looked for."""
        open_ids = {item.id for item in items}
        self._missing_at = {k: at for k, at in self._missing_at.items() if k in open_ids}
        spent = [item for item in items if item.nonce < sight.spent]
        left = [item for item in items if item.nonce >= sight.spent]
        if spent:
            found = await self._parts.chain.included([r.tx for i in spent for r in i.raws])
            ready = []
            for item in spent:
                included = next((found[r.tx] for r in item.raws if r.tx in found), None)
                if included is None:
                    left += [item] if await self._missing(item, sight) else []
                elif sight.head - included.block + 1 < self._parts.chain.confirmations:
                    left.append(item)
                else:
                    ready.append((item, included))
            alone = (OutboxKind.REFUND, OutboxKind.PAYOUT, OutboxKind.DELIVERY)
            await self._settlements([e for e in ready if e[0].kind not in alone])
            refunds = [e for e in ready if e[0].kind is OutboxKind.REFUND]
            await together([self._refund(item, included) for item, included in refunds], faults)
            payouts = [e for e in ready if e[0].kind is OutboxKind.PAYOUT]
            if self._paying_out is not None:
                record = self._paying_out.record
                await together([record(item, included) for item, included in payouts], faults)
            else:
                # Sent while a contract was set: followed again once one is.
                left += [item for item, _ in payouts]
            delivered = [e for e in ready if e[0].kind is OutboxKind.DELIVERY]
            if self._delivering is not None:
                deliver = self._delivering.record
                await together([deliver(item, included) for item, included in delivered], faults)
            else:
                left += [item for item, _ in delivered]  # the same, of an escrow
        await self._call_uncertain(left)
        return sorted(left, key=lambda item: item.nonce)

    # -- in a block -------------------------------------------------------------------------

    async def _settlements(self, ready: Sequence[tuple[OutboxItem, Executed]]) -> None:
        if not ready:
            return
        parts = self._parts
        carried = await parts.settlements.payables(parts.chain.asset, [item for item, _ in ready])
        inclusions = [
            Inclusion(
                item,
                included.tx,
                BlockRef(included.block, included.block_hash),
                self._steps(included, carried[item.id]),
            )
            for item, included in ready
        ]
        settled = set(
            await in_portions(
                inclusions,
                lambda inclusion: len(inclusion.outcomes),
                lambda part: parts.settlements.included(part, now=parts.clock()),
            )
        )
        for inclusion in inclusions:
            self._tell(inclusion, carried[inclusion.item.id], settled)
        if settled:
            parts.event_bus.publish(WORK)

    def _steps(
        self, included: Executed, payables: Sequence[Payable]
    ) -> Mapping[Digest, SettlementStep | None]:
        order = self._parts.order
        outcomes = included.outcomes([order(payable.payment) for payable in payables])
        tried = any(outcome.state is not ItemState.NOT_TRIED for outcome in outcomes)
        alone = len(outcomes) == 1
        return {
            payable.job_id: _step(outcome, tried=tried, alone=alone)
            for payable, outcome in zip(payables, outcomes, strict=True)
        }

    def _tell(
        self, inclusion: Inclusion, payables: Sequence[Payable], settled: set[Digest]
    ) -> None:
        metrics, now, tx = self._parts.metrics, self._parts.clock(), inclusion.tx
        log.info(
            "%s in block %d: %d of %d settled",
            tx,
            inclusion.block.number,
            sum(p.job_id in settled for p in payables),
            len(payables),
        )
        for payable in payables:
            step = inclusion.outcomes[payable.job_id]
            if payable.job_id in settled:
                metrics.payment("settled")
                metrics.stage("settle", max(0, now - payable.created_at))
                log.debug("settled in %s", tx, extra=about(payable.job_id))
                self._settled_late(payable)
            elif step is not None:
                log.warning("its settlement was %s in %s", step, tx, extra=about(payable.job_id))
            elif payable.state is JobState.VOID:
                metrics.payment("stray")
                log.critical(
                    "void, and settled in %s all the same", tx, extra=about(payable.job_id)
                )

    def _settled_late(self, payable: Payable) -> None:
        if payable.state is JobState.WITHDRAWN:
            self._parts.metrics.refund("due")
            self._parts.event_bus.publish(payable.job_id)
            self._parts.event_bus.publish(SETTLE)

    async def _refund(self, item: OutboxItem, included: Included) -> None:
        parts, now = self._parts, self._parts.clock()
        job_id = await self._job_of(item)
        if not included.succeeded:
            await self._refund_failed(job_id, item.newest.tx)
            return
        await parts.settlements.refunded(
            job_id, included.tx, included.block, now=now, block_hash=included.block_hash
        )
        log.info("refunded in %s", included.tx, extra=about(job_id))
        parts.metrics.refund("settled")
        parts.event_bus.publish(job_id)

    async def _refund_failed(self, job_id: Digest, tx: Digest) -> None:
        parts, now = self._parts, self._parts.clock()
        refund = (await parts.jobs.job(job_id)).refund
        failed = 0 if refund is None else refund.attempts
        settings = parts.settings
        # Not 2**failed before the bound: a refund may fail for years.
        pause = settings.refund_pause_s * 2 ** min(failed, 30)
        retry_at = now + min(pause, settings.refund_longest_s)
        await parts.settlements.refund_lost(job_id, now=now, retry_at=retry_at)
        log.error(
            "the refund %s failed, for the %d. time; it stays owed and is tried again in %d s",
            tx,
            failed + 1,
            retry_at - now,
            extra=about(job_id),
        )
        parts.metrics.refund("lost")

    async def _job_of(self, item: OutboxItem) -> Digest:
        carried = await self._parts.settlements.payables(self._parts.chain.asset, [item])
        (payable,) = carried[item.id]
        return payable.job_id

    # -- in no block, though its number is spent --------------------------------------------

    async def _missing(self, item: OutboxItem, sight: Sight) -> bool:
        """Whether to look for it again: not once another transaction has its number for good."""
        parts, now = self._parts, self._parts.clock()
        since = await parts.outbox.note_nonce_spent(item, now=now)
        head, at = self._missing_at.setdefault(item.id, (sight.head, now))
        wait_s = parts.settings.lost_after_s
        # A node that catches up knows numbers before receipts. So the chain must have gone on all
        # the while, by its own clock; or it stands still, as one without traffic does.
        believed = sight.time >= since + wait_s if sight.head != head else now >= at + wait_s
        early = now < since + wait_s or item.nonce >= sight.spent_deep
        if early or sight.syncing or not believed:
            return True
        if item.kind is OutboxKind.REFUND:
            await parts.settlements.refund_lost(await self._job_of(item), now=now)
            parts.metrics.refund("lost")
            parts.event_bus.publish(SETTLE)
        else:
            await parts.outbox.drop(item, now=now)
        log.warning("number %d was spent by a transaction that is not ours", item.nonce)
        return False

    async def _call_uncertain(self, items: Sequence[OutboxItem]) -> None:
        parts, now = self._parts, self._parts.clock()
        late = [
            item
            for item in items
            if now >= item.created_at + parts.settings.uncertain_after_s
            and item.kind is OutboxKind.SETTLEMENT
        ]
        self._told_late &= {item.id for item in late}
        late = [item for item in late if item.id not in self._told_late]
        if late:
            carried = await parts.settlements.payables(parts.chain.asset, late)
            await self._uncertain([p for found in carried.values() for p in found])
            self._told_late |= {item.id for item in late}

    async def _uncertain(self, payables: Sequence[Payable]) -> None:
        if payables:
            ids = [payable.job_id for payable in payables]
            await self._parts.settlements.uncertain(ids, now=self._parts.clock())
            log.warning("%d settlements are uncertain", len(ids))

    # -- refused ----------------------------------------------------------------------------

    async def reconcile(self, sight: Sight, faults: Faults) -> int:
        """How many refused payments there are. Looks at those that are due."""
        parts, now = self._parts, self._parts.clock()
        refused = await parts.settlements.refused(parts.chain.asset, limit=MANY)
        known = {payable.job_id for payable in refused}
        self._next_look = {key: at for key, at in self._next_look.items() if key in known}
        due = [p for p in refused if now >= self._next_look.get(p.job_id, now)][:AT_A_TIME]
        if due:
            # After `sight` was taken: asked first whether it is used, it may be used before it
            # is over.
            states = await parts.chain.payer_states([parts.order(p.payment) for p in due])
            work = [self._reconcile(p, s.used, sight) for p, s in zip(due, states, strict=True)]
            await together(work, faults)
            for payable in due:
                self._next_look[payable.job_id] = now + parts.settings.reverted_s
        return len(refused)

    async def _reconcile(self, payable: Payable, used: bool, sight: Sight) -> None:
        parts, now = self._parts, self._parts.clock()
        order = parts.order(payable.payment)
        if isinstance(order, Acceptance):
            await self._reconcile_order(payable, order, sight)
            return
        if isinstance(order, Consumption):
            await self._reconcile_call(payable, order, sight)
            return
        if used:
            try:
                found = await parts.chain.settled_by(order, payable.first_block)
            except Unavailable as error:
                if error.reason is Reason.TX_NOT_CONFIRMED:
                    return
                raise
            if found is not None:
                await self._settled_by(payable, found)
                return
            since = await parts.settlements.doubt(payable.job_id, now=now)
            if now >= since + parts.settings.lost_after_s:
                await self._end(payable, PaymentRejected(Reason.SETTLEMENT_CANCELLED))
                return
        elif sight.time >= order.valid_before:
            tx = payable.settlement.transaction
            await self._end(
                payable,
                PaymentRejected(Reason.SETTLEMENT_EXPIRED, valid_before=order.valid_before)
                if tx is None
                else PaymentRejected(Reason.SETTLEMENT_REVERTED, tx=tx),
            )
            return
        if now >= payable.created_at + parts.settings.uncertain_after_s:
            await parts.settlements.uncertain([payable.job_id], now=now)

    async def _reconcile_order(self, payable: Payable, order: Acceptance, sight: Sight) -> None:
        """An order that this server did not come to accept: see orders.py."""
        if self._delivering is None:
            return
        found, why = await self._delivering.look(payable, order, sight)
        if found is not None:
            await self._settled_by(payable, found)
        elif why is not None:
            await self._end(payable, why)

    async def _reconcile_call(self, payable: Payable, order: Consumption, sight: Sight) -> None:
        """A call that was bought, and that is not sent to be taken any more."""
        chain, tx, right = self._parts.chain, payable.settlement.transaction, order.right
        try:
            found = await chain.settled_by(order, payable.first_block)
        except Unavailable as error:
            if error.reason is Reason.TX_NOT_CONFIRMED:
                return
            raise
        if found is not None:
            await self._settled_by(payable, found)
            return
        why = PaymentRejected(
            Reason.NOT_ENTITLED, buyer=order.buyer, commitment=order.model, right=right
        )
        if tx is not None:
            why = PaymentRejected(Reason.PASS_REVERTED, tx=tx, right=right)
        elif sight.time >= order.valid_before:
            why = PaymentRejected(Reason.PASS_EXPIRED, valid_before=order.valid_before)
        else:
            try:
                await chain.check_settles(order)
            except PaymentRejected as refused:
                why = refused
        await self._end(payable, why)

    async def _settled_by(self, payable: Payable, found: Moved) -> None:
        parts = self._parts
        await parts.settlements.settled(
            payable.job_id,
            found.tx,
            found.block,
            now=parts.clock(),
            block_hash=found.block_hash,
        )
        log.info("settled in %s, which is not ours", found.tx, extra=about(payable.job_id))
        parts.metrics.payment("settled")
        parts.metrics.stage("settle", max(0, parts.clock() - payable.created_at))
        self._settled_late(payable)
        parts.event_bus.publish(WORK)

    async def _end(self, payable: Payable, why: InferproofError) -> None:
        """The money will never come."""
        if payable.state in UNSETTLED:
            await self.void(payable, why)
            return
        parts, job_id = self._parts, payable.job_id
        await parts.settlements.lost(job_id, failure_of(why), now=parts.clock())
        log.critical(
            "the chain took back a settlement of %d atomic units for good; the job is %s",
            payable.payment.amount,
            payable.state,
            extra=about(job_id),
        )
        parts.metrics.payment("lost")
        parts.event_bus.publish(job_id)

    async def void(self, payable: Payable, why: InferproofError) -> None:
        """RESERVED, SETTLING or WITHDRAWN → VOID."""
        if payable.state is JobState.WITHDRAWN:
            why = Conflict(Reason.JOB_CANCELLED)
        job_id = payable.job_id
        await self._parts.settlements.void(job_id, failure_of(why), now=self._parts.clock())
        log.warning("void: %s", why.code, extra=about(job_id))
        self._parts.metrics.payment("void")
        self._parts.event_bus.publish(job_id)


def _step(outcome: ItemOutcome, *, tried: bool, alone: bool) -> SettlementStep | None:
    if outcome.state is ItemState.SETTLED:
        return None
    if outcome.state is ItemState.NOT_TRIED:
        # A batch in which nothing was tried would end in the same way again.
        return SettlementStep.AGAIN if tried else SettlementStep.ALONE
    return SettlementStep.ALONE if outcome.may_lack_gas and not alone else SettlementStep.REFUSED
