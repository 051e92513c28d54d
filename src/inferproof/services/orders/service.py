"""The gateway put together of its services: models, orders, receipts."""

import time
from collections.abc import Sequence

from inferproof.errors import Conflict, NotFound, Reason
from inferproof.payments.method import PaymentMethods
from inferproof.protocol.cancellation import check_cancellation
from inferproof.protocol.opening_request import check_opening_request
from inferproof.protocol.signature import SigningKey
from inferproof.services.base import Clock, failure_of
from inferproof.services.event_bus import SETTLE, EventBus
from inferproof.services.job_watcher import JobWatcher
from inferproof.services.models.catalog import Catalog
from inferproof.services.models.registry import Registry
from inferproof.services.orders.base import (
    UNDER_WAY,
    CancelPolicy,
    GatewaySettings,
    JobView,
    ModelView,
    PaidRequest,
    SignedQuote,
)
from inferproof.services.orders.intake import Intake
from inferproof.services.orders.views import job_view
from inferproof.services.receipts.service import Receipts
from inferproof.storage.ports.jobs import Job, JobEvent, Jobs
from inferproof.storage.ports.models import ModelFilter
from inferproof.storage.ports.verifications import (
    VerificationRecord,
)
from inferproof.types.digest import Address, Digest
from inferproof.types.receipt import Request


class GatewayService:
    """Implements services.orders.base.Gateway."""

    def __init__(
        self,
        *,
        registry: Registry,
        intake: Intake,
        jobs: Jobs,
        catalog: Catalog,
        receipts: Receipts,
        methods: PaymentMethods,
        key: SigningKey,
        settings: GatewaySettings,
        clock: Clock,
        event_bus: EventBus,
    ) -> None:
        self._registry = registry
        self._intake = intake
        self._jobs = jobs
        self._catalog = catalog
        self._receipts = receipts
        self._methods = methods
        self._address = key.address
        self._settings = settings
        self._clock = clock
        self._event_bus = event_bus
        self._job_watcher = JobWatcher(jobs, event_bus)

    @property
    def address(self) -> Address:
        return self._address

    @property
    def settings(self) -> GatewaySettings:
        return self._settings

    @property
    def methods(self) -> PaymentMethods:
        return self._methods

    # -- models -----------------------------------------------------------------------------

    async def list_models(self, wanted: ModelFilter) -> Sequence[ModelView]:
        return await self._registry.list(wanted)

    async def model(self, model: str) -> ModelView:
        return await self._registry.model(model)

    async def bundle(self, model: str) -> bytes:
        return await self._registry.bundle(model)

    async def submit_model(self, document: bytes, signature: bytes) -> ModelView:
        return await self._registry.submit(document, signature)

    async def approve(self, model: str) -> ModelView:
        return await self._registry.approve(model)

    async def suspend(self, model: str) -> ModelView:
        return await self._registry.suspend(model)

    # -- orders -----------------------------------------------------------------------------

    async def quote(self, model: str, request: Digest | None = None) -> SignedQuote:
        return await self._intake.quote(model, request)

    async def check_input(self, model: str, request: Request) -> None:
        await self._intake.check_input(model, request)

    async def accept(self, paid: PaidRequest) -> JobView:
        return await self._view(await self._intake.accept(paid))

    async def wait(self, job_id: Digest, timeout_s: float) -> JobView:
        end = time.monotonic() + timeout_s
        with self._job_watcher.watch(job_id) as watch:
            while True:
                watch.mark()
                view = await self.job(job_id)
                left = end - time.monotonic()
                if view.over or left <= 0:
                    return view
                await watch.wait(left, passing=UNDER_WAY)

    async def job(self, job_id: Digest) -> JobView:
        return await self._view(await self._jobs.job(job_id))

    async def events(
        self, job_id: Digest, *, after: int = 0, wait_s: float = 0
    ) -> Sequence[JobEvent]:
        end = time.monotonic() + wait_s
        with self._job_watcher.watch(job_id) as watch:
            while True:
                watch.mark()
                history = await self._jobs.events(job_id)
                if not history:
                    raise NotFound(Reason.JOB_UNKNOWN, job=job_id)
                new = [event for event in history if event.seq > after]
                left = end - time.monotonic()
                if new or left <= 0:
                    return new
                await watch.wait(left)

    async def cancel(self, job_id: Digest, before: int, signature: bytes) -> JobView:
        job, now = await self._jobs.job(job_id), self._clock()
        check_cancellation(job_id, before, signature, payer=job.order.payment.payer, now=now)
        if job.order.deliver_by is not None:  # a server that stops then would lose its bond
            raise Conflict(Reason.ORDER_CANCEL, order=job.order.payment.nonce)
        policy = self._settings.cancel
        if policy is CancelPolicy.NEVER:
            raise Conflict(Reason.CANCEL_CLOSED)
        why = failure_of(Conflict(Reason.JOB_CANCELLED))
        running = policy is CancelPolicy.RUNNING
        try:
            job = await self._jobs.cancel(job_id, why, running=running, now=now)
        except Conflict:
            job = await self._jobs.job(job_id)
            if job.failure is None or job.failure.code != Reason.JOB_CANCELLED.code:
                raise
        self._event_bus.publish(job_id)
        self._event_bus.publish(SETTLE)
        return await self._view(job)

    async def _view(self, job: Job) -> JobView:
        job = await self._receipts.with_proof_size(job)
        model = await self._catalog.described(job.order.model_id, job.order.model_version)
        return job_view(job, model, self._methods)

    # -- what was proven ----------------------------------------------------------------------

    async def receipt(self, job_id: Digest, *, attach: bool = False) -> bytes:
        return await self._receipts.receipt(job_id, attach=attach)

    async def input_opening(self, job_id: Digest, before: int, signature: bytes) -> bytes:
        job, now = await self._jobs.job(job_id), self._clock()
        check_opening_request(job_id, before, signature, payer=job.order.payment.payer, now=now)
        return self._receipts.input_opening(job)

    async def proof(self, digest: Digest) -> bytes:
        return await self._receipts.proof(digest)

    async def verify(self, data: bytes) -> VerificationRecord:
        return await self._receipts.verify(data)

    async def verification(self, number: int) -> VerificationRecord:
        return await self._receipts.verification(number)

    async def verifications_of(self, job_id: Digest) -> Sequence[VerificationRecord]:
        return await self._receipts.verifications_of(job_id)
