"""The receipt of a finished job."""

from inferproof.protocol.claims import assurance_of, derive_claims, proven_sentence
from inferproof.protocol.payment_part import PaymentParts
from inferproof.protocol.receipt import encode_receipt_file, receipt_digest
from inferproof.protocol.signature import SigningKey
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.storage.ports.jobs import Job
from inferproof.types.receipt import Receipt, ReceiptFile, StageTime
from inferproof.verify.proof import VerifiedProof


def build_receipt(
    job: Job,
    proof: VerifiedProof,
    bundle: VerifierBundle,
    timings: tuple[StageTime, ...],
    *,
    payments: PaymentParts,
    issued_at: int,
    key: SigningKey,
) -> bytes:
    """The signed receipt file, without attachments.

    Soundness: the caller found the proof's statement to be about this job.
    """
    order, payment = job.order, job.order.payment
    paid = payments[payment.method].claims(payment, order.request_digest, order.nonce_salt)
    private = proof.statement.private_input
    assurance, parts = assurance_of(bundle, private_input=private), bundle.parts
    receipt = Receipt(
        statement=proof.statement,
        proof_digest=proof.digest,
        assurance=assurance,
        proven=proven_sentence(assurance, parts, private_input=private),
        request_digest=order.request_digest,
        quote=order.quote,
        quote_signature=order.quote_signature,
        payment=payment,
        settlement=job.settlement,
        claims=derive_claims(
            parts,
            job.settlement,
            paid,
            out_of_range=proof.out_of_range,
            private_input=private,
        ),
        timings=timings,
        issued_at=issued_at,
        gateway=key.address,
        nonce_salt=order.nonce_salt,
    )
    signature = key.sign(receipt_digest(receipt, payments))
    return encode_receipt_file(ReceiptFile(receipt, signature))
