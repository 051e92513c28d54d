"""The settler: sends what the outbox holds, and moves jobs on by what the chain says.

A transaction is stored, in the database transaction that moves its job, before it is sent for
the first time; so whatever is stopped where, the next run finds it and sends the same bytes
again, which the chain includes at most once.

| job | chain | then |
|---|---|---|
| RESERVED | | a settlement is signed and stored: SETTLING |
| RESERVED | authorization over on the chain's own clock, and unused | VOID |
| SETTLING | some transaction moved exactly these funds | QUEUED, whoever sent it |
| SETTLING | ours reverted, authorization unused | stays until it is over, then VOID |
| SETTLING | nonce used, and no transfer found for a while | cancelled by the payer: VOID |
| SETTLING | our number spent by another transaction | a new settlement is signed |
| SETTLING | does not answer, or says nothing | stays; UNCERTAIN after a while |
| FAILED | | a refund is signed and stored: REFUNDING |
| WITHDRAWN | as SETTLING where it was sent; else see withdrawn.py | FAILED or VOID |
| REFUNDING | included | REFUNDED |
| REFUNDING | reverted, or its number spent by another | FAILED again, to be refunded again |

Until it is over, anyone who has seen an authorization can still settle it, after ours reverted
too, and the payee has the money: to call the job VOID before would be to take money for nothing.

One settler at a time sends with a key: of several gateways on one database, the one whose turn it
is. If two should ever overlap, they meet each other's numbers as spent and sign again; what moves
funds once is the guarded change of a job's state, and the authorization itself.
"""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from inferproof.errors import Conflict, InferproofError, PaymentRejected, Reason, Unavailable
from inferproof.services.base import Clock, failure_of
from inferproof.services.bell import SETTLE, WORK, Bell
from inferproof.services.heart import Heart
from inferproof.services.metrics import Metrics
from inferproof.services.settler.base import Included, SettlementChain, SignedTransaction
from inferproof.services.settler.withdrawn import Withdrawn
from inferproof.storage.base import (
    Job,
    NewTransaction,
    OrderBook,
    OutboxItem,
    OutboxKind,
    Turn,
)
from inferproof.telemetry.base import working_on
from inferproof.telemetry.faults import told
from inferproof.types.digest import Digest
from inferproof.types.job import JobState
from inferproof.types.payment import Authorization, SettlementState

_Store = Coroutine[Any, Any, OutboxItem]
"""Stores a signed transaction, once it is awaited."""

log = logging.getLogger("inferproof.settler")


@dataclass(frozen=True, slots=True)
class SettlerSettings:
    """Units: seconds.

    `max_open` bounds the transactions that may still enter the chain; `resend_s` is how long
    after sending it, a transaction that is in no block is sent again; `lost_after_s` is how long
    the chain must keep saying that a number is spent, or that a used nonce moved no funds, before
    it is believed: a node may lag behind; `uncertain_after_s` is when a settlement is called
    uncertain; `reverted_s` is how often one that reverted is looked at while somebody else may
    still settle it.
    """

    max_open: int = 64
    poll_s: float = 0.25
    idle_s: float = 1.0
    resend_s: int = 15
    lost_after_s: int = 60
    uncertain_after_s: int = 60
    reverted_s: int = 10
    max_backoff_s: float = 10.0


class Settler:
    """Settles and refunds the jobs of one order book with one key."""

    def __init__(
        self,
        *,
        orders: OrderBook,
        chain: SettlementChain,
        settings: SettlerSettings,
        clock: Clock,
        metrics: Metrics,
        bell: Bell,
        turn: Turn,
        heart: Heart | None = None,
    ) -> None:
        self._orders = orders
        self._chain = chain
        self._turn = turn
        self._heart = heart or Heart()
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._bell = bell
        self._numbering = asyncio.Lock()
        self._next_look: dict[int, int] = {}
        self._withdrawn = Withdrawn(
            orders=orders,
            chain=chain,
            clock=clock,
            metrics=metrics,
            bell=bell,
            again_s=settings.reverted_s,
            lost_after_s=settings.lost_after_s,
        )

    async def run(self) -> None:
        """Settles, in its turn, until it is cancelled; what it leaves, the next run takes up."""
        try:
            await self._settle_forever()
        finally:
            await self._turn.give_back()

    async def _settle_forever(self) -> None:
        backoff = self._settings.poll_s
        while True:
            self._heart.beat("settling")
            try:
                open_items = await self.settle_once() if await self._turn.mine() else 0
            except InferproofError as error:
                log.warning("cannot settle: %s", told(error))
                backoff = await self._back_off(backoff)
                continue
            except Exception:  # the edge of the settler: its state is stored, so it goes on
                log.exception("a fault of ours")
                backoff = await self._back_off(backoff)
                continue
            backoff = self._settings.poll_s
            if open_items:
                await asyncio.sleep(self._settings.poll_s)
            else:
                await self._bell.wait(SETTLE, self._settings.idle_s)

    async def _back_off(self, seconds: float) -> float:
        await asyncio.sleep(seconds)
        return min(2 * seconds, self._settings.max_backoff_s)

    async def settle_once(self) -> int:
        """Brings everything one step on; returns how much there is to look at again soon.

        Raises: Unavailable when the chain or the storage cannot be asked; what was done stays.
        """
        # What has reverted takes no room: else a few unpayable orders would hold up all others.
        under_way = [item for item in await self._open() if item.nonce_spent_at is None]
        room = self._settings.max_open - len(under_way)
        room -= await self._start(JobState.FAILED, room)
        await self._start(JobState.RESERVED, room)
        items = await self._open()
        await _together([self._bring_on(item) for item in self._due(items)])
        await self._withdrawn.look({item.job_id for item in items})
        return len(self._due(await self._open()))

    def _due(self, items: list[OutboxItem]) -> list[OutboxItem]:
        """Those to look at now, all but the reverted ones that were looked at lately."""
        now, ids = self._clock(), {item.id for item in items}
        self._next_look = {key: at for key, at in self._next_look.items() if key in ids}
        return [item for item in items if now >= self._next_look.get(item.id, now)]

    async def _open(self) -> list[OutboxItem]:
        return list(await self._orders.open_outbox(self._chain.asset.network, self._chain.sender))

    # -- storing what is to be sent ---------------------------------------------------------

    async def _start(self, state: JobState, room: int) -> int:
        """Stores a transaction for each of the oldest jobs in this state; returns how many."""
        if room <= 0:
            return 0
        waiting = await self._orders.in_state(state, limit=room)
        if not waiting:
            return 0
        nonces, stored = await self._free_nonces(len(waiting)), list[_Store]()
        for job in waiting:
            start = self._start_refund if state is JobState.FAILED else self._start_settlement
            store = await start(job, nonces[len(stored)])
            if store is not None:
                stored.append(store)
        await _together(stored)
        return len(stored)

    async def _free_nonces(self, count: int) -> Sequence[int]:
        least = await self._chain.next_nonce()
        return await self._orders.free_nonces(
            self._chain.asset.network, self._chain.sender, least=least, count=count
        )

    async def _start_settlement(self, job: Job, nonce: int) -> _Store | None:
        payment, now = job.order.authorization, self._clock()
        # Where the chain's clock is behind, the settlement is sent: the chain will decide.
        if now >= payment.valid_before and await self._over_and_unused(payment):
            await self._void(
                job, PaymentRejected(Reason.SETTLEMENT_EXPIRED, valid_before=payment.valid_before)
            )
            return None
        signed = await self._chain.sign_settlement(payment, nonce)
        return self._orders.send_settlement(job.order.job_id, self._stored(signed), now=now)

    async def _over_and_unused(self, payment: Authorization) -> bool:
        """Whether the authorization can move no funds any more and never did.

        Soundness: in this order. Asked first whether it is used, it may be used before it ends.
        """
        return await self._chain.time() >= payment.valid_before and not (
            await self._chain.authorization_used(payment.payer, payment.nonce)
        )

    async def _start_refund(self, job: Job, nonce: int) -> _Store | None:
        payment = job.order.payment
        if await self._chain.balance(self._chain.sender) < payment.amount:
            log.error(
                "the refund must wait: %s lacks the tokens", self._chain.sender, extra=_about(job)
            )
            return None
        signed = await self._chain.sign_refund(payment.payer, payment.amount, nonce)
        self._metrics.refund("sent")
        return self._orders.send_refund(job.order.job_id, self._stored(signed), now=self._clock())

    def _stored(self, signed: SignedTransaction) -> NewTransaction:
        network = self._chain.asset.network
        return NewTransaction(network, signed.sender, signed.nonce, signed.tx, signed.raw)

    # -- what is under way ------------------------------------------------------------------

    async def _bring_on(self, item: OutboxItem) -> None:
        try:
            with working_on(item.job_id):
                await self._look_at(item)
        except Unavailable as error:
            if error.reason is not Reason.TX_NOT_CONFIRMED:
                raise

    async def _look_at(self, item: OutboxItem) -> None:
        included = await self._chain.included(item.transaction.tx)
        if included is None:
            item = await self._submit(item)
            included = await self._chain.included(item.transaction.tx)
        if item.kind is OutboxKind.SETTLEMENT:
            await self._settlement(item, included)
        else:
            await self._refund(item, included)

    async def _submit(self, item: OutboxItem) -> OutboxItem:
        """Sends what was never sent, or not lately."""
        now = self._clock()
        if item.sent_at is not None and now < item.sent_at + self._settings.resend_s:
            return item
        try:
            await self._chain.submit(item.transaction.raw)
        except Conflict as error:
            if error.reason is not Reason.TX_NONCE_USED:
                raise
            return await self._orders.note_nonce_spent(item, now=now)
        await self._orders.note_sent(item, now=now)
        return item

    async def _settlement(self, item: OutboxItem, included: Included | None) -> None:
        job = await self._orders.job(item.job_id)
        payment, order = job.order.authorization, job.order
        if included is not None and await self._chain.head() < included.block:
            return  # this node does not know that block yet
        if included is None and item.nonce_spent_at is None:
            await self._call_uncertain(item, job)
            return
        used = await self._chain.authorization_used(payment.payer, payment.nonce)
        found = await self._chain.settled_by(payment, order.first_block) if used else None
        if found is not None:
            await self._settled(job, found)
        elif not used and (included is not None or job.state is JobState.WITHDRAWN):
            await self._reverted(item, job)
        elif not await self._believed(item):
            await self._call_uncertain(item, job)
        elif used:
            await self._void(job, PaymentRejected(Reason.SETTLEMENT_CANCELLED))
        else:
            await self._sign_again(item, job)

    async def _reverted(self, item: OutboxItem, job: Job) -> None:
        payment, now = job.order.authorization, self._clock()
        if await self._over_and_unused(payment):
            await self._void(
                job, PaymentRejected(Reason.SETTLEMENT_REVERTED, tx=item.transaction.tx)
            )
            return
        if item.nonce_spent_at is None:
            await self._orders.note_nonce_spent(item, now=now)
            log.warning("reverted; waiting until the authorization is over", extra=_about(job))
        self._next_look[item.id] = now + self._settings.reverted_s
        await self._call_uncertain(item, job)

    async def _believed(self, item: OutboxItem) -> bool:
        """Whether the chain has said so for long enough; notes when it first did."""
        now = self._clock()
        if item.nonce_spent_at is None:
            item = await self._orders.note_nonce_spent(item, now=now)
        since = item.nonce_spent_at
        return since is not None and now >= since + self._settings.lost_after_s

    async def _settled(self, job: Job, found: Included) -> None:
        now, job_id = self._clock(), job.order.job_id
        paid = await self._orders.settled(job_id, found.tx, found.block, now=now)
        log.info("settled in %s", found.tx, extra=_about(job))
        self._metrics.payment("settled")
        self._metrics.stage("settle", max(0, now - job.order.created_at))
        self._bell.ring(job_id)
        if paid.state is JobState.QUEUED:
            self._bell.ring(WORK)
        else:  # its payer cancelled while it was under way
            self._metrics.refund("due")
            self._bell.ring(SETTLE)

    async def _sign_again(self, item: OutboxItem, job: Job) -> None:
        async with self._numbering:
            (nonce,) = await self._free_nonces(1)
            signed = await self._chain.sign_settlement(job.order.authorization, nonce)
            await self._orders.replace(item, self._stored(signed), now=self._clock())
        log.warning("its number was spent; signed again", extra=_about(job))

    async def _call_uncertain(self, item: OutboxItem, job: Job) -> None:
        late = self._clock() >= item.created_at + self._settings.uncertain_after_s
        if job.state is JobState.WITHDRAWN:
            return
        if late and job.settlement.state is SettlementState.PENDING:
            await self._orders.uncertain(item.job_id, now=self._clock())
            log.warning("the settlement is uncertain", extra=_about(job))

    async def _void(self, job: Job, why: InferproofError) -> None:
        if job.state is JobState.WITHDRAWN:
            why = Conflict(Reason.JOB_CANCELLED)
        await self._orders.void(job.order.job_id, failure_of(why), now=self._clock())
        log.warning("void: %s", told(why), extra=_about(job))
        self._metrics.payment("void")
        self._bell.ring(job.order.job_id)

    async def _refund(self, item: OutboxItem, included: Included | None) -> None:
        now = self._clock()
        if included is not None and included.succeeded:
            job = await self._orders.refunded(item.job_id, included.tx, included.block, now=now)
            log.info("refunded in %s", included.tx, extra=_about(job))
            self._metrics.refund("settled")
            self._bell.ring(item.job_id)
            return
        spent = included is None and item.nonce_spent_at is not None
        if included is not None or (spent and await self._believed(item)):
            job = await self._orders.refund_lost(item.job_id, now=now)
            log.error("the refund %s failed", item.transaction.tx, extra=_about(job))
            self._metrics.refund("lost")


async def _together(work: Sequence[Coroutine[Any, Any, object]]) -> None:
    """Does all of it, so that writes share commits. Raises: the first failure, after the rest."""
    for outcome in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


def _about(job: Job) -> dict[str, Digest]:
    return {"job": job.order.job_id}
