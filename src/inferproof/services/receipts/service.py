"""Receipts and proofs of finished jobs, and verifications for anyone."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import replace

from inferproof.errors import InferproofError, NotFound, Reason, Rejection
from inferproof.protocol.claims import assurance_of
from inferproof.protocol.commitments import proof_digest
from inferproof.protocol.input_opening import InputOpening, encode_input_opening
from inferproof.protocol.proof_file import decode_proof_file, is_proof
from inferproof.protocol.receipt import decode_receipt_file, encode_receipt_file
from inferproof.protocol.verifier_bundle import decode_bundle
from inferproof.services.base import Clock
from inferproof.storage.ports.blobs import BlobStore
from inferproof.storage.ports.jobs import Job, Jobs
from inferproof.storage.ports.verifications import (
    VerificationRecord,
    Verifications,
    VerificationStep,
)
from inferproof.types.digest import Digest
from inferproof.types.proof import Assurance
from inferproof.types.receipt import ReceiptFile
from inferproof.verify.policy import Policy
from inferproof.verify.proof import verify_proof
from inferproof.verify.receipt import Step, Tools, verify_receipt

ANY_RECEIPT = Policy(minimum_assurance=Assurance.COMMITMENT)
"""The gateway verifies for anyone: what to trust is for whoever reads the record."""


class Receipts:
    """Reads the receipts and proofs of jobs, and keeps a record of each verification."""

    def __init__(
        self,
        *,
        jobs: Jobs,
        verifications: Verifications,
        blobs: BlobStore,
        tools: Tools,
        clock: Clock,
    ) -> None:
        self._jobs = jobs
        self._verifications = verifications
        self._blobs = blobs
        self._tools = tools
        self._clock = clock

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
            request=None if job.order.private_input else job.order.request,
            proof=proof,
            verifier=verifier,
        )
        return await asyncio.to_thread(encode_receipt_file, file)

    def input_opening(self, job: Job) -> bytes:
        """The opening of the job's private input, as a file. Soundness of hiding: the caller knows
        that it is the payer who asks.

        Raises: NotFound OPENING_NONE, RECEIPT_NOT_READY.
        """
        if not job.order.private_input:
            raise NotFound(Reason.OPENING_NONE, job=job.order.job_id)
        if job.answer is None:
            raise NotFound(Reason.RECEIPT_NOT_READY, job=job.order.job_id, state=job.state.value)
        stated = decode_receipt_file(job.answer.receipt, self._tools.payments).receipt.statement
        opening = InputOpening(
            stated.job_id, stated.model_commitment, stated.input_commitment, job.order.salt
        )
        return encode_input_opening(opening)

    async def with_proof_size(self, job: Job) -> Job:
        """The job, whose answer says how large its proof is also where it is of before sizes were
        kept."""
        answer = job.answer
        if answer is None or answer.proof_size is not None:
            return job
        size = await asyncio.to_thread(self._blobs.size, answer.proof_blob)
        return replace(job, answer=replace(answer, proof_size=size))

    async def proof(self, digest: Digest) -> bytes:
        job = await self._jobs.job_of_proof(digest)
        if job is None or job.answer is None:
            raise NotFound(Reason.PROOF_UNKNOWN, digest=digest)
        return await asyncio.to_thread(self._blobs.get, job.answer.proof_blob)

    async def verify(self, data: bytes) -> VerificationRecord:
        return await (self._proof_file(data) if is_proof(data) else self._receipt_file(data))

    async def _proof_file(self, data: bytes) -> VerificationRecord:
        """Verifies against the bundle of the job that the proof's statement names."""
        job_id, assurance, failed = None, None, None
        try:
            file = await asyncio.to_thread(decode_proof_file, data)
            answer = (await self._jobs.job(file.statement.job_id)).answer
            if answer is None:
                raise NotFound(Reason.PROOF_UNKNOWN, digest=proof_digest(data))
            blob = await asyncio.to_thread(self._blobs.get, answer.verifier_blob)
            bundle = await asyncio.to_thread(decode_bundle, blob)
            checker = self._tools.checker(bundle.parts.proof_system)
            proved = await asyncio.to_thread(verify_proof, data, bundle, checker)
            job_id, private = proved.statement.job_id, proved.statement.private_input
            assurance = assurance_of(bundle, private_input=private).value
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
