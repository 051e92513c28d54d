"""Orders in an escrow: taken up as payments are settled, and delivered for their money.

    SETTLING ─ accepted by us: QUEUED ─ DONE ─ sign, store ─ send ─ in a block: DELIVERED
    SETTLING ─ another was faster: waits, for its time may end: QUEUED, or the order is over: VOID
    FAILED ─ the escrow refunded the buyer: REFUNDED, or another delivered: VOID

| an order whose answer is there is | then |
|---|---|
| accepted, by us or by another whose time is over | delivered, if a trial says so |
| open, or unknown: the chain took the acceptance back | looked at again later |
| paid or rescued by us | found: DELIVERED |
| paid or rescued by another, refunded, or its rescue time is over | ENDED, with the reason |

The proof is only made once the acceptance is deep enough to count, so that of several servers one
works. Those that were slower keep the request, and are the ones to rescue it. What ends an order is
believed in blocks that are deep enough.
"""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from inferproof.errors import InferproofError, PaymentRejected, Reason, Unavailable
from inferproof.services.base import failure_of
from inferproof.services.settlement.base import Included, Moved, OrderChain
from inferproof.services.settlement.parts import Faults, Parts, about, log
from inferproof.storage.ports.jobs import Job
from inferproof.storage.ports.order_deliveries import (
    OrderDeliveries,
    OrderDelivery,
)
from inferproof.storage.ports.outbox import BlockRef, OutboxItem, Payable
from inferproof.types.chain import Sight
from inferproof.types.digest import Digest
from inferproof.types.escrow import Acceptance, OrderDeliveryState, OrderSlot, OrderStatus
from inferproof.types.job import JobState
from inferproof.types.tensor import FixedTensor

AT_A_TIME = 4
"""Deliveries that are begun in one round: each may be hundreds of kilobytes."""
LONGEST_PAUSE_S = 300
"""Between two tries of a delivery, which earns the less the later it is made."""
_DELIVERED = (OrderStatus.PAID, OrderStatus.RESCUED)

FreeNonces = Callable[[Sight, int], Coroutine[Any, Any, Sequence[int]]]


@dataclass(frozen=True, slots=True)
class Deliverable:
    """What a delivery carries. `proof` is in the encoding of the version's contract verifier."""

    outputs: Sequence[FixedTensor]
    proof: bytes


class Deliverables(Protocol):
    """Makes what is delivered of answers."""

    async def __call__(self, job: Job) -> Deliverable:
        """Of a job that is DONE. Raises: NotFound, ProofRejected, Unavailable."""
        ...


@dataclass(frozen=True, slots=True)
class DeliveryParts:
    """What deliveries need beside what settling needs."""

    deliveries: OrderDeliveries
    chain: OrderChain
    of_job: Deliverables


class Delivering:
    """Follows the orders of one server to their end."""

    def __init__(self, parts: Parts, more: DeliveryParts, free_nonces: FreeNonces) -> None:
        self._parts = parts
        self._deliveries = more.deliveries
        self._chain = more.chain
        self._of_job = more.of_job
        self._free_nonces = free_nonces

    # -- not accepted by us -----------------------------------------------------------------

    async def look(
        self, payable: Payable, order: Acceptance, sight: Sight
    ) -> tuple[Moved | None, InferproofError | None]:
        """The transaction by which this server may serve an order that is not sent to be accepted
        any more, or why it never will; neither while that is open. Raises: Unavailable."""
        slot = await self._chain.slot(order.id)
        status, terms = slot.status, order.order
        if status is OrderStatus.ACCEPTED and slot.server == order.server:
            return await self._own(payable, order), None
        if status is OrderStatus.ACCEPTED and sight.time <= terms.rescue_by:
            late = sight.time > terms.deliver_by
            return (await self._acceptance(payable, order, sight) if late else None), None
        waits = status in (OrderStatus.NONE, OrderStatus.OPEN)
        if waits and sight.time < order.valid_before:
            return None, None
        if not waits and not await self._is_deep(order, slot, sight):
            return None, None
        return None, _lost(order, slot)

    async def _own(self, payable: Payable, order: Acceptance) -> Moved | None:
        try:
            return await self._parts.chain.settled_by(order, payable.first_block)
        except Unavailable as error:
            if error.reason is Reason.TX_NOT_CONFIRMED:
                return None
            raise

    async def _acceptance(self, payable: Payable, order: Acceptance, sight: Sight) -> Moved | None:
        found = await self._chain.accepted_in(order.id, payable.first_block)
        if found is None or sight.head - found.block + 1 < self._parts.chain.confirmations:
            return None
        log.info("%s is late with it: it is served here", found.server, extra=about(order.id))
        return found

    # -- to be delivered --------------------------------------------------------------------

    async def start(
        self, sight: Sight, room: int, raws: dict[Digest, bytes], faults: Faults
    ) -> list[OutboxItem]:
        """What was stored now, with its bytes in `raws`. Raises: Unavailable."""
        now, limit = self._parts.clock(), min(room, AT_A_TIME)
        due = await self._deliveries.due(self._parts.chain.asset, now=now, limit=limit)
        started = []
        for delivery in due:
            try:
                item = await self._bring_on(delivery, sight, raws)
            except Unavailable as error:
                faults.note(error)
                continue
            except InferproofError as error:
                await self._put_off(delivery, error.message)
                continue
            if item is not None:
                started.append(item)
        return started

    async def _bring_on(
        self, delivery: OrderDelivery, sight: Sight, raws: dict[Digest, bytes]
    ) -> OutboxItem | None:
        order = self._order(delivery)
        slot = await self._chain.slot(order.id)
        if slot.status is OrderStatus.ACCEPTED and delivery.job_state is JobState.DONE:
            if sight.time > order.order.rescue_by:
                await self._end(delivery, _too_late(order))
            elif slot.server != order.server and sight.time <= order.order.deliver_by:
                await self._wait(delivery, order.order.deliver_by + 1)
            else:
                return await self._send(delivery, order, sight, raws)
        elif not await self._is_over(order, slot, sight):
            await self._wait(delivery, self._parts.clock() + self._parts.settings.reverted_s)
        elif delivery.job_state is JobState.FAILED:
            await self._failed(delivery, order, slot)
        elif slot.status in _DELIVERED:
            await self._found(delivery, order)
        else:
            await self._end(delivery, _too_late(order))
        return None

    async def _send(
        self,
        delivery: OrderDelivery,
        order: Acceptance,
        sight: Sight,
        raws: dict[Digest, bytes],
    ) -> OutboxItem:
        parts = self._parts
        made = await self._of_job(await parts.jobs.job(delivery.job_id))
        gas = await self._chain.delivery_gas(order, made.outputs, made.proof)
        (nonce,), fees = await self._free_nonces(sight, 1), parts.fees(sight.fees)
        signed = await self._chain.sign_delivery(
            order, made.outputs, made.proof, gas=gas, nonce=nonce, fees=fees
        )
        raws[signed.tx] = signed.raw
        tx = parts.stored(signed, fees)
        item = await self._deliveries.send(delivery.job_id, tx, now=parts.clock())
        log.info("the delivery %s is sent", signed.tx, extra=about(delivery.job_id))
        return item

    async def record(self, item: OutboxItem, included: Included) -> None:
        """Records what its transaction did. Raises: Unavailable."""
        parts, now = self._parts, self._parts.clock()
        delivery = await self._deliveries.carried(parts.chain.asset, item)
        block = BlockRef(included.block, included.block_hash)
        is_open = delivery is not None and delivery.state is OrderDeliveryState.OPEN
        if delivery is not None and is_open and included.succeeded:
            fee = await self._chain.fee_taken(self._order(delivery), included.tx)
            await self._deliveries.delivered(
                delivery.job_id, item, included.tx, block, fee=fee, now=now
            )
            self._tell_delivered(delivery, included.tx)
            return
        # One that is taken up elsewhere by now is looked at by what the escrow says of it.
        attempts = 0 if delivery is None else delivery.attempts
        retry_at = now + self._pause(attempts)
        job_id = delivery.job_id if delivery is not None and is_open else None
        await self._deliveries.reverted(job_id, item, included.tx, block, retry_at=retry_at)
        if job_id is not None:
            log.error("the delivery %s failed on chain", included.tx, extra=about(job_id))

    # -- over -------------------------------------------------------------------------------

    async def _found(self, delivery: OrderDelivery, order: Acceptance) -> None:
        found = await self._chain.delivered_in(order.id, delivery.first_block)
        if found is None:
            await self._wait(delivery, self._parts.clock() + self._parts.settings.reverted_s)
        elif found.server != order.server:
            slot = await self._chain.slot(order.id)
            await self._end(delivery, _lost(order, slot))
        else:
            block = BlockRef(found.block, found.block_hash)
            fee = await self._chain.fee_taken(order, found.tx)
            await self._deliveries.delivered(
                delivery.job_id, None, found.tx, block, fee=fee, now=self._parts.clock()
            )
            self._tell_delivered(delivery, found.tx)

    async def _failed(self, delivery: OrderDelivery, order: Acceptance, slot: OrderSlot) -> None:
        """The end of an order whose job came to nothing here."""
        parts, job_id, now = self._parts, delivery.job_id, self._parts.clock()
        if slot.status is not OrderStatus.REFUNDED:
            await parts.settlements.lost(job_id, failure_of(_lost(order, slot)), now=now)
            log.warning("another has delivered it", extra=about(job_id))
        else:
            found = await self._chain.refunded_in(order.id, delivery.first_block)
            if found is None:
                await self._wait(delivery, now + parts.settings.reverted_s)
                return
            await parts.settlements.refunded(
                job_id, found.tx, found.block, now=now, block_hash=found.block_hash, found=True
            )
            log.info("its escrow refunded it in %s", found.tx, extra=about(job_id))
            parts.metrics.refund("found")
        parts.event_bus.publish(job_id)

    async def _end(self, delivery: OrderDelivery, why: InferproofError) -> None:
        now = self._parts.clock()
        await self._deliveries.ended(delivery.job_id, failure_of(why), now=now)
        log.critical("not delivered: %s", why.message, extra=about(delivery.job_id))
        self._parts.event_bus.publish(delivery.job_id)

    async def _put_off(self, delivery: OrderDelivery, why: str) -> None:
        pause = self._pause(delivery.attempts)
        await self._wait(delivery, self._parts.clock() + pause)
        log.error(
            "not delivered now, tried again in %d s: %s", pause, why, extra=about(delivery.job_id)
        )

    async def _wait(self, delivery: OrderDelivery, until: int) -> None:
        await self._deliveries.put_off(delivery.job_id, retry_at=until, now=self._parts.clock())

    def _pause(self, attempts: int) -> int:
        pause: int = self._parts.settings.refund_pause_s * 2 ** min(attempts, 30)
        return min(pause, LONGEST_PAUSE_S)

    def _tell_delivered(self, delivery: OrderDelivery, tx: Digest) -> None:
        log.info("delivered in %s", tx, extra=about(delivery.job_id))
        self._parts.event_bus.publish(delivery.job_id)

    def _order(self, delivery: OrderDelivery) -> Acceptance:
        order = self._parts.order(delivery.payment)
        assert isinstance(order, Acceptance)  # noqa: S101 - no other payment asks for a delivery
        return order

    async def _is_over(self, order: Acceptance, slot: OrderSlot, sight: Sight) -> bool:
        return slot.status.is_over and await self._is_deep(order, slot, sight)

    async def _is_deep(self, order: Acceptance, slot: OrderSlot, sight: Sight) -> bool:
        """Whether it was so in a block that counts."""
        depth = self._parts.chain.confirmations
        if depth == 1:
            return True
        block = max(0, sight.head - depth + 1)
        return (await self._chain.slot(order.id, block=block)).status is slot.status


def _lost(order: Acceptance, slot: OrderSlot) -> PaymentRejected:
    status = slot.status.name.lower()
    return PaymentRejected(Reason.ORDER_LOST, order=order.id, status=status)


def _too_late(order: Acceptance) -> PaymentRejected:
    return PaymentRejected(Reason.ORDER_DELIVERY_LATE, order=order.id, until=order.order.rescue_by)
