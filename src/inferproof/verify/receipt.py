"""Verification of a receipt file, offline.

     1  the file decodes, in its only byte form
     2  the gateway signed the receipt
     3  the policy accepts gateway, model, network, token and assurance
     4  the same gateway signed the quote, for this model, request and provider
     5  the payer signed the payment, on the quoted terms, at a time that they allow, and the
        settlement is one that its method allows: see each method's `verify_receipt_part`
     6  the payment is bound to the request where its salt is known, and the job id follows from
        payment, request and salt
     7  the attached request has the request digest
     8  the attached proof has the proof digest
     9  the verifier bundle has the statement's model commitment, and the policy accepts its set-up
    10  the proof holds, for the receipt's own statement, and the policy accepts how sound the
        model's proofs are
    11  the disclosed input is the request after the committed pre-processing
    12  assurance, sentence and claims are what such a proof and settlement allow

The chain is asked in inferproof.chain, not here: whether the settlement happened is the one
thing that a receipt cannot show by itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from inferproof.errors import (
    InferproofError,
    ProofRejected,
    Reason,
    ReceiptRejected,
    Rejection,
)
from inferproof.protocol.claims import (
    INPUT_RANGE,
    PaymentClaims,
    assurance_of,
    derive_claims,
    may_claim,
    proven_sentence,
    unshown_preprocessing,
)
from inferproof.protocol.commitments import proof_digest, request_digest
from inferproof.protocol.encoding import Json
from inferproof.protocol.payment_part import Authorized, PaymentPart, PaymentParts
from inferproof.protocol.quote import check_quote_signature
from inferproof.protocol.receipt import decode_receipt_file, receipt_digest
from inferproof.protocol.signature import recover
from inferproof.protocol.verifier_bundle import VerifierBundle, decode_bundle
from inferproof.types.digest import ZERO_DIGEST, Digest
from inferproof.types.proof import SecurityReport
from inferproof.types.receipt import Claim, Receipt, ReceiptFile
from inferproof.types.tensor import Tensors
from inferproof.verify.policy import Policy
from inferproof.verify.proof import ProofChecker, VerifiedProof, security_of, verify_proof

Preprocess = Callable[[dict[str, Json], bytes], Tensors]
"""Turns canonical pre-processing and a request body into the graph's inputs."""


class StepStatus(StrEnum):
    """How a step ended. A step that fails raises instead."""

    PASSED = "passed"
    NOT_APPLICABLE = "not applicable"
    """There is nothing to check: the input is not disclosed, or private."""
    NOT_CHECKED = "not checked"
    """The request is not attached, so what it would show rests on the gateway's word."""


@dataclass(frozen=True, slots=True)
class Step:
    """One numbered step and what it found."""

    number: int
    name: str
    status: StepStatus
    detail: str


@dataclass(frozen=True, slots=True, eq=False)
class VerifiedReceipt:
    """A receipt that held. Only `verify_receipt` makes one.

    `claims` are the receipt's as far as this verification bears them out: one that could not be
    derived here, because the request is not attached, is unknown. `security` is what is proven
    about the soundness of the model's proofs, where something is.
    """

    file: ReceiptFile
    digest: Digest
    proof: VerifiedProof
    bundle: VerifierBundle
    security: SecurityReport | None
    claims: tuple[Claim, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Tools:
    """What the verifier calls: the checker of a proof system by name, pre-processing, and the
    payment methods that it knows.

    `checker` raises MissingPart where the system's library is not installed.
    """

    checker: Callable[[str], ProofChecker]
    preprocess: Preprocess
    payments: PaymentParts


def verify_receipt(
    data: bytes,
    policy: Policy,
    tools: Tools,
    *,
    proof: bytes | None = None,
    verifier: bytes | None = None,
    on_step: Callable[[Step], None] = lambda _step: None,
) -> VerifiedReceipt:
    """The verified receipt that the file holds.

    `proof` and `verifier` stand in for attachments that the file does not carry; `on_step` is
    told of each step as it ends. Raises: ReceiptRejected, ProofRejected, ArtifactRejected,
    PolicyRejected or MissingPart, from the first step that fails.
    Soundness: what the steps cannot show (that the settlement happened, that the verifying
    key was made from the model file) stands in the receipt's claims with its source.
    """
    run = _Run(policy, tools, on_step)
    file = run.decode(data)
    run.signature(file)
    run.policy_accepts(file)
    run.quote(file)
    run.payment(file)
    run.job(file)
    run.request(file)
    proof_bytes = run.proof_attached(file, proof)
    bundle = run.bundle(file, verifier)
    proved, security = run.proof_holds(file, proof_bytes, bundle)
    run.preprocessing(file, proved, bundle)
    claims = run.claims(file, proved, bundle)
    return VerifiedReceipt(
        file,
        receipt_digest(file.receipt, tools.payments),
        proved,
        bundle,
        security,
        claims,
        tuple(run.steps),
    )


class _Run:
    """One verification: the steps in order, each a method."""

    def __init__(self, policy: Policy, tools: Tools, on_step: Callable[[Step], None]) -> None:
        self.steps: list[Step] = []
        self._policy = policy
        self._tools = tools
        self._on_step = on_step

    def _done(self, name: str, detail: str, status: StepStatus = StepStatus.PASSED) -> None:
        step = Step(len(self.steps) + 1, name, status, detail)
        self.steps.append(step)
        self._on_step(step)

    def decode(self, data: bytes) -> ReceiptFile:
        # 1
        file = decode_receipt_file(data, self._tools.payments)
        self._done("receipt decodes", f"{len(data):,} bytes, canonical")
        return file

    def signature(self, file: ReceiptFile) -> None:
        # 2
        try:
            signer = recover(receipt_digest(file.receipt, self._tools.payments), file.signature)
        except InferproofError as error:
            raise ReceiptRejected(error.reason, **error.facts) from None
        if signer != file.receipt.gateway:
            raise ReceiptRejected(Reason.RECEIPT_SIGNATURE, gateway=file.receipt.gateway)
        self._done("gateway signed it", f"gateway {signer}")

    def policy_accepts(self, file: ReceiptFile) -> None:
        # 3
        self._policy.check_receipt(file.receipt)
        known = "in the list" if self._policy.gateways is not None else "any gateway is accepted"
        self._done("policy accepts it", known)

    def quote(self, file: ReceiptFile) -> None:
        # 4
        receipt, quote = file.receipt, file.receipt.quote
        try:
            check_quote_signature(quote, receipt.quote_signature, receipt.gateway)
        except InferproofError as error:
            raise ReceiptRejected(error.reason, **error.facts) from None
        statement = receipt.statement
        if (
            quote.model_commitment != statement.model_commitment
            or quote.proof_system != statement.proof_system
            or quote.provider != statement.provider
            or quote.request_digest not in (ZERO_DIGEST, receipt.request_digest)
        ):
            raise ReceiptRejected(Reason.RECEIPT_QUOTE)
        self._done("quote is the gateway's", f"{quote.price} for {quote.model_id}")

    def payment(self, file: ReceiptFile) -> None:
        # 5
        try:
            authorized = self._part(file).verify_receipt_part(file.receipt)
        except InferproofError as error:
            raise ReceiptRejected(error.reason, **error.facts) from None
        _check_times(file.receipt, authorized)
        self._done("payer authorized it", authorized.how)

    def job(self, file: ReceiptFile) -> None:
        # 6
        receipt, part = file.receipt, self._part(file)
        if receipt.nonce_salt is not None and self._paid(receipt).request is None:
            raise ReceiptRejected(Reason.RECEIPT_NONCE)
        expected = part.job_id(receipt.payment, receipt.request_digest, receipt.nonce_salt)
        if receipt.statement.job_id != expected:
            raise ReceiptRejected(Reason.RECEIPT_JOB, expected=expected)
        self._done("job follows from payment", f"job {expected}")

    def request(self, file: ReceiptFile) -> None:
        # 7
        request = file.request
        if request is None:
            self._done("request is the paid one", "not attached", StepStatus.NOT_CHECKED)
            return
        got = request_digest(request.method, request.path, request.body, request.salt)
        if got != file.receipt.request_digest:
            raise ReceiptRejected(Reason.RECEIPT_REQUEST)
        self._done("request is the paid one", f"{request.method} {request.path}")

    def proof_attached(self, file: ReceiptFile, given: bytes | None) -> bytes:
        # 8
        data = file.proof if file.proof is not None else given
        if data is None:
            raise ReceiptRejected(Reason.RECEIPT_PROOF_MISSING, digest=file.receipt.proof_digest)
        if proof_digest(data) != file.receipt.proof_digest:
            raise ReceiptRejected(Reason.RECEIPT_PROOF_DIGEST)
        self._done("proof is the receipt's", f"{len(data):,} bytes")
        return data

    def bundle(self, file: ReceiptFile, given: bytes | None) -> VerifierBundle:
        # 9
        data = file.verifier if file.verifier is not None else given
        model = file.receipt.statement.model_commitment
        if data is None:
            raise ReceiptRejected(Reason.RECEIPT_VERIFIER_MISSING, model=model)
        bundle = decode_bundle(data)
        if bundle.commitment != model:
            raise ProofRejected(Reason.PROOF_OTHER_MODEL, got=model, expected=bundle.commitment)
        self._policy.check_setup(bundle.parts)
        self._done("verifier is the model's", f"model {model}, {bundle.parts.setup.value} set-up")
        return bundle

    def proof_holds(
        self, file: ReceiptFile, data: bytes, bundle: VerifierBundle
    ) -> tuple[VerifiedProof, SecurityReport | None]:
        # 10
        checker = self._tools.checker(bundle.parts.proof_system)
        proved = verify_proof(data, bundle, checker)
        if proved.statement != file.receipt.statement:
            raise ReceiptRejected(Reason.RECEIPT_STATEMENT)
        private = proved.statement.private_input
        security = security_of(checker, bundle, private_input=private)
        self._policy.check_security(security)
        how = "" if security is None else f", {security.summary}"
        self._done("proof holds", f"{bundle.parts.proof_system}, statement bound{how}")
        return proved, security

    def preprocessing(
        self, file: ReceiptFile, proved: VerifiedProof, bundle: VerifierBundle
    ) -> None:
        # 11
        name = "input is the request's"
        disclosed = proved.file.disclosed
        if proved.statement.private_input:
            why = "input private, who has its opening can compare"
            self._done(name, why, StepStatus.NOT_APPLICABLE)
            return
        if disclosed is None:
            self._done(name, "input not disclosed", StepStatus.NOT_APPLICABLE)
            return
        if file.request is None:
            self._done(name, "request not attached", StepStatus.NOT_CHECKED)
            return
        try:
            tensors = self._tools.preprocess(bundle.preprocessing, file.request.body)
        except Rejection as error:
            raise ReceiptRejected(error.reason, **error.facts) from None
        same = tensors.keys() == disclosed.tensors.keys() and all(
            np.array_equal(tensors[name], disclosed.tensors[name]) for name in tensors
        )
        if not same:
            raise ReceiptRejected(Reason.RECEIPT_PREPROCESSING)
        self._done(name, "pre-processing run again, same tensors")

    def claims(
        self, file: ReceiptFile, proved: VerifiedProof, bundle: VerifierBundle
    ) -> tuple[Claim, ...]:
        # 12
        receipt = file.receipt
        # A receipt of before values beyond the range were counted does not name them.
        counted = any(claim.name == INPUT_RANGE for claim in receipt.claims)
        assurance, private = receipt.assurance, proved.statement.private_input
        if (
            not may_claim(assurance, assurance_of(bundle, private_input=private))
            or receipt.proven != proven_sentence(assurance, bundle.parts, private_input=private)
            or receipt.claims
            != derive_claims(
                bundle.parts,
                receipt.settlement,
                self._paid(receipt),
                out_of_range=proved.out_of_range if counted else None,
                private_input=private,
            )
        ):
            raise ReceiptRejected(Reason.RECEIPT_CLAIMS)
        beyond = f", {proved.out_of_range} values out of range" if proved.out_of_range else ""
        self._done("claims are no more than proven", f"assurance {assurance.value}{beyond}")
        return receipt.claims if file.request is not None else unshown_preprocessing(receipt.claims)

    def _part(self, file: ReceiptFile) -> PaymentPart:
        return self._tools.payments[file.receipt.payment.method]

    def _paid(self, receipt: Receipt) -> PaymentClaims:
        part = self._tools.payments[receipt.payment.method]
        return part.claims(receipt.payment, receipt.request_digest, receipt.nonce_salt)


def _check_times(receipt: Receipt, authorized: Authorized) -> None:
    # The order was placed at some second at which quote and payment both held, and the receipt
    # came no earlier; where there is no such second, one of the times is made up.
    quote = receipt.quote
    earliest = max(quote.issued_at, authorized.earliest)
    latest = min(quote.expires_at - 1, receipt.issued_at)
    if authorized.latest is not None:
        latest = min(latest, authorized.latest)
    if earliest > latest:
        raise ReceiptRejected(Reason.RECEIPT_TIMES, earliest=earliest, latest=latest)
