"""Orders that their payer cancelled before a settlement was sent.

Nothing is sent for them, but the authorization is out: until it is over, whoever has seen it can
settle it, and the payee has the money.

| chain | then |
|---|---|
| authorization over on the chain's own clock, and unused | VOID |
| some transaction moved exactly these funds | FAILED, and refunded |
| nonce used, and no transfer found for a while | cancelled by the payer there too: VOID |
| otherwise | stays, and is looked at again after a while |

One whose settlement is in the outbox already is settled and then refunded: its number is taken,
and all later ones of the account wait for it.
"""

import logging
from collections.abc import Collection

from inferproof.errors import Conflict, Reason, Unavailable
from inferproof.services.base import Clock, failure_of
from inferproof.services.bell import SETTLE, Bell
from inferproof.services.metrics import Metrics
from inferproof.services.settler.base import SettlementChain
from inferproof.storage.base import Job, OrderBook
from inferproof.types.digest import Digest
from inferproof.types.job import JobState

log = logging.getLogger("inferproof.settler")

AT_A_TIME = 256
"""The oldest ones. They take no place in the queue, so there may be many."""


class Withdrawn:
    """Ends withdrawn jobs that have no transaction in the outbox. Units: seconds.

    `again_s` is how often one is looked at; `lost_after_s` is how long the chain must keep
    saying that a used nonce moved no funds.
    """

    def __init__(
        self,
        *,
        orders: OrderBook,
        chain: SettlementChain,
        clock: Clock,
        metrics: Metrics,
        bell: Bell,
        again_s: int,
        lost_after_s: int,
    ) -> None:
        self._orders = orders
        self._chain = chain
        self._clock = clock
        self._metrics = metrics
        self._bell = bell
        self._again_s = again_s
        self._lost_after_s = lost_after_s
        self._next_look: dict[Digest, int] = {}
        self._unmoved_since: dict[Digest, int] = {}

    async def look(self, under_way: Collection[Digest]) -> None:
        """Brings on all but those `under_way`, whose transaction decides.

        Raises: Unavailable.
        """
        jobs = await self._orders.in_state(JobState.WITHDRAWN, limit=AT_A_TIME)
        known = {job.order.job_id for job in jobs}
        self._next_look = {key: at for key, at in self._next_look.items() if key in known}
        self._unmoved_since = {k: at for k, at in self._unmoved_since.items() if k in known}
        for job in jobs:
            job_id, now = job.order.job_id, self._clock()
            if job_id in under_way or now < self._next_look.get(job_id, now):
                continue
            self._next_look[job_id] = now + self._again_s
            try:
                await self._look_at(job)
            except Unavailable as error:
                if error.reason is not Reason.TX_NOT_CONFIRMED:
                    raise

    async def _look_at(self, job: Job) -> None:
        payment, order, now = job.order.authorization, job.order, self._clock()
        # The time first: asked for the nonce first, it may be used before the authorization ends.
        over = now >= payment.valid_before and await self._chain.time() >= payment.valid_before
        used = await self._chain.authorization_used(payment.payer, payment.nonce)
        found = await self._chain.settled_by(payment, order.first_block) if used else None
        if found is not None:
            await self._orders.settled(order.job_id, found.tx, found.block, now=now)
            log.warning("settled in %s after it was cancelled", found.tx, extra=_about(job))
            self._metrics.refund("due")
            self._bell.ring(order.job_id)
            self._bell.ring(SETTLE)
        elif used:
            since = self._unmoved_since.setdefault(order.job_id, now)
            if now >= since + self._lost_after_s:
                await self._void(job)
        elif over:
            await self._void(job)

    async def _void(self, job: Job) -> None:
        why = failure_of(Conflict(Reason.JOB_CANCELLED))
        await self._orders.void(job.order.job_id, why, now=self._clock())
        log.info("void: cancelled by its payer", extra=_about(job))
        self._metrics.payment("void")
        self._bell.ring(job.order.job_id)


def _about(job: Job) -> dict[str, Digest]:
    return {"job": job.order.job_id}
