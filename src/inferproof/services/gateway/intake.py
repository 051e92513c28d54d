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
"""

import asyncio
import hmac
import re
from collections.abc import Callable

from inferproof.errors import InferproofError, InputRejected, PaymentRejected, Reason, Unavailable
from inferproof.protocol.authorization import check_end, check_signature, check_terms, check_time
from inferproof.protocol.commitments import bound_nonce, job_id
from inferproof.protocol.encoding import Json
from inferproof.protocol.quote import check_quote_covers, check_quote_signature
from inferproof.protocol.signature import SigningKey
from inferproof.protocol.webhook_address import read_webhook_url
from inferproof.services.base import Clock, Entropy
from inferproof.services.bell import SETTLE, Bell
from inferproof.services.catalog import Catalog, RegisteredModel
from inferproof.services.gateway.base import GatewaySettings, PaidRequest, SignedQuote
from inferproof.services.gateway.promises import Promise, Promises
from inferproof.services.limits.base import OrderLimits
from inferproof.services.metrics import Metrics
from inferproof.services.settler.base import PaymentChain
from inferproof.storage.ports.jobs import Job, Order, Outcome, Reservation
from inferproof.storage.ports.orders import OrderBook
from inferproof.storage.ports.reuse import (
    check_same_payment,
    check_same_payment_id,
    check_same_webhook,
)
from inferproof.telemetry.base import note_job
from inferproof.types.digest import ZERO_DIGEST, Digest
from inferproof.types.money import Money, format_units
from inferproof.types.payment import Authorization, Quote

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
        orders: OrderBook,
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
        self._orders = orders
        self._catalog = catalog
        self._chain = chain
        self._check_body = check
        self._key = key
        self._settings = settings
        self._clock = clock
        self._entropy = entropy
        self._metrics = metrics
        self._bell = bell
        self._promises = Promises(orders)
        self._limits = limits

    async def quote(self, model: str, request: Digest | None) -> SignedQuote:
        registered = await self._catalog.active(model)
        await self.require_room()
        return self._sign_quote(registered, request or ZERO_DIGEST, self._clock())

    async def check_input(self, model: str, body: bytes) -> None:
        await self._check_input(await self._catalog.active(model), body)

    async def accept(self, paid: PaidRequest[Authorization]) -> Job:
        """The job that the payment buys; see the numbered steps of this module."""
        try:
            reservation = await self._accept(paid)
        except InferproofError as error:
            self._metrics.payment(error.code)
            raise
        job, is_new = reservation.job, reservation.outcome is Outcome.NEW
        note_job(job.order.job_id, new_order=is_new)
        self._metrics.payment("reserved" if is_new else "repeated")
        if is_new:
            self._bell.ring(SETTLE)
        return job

    async def _accept(self, paid: PaidRequest[Authorization]) -> Reservation:
        # 1
        if paid.payment_id is not None and not _PAYMENT_ID.fullmatch(paid.payment_id):
            raise PaymentRejected(Reason.PAYMENT_ID_MALFORMED)
        if paid.webhook is not None:
            read_webhook_url(paid.webhook, private=self._settings.private_webhooks)
        # 2
        check_signature(paid.payment)
        # 3
        if self._promises.holds(paid.payment):
            known = await self._known(paid)
            if known is not None:
                return Reservation(Outcome.SAME, known)
        try:
            return await self._new(paid)
        except InferproofError:
            known = await self._known(paid)
            if known is not None:
                return Reservation(Outcome.SAME, known)
            raise

    async def _new(self, paid: PaidRequest[Authorization]) -> Reservation:
        """Steps 4 to 10, for a payment that is taken to be new."""
        payment = paid.payment
        await self._limits.order(payment.payer, paid.holder)
        # 4
        check_binding(paid)
        # 5
        registered = await self._catalog.active(paid.model)
        await self._check_input(registered, paid.request.body)
        # 6
        now = self._clock()
        quote = self.quoted(registered, paid.quote, paid.digest, now)
        # 7
        check_terms(payment, quote.quote)
        check_time(payment, now, self._settings.settle_margin_s)
        check_end(payment, now, self._settings.longest_payment_s)
        # 8
        await self.require_room()
        with self._promises.taking(payment) as promise:
            # 9
            first_block = await self._check_chain(promise)
            # 10
            order = self._order(paid, registered, quote, first_block, now)
            reservation = await self._orders.reserve(order, room=self._settings.room)
            if reservation.outcome is Outcome.NEW:
                self._promises.reserved(payment)
        return reservation

    def _order(
        self,
        paid: PaidRequest[Authorization],
        model: RegisteredModel,
        quote: SignedQuote,
        first_block: int,
        now: int,
    ) -> Order:
        record, payment, asset = model.record, paid.payment, paid.payment.asset
        return Order(
            job_id=job_id(
                asset.network,
                asset.address,
                payment.payer,
                payment.nonce,
                paid.digest,
                paid.nonce_salt,
            ),
            model_id=record.id,
            model_version=record.version,
            model_commitment=record.commitment,
            request=paid.request,
            request_digest=paid.digest,
            payment=payment,
            quote=quote.quote,
            quote_signature=quote.signature,
            salt=self._entropy(32),
            nonce_salt=paid.nonce_salt,
            payment_id=paid.payment_id,
            first_block=first_block,
            created_at=now,
            deadline=now + self._settings.deadline_s,
            webhook=paid.webhook,
            api_key=None if paid.holder is None else paid.holder.id,
        )

    async def _known(self, paid: PaidRequest[Authorization]) -> Job | None:
        # By the payment and not by the job id, which another request would change.
        job = await self._orders.find_payment(paid.payment)
        if job is not None:
            check_same_payment(job, paid.digest, paid.payment, paid.nonce_salt)
            check_same_webhook(job, paid.webhook)
            return job
        if paid.payment_id is not None:
            job = await self._orders.find_payment_id(paid.payment.payer, paid.payment_id)
            if job is not None:
                check_same_payment_id(job, paid.digest)
                check_same_webhook(job, paid.webhook)
        return job

    async def _check_input(self, model: RegisteredModel, body: bytes) -> None:
        limit, preprocessing = (
            model.submission.card.input.max_bytes,
            model.submission.bundle.preprocessing,
        )
        if len(body) > limit:
            raise InputRejected(
                Reason.INPUT_TOO_LARGE, name="request body", size=len(body), limit=limit
            )
        if len(body) <= SMALL:
            self._check_body(preprocessing, body)
        else:
            await asyncio.to_thread(self._check_body, preprocessing, body)

    def quoted(
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
        return SignedQuote.by(self._key, quote)

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


def check_binding(paid: PaidRequest[Authorization]) -> None:
    """Returns when the nonce is bound to the request, where a salt says that it is.

    Raises: PaymentRejected PAYMENT_SALT_ZERO, PAYMENT_NONCE_BINDING.
    """
    salt, got = paid.binding_salt, paid.payment.nonce
    if salt is None:
        return
    if not any(salt):  # in a receipt zero stands for no salt
        raise PaymentRejected(Reason.PAYMENT_SALT_ZERO)
    expected = bound_nonce(paid.digest, salt)
    if got != expected:
        raise PaymentRejected(Reason.PAYMENT_NONCE_BINDING, got=got, expected=expected)
