"""Taking orders: quotes, and the checks between a payment and its reservation.

    1  the payment id is well-formed, and the webhook may be called
    2  the payer's own key signed the payment
    3  a payment or payment id that is already reserved gives its job again, or a conflict; any
       other counts as an order of its payer, who may give so many in a time
    4  where the payment says so, it is bound to this request
    5  the model is active, where a registry on a chain is followed by what that said not long ago,
       and its pre-processing takes the input, which is private where the
       request asks for it and the model can; of an order in an escrow it is the ordered one
    6  the quote is ours and holds, or a fresh one is made
    7  the payment is on the quoted terms, at this time
    8  the queue has room
    9  the chain says of the payment what its method asks for
    10 payment and job are reserved in one durable transaction, if there is still room then; the
       attempts at a private input are counted from just before it

Steps 2, 4, 7 and 9 are the payment method's (see payments.method), and so is the choice in 10: it
may name several payments, of which the first is reserved that nobody reserved before, and says of
each whether it is still to be settled.

Everything before 10 reserves nothing. A repeated payment ends at 3: its price may have changed
since, its time may be over, its money may be spent, and it is still owed its answer. Nearly every
payment is new, so 3 is asked where the payment is known to be unsettled, or not known at all
without the chain, and else once one of 4 to 9 refuses it; 10 finds the others. Where the same
payment came twice at a time, the second may be refused at 4 to 10 by what the first one did: so a
refused one is looked for once more.

What is asked of the chain and written to the database is asked and written for many orders at a
time; what is known of other orders is kept in memory (see pending_exposure).
"""

import asyncio
import hmac
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from inferproof.errors import (
    Conflict,
    InferproofError,
    InputRejected,
    PaymentRejected,
    Reason,
    Unavailable,
)
from inferproof.observability.base import note_job
from inferproof.payments.method import (
    PayerExposure,
    PaymentMethod,
    PaymentMethods,
    Presented,
    Reservable,
)
from inferproof.protocol.encoding import Json
from inferproof.protocol.quote import check_quote_covers, check_quote_signature
from inferproof.protocol.signature import SigningKey
from inferproof.protocol.webhook_address import read_webhook_url
from inferproof.services.base import Clock, Entropy
from inferproof.services.event_bus import SETTLE, WORK, EventBus
from inferproof.services.limits.base import OrderLimits
from inferproof.services.metrics import Metrics
from inferproof.services.models.catalog import Catalog, RegisteredModel
from inferproof.services.models.followed_registry import FollowedRegistry
from inferproof.services.orders.base import GatewaySettings, PaidRequest, SignedQuote
from inferproof.services.orders.exposure_limits import ExposureLimits, NoExposure, OrderExposure
from inferproof.services.orders.pending_exposure import PendingExposure
from inferproof.services.private_inputs import PrivateInputs
from inferproof.storage.ports.jobs import Job, Jobs, Outcome, Reservation, ValidatedOrder
from inferproof.storage.ports.ledger import Ledger
from inferproof.storage.ports.models import ModelRecord
from inferproof.storage.ports.reuse import (
    check_same_payment,
    check_same_payment_id,
    check_same_webhook,
)
from inferproof.types.digest import ZERO_DIGEST, Digest
from inferproof.types.escrow import OrderedInput
from inferproof.types.money import Money
from inferproof.types.payment import Quote, SettlementState
from inferproof.types.receipt import Request

CheckInput = Callable[[dict[str, Json], bytes], None]
"""Returns when pre-processing, in its canonical form, takes a request body.

Raises: InputRejected.
"""

CheckRange = Callable[[RegisteredModel, bytes], None]
"""Returns when the model's card takes the values of a request body (see `input_range`).

Raises: InputRejected INPUT_BEYOND_RANGE.
"""

CheckOrdered = Callable[[RegisteredModel, Request, Digest, OrderedInput], Awaitable[None]]
"""Returns when a request gives the input that its payer committed to (see `ordered_input`)."""

SMALL = 4096
"""Bytes of a body that is checked at once: to hand it to a thread would take longer."""

_PAYMENT_ID = re.compile(r"[A-Za-z0-9_-]{16,128}")
"""Source: the payment-identifier extension of x402 v2."""


class Intake:
    """The part of the gateway that takes orders."""

    def __init__(
        self,
        *,
        jobs: Jobs,
        ledger: Ledger,
        catalog: Catalog,
        methods: PaymentMethods,
        check: CheckInput,
        check_range: CheckRange,
        key: SigningKey,
        settings: GatewaySettings,
        clock: Clock,
        entropy: Entropy,
        metrics: Metrics,
        event_bus: EventBus,
        limits: OrderLimits,
        private_inputs: PrivateInputs,
        followed: FollowedRegistry | None = None,
        check_ordered: CheckOrdered | None = None,
    ) -> None:
        self._jobs = jobs
        self._catalog = catalog
        self._methods = methods
        self._check_body = check
        self._check_range = check_range
        self._key = key
        self._settings = settings
        self._clock = clock
        self._entropy = entropy
        self._metrics = metrics
        self._event_bus = event_bus
        self._pending = PendingExposure(ledger)
        self._exposure_limits = ExposureLimits(ledger, settings.exposure)
        self._limits = limits
        self._private_inputs = private_inputs
        self._followed = followed

        self._check_ordered = check_ordered

    async def quote(self, model: str, request: Digest | None) -> SignedQuote:
        registered = await self._active(model)
        await self._require_room()
        return self._sign_quote(registered, request or ZERO_DIGEST, self._clock())

    async def check_input(self, model: str, request: Request) -> None:
        await self._check_input(await self._active(model), request)

    async def accept(self, paid: PaidRequest) -> Job:
        """The job that the payment buys; see the numbered steps of this module."""
        try:
            reservation = await self._accept(paid)
        except InferproofError as error:
            self._metrics.payment(error.code)
            raise
        job, is_new = reservation.job, reservation.outcome is Outcome.NEW
        note_job(job.order.job_id, new_order=is_new)
        to_settle = job.settlement.state is not SettlementState.SETTLED
        self._metrics.payment("repeated" if not is_new else "reserved" if to_settle else "redeemed")
        if is_new:
            self._event_bus.publish(SETTLE if to_settle else WORK)
        return job

    async def _accept(self, paid: PaidRequest) -> Reservation:
        presented = paid.payment
        method = self._methods[presented.method]
        # 1
        if paid.payment_id is not None and not _PAYMENT_ID.fullmatch(paid.payment_id):
            raise PaymentRejected(Reason.PAYMENT_ID_MALFORMED)
        if paid.webhook is not None:
            read_webhook_url(paid.webhook, private=self._settings.private_webhooks)
        # 2
        method.check_signed(presented, paid.digest)
        # 3
        if presented.payment is None or self._pending.holds(presented.payment):
            known = await self._known(paid)
            if known is not None:
                return Reservation(Outcome.SAME, known)
        try:
            return await self._new(paid, method)
        except InferproofError:
            known = await self._known(paid)
            if known is not None:
                return Reservation(Outcome.SAME, known)
            raise

    async def _new(self, paid: PaidRequest, method: PaymentMethod[Any]) -> Reservation:
        """Steps 4 to 10, for a payment that is taken to be new."""
        presented = paid.payment
        await self._limits.order(presented.payer, paid.holder)
        # 4
        method.check_bound(presented, paid.digest)
        # 5
        registered = await self._active(paid.model)
        await self._check_input(registered, paid.request)
        await self._check_order(registered, paid)
        # 6
        now = self._clock()
        quote = self._quoted(registered, paid.quote, paid.digest, now)
        # 7
        method.check(presented, quote.quote, now)
        # 8
        await self._require_room()
        with self._exposure(presented) as exposure:
            # 9
            found = await method.reserve(presented, quote.quote, now, exposure)
            # 10
            for reservable in await self._unused(found):
                order = self._order(paid, method, registered, quote, reservable, now)
                try:
                    return await self._counted(order, reservable)
                except Conflict as error:
                    if error.reason is not Reason.PAYMENT_REPLAYED:
                        raise  # else another request took it since; the next one may be free
        raise method.used(presented)

    async def _counted(self, order: ValidatedOrder, reservable: Reservable) -> Reservation:
        """The reservation, with the count of a private input for an order that is new."""
        await self._private_inputs.begin(order)
        try:
            reservation = await self._reserve(order, reservable)
        except Conflict:
            await self._private_inputs.end(order)
            raise
        if reservation.outcome is not Outcome.NEW:
            await self._private_inputs.end(order)
        return reservation

    @contextmanager
    def _exposure(self, presented: Presented[Any]) -> Iterator[PayerExposure]:
        if presented.payment is None or not presented.draws:
            yield NoExposure()
            return
        with self._pending.taking(presented.payment) as pending_payment:
            yield OrderExposure(self._pending, pending_payment, self._exposure_limits)

    async def _unused(self, found: Sequence[Reservable]) -> Sequence[Reservable]:
        """Those that nobody reserved yet, as far as that is worth a question."""
        if all(each.settled_in is None for each in found):
            return found  # nearly all are new, and the chain said that they are unused
        jobs = await asyncio.gather(*(self._jobs.find_payment(each.payment) for each in found))
        return [each for each, job in zip(found, jobs, strict=True) if job is None]

    async def _reserve(self, order: ValidatedOrder, reservable: Reservable) -> Reservation:
        quota, settled_in = self._settings.quota, reservable.settled_in
        if settled_in is not None:
            return await self._jobs.redeem(order, settled_in=settled_in, quota=quota)
        reservation = await self._jobs.reserve(order, quota=quota)
        if reservation.outcome is Outcome.NEW and order.deliver_by is None:
            self._pending.reserved(order.payment)
        return reservation

    def _order(
        self,
        paid: PaidRequest,
        method: PaymentMethod[Any],
        model: RegisteredModel,
        quote: SignedQuote,
        reservable: Reservable,
        now: int,
    ) -> ValidatedOrder:
        record, payment, salt = model.record, reservable.payment, paid.payment.salt
        ordered, deadline = paid.payment.ordered, reservable.deadline
        return ValidatedOrder(
            job_id=method.job_id(payment, paid.digest, salt),
            model_id=record.id,
            model_version=record.version,
            model_commitment=record.commitment,
            request=paid.request,
            request_digest=paid.digest,
            payment=payment,
            quote=quote.quote,
            quote_signature=quote.signature,
            salt=self._entropy(32) if ordered is None else ordered.salt.raw,
            nonce_salt=salt,
            payment_id=paid.payment_id,
            first_block=reservable.first_block,
            created_at=now,
            deadline=now + self._settings.deadline_s if deadline is None else deadline,
            webhook=paid.webhook,
            api_key=None if paid.holder is None else paid.holder.id,
            deliver_by=reservable.deliver_by,
        )

    async def _active(self, model: str) -> RegisteredModel:
        """The model, which is sold now.

        Raises: as `Catalog.active`; Unavailable REGISTRY_SILENT.
        """
        if self._followed is not None:
            await self._followed.check_heard()
        return await self._catalog.active(model)

    async def _known(self, paid: PaidRequest) -> Job | None:
        presented, job = paid.payment, None
        if presented.payment is not None:
            # By the payment and not by the job id, which another request would change.
            job = await self._jobs.find_payment(presented.payment)
            if job is not None:
                check_same_payment(job, paid.digest, presented.payment, presented.salt)
        elif presented.job_id is not None:
            job = await self._jobs.find(presented.job_id)
        if job is None and paid.payment_id is not None:
            job = await self._jobs.find_payment_id(presented.payer, paid.payment_id)
            if job is not None:
                check_same_payment_id(job, paid.digest)
        if job is not None:
            check_same_webhook(job, paid.webhook)
        return job

    async def _check_input(self, model: RegisteredModel, request: Request) -> None:
        body = request.body
        if request.salt is not None:
            await self._private_inputs.check(model)
        limit = model.submission.card.input.max_bytes
        if len(body) > limit:
            raise InputRejected(
                Reason.INPUT_TOO_LARGE, name="request body", size=len(body), limit=limit
            )
        if len(body) <= SMALL:
            self._check_values(model, body)
        else:
            await asyncio.to_thread(self._check_values, model, body)

    async def _check_order(self, model: RegisteredModel, paid: PaidRequest) -> None:
        payment, ordered = paid.payment.payment, paid.payment.ordered
        if ordered is None or payment is None:
            return
        if self._check_ordered is None:
            raise PaymentRejected(Reason.ESCROWS_CLOSED)
        await self._check_ordered(model, paid.request, payment.nonce, ordered)

    def _check_values(self, model: RegisteredModel, body: bytes) -> None:
        self._check_body(model.submission.bundle.preprocessing, body)
        self._check_range(model, body)

    def _quoted(
        self, model: RegisteredModel, given: SignedQuote | None, digest: Digest, now: int
    ) -> SignedQuote:
        """The given quote, once it is ours, holds and covers this request; a fresh one for none."""
        if given is None:
            return self._sign_quote(model, digest, now)
        # Signatures are deterministic, and to sign again takes half as long as to recover.
        if not hmac.compare_digest(self._key.sign(given.id), given.signature):
            check_quote_signature(given.quote, given.signature, self._key.address)
        check_quote_covers(given.quote, model.record.commitment, digest, now)
        return given

    def _sign_quote(self, model: RegisteredModel, digest: Digest, now: int) -> SignedQuote:
        return SignedQuote.by(self._key, make_quote(model.record, self._settings, digest, now))

    async def _require_room(self) -> None:
        """Returns when another order may wait. Raises: Unavailable QUEUE_FULL."""
        limit = self._settings.queue_limit
        depth = await self._pending.depth(limit)
        if depth >= limit:
            raise Unavailable(Reason.QUEUE_FULL, depth=depth, limit=limit)


def make_quote(record: ModelRecord, settings: GatewaySettings, request: Digest, now: int) -> Quote:
    """The price of a call and its terms, from now on; `request` zero for any."""
    estimate = record.estimate
    return Quote(
        model_id=record.id,
        model_commitment=record.commitment,
        proof_system=record.proof_system,
        provider=record.provider,
        price=Money(record.price, settings.asset),
        payee=settings.payee,
        request_digest=request,
        prove_ms=estimate.prove_ms if estimate else 0,
        peak_bytes=estimate.peak_bytes if estimate else 0,
        proof_bytes=estimate.proof_bytes if estimate else 0,
        verify_gas=estimate.verify_gas if estimate else 0,
        issued_at=now,
        expires_at=now + settings.quote_ttl_s,
    )
