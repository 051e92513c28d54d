"""The receipt of a finished job."""

from dataclasses import replace

from inferproof.protocol.claims import assurance_of, derive_claims, proven_sentence
from inferproof.protocol.receipt import encode_receipt_file, is_request_bound, receipt_digest
from inferproof.protocol.signature import SigningKey
from inferproof.storage.ports.jobs import Job
from inferproof.types.payment import TransferPayment
from inferproof.types.proof import ModelParts
from inferproof.types.receipt import Receipt, ReceiptFile, StageTime
from inferproof.verify.proof import VerifiedProof


def build_receipt(
    job: Job,
    proof: VerifiedProof,
    parts: ModelParts,
    timings: tuple[StageTime, ...],
    *,
    issued_at: int,
    key: SigningKey,
) -> bytes:
    """The signed receipt file, without attachments.

    Soundness: the caller found the proof's statement to be about this job.
    """
    order = job.order
    assurance = assurance_of(parts)
    bare = Receipt(
        statement=proof.statement,
        proof_digest=proof.digest,
        assurance=assurance,
        proven=proven_sentence(assurance, parts),
        request_digest=order.request_digest,
        quote=order.quote,
        quote_signature=order.quote_signature,
        payment=order.payment,
        settlement=job.settlement,
        claims=(),
        timings=timings,
        issued_at=issued_at,
        gateway=key.address,
        nonce_salt=order.nonce_salt,
    )
    claims = derive_claims(
        parts,
        job.settlement,
        request_bound=is_request_bound(bare),
        transfer=isinstance(order.payment, TransferPayment),
    )
    receipt = replace(bare, claims=claims)
    return encode_receipt_file(ReceiptFile(receipt, key.sign(receipt_digest(receipt))))
