"""Taking orders that are paid by an earlier transfer: the checks before a transfer is spent.

    1  this gateway takes such payments, and may call the webhook
    2  the payer's own key signed the claim, and signed it for this request
    3  a claim that bought a job gives its job again; any other counts as an order of its payer,
       who may give so many in a time
    4  the model is active and its pre-processing takes the input
    5  the quote is ours and holds, or a fresh one is made; asset and payee are the quoted ones
    6  the queue has room
    7  the chain holds the transaction: it succeeded, lies deep enough, and is not too old
    8  transfers in it fit: of the payer, to the payee, at least the price
    9  the first of them that is unused is spent, and the job QUEUED, in one durable transaction

Everything before 9 spends nothing. A repeated claim ends at 3, without a question to the chain:
its price may have changed since, its transfer be too old, and it is still owed its answer.

A claim that names no log takes the first fitting one that nobody used. Of two requests at once
that take the same one, the database lets one through, and the other takes the next, or none. Where
both have one claim, the other is refused at 4 to 9 by what the first one did: so a refused claim is
looked for once more, and is given the job that it bought meanwhile.
"""

import asyncio
from typing import Protocol

from inferproof.errors import Conflict, InferproofError, PaymentRejected, Reason, Unavailable
from inferproof.protocol.authorization import check_asset_and_payee
from inferproof.protocol.transfer import (
    check_claim_request,
    check_claim_signature,
    claim_job_id,
    fitting_transfers,
)
from inferproof.protocol.webhook_address import read_webhook_url
from inferproof.services.base import Clock, Entropy
from inferproof.services.bell import WORK, Bell
from inferproof.services.catalog import Catalog, RegisteredModel
from inferproof.services.gateway.base import (
    GatewaySettings,
    PaidRequest,
    SignedQuote,
    TransferTerms,
)
from inferproof.services.gateway.intake import Intake
from inferproof.services.limits.base import OrderLimits
from inferproof.services.metrics import Metrics
from inferproof.storage.ports.jobs import Job, Order, Outcome
from inferproof.storage.ports.orders import OrderBook
from inferproof.storage.ports.reuse import check_same_webhook
from inferproof.telemetry.base import note_job
from inferproof.types.digest import Digest
from inferproof.types.event import MinedTransaction
from inferproof.types.payment import TransferClaim, TransferPayment


class TransferChain(Protocol):
    """What spending a transfer asks of a chain."""

    async def transaction(self, tx: Digest) -> MinedTransaction | None:
        """The transaction as it lies in the chain, however deep; None while no block holds it.

        Raises: Unavailable when the chain cannot be asked, or changes meanwhile.
        """
        ...


class Redemption:
    """The part of the gateway that takes orders paid by earlier transfers."""

    def __init__(
        self,
        *,
        intake: Intake,
        orders: OrderBook,
        catalog: Catalog,
        chain: TransferChain,
        settings: GatewaySettings,
        clock: Clock,
        entropy: Entropy,
        metrics: Metrics,
        bell: Bell,
        limits: OrderLimits,
    ) -> None:
        self._intake = intake
        self._orders = orders
        self._catalog = catalog
        self._chain = chain
        self._settings = settings
        self._clock = clock
        self._entropy = entropy
        self._metrics = metrics
        self._bell = bell
        self._limits = limits

    async def redeem(self, paid: PaidRequest[TransferClaim]) -> Job:
        """The job that the transfer buys; see the numbered steps of this module."""
        try:
            job, outcome = await self._redeem(paid)
        except InferproofError as error:
            self._metrics.payment(error.code)
            raise
        note_job(job.order.job_id, new_order=outcome is Outcome.NEW)
        self._metrics.payment("redeemed" if outcome is Outcome.NEW else "repeated")
        if outcome is Outcome.NEW:
            self._bell.ring(WORK)
        return job

    async def _redeem(self, paid: PaidRequest[TransferClaim]) -> tuple[Job, Outcome]:
        # 1
        terms = self._settings.transfers
        if terms is None:
            raise PaymentRejected(Reason.TRANSFERS_CLOSED)
        if paid.webhook is not None:
            read_webhook_url(paid.webhook, private=self._settings.private_webhooks)
        # 2
        check_claim_request(paid.payment, paid.digest)
        check_claim_signature(paid.payment)
        # 3
        known = await self._known(paid)
        if known is not None:
            return known, Outcome.SAME
        try:
            return await self._new(paid, terms)
        except InferproofError:
            # The same claim may have come a second time meanwhile, and been first.
            known = await self._known(paid)
            if known is None:
                raise
            return known, Outcome.SAME

    async def _known(self, paid: PaidRequest[TransferClaim]) -> Job | None:
        known = await self._orders.find(claim_job_id(paid.payment))
        if known is not None:
            check_same_webhook(known, paid.webhook)
        return known

    async def _new(
        self, paid: PaidRequest[TransferClaim], terms: TransferTerms
    ) -> tuple[Job, Outcome]:
        claim = paid.payment
        await self._limits.order(claim.payer, paid.holder)
        # 4
        registered = await self._catalog.active(paid.model)
        await self._intake.check_input(paid.model, paid.request.body)
        # 5
        now = self._clock()
        quote = self._intake.quoted(registered, paid.quote, paid.digest, now)
        check_asset_and_payee(claim.asset, claim.payee, quote.quote)
        # 6
        await self._intake.require_room()
        # 7
        found = await self._transaction(claim, terms, now)
        # 8
        fitting = fitting_transfers(found.logs, claim, quote.quote.price.amount)
        # 9
        for payment in await self._unused(fitting):
            order = self._order(paid, registered, payment, quote, found.block, now)
            try:
                reservation = await self._orders.redeem(order, room=self._settings.room)
            except Conflict as error:
                if error.reason is not Reason.PAYMENT_ALREADY_USED:
                    raise
                continue  # another request took it since; the next one may be free
            return reservation.job, reservation.outcome
        where = "any log" if claim.log_index is None else f"log {claim.log_index}"
        raise Conflict(Reason.PAYMENT_ALREADY_USED, where=where, tx=claim.transaction)

    async def _transaction(
        self, claim: TransferClaim, terms: TransferTerms, now: int
    ) -> MinedTransaction:
        tx = claim.transaction
        try:
            found = await self._chain.transaction(tx)
        except Unavailable as error:
            raise Unavailable(Reason.VERIFICATION_ERROR, tx=tx, why=error.message) from error
        if found is None:
            raise PaymentRejected(Reason.TX_NOT_FOUND, network=claim.asset.network, tx=tx)
        if not found.succeeded:
            raise PaymentRejected(Reason.TX_FAILED, tx=tx, block=found.block)
        if found.depth < terms.confirmations:
            raise Unavailable(
                Reason.INSUFFICIENT_CONFIRMATIONS,
                tx=tx,
                got=found.depth,
                needed=terms.confirmations,
            )
        if found.time + terms.max_age_s < now:
            raise PaymentRejected(
                Reason.TRANSFER_TOO_OLD, at=found.time, now=now, longest=terms.max_age_s
            )
        return found

    async def _unused(self, fitting: tuple[TransferPayment, ...]) -> list[TransferPayment]:
        jobs = await asyncio.gather(*(self._orders.find_payment(each) for each in fitting))
        return [each for each, job in zip(fitting, jobs, strict=True) if job is None]

    def _order(
        self,
        paid: PaidRequest[TransferClaim],
        model: RegisteredModel,
        payment: TransferPayment,
        quote: SignedQuote,
        block: int,
        now: int,
    ) -> Order:
        claim = paid.payment
        return Order(
            job_id=claim_job_id(claim),
            model_id=model.record.id,
            model_version=model.record.version,
            model_commitment=model.record.commitment,
            request=paid.request,
            request_digest=claim.request,
            payment=payment,
            quote=quote.quote,
            quote_signature=quote.signature,
            salt=self._entropy(32),
            nonce_salt=claim.salt,
            payment_id=None,
            first_block=block,
            created_at=now,
            deadline=now + self._settings.deadline_s,
            webhook=paid.webhook,
            api_key=paid.holder.id if paid.holder else None,
        )
