"""Taking orders: quotes, and the checks between a payment and its reservation.

    1  the payment id is well-formed, and the webhook may be called
    2  the payer's own key signed the authorization
    3  a payment or payment id that is already reserved gives its job again, or a conflict; any
       other counts as an order of its payer, who may give so many in a time
    4  where a binding salt is announced, the nonce is bound to this request
    5  the model is active and its pre-processing takes the input
    6  the quote is ours and holds, or a fresh one is made
    7  the authorization is on the quoted terms and lasts long enough, but not for ever
    8  the queue has room
    9  the payer has the money for this and for its other unsettled orders, and the chain has not
       seen the authorization
    10 payment and job are reserved in one durable transaction, if there is still room then

Everything before 10 reserves nothing. A repeated payment ends at 3: its price may have changed
since, its time may be over, its money may be spent, and it is still owed its answer. Nearly every
payment is new, so 3 is asked where the payment is known to be unsettled, and else once one of 4
to 9 refuses it; 10 finds the others.

What is asked of the chain and written to the database is asked and written for many orders at a
time; what is known of other orders is kept in memory (see promises).

A usual order takes a shorter way to 9: where 1 to 8 hold and can be told at once, `begin` says so
in one go. It never refuses. What it does not take is checked from 1 on as if it had not been asked.
"""

import asyncio
import hmac
import re
from collections.abc import Callable

from inferproof.errors import InferproofError, InputRejected, PaymentRejected, Reason, Unavailable
from inferproof.protocol.authorization import check_end, check_signature, check_terms, check_time
from inferproof.protocol.encoding import Json
from inferproof.protocol.quote import check_quote_covers, check_quote_signature
from inferproof.protocol.signature import SigningKey
from inferproof.protocol.webhook_address import read_webhook_url
from inferproof.services.base import Clock, Entropy
from inferproof.services.bell import SETTLE, Bell
from inferproof.services.catalog import Catalog, RegisteredModel
from inferproof.services.gateway.base import GatewaySettings, SignedQuote
from inferproof.services.gateway.issued import IssuedQuotes
from inferproof.services.gateway.offered import Begun, Offered, check_binding
from inferproof.services.gateway.promises import Promise, Promises
from inferproof.services.limits.base import OrderLimits
from inferproof.services.metrics import Metrics
from inferproof.services.settler.base import PaymentChain
from inferproof.storage.ports.jobs import Job, Jobs, Order, Outcome, Reservation
from inferproof.storage.ports.ledger import Ledger
from inferproof.storage.ports.reuse import (
    check_same_payment,
    check_same_payment_id,
    check_same_webhook,
)
from inferproof.telemetry.base import note_job
from inferproof.types.digest import ZERO_DIGEST, Digest
from inferproof.types.money import Money, format_units
from inferproof.types.payment import Quote

CheckInput = Callable[[dict[str, Json], bytes], None]
"""Returns when pre-processing, in its canonical form, takes a request body.

Raises: InputRejected.
"""

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
        chain: PaymentChain,
        check: CheckInput,
        key: SigningKey,
        settings: GatewaySettings,
        clock: Clock,
        entropy: Entropy,
        metrics: Metrics,
        bell: Bell,
        limits: OrderLimits,
    ) -> None:
        self._jobs = jobs
        self._catalog = catalog
        self._chain = chain
        self._check_body = check
        self._key = key
        self._settings = settings
        self._clock = clock
        self._entropy = entropy
        self._metrics = metrics
        self._bell = bell
        self._promises = Promises(ledger)
        self._issued = IssuedQuotes()
        self._limits = limits

    async def quote(self, model: str, request: Digest | None) -> SignedQuote:
        registered = await self._catalog.active(model)
        await self.require_room()
        return self._sign_quote(registered, request or ZERO_DIGEST, self._clock())

    async def check_input(self, model: str, body: bytes) -> None:
        await self._check_input(await self._catalog.active(model), body)

    def begin(self, offered: Offered, signed_for: Digest | None = None) -> Begun | None:
        """The order, once steps 1 to 8 hold; None where they do not, or where to tell takes time.

        Nothing has happened then, and `accept` is to be asked. Otherwise the order is counted, as
        in step 3, and is to be finished. With `signed_for` the caller has found that 2 and 4 hold,
        for the request with this digest, which is the offered one.
        """
        payment, now = offered.payment, self._clock()
        model = self._catalog.sold(offered.model)
        if (
            model is None
            or offered.payment_id is not None
            or offered.webhook is not None
            or len(offered.request.body) > SMALL
            or self._promises.holds(payment)
            or not self._promises.has_room(self._settings.queue_limit)
        ):
            return None
        digest = offered.digest if signed_for is None else signed_for
        try:
            if signed_for is None:
                check_signature(payment)
                check_binding(offered, digest)
            self._check_small(model, offered.request.body)
            quote = self._agreed(model, offered, digest, now)
        except InferproofError:
            return None
        if not self._limits.order_now(payment.payer, offered.holder):
            return None
        return Begun(offered, digest, model, quote, now)

    async def accept(self, offered: Offered) -> Job:
        """The job that the payment buys; see the numbered steps of this module."""
        try:
            job, outcome = await self._accept(offered)
        except InferproofError as error:
            self._metrics.payment(error.code)
            raise
        return self._taken(job, outcome)

    async def finish(self, begun: Begun) -> Job:
        """The same for an order that was begun. Raises: as `accept`."""
        try:
            job, outcome = await self._new_or_known(begun.offered, begun.digest, begun)
        except InferproofError as error:
            self._metrics.payment(error.code)
            raise
        return self._taken(job, outcome)

    def _taken(self, job: Job, outcome: Outcome) -> Job:
        note_job(job.order.job_id, new_order=outcome is Outcome.NEW)
        self._metrics.payment("reserved" if outcome is Outcome.NEW else "repeated")
        if outcome is Outcome.NEW:
            self._bell.ring(SETTLE)
        return job

    async def _accept(self, offered: Offered) -> tuple[Job, Outcome]:
        digest, payment = offered.digest, offered.payment
        # 1
        if offered.payment_id is not None and not _PAYMENT_ID.fullmatch(offered.payment_id):
            raise PaymentRejected(Reason.PAYMENT_ID_MALFORMED)
        if offered.webhook is not None:
            read_webhook_url(offered.webhook, private=self._settings.private_webhooks)
        # 2
        check_signature(payment)
        # 3
        if self._promises.holds(payment):
            known = await self._known(offered, digest)
            if known is not None:
                return known, Outcome.SAME
        return await self._new_or_known(offered, digest, None)

    async def _new_or_known(
        self, offered: Offered, digest: Digest, begun: Begun | None
    ) -> tuple[Job, Outcome]:
        try:
            if begun is None:
                begun = await self._check(offered, digest)
            reservation = await self._reserve(begun)
        except InferproofError:
            known = await self._known(offered, digest)
            if known is not None:
                return known, Outcome.SAME
            raise
        return reservation.job, reservation.outcome

    async def _check(self, offered: Offered, digest: Digest) -> Begun:
        """Steps 4 to 8, for a payment that is taken to be new."""
        await self._limits.order(offered.payment.payer, offered.holder)
        # 4
        check_binding(offered, digest)
        # 5
        registered = await self._catalog.active(offered.model)
        await self._check_input(registered, offered.request.body)
        # 6, 7
        now = self._clock()
        quote = self._agreed(registered, offered, digest, now)
        # 8
        await self.require_room()
        return Begun(offered, digest, registered, quote, now)

    def _agreed(
        self, model: RegisteredModel, offered: Offered, digest: Digest, now: int
    ) -> SignedQuote:
        """The quote that the payment is for."""
        # 6
        payment, quote = offered.payment, self.quoted(model, offered.quote, digest, now)
        # 7
        check_terms(payment, quote.quote)
        check_time(payment, now, self._settings.settle_margin_s)
        check_end(payment, now, self._settings.longest_payment_s)
        return quote

    async def _reserve(self, begun: Begun) -> Reservation:
        """Steps 9 and 10."""
        offered, record, now = begun.offered, begun.model.record, begun.now
        payment = offered.payment
        with self._promises.taking(payment) as promise:
            # 9
            first_block = await self._check_chain(promise)
            # 10
            reservation = await self._jobs.reserve(
                Order(
                    job_id=offered.job_id(begun.digest),
                    model_id=record.id,
                    model_version=record.version,
                    model_commitment=record.commitment,
                    request=offered.request,
                    request_digest=begun.digest,
                    payment=payment,
                    quote=begun.quote.quote,
                    quote_signature=begun.quote.signature,
                    salt=self._entropy(32),
                    nonce_salt=offered.nonce_salt,
                    payment_id=offered.payment_id,
                    first_block=first_block,
                    created_at=now,
                    deadline=now + self._settings.deadline_s,
                    webhook=offered.webhook,
                    api_key=offered.holder.id if offered.holder else None,
                ),
                room=self._settings.room,
            )
            if reservation.outcome is Outcome.NEW:
                self._promises.reserved(payment)
        return reservation

    async def _known(self, offered: Offered, digest: Digest) -> Job | None:
        # By the payment and not by the job id, which another request would change.
        job = await self._jobs.find_payment(offered.payment)
        if job is not None:
            check_same_payment(job, digest, offered.payment, offered.nonce_salt)
            check_same_webhook(job, offered.webhook)
            return job
        if offered.payment_id is not None:
            job = await self._jobs.find_payment_id(offered.payment.payer, offered.payment_id)
            if job is not None:
                check_same_payment_id(job, digest)
                check_same_webhook(job, offered.webhook)
        return job

    async def _check_input(self, model: RegisteredModel, body: bytes) -> None:
        if len(body) <= SMALL:
            self._check_small(model, body)
            return
        limit = model.submission.card.input.max_bytes
        if len(body) > limit:
            raise _too_large(body, limit)
        await asyncio.to_thread(self._check_body, model.submission.bundle.preprocessing, body)

    def _check_small(self, model: RegisteredModel, body: bytes) -> None:
        limit = model.submission.card.input.max_bytes
        if len(body) > limit:
            raise _too_large(body, limit)
        self._check_body(model.submission.bundle.preprocessing, body)

    def quoted(
        self, model: RegisteredModel, given: SignedQuote | None, digest: Digest, now: int
    ) -> SignedQuote:
        """The given quote, once it is ours, holds and covers this request; a fresh one for none."""
        if given is None:
            return self._sign_quote(model, digest, now)
        if not self._issued.holds(given):
            # Signatures are deterministic, and to sign again takes half as long as to recover.
            ours = self._key.sign(given.id)
            if not hmac.compare_digest(ours, given.signature):
                check_quote_signature(given.quote, given.signature, self._key.address)
        check_quote_covers(given.quote, model.record.commitment, digest, now)
        return given

    def _sign_quote(self, model: RegisteredModel, digest: Digest, now: int) -> SignedQuote:
        record, estimate = model.record, model.record.estimate
        quote = Quote(
            model_id=record.id,
            model_commitment=record.commitment,
            proof_system=record.proof_system,
            provider=record.provider,
            price=Money(record.price, self._settings.asset),
            payee=self._settings.payee,
            request_digest=digest,
            prove_ms=estimate.prove_ms if estimate else 0,
            peak_bytes=estimate.peak_bytes if estimate else 0,
            proof_bytes=estimate.proof_bytes if estimate else 0,
            verify_gas=estimate.verify_gas if estimate else 0,
            issued_at=now,
            expires_at=now + self._settings.quote_ttl_s,
        )
        signed = SignedQuote.by(self._key, quote)
        self._issued.add(signed)
        return signed

    async def require_room(self) -> None:
        """Returns when another order may wait. Raises: Unavailable QUEUE_FULL."""
        limit = self._settings.queue_limit
        depth = await self._promises.depth(limit)
        if depth >= limit:
            raise Unavailable(Reason.QUEUE_FULL, depth=depth, limit=limit)

    async def _check_chain(self, promise: Promise) -> int:
        """The newest block, from before the authorization was found unused."""
        payment = promise.payment
        # Asked in this order: a payment that settles in between is counted twice, and not missed.
        promised = self._promises.to_others(promise)
        purse = await self._chain.purse(payment.payer, payment.nonce)
        if promised and payment.amount <= purse.balance < payment.amount + promised:
            await self._promises.look()
            promised = self._promises.to_others(promise)
            purse = await self._chain.purse(payment.payer, payment.nonce)
        if purse.used:
            raise PaymentRejected(Reason.PAYMENT_NONCE_USED, nonce=payment.nonce)
        decimals, symbol = payment.asset.decimals, payment.asset.symbol
        if purse.balance < payment.amount:
            raise PaymentRejected(
                Reason.PAYMENT_BALANCE,
                balance=format_units(purse.balance, decimals),
                price=format_units(payment.amount, decimals),
                symbol=symbol,
            )
        if purse.balance < payment.amount + promised:
            raise PaymentRejected(
                Reason.PAYMENT_PROMISED,
                balance=format_units(purse.balance, decimals),
                promised=format_units(promised, decimals),
                price=format_units(payment.amount, decimals),
                symbol=symbol,
            )
        return purse.head


def _too_large(body: bytes, limit: int) -> InputRejected:
    return InputRejected(Reason.INPUT_TOO_LARGE, name="request body", size=len(body), limit=limit)
