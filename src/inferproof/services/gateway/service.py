"""The gateway put together: models, orders, receipts, verification."""

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from inferproof.errors import Conflict, InferproofError, NotFound, Reason, Rejection
from inferproof.payments.method import PaymentMethods
from inferproof.protocol.cancellation import check_cancellation
from inferproof.protocol.claims import assurance_of
from inferproof.protocol.commitments import proof_digest
from inferproof.protocol.proof_file import FORMAT as PROOF_FORMAT
from inferproof.protocol.proof_file import decode_proof_file
from inferproof.protocol.receipt import decode_receipt_file, encode_receipt_file
from inferproof.protocol.signature import SigningKey
from inferproof.protocol.verifier_bundle import decode_bundle
from inferproof.services.base import Clock, failure_of
from inferproof.services.bell import SETTLE, Bell
from inferproof.services.catalog import Catalog
from inferproof.services.gateway.base import (
    UNDER_WAY,
    CancelPolicy,
    GatewaySettings,
    JobView,
    ModelView,
    PaidRequest,
    SignedQuote,
)
from inferproof.services.gateway.intake import Intake
from inferproof.services.gateway.registry import Registry
from inferproof.services.gateway.views import job_view
from inferproof.services.lookout import Lookout
from inferproof.storage.ports.blobs import BlobStore
from inferproof.storage.ports.jobs import Job, JobEvent, Jobs
from inferproof.storage.ports.models import ModelFilter
from inferproof.storage.ports.verifications import (
    VerificationRecord,
    Verifications,
    VerificationStep,
)
from inferproof.types.digest import Address, Digest
from inferproof.types.proof import Assurance
from inferproof.types.receipt import ReceiptFile
from inferproof.verify.policy import Policy
from inferproof.verify.proof import ProofChecker, verify_proof
from inferproof.verify.receipt import Preprocess, Step, Tools, verify_receipt

ANY_RECEIPT = Policy(minimum_assurance=Assurance.COMMITMENT)
"""The gateway verifies for anyone: what to trust is for whoever reads the record."""


_PROOF_END = f'"format":"{PROOF_FORMAT}"}}'.encode()
"""How a proof file ends: keys are sorted, and this is the last."""


def _is_proof(data: bytes) -> bool:
    return data.endswith(_PROOF_END)


class GatewayService:
    """Implements services.gateway.base.Gateway."""

    def __init__(
        self,
        *,
        registry: Registry,
        intake: Intake,
        jobs: Jobs,
        catalog: Catalog,
        verifications: Verifications,
        blobs: BlobStore,
        systems: Callable[[str], ProofChecker],
        preprocess: Preprocess,
        methods: PaymentMethods,
        key: SigningKey,
        settings: GatewaySettings,
        clock: Clock,
        bell: Bell,
    ) -> None:
        self._registry = registry
        self._intake = intake
        self._jobs = jobs
        self._catalog = catalog
        self._verifications = verifications
        self._blobs = blobs
        self._tools = Tools(systems, preprocess, methods)
        self._methods = methods
        self._address = key.address
        self._settings = settings
        self._clock = clock
        self._bell = bell
        self._lookout = Lookout(jobs, bell)

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

    async def check_input(self, model: str, body: bytes) -> None:
        await self._intake.check_input(model, body)

    async def accept(self, paid: PaidRequest) -> JobView:
        return await self._view(await self._intake.accept(paid))

    async def wait(self, job_id: Digest, timeout_s: float) -> JobView:
        end = time.monotonic() + timeout_s
        with self._lookout.watch(job_id) as watch:
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
        with self._lookout.watch(job_id) as watch:
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
        self._bell.ring(job_id)
        self._bell.ring(SETTLE)
        return await self._view(job)

    async def _view(self, job: Job) -> JobView:
        model = await self._catalog.described(job.order.model_id, job.order.model_version)
        return job_view(job, model, self._methods)

    # -- what was proven ----------------------------------------------------------------------

    async def receipt(self, job_id: Digest, *, attach: bool = False) -> bytes:
        job = await self._jobs.job(job_id)
        if job.answer is None:
            raise NotFound(Reason.RECEIPT_NOT_READY, job=job_id, state=job.state.value)
        if not attach:
            return job.answer.receipt
        proof = await asyncio.to_thread(self._blobs.get, job.answer.proof_blob)
        verifier = await asyncio.to_thread(self._blobs.get, job.answer.verifier_blob)
        file = replace(
            decode_receipt_file(job.answer.receipt, self._tools.payments),
            request=job.order.request,
            proof=proof,
            verifier=verifier,
        )
        return await asyncio.to_thread(encode_receipt_file, file)

    async def proof(self, digest: Digest) -> bytes:
        job = await self._jobs.job_of_proof(digest)
        if job is None or job.answer is None:
            raise NotFound(Reason.PROOF_UNKNOWN, digest=digest)
        return await asyncio.to_thread(self._blobs.get, job.answer.proof_blob)

    async def verify(self, data: bytes) -> VerificationRecord:
        return await (self._proof_file(data) if _is_proof(data) else self._receipt_file(data))

    async def _proof_file(self, data: bytes) -> VerificationRecord:
        """Verifies against the bundle of the job that the proof's statement names."""
        job_id, assurance, failed = None, None, None
        try:
            file = await asyncio.to_thread(decode_proof_file, data)
            answer = (await self._jobs.job(file.statement.job_id)).answer
            if answer is None:
                raise NotFound(Reason.PROOF_UNKNOWN, digest=proof_digest(data))
            bundle = decode_bundle(await asyncio.to_thread(self._blobs.get, answer.verifier_blob))
            checker = self._tools.checker(bundle.parts.proof_system)
            proved = await asyncio.to_thread(verify_proof, data, bundle, checker)
            job_id, assurance = proved.statement.job_id, assurance_of(bundle.parts).value
        except Rejection as error:
            failed = error
        return await self._verifications.record(
            VerificationRecord(
                id=0,
                subject=Digest(hashlib.sha256(data).digest()),
                kind="proof",
                verified=failed is None,
                at=self._clock(),
                job_id=job_id,
                assurance=assurance,
                reason=None if failed is None else failed.code,
                message=None if failed is None else failed.message,
            )
        )

    async def _receipt_file(self, data: bytes) -> VerificationRecord:
        steps: list[Step] = []
        file: ReceiptFile | None = None
        failed: InferproofError | None = None
        try:
            file = await asyncio.to_thread(decode_receipt_file, data, self._tools.payments)
            proof, verifier = await self._missing_attachments(file)
            await asyncio.to_thread(
                verify_receipt,
                data,
                ANY_RECEIPT,
                self._tools,
                proof=proof,
                verifier=verifier,
                on_step=steps.append,
            )
        except Rejection as error:
            failed = error
        verified = failed is None and file is not None
        return await self._verifications.record(
            VerificationRecord(
                id=0,
                subject=Digest(hashlib.sha256(data).digest()),
                kind="receipt",
                verified=verified,
                at=self._clock(),
                steps=tuple(VerificationStep(s.number, s.name, s.status, s.detail) for s in steps),
                job_id=file.receipt.statement.job_id if verified and file else None,
                assurance=file.receipt.assurance.value if verified and file else None,
                reason=None if failed is None else failed.code,
                message=None if failed is None else failed.message,
            )
        )

    async def verification(self, number: int) -> VerificationRecord:
        return await self._verifications.get(number)

    async def verifications_of(self, job_id: Digest) -> Sequence[VerificationRecord]:
        return await self._verifications.of_job(job_id)

    async def _missing_attachments(self, file: ReceiptFile) -> tuple[bytes | None, bytes | None]:
        """Proof and verifier bundle of a job of this gateway, where the file lacks them.

        Soundness: the verifier compares both with the digests in the receipt.
        """
        if file.proof is not None and file.verifier is not None:
            return None, None
        job = await self._jobs.job_of_proof(file.receipt.proof_digest)
        if job is None or job.answer is None:
            return None, None
        return (
            await asyncio.to_thread(self._blobs.get, job.answer.proof_blob),
            await asyncio.to_thread(self._blobs.get, job.answer.verifier_blob),
        )
