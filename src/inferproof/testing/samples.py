"""One complete receipt with fixed keys, and a proof system that only binds: for tests and vectors.

Everything here is a function of constants, so two runs give the same bytes. The keys are public:
they guard nothing.
"""

import json
from dataclasses import dataclass, field, replace

import numpy as np

from inferproof.errors import MissingPart, ProofRejected, Reason
from inferproof.payments.parts import payment_parts
from inferproof.payments.transfer.receipt import transfer_payment
from inferproof.payments.x402.receipt import authorization_payment
from inferproof.protocol.authorization import authorization_digest
from inferproof.protocol.claims import PaymentClaims, assurance_of, derive_claims, proven_sentence
from inferproof.protocol.commitments import (
    bound_nonce,
    hashed_input_commitment,
    input_commitment,
    output_commitment,
    preprocessing_digest,
    private_input_commitment,
    proof_digest,
    request_digest,
)
from inferproof.protocol.encoding import Json, encode_tensor, keccak256, tagged_digest
from inferproof.protocol.input_opening import InputOpening
from inferproof.protocol.proof_file import (
    DisclosedInput,
    ProofFile,
    decode_proof_file,
    encode_proof_file,
)
from inferproof.protocol.quote import quote_digest
from inferproof.protocol.receipt import encode_receipt_file, receipt_digest
from inferproof.protocol.signature import SigningKey
from inferproof.protocol.statement import statement_digest
from inferproof.protocol.transfer import Transfer, claim_digest, spent
from inferproof.protocol.verifier_bundle import (
    VerifierBundle,
    encode_bundle,
    quantisation_digest,
    srs_digest,
    verifying_key_digest,
)
from inferproof.types.digest import Address, Digest
from inferproof.types.money import Asset, Money, Network
from inferproof.types.payment import (
    Authorization,
    Payment,
    Quote,
    Settlement,
    SettlementState,
    TransferClaim,
    TransferPayment,
)
from inferproof.types.proof import (
    PRIVATE_STATEMENT_VERSION,
    STATEMENT_VERSION,
    ModelParts,
    Setup,
    Statement,
    Visibility,
)
from inferproof.types.receipt import Receipt, ReceiptFile, Request, StageTime
from inferproof.types.tensor import FixedTensor, Tensors, TensorSpec
from inferproof.verify.proof import ProofChecker
from inferproof.verify.receipt import Tools

PAYMENTS = payment_parts()
"""The payment methods that samples are paid by."""
GATEWAY = SigningKey(keccak256(b"inferproof sample gateway"))
PAYER = SigningKey(keccak256(b"inferproof sample payer"))
STRANGER = SigningKey(keccak256(b"inferproof sample stranger"))
PROVIDER = Address(bytes.fromhex("33" * 20))
PAYEE = Address(bytes.fromhex("22" * 20))
ASSET = Asset(
    Network.evm(31337), Address(bytes.fromhex("11" * 20)), "USDC", 6, "Devnet USD Coin", "1"
)
ORDERED_AT = 1_800_000_000
SALT = keccak256(b"inferproof sample input salt")
NONCE_SALT = keccak256(b"inferproof sample nonce salt")
REQUEST = Request("POST", "/v1/models/sample/infer", b'{"input":[1.5,-2,0.25]}')
PRIVATE_REQUEST = replace(REQUEST, salt=keccak256(b"inferproof sample request salt"))
"""The same, with a private input."""
SYSTEM = "sample"
VERIFYING_KEY = b"sample verifying key"
INPUTS = (TensorSpec("x", "float32", (3,)),)
OUTPUTS = (TensorSpec("y", "float32", (1, 2)),)
SETTLED = Settlement(
    SettlementState.SETTLED, tagged_digest("inferproof/sample/1", b"transaction"), 42
)
ANSWER = (FixedTensor("y", (1, 2), (7, -3), 2.0**-7),)


def sample_bundle(
    *,
    visibility: Visibility = Visibility.PUBLIC,
    setup: Setup = Setup.NONE,
    system: str = SYSTEM,
    version: str = "1.0.0",
    settings: bytes = b'{"bits":7}',
    verifying_key: bytes = VERIFYING_KEY,
    srs: bytes = b"",
    labels: tuple[str, ...] = (),
) -> VerifierBundle:
    """The verifier bundle of the sample model, whose two outputs may have labels."""
    outputs = tuple(replace(spec, labels=labels) for spec in OUTPUTS)
    preprocessing: dict[str, Json] = {"kind": "vector", "fields": ["a", "b", "c"]}
    parts = ModelParts(
        graph=tagged_digest("inferproof/sample/1", b"graph"),
        weights=tagged_digest("inferproof/sample/1", b"weights"),
        preprocessing=preprocessing_digest(dict(preprocessing)),
        quantisation=quantisation_digest(settings, INPUTS, outputs),
        proof_system=system,
        proof_system_version=version,
        visibility=visibility,
        verifying_key=verifying_key_digest(verifying_key),
        srs=srs_digest(srs),
        setup=setup,
    )
    return VerifierBundle(parts, preprocessing, INPUTS, outputs, settings, verifying_key, srs)


def sample_preprocess(_canonical: dict[str, Json], body: bytes) -> Tensors:
    """The sample model's input: the three numbers in the request body."""
    return {"x": np.array(json.loads(body)["input"], dtype=np.float32)}


def sample_root(secret: bytes, inputs: Tensors) -> Digest:
    """What stands for the root of a private input in the sample system."""
    encoded = (encode_tensor(name, inputs[name]) for name in sorted(inputs))
    return tagged_digest("inferproof/sample-root/1", secret, *encoded)


def sample_proof(bundle: VerifierBundle, statement: Statement) -> bytes:
    """The sample system's proof: a digest of verifying key and statement. It proves nothing."""
    return tagged_digest(
        "inferproof/sample-proof/1", bundle.verifying_key, statement_digest(statement).raw
    ).raw


class SampleChecker:
    """Checks proofs of the sample system, under whatever name a bundle gives it; of the same proofs
    it is a digest of secret and input that stands for the root of a private one."""

    def check(self, bundle: VerifierBundle, file: ProofFile, statement: Digest) -> None:
        expected = tagged_digest("inferproof/sample-proof/1", bundle.verifying_key, statement.raw)
        if file.proof != expected.raw:
            raise ProofRejected(Reason.PROOF_INVALID)

    def input_root(self, bundle: VerifierBundle, inputs: Tensors, secret: bytes) -> Digest:  # noqa: ARG002
        """See InputCommitter."""
        return sample_root(secret, inputs)


def sample_tools(*systems: str) -> Tools:
    """Tools that know the sample system, and it alone unless other names are given."""

    def checker(system: str) -> ProofChecker:
        if system not in (systems or (SYSTEM,)):
            raise MissingPart(
                Reason.MISSING_LIBRARY,
                feature=f"checking {system} proofs",
                package=system,
                command=f"pip install 'inferproof[{system}]'",
            )
        return SampleChecker()

    return Tools(checker, sample_preprocess, PAYMENTS)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The choices behind one sample receipt; what follows from them is computed.

    Change a field with dataclasses.replace and the rest stays consistent.
    """

    bundle: VerifierBundle = field(default_factory=sample_bundle)
    request: Request = REQUEST
    answer: tuple[FixedTensor, ...] = ANSWER
    nonce_salt: bytes | None = NONCE_SALT
    settlement: Settlement = SETTLED
    ordered_at: int = ORDERED_AT
    gateway: SigningKey = GATEWAY
    payer: SigningKey = PAYER

    def quote(self) -> Quote:
        """The quote, for this request alone."""
        return Quote(
            model_id="sample",
            model_commitment=self.bundle.commitment,
            proof_system=self.bundle.parts.proof_system,
            provider=PROVIDER,
            price=Money(250_000, ASSET),
            payee=PAYEE,
            request_digest=self.request_digest(),
            prove_ms=900,
            peak_bytes=120_000_000,
            proof_bytes=3_100,
            verify_gas=520_000,
            issued_at=self.ordered_at,
            expires_at=self.ordered_at + 60,
        )

    def request_digest(self) -> Digest:
        """The digest of the paid request."""
        request = self.request
        return request_digest(request.method, request.path, request.body, request.salt)

    @property
    def private_input(self) -> bool:
        """Whether the request asks for a private input; its secret is then the input's salt."""
        return self.request.salt is not None

    def payment(self) -> Payment:
        """What pays for the sample's call."""
        return authorization_payment(self.authorization())

    def authorization(self) -> Authorization:
        """The payer's signed authorization; with a salt its nonce is bound to the request."""
        nonce = tagged_digest("inferproof/sample/1", b"free nonce")
        if self.nonce_salt is not None:
            nonce = bound_nonce(self.request_digest(), self.nonce_salt)
        unsigned = Authorization(
            asset=ASSET,
            payer=self.payer.address,
            payee=PAYEE,
            amount=250_000,
            valid_after=self.ordered_at - 600,
            valid_before=self.ordered_at + 120,
            nonce=nonce,
            signature=b"",
        )
        return replace(unsigned, signature=self.payer.sign(authorization_digest(unsigned)))

    def job_id(self) -> Digest:
        """The job that the payment buys."""
        payment = self.payment()
        return PAYMENTS[payment.method].job_id(payment, self.request_digest(), self.salt())

    def claims(self) -> PaymentClaims:
        """What its method claims of the payment."""
        payment = self.payment()
        return PAYMENTS[payment.method].claims(payment, self.request_digest(), self.salt())

    def salt(self) -> Digest | None:
        """The salt that was announced with the payment."""
        return Digest(self.nonce_salt) if self.nonce_salt is not None else None

    def tensors(self) -> Tensors:
        """The input that is proven."""
        return sample_preprocess({}, self.request.body)

    def proof(self) -> bytes:
        """The proof file."""
        parts = self.bundle.parts
        tensors = self.tensors()
        disclosed, hashes, root = None, None, None
        if self.private_input:
            root = sample_root(SALT, tensors)
            committed = private_input_commitment(parts.proof_system, root)
        elif parts.visibility is Visibility.PUBLIC:
            disclosed = DisclosedInput(SALT, tensors)
            committed = input_commitment(SALT, tensors)
        else:
            hashes = (keccak256(b"inferproof sample hash"),)
            committed = hashed_input_commitment(parts.proof_system, hashes)
        statement = Statement(
            job_id=self.job_id(),
            model_commitment=self.bundle.commitment,
            input_commitment=committed,
            output_commitment=output_commitment(self.answer),
            proof_system=parts.proof_system,
            provider=PROVIDER,
            version=PRIVATE_STATEMENT_VERSION if self.private_input else STATEMENT_VERSION,
        )
        return encode_proof_file(
            ProofFile(
                statement=statement,
                outputs=self.answer,
                proof=sample_proof(self.bundle, statement),
                disclosed=disclosed,
                input_hashes=hashes,
                input_root=root,
            )
        )

    def opening(self) -> InputOpening:
        """What the payer of a private input opens its commitment with."""
        statement = decode_proof_file(self.proof()).statement
        return InputOpening(
            statement.job_id, statement.model_commitment, statement.input_commitment, SALT
        )

    def receipt(self, statement: Statement) -> Receipt:
        """The receipt for a proof file that carries this statement."""
        parts, quote = self.bundle.parts, self.quote()
        assurance = assurance_of(self.bundle, private_input=self.private_input)
        payment = self.payment()
        return Receipt(
            statement=statement,
            proof_digest=proof_digest(self.proof()),
            assurance=assurance,
            proven=proven_sentence(assurance, parts, private_input=self.private_input),
            request_digest=self.request_digest(),
            quote=quote,
            quote_signature=self.gateway.sign(quote_digest(quote)),
            payment=payment,
            settlement=self.settlement,
            claims=derive_claims(
                parts, self.settlement, self.claims(), private_input=self.private_input
            ),
            timings=(StageTime("settle", 21_000), StageTime("prove", 850_000)),
            issued_at=self.ordered_at + 5,
            gateway=self.gateway.address,
            nonce_salt=self.salt(),
        )


@dataclass(frozen=True, kw_only=True)
class TransferSample(Sample):
    """The same call, paid by a transfer that was made before.

    `log_index` is where the transfer is; `named` says whether the payer named it.
    """

    amount: int = 300_000
    log_index: int = 3
    named: bool = False

    def claim(self) -> TransferClaim:
        """The payer's signed claim to the sample settlement's transaction."""
        assert self.settlement.transaction is not None  # noqa: S101 - a sample's choice
        assert self.nonce_salt is not None  # noqa: S101
        unsigned = TransferClaim(
            asset=ASSET,
            payer=self.payer.address,
            payee=PAYEE,
            transaction=self.settlement.transaction,
            log_index=self.log_index if self.named else None,
            request=self.request_digest(),
            salt=Digest(self.nonce_salt),
            signature=b"",
        )
        return replace(unsigned, signature=self.payer.sign(claim_digest(unsigned)))

    def transfer(self) -> TransferPayment:
        """The transfer that the claim spends."""
        moved = Transfer(self.log_index, self.payer.address, PAYEE, self.amount)
        return spent(self.claim(), moved)

    def payment(self) -> Payment:
        return transfer_payment(self.transfer())


def sample_receipt_file(sample: Sample | None = None) -> ReceiptFile:
    """The sample receipt, signed, with request, proof and verifier bundle attached."""
    sample = sample or Sample()
    proof = sample.proof()
    receipt = sample.receipt(decode_proof_file(proof).statement)
    return ReceiptFile(
        receipt=receipt,
        signature=sample.gateway.sign(receipt_digest(receipt, PAYMENTS)),
        request=sample.request,
        proof=proof,
        verifier=encode_bundle(sample.bundle),
    )


def sample_receipt(sample: Sample | None = None) -> bytes:
    """The bytes of the sample receipt file."""
    return encode_receipt_file(sample_receipt_file(sample))


def seal(receipt: Receipt, file: ReceiptFile, key: SigningKey = GATEWAY) -> ReceiptFile:
    """The file with this receipt in it, signed by `key`."""
    return replace(file, receipt=receipt, signature=key.sign(receipt_digest(receipt, PAYMENTS)))
