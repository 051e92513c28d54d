"""The twelve steps of a receipt, each with what fails it."""

import base64
import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from inferproof.errors import (
    ArtifactRejected,
    InputRejected,
    MissingPart,
    PolicyRejected,
    ProofRejected,
    Reason,
    ReceiptRejected,
)
from inferproof.payments.x402.receipt import authorization_payment
from inferproof.protocol import proof_mode
from inferproof.protocol.authorization import authorization_digest
from inferproof.protocol.claims import derive_claims, proven_sentence
from inferproof.protocol.commitments import (
    input_commitment,
    job_id,
    proof_digest,
    request_digest,
)
from inferproof.protocol.encoding import keccak256
from inferproof.protocol.proof_file import decode_proof_file, encode_proof_file
from inferproof.protocol.quote import quote_digest
from inferproof.protocol.receipt import encode_receipt_file, receipt_digest
from inferproof.protocol.verifier_bundle import VerifierBundle, decode_bundle, encode_bundle
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import (
    ASSET,
    GATEWAY,
    ORDERED_AT,
    PAYER,
    PAYMENTS,
    PRIVATE_REQUEST,
    PROVIDER,
    REQUEST,
    SALT,
    STRANGER,
    Sample,
    SampleChecker,
    sample_bundle,
    sample_preprocess,
    sample_receipt,
    sample_receipt_file,
    sample_tools,
    seal,
)
from inferproof.types.digest import ZERO_DIGEST, Digest
from inferproof.types.money import Money
from inferproof.types.payment import Authorization, Quote, Settlement, SettlementState
from inferproof.types.proof import Assurance, SecurityReport, Setup, Visibility
from inferproof.types.receipt import Claim, ClaimSource, ClaimStatus, Receipt, ReceiptFile
from inferproof.types.tensor import Tensors
from inferproof.verify.policy import Policy
from inferproof.verify.receipt import Step, StepStatus, Tools, VerifiedReceipt, verify_receipt

FILE = sample_receipt_file()
RECEIPT = FILE.receipt
PAID = Sample().authorization()
OPEN = Policy(minimum_assurance=Assurance.COMMITMENT)
MALFORMED = "the signature is not 65 bytes of r, s and v with a low s"


def _verify(file: ReceiptFile, policy: Policy = OPEN, **given: Any) -> VerifiedReceipt:
    return verify_receipt(encode_receipt_file(file), policy, sample_tools(), **given)


def _with(receipt: Receipt, file: ReceiptFile = FILE) -> ReceiptFile:
    return seal(receipt, file)


def _with_quote(quote: Quote, receipt: Receipt = RECEIPT) -> ReceiptFile:
    return _with(replace(receipt, quote=quote, quote_signature=GATEWAY.sign(quote_digest(quote))))


def _paid(payment: Authorization, receipt: Receipt = RECEIPT) -> Receipt:
    signature = PAYER.sign(authorization_digest(payment))
    signed = replace(payment, signature=signature)
    return replace(receipt, payment=authorization_payment(signed))


def test_a_whole_receipt_passes_every_step() -> None:
    seen: list[Step] = []
    verified = _verify(FILE, on_step=seen.append)
    assert [s.number for s in verified.steps] == list(range(1, 13))
    assert {s.status for s in verified.steps} == {StepStatus.PASSED}
    assert tuple(seen) == verified.steps
    assert verified.digest == receipt_digest(RECEIPT, PAYMENTS)
    assert verified.proof.digest == RECEIPT.proof_digest


@pytest.mark.parametrize(
    "sample",
    [
        Sample(bundle=sample_bundle(visibility=Visibility.HASHED)),
        Sample(nonce_salt=None),
        Sample(settlement=Settlement(SettlementState.PENDING)),
        Sample(bundle=sample_bundle(setup=Setup.DEVELOPMENT, srs=b"srs")),
        Sample(gateway=STRANGER),
    ],
    ids=["hashed", "no salt", "pending", "development", "another gateway"],
)
def test_other_whole_receipts_pass(sample: Sample) -> None:
    _verify(sample_receipt_file(sample))


def test_a_hidden_input_makes_step_11_not_applicable() -> None:
    sample = Sample(bundle=sample_bundle(visibility=Visibility.HASHED))
    steps = _verify(sample_receipt_file(sample)).steps
    assert steps[10].status is StepStatus.NOT_APPLICABLE


def test_a_private_input_makes_step_11_not_applicable_and_its_claims_unknown() -> None:
    verified = _verify(sample_receipt_file(Sample(request=PRIVATE_REQUEST)))
    step = verified.steps[10]
    assert step.status is StepStatus.NOT_APPLICABLE
    assert step.detail == "input private, who has its opening can compare"
    for name in ("preprocessing", "input-range"):
        found = _claim(verified, name)
        assert (found.status, found.source) == (ClaimStatus.UNKNOWN, ClaimSource.OPERATOR_ASSERTED)
        assert found.reason.startswith("the input is private; who has it")


def test_a_receipt_about_a_private_input_holds_nothing_of_it() -> None:
    """Neither the input nor a digest of it that a guess could be held against."""
    sample = Sample(request=PRIVATE_REQUEST)
    whole = sample_receipt_file(sample)
    data = encode_receipt_file(replace(whole, request=None))
    body = sample.request.body
    tensors = sample_preprocess({}, body)
    values = tensors["x"].tobytes()
    guesses = [
        *(body, values, SALT, sample.request.salt or b""),
        request_digest(sample.request.method, sample.request.path, body).raw,
        input_commitment(SALT, tensors).raw,
        *(hash_of(each) for hash_of in (keccak256, _sha256) for each in (body, values)),
    ]
    hidden = data + (whole.proof or b"") + (whole.verifier or b"")
    # What is in base64 in a document is looked for in the document itself, as it is.
    for guess in guesses:
        for form in (guess, guess.hex().encode(), base64.b64encode(guess)):
            assert form not in hidden
    public = sample_receipt_file()
    found = encode_receipt_file(replace(public, request=None)) + (public.proof or b"")
    assert guesses[4].hex().encode() in found
    assert base64.b64encode(values) in found
    # The request that the payer attaches itself is found to be the paid one.
    assert _verify(whole).steps[6].status is StepStatus.PASSED
    with rejects(Reason.RECEIPT_REQUEST, "the attached request is not the one that was paid for"):
        _verify(replace(whole, request=replace(sample.request, salt=bytes(32))))


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def test_without_the_request_steps_7_and_11_are_not_checked() -> None:
    steps = _verify(replace(FILE, request=None)).steps
    assert [s.number for s in steps if s.status is not StepStatus.PASSED] == [7, 11]
    assert {steps[6].status, steps[10].status} == {StepStatus.NOT_CHECKED}


def _claim(verified: VerifiedReceipt, name: str) -> Claim:
    return next(claim for claim in verified.claims if claim.name == name)


def test_without_the_request_preprocessing_is_unknown() -> None:
    whole, cut = _verify(FILE), _verify(replace(FILE, request=None))
    assert _claim(whole, "preprocessing").source is ClaimSource.VERIFIER_DERIVED
    found = _claim(cut, "preprocessing")
    assert (found.status, found.source) == (ClaimStatus.UNKNOWN, ClaimSource.OPERATOR_ASSERTED)
    assert found.reason == "the request is not attached, so nobody ran its pre-processing again"
    assert cut.digest == whole.digest


class Ranged(SampleChecker):
    """The sample system with a range: every value beyond 1 is cut."""

    def out_of_range(self, bundle: VerifierBundle, inputs: Tensors) -> int:
        return sum(int((abs(array) > 1).sum()) for array in inputs.values())

    def security(self, bundle: VerifierBundle, *, private_input: bool = False) -> SecurityReport:
        return SecurityReport(100.25, "default", (("all", 100.25),))


def _ranged(file: ReceiptFile, policy: Policy = OPEN) -> VerifiedReceipt:
    tools = replace(sample_tools(), checker=lambda _: Ranged())
    return verify_receipt(encode_receipt_file(file), policy, tools)


def test_values_beyond_the_range_are_counted_by_the_verifier() -> None:
    beyond = _ranged(FILE).proof.out_of_range
    assert beyond
    claims = derive_claims(
        decode_bundle(FILE.verifier or b"").parts,
        RECEIPT.settlement,
        Sample().claims(),
        out_of_range=beyond,
    )
    verified = _ranged(_with(replace(RECEIPT, claims=claims)))
    assert _claim(verified, "input-range").reason.startswith(f"{beyond} ")
    assert verified.steps[11].detail.endswith(f", {beyond} values out of range")


def test_a_receipt_of_before_values_were_counted_holds_and_says_their_number() -> None:
    verified = _ranged(FILE)
    assert not any(claim.name == "input-range" for claim in verified.claims)
    assert verified.steps[11].detail.endswith(
        f", {verified.proof.out_of_range} values out of range"
    )


@pytest.mark.parametrize("said", [0, 1, 99])
def test_12_another_number_of_values_beyond_the_range(said: int) -> None:
    claims = derive_claims(
        decode_bundle(FILE.verifier or b"").parts,
        RECEIPT.settlement,
        Sample().claims(),
        out_of_range=said,
    )
    with pytest.raises(ReceiptRejected) as caught:
        _ranged(_with(replace(RECEIPT, claims=claims)))
    assert caught.value.reason is Reason.RECEIPT_CLAIMS


def test_10_proofs_are_as_sound_as_the_policy_asks() -> None:
    verified = _ranged(FILE, replace(OPEN, minimum_bits=100, minimum_profile="default"))
    assert verified.security is not None
    assert verified.steps[9].detail == (
        "sample, statement bound, profile default, 100.2 provable bits"
    )
    message = "the provable bits of the proof is 100.2, at least 128 is asked for"
    with rejects(Reason.POLICY_SECURITY, message, kind=PolicyRejected):
        _ranged(FILE, replace(OPEN, minimum_bits=128))
    message = "the profile of the proof is unknown, at least default is asked for"
    with rejects(Reason.POLICY_SECURITY, message, kind=PolicyRejected):
        _verify(FILE, policy=replace(OPEN, minimum_profile="default"))


def test_proof_and_verifier_may_be_given_apart() -> None:
    bare = replace(FILE, proof=None, verifier=None)
    _verify(bare, proof=FILE.proof, verifier=FILE.verifier)


def test_1_the_file_decodes() -> None:
    with rejects(
        Reason.JSON_NOT_CANONICAL, "the document is not canonical JSON", kind=ReceiptRejected
    ):
        verify_receipt(b"\x80", OPEN, sample_tools())


def test_2_the_gateway_signed() -> None:
    with rejects(
        Reason.RECEIPT_SIGNATURE,
        f"the receipt is not signed by gateway {GATEWAY.address}",
        kind=ReceiptRejected,
    ):
        _verify(seal(RECEIPT, FILE, STRANGER))


def test_2_the_signature_has_its_one_form() -> None:
    with rejects(Reason.SIGNATURE_MALFORMED, MALFORMED, kind=ReceiptRejected):
        _verify(replace(FILE, signature=bytes(65)))


def test_3_the_policy_accepts() -> None:
    with rejects(
        Reason.POLICY_ASSURANCE,
        "the assurance is commitment, at least zk-integrity is asked for",
        kind=PolicyRejected,
    ):
        _verify(FILE, Policy())


def test_3_a_receipt_of_an_unknown_gateway() -> None:
    trusted = replace(OPEN, gateways=frozenset({GATEWAY.address}))
    with rejects(
        Reason.POLICY_GATEWAY, f"gateway {STRANGER.address} is not among the trusted ones"
    ):
        _verify(sample_receipt_file(Sample(gateway=STRANGER)), trusted)


def test_4_the_same_gateway_signed_the_quote() -> None:
    forged = replace(RECEIPT, quote_signature=STRANGER.sign(quote_digest(RECEIPT.quote)))
    with rejects(
        Reason.QUOTE_SIGNATURE,
        f"the quote is not signed by gateway {GATEWAY.address}",
        kind=ReceiptRejected,
    ):
        _verify(_with(forged))


def test_4_the_quotes_signature_has_its_one_form() -> None:
    with rejects(Reason.SIGNATURE_MALFORMED, MALFORMED, kind=ReceiptRejected):
        _verify(_with(replace(RECEIPT, quote_signature=bytes(65))))


@pytest.mark.parametrize(
    "changed",
    [
        {"model_commitment": ZERO_DIGEST},
        {"proof_system": "other"},
        {"provider": STRANGER.address},
        {"request_digest": Digest(b"\1" * 32)},
    ],
)
def test_4_the_quote_is_for_this_job(changed: dict[str, object]) -> None:
    with rejects(
        Reason.RECEIPT_QUOTE, "the quote in the receipt is for another model, request or provider"
    ):
        _verify(_with_quote(replace(RECEIPT.quote, **changed)))  # type: ignore[arg-type]


def test_4_a_quote_for_any_request_will_do() -> None:
    _verify(_with_quote(replace(RECEIPT.quote, request_digest=ZERO_DIGEST)))


def test_5_the_payer_signed() -> None:
    forged = replace(PAID, signature=STRANGER.sign(authorization_digest(PAID)))
    payment = authorization_payment(forged)
    with rejects(
        Reason.PAYMENT_SIGNATURE,
        f"the authorization is not signed by its payer {PAYER.address}",
        kind=ReceiptRejected,
    ):
        _verify(_with(replace(RECEIPT, payment=payment)))


def test_5_the_payment_is_exactly_the_price() -> None:
    with rejects(
        Reason.PAYMENT_AMOUNT,
        "the payment is 0.25 USDC, the price is exactly 0.25001 USDC",
        kind=ReceiptRejected,
    ):
        _verify(_with_quote(replace(RECEIPT.quote, price=Money(250_010, ASSET))))


def test_5_the_payment_goes_to_the_payee() -> None:
    with rejects(
        Reason.PAYMENT_PAYEE,
        f"the payment goes to {RECEIPT.payment.payee}, the payee is {PROVIDER}",
        kind=ReceiptRejected,
    ):
        _verify(_with_quote(replace(RECEIPT.quote, payee=PROVIDER)))


def test_5_the_payment_is_in_the_quoted_asset() -> None:
    other = replace(ASSET, symbol="USDX")
    with rejects(
        Reason.PAYMENT_ASSET,
        f"the payment is in eip155:31337 {ASSET.address}, "
        f"the price is in eip155:31337 {ASSET.address}",
        kind=ReceiptRejected,
    ):
        _verify(_with_quote(replace(RECEIPT.quote, price=Money(250_000, other))))


@pytest.mark.parametrize(
    ("receipt", "earliest", "latest"),
    [
        (replace(RECEIPT, issued_at=ORDERED_AT - 1), ORDERED_AT, ORDERED_AT - 1),
        (
            replace(RECEIPT, quote=replace(RECEIPT.quote, expires_at=ORDERED_AT)),
            ORDERED_AT,
            ORDERED_AT - 1,
        ),
        (
            replace(RECEIPT, quote=replace(RECEIPT.quote, issued_at=ORDERED_AT + 6)),
            ORDERED_AT + 6,
            ORDERED_AT + 5,
        ),
        (
            _paid(replace(PAID, valid_after=ORDERED_AT + 5)),
            ORDERED_AT + 6,
            ORDERED_AT + 5,
        ),
        (
            _paid(replace(PAID, valid_before=ORDERED_AT)),
            ORDERED_AT,
            ORDERED_AT - 1,
        ),
        (_paid(replace(PAID, valid_before=0)), ORDERED_AT, -1),
    ],
    ids=[
        "issued before the quote",
        "a quote that never held",
        "a quote made after the receipt",
        "a payment valid after the receipt",
        "a payment that ended before the quote",
        "a payment that never was valid",
    ],
)
def test_5_some_order_fits_the_times(receipt: Receipt, earliest: int, latest: int) -> None:
    with rejects(
        Reason.RECEIPT_TIMES,
        f"no order fits the receipt's times: quote and payment hold from {earliest}, "
        f"and no later than {latest}",
        kind=ReceiptRejected,
    ):
        _verify(_with_quote(receipt.quote, receipt))


def test_5_a_receipt_may_come_long_after_quote_and_payment_ended() -> None:
    _verify(_with(replace(RECEIPT, issued_at=ORDERED_AT + 10**6)))


def test_6_the_job_follows_from_the_payment() -> None:
    other = sample_receipt_file(Sample(payer=STRANGER)).receipt
    swapped = replace(RECEIPT, payment=other.payment)
    with rejects(
        Reason.RECEIPT_JOB,
        "the job in the statement does not follow from payment, request and salt; "
        f"expected {other.statement.job_id}",
    ):
        _verify(_with(swapped))


def test_6_the_nonce_is_made_of_the_request_where_its_salt_is_known() -> None:
    with rejects(
        Reason.RECEIPT_NONCE,
        "the payment's nonce is not made of the request and the salt in the receipt",
        kind=ReceiptRejected,
    ):
        _verify(_with(replace(RECEIPT, nonce_salt=Digest(b"\1" * 32))))


def test_6_the_job_is_made_of_the_salt_too() -> None:
    unsalted = Sample(nonce_salt=None)
    payment = RECEIPT.payment
    expected = job_id(
        payment.asset.network,
        payment.asset.address,
        payment.payer,
        payment.nonce,
        unsalted.request_digest(),
        None,
    )
    with rejects(
        Reason.RECEIPT_JOB,
        f"the job in the statement does not follow from payment, request and salt; "
        f"expected {expected}",
    ):
        _verify(_with(replace(RECEIPT, nonce_salt=None)))


def test_6_the_job_is_made_of_the_request_too() -> None:
    """Without a salt it is the job id alone that ties the proof to one request."""
    free = Sample(nonce_salt=None)
    other = replace(free, request=replace(REQUEST, path="/v1/models/other/infer"))
    assert other.payment() == free.payment()
    file, quote = sample_receipt_file(free), other.quote()
    receipt = replace(
        file.receipt,
        request_digest=other.request_digest(),
        quote=quote,
        quote_signature=GATEWAY.sign(quote_digest(quote)),
    )
    expected = sample_receipt_file(other).receipt.statement.job_id
    with rejects(
        Reason.RECEIPT_JOB,
        f"the job in the statement does not follow from payment, request and salt; "
        f"expected {expected}",
    ):
        _verify(replace(seal(receipt, file), request=other.request))


def test_6_a_request_that_the_payer_did_not_sign() -> None:
    other = Sample(request=replace(REQUEST, path="/v1/models/other/infer"))
    quote = other.quote()
    receipt = replace(
        RECEIPT,
        request_digest=other.request_digest(),
        quote=quote,
        quote_signature=GATEWAY.sign(quote_digest(quote)),
    )
    with rejects(
        Reason.RECEIPT_NONCE,
        "the payment's nonce is not made of the request and the salt in the receipt",
    ):
        _verify(replace(_with(receipt), request=other.request))


def test_7_the_request_is_the_paid_one() -> None:
    with rejects(
        Reason.RECEIPT_REQUEST,
        "the attached request is not the one that was paid for",
        kind=ReceiptRejected,
    ):
        _verify(replace(FILE, request=replace(REQUEST, body=REQUEST.body + b" ")))


def test_8_a_proof_is_attached_or_given() -> None:
    with rejects(
        Reason.RECEIPT_PROOF_MISSING,
        f"the receipt has no proof attached; fetch proof {RECEIPT.proof_digest} "
        "and give it with --proof",
        kind=ReceiptRejected,
    ):
        _verify(replace(FILE, proof=None))


def test_8_the_proof_is_the_receipts() -> None:
    with rejects(
        Reason.RECEIPT_PROOF_DIGEST,
        "the attached proof is not the one that the receipt names",
        kind=ReceiptRejected,
    ):
        _verify(replace(FILE, proof=Sample(payer=STRANGER).proof()))


def test_9_a_verifier_is_attached_or_given() -> None:
    with rejects(
        Reason.RECEIPT_VERIFIER_MISSING,
        "the receipt has no verifier bundle attached; "
        f"fetch the one of model {RECEIPT.statement.model_commitment} and give it with --verifier",
        kind=ReceiptRejected,
    ):
        _verify(replace(FILE, verifier=None))


def test_9_the_verifier_is_the_models() -> None:
    other = sample_bundle(setup=Setup.DEVELOPMENT)
    with rejects(
        Reason.PROOF_OTHER_MODEL,
        f"the proof is for model {RECEIPT.statement.model_commitment}, not for {other.commitment}",
        kind=ProofRejected,
    ):
        _verify(replace(FILE, verifier=encode_bundle(other)))


def test_9_the_verifier_has_the_content_it_commits_to() -> None:
    forged = replace(sample_bundle(), verifying_key=b"mine")
    with rejects(
        Reason.ARTIFACT_DIGEST_MISMATCH,
        "the verifying key of the compiled model does not have the digest it states",
        kind=ArtifactRejected,
    ):
        _verify(replace(FILE, verifier=encode_bundle(forged)))


def test_9_the_policy_accepts_the_setup() -> None:
    bundle = sample_bundle(setup=Setup.DEVELOPMENT, srs=b"srs")
    with rejects(
        Reason.POLICY_SETUP,
        f"the development set-up with SRS {bundle.parts.srs} is not a trusted ceremony's",
        kind=PolicyRejected,
    ):
        _verify(sample_receipt_file(Sample(bundle=bundle)), replace(OPEN, require_ceremony=True))


def test_10_the_proof_holds() -> None:
    proof = decode_proof_file(FILE.proof or b"")
    broken = encode_proof_file(replace(proof, proof=bytes(32)))
    receipt = replace(RECEIPT, proof_digest=proof_digest(broken))
    with rejects(
        Reason.PROOF_INVALID, "the proof does not hold for its statement", kind=ProofRejected
    ):
        _verify(replace(_with(receipt), proof=broken))


def test_10_the_proof_is_of_the_receipts_statement() -> None:
    other = Sample(payer=STRANGER).proof()
    receipt = replace(RECEIPT, proof_digest=proof_digest(other))
    with rejects(
        Reason.RECEIPT_STATEMENT,
        "the proof carries another statement than the receipt",
        kind=ReceiptRejected,
    ):
        _verify(replace(_with(receipt), proof=other))


def test_10_a_checker_that_is_not_installed() -> None:
    data = sample_receipt(Sample(bundle=sample_bundle(system="ezkl")))
    with rejects(
        Reason.MISSING_LIBRARY,
        "checking ezkl proofs needs the Python package ezkl; "
        "install it with: pip install 'inferproof[ezkl]'",
        kind=MissingPart,
    ):
        verify_receipt(data, OPEN, sample_tools())


def _tools(tensors: dict[str, np.ndarray]) -> Tools:  # type: ignore[type-arg]
    return replace(sample_tools(), preprocess=lambda _canonical, _body: tensors)


@pytest.mark.parametrize(
    "tensors",
    [
        {},
        {"x": np.array([1.5, -2, 0.5], np.float32)},
        {"x": np.array([[1.5, -2, 0.25]], np.float32)},
        {"x": np.array([1.5, -2, 0.25], np.float32), "z": np.zeros(1, np.float32)},
    ],
)
def test_11_the_input_is_the_requests(tensors: dict[str, np.ndarray]) -> None:  # type: ignore[type-arg]
    with rejects(
        Reason.RECEIPT_PREPROCESSING,
        "the proven input is not what pre-processing makes of the request",
        kind=ReceiptRejected,
    ):
        verify_receipt(encode_receipt_file(FILE), OPEN, _tools(tensors))


def test_11_a_request_that_pre_processing_refuses() -> None:
    def refuse(_canonical: object, _body: bytes) -> Any:
        raise InputRejected(Reason.INPUT_NOT_FINITE, name="x")

    tools = replace(sample_tools(), preprocess=refuse)
    with rejects(
        Reason.INPUT_NOT_FINITE, "input x holds a NaN or an infinity", kind=ReceiptRejected
    ):
        verify_receipt(encode_receipt_file(FILE), OPEN, tools)


CLAIM = replace(RECEIPT.claims[0], status=ClaimStatus.ASSERTED)


@pytest.mark.parametrize(
    "changed",
    [
        {"assurance": Assurance.ZK_INTEGRITY},
        {"proven": RECEIPT.proven + " Trust me."},
        {"claims": (CLAIM, *RECEIPT.claims[1:])},
        {"claims": RECEIPT.claims[:-1]},
        {"claims": (*RECEIPT.claims, RECEIPT.claims[0])},
        {"claims": RECEIPT.claims[::-1]},
        {"claims": ()},
        {"settlement": Settlement(SettlementState.PENDING)},
    ],
)
def test_12_a_receipt_says_no_more_than_its_proof(changed: dict[str, object]) -> None:
    with rejects(
        Reason.RECEIPT_CLAIMS,
        "assurance, sentence or claims say something else than the proof allows",
        kind=ReceiptRejected,
    ):
        _verify(_with(replace(RECEIPT, **changed)))  # type: ignore[arg-type]


PRIVATE_KEY = bytes([*range(12), 3, 1])
"""The first bytes of a key."""


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("verified", [False, True])
def test_12_who_claims_that_weights_are_hidden_is_believed_where_it_was_tried(
    monkeypatch: pytest.MonkeyPatch, signed: bool, verified: bool
) -> None:
    """The evidence is of a build; a receipt of one that has none says less, and holds."""
    monkeypatch.setattr(proof_mode, "evidence_complete", lambda **_: signed)
    bundle = sample_bundle(system="sumcheck", verifying_key=PRIVATE_KEY)
    file = sample_receipt_file(Sample(bundle=bundle))
    level = Assurance.ZK_PRIVATE if signed else Assurance.ZK_INTEGRITY
    assert file.receipt.assurance is level
    assert ("revealing nothing else of its weights" in file.receipt.proven) is signed
    monkeypatch.setattr(proof_mode, "evidence_complete", lambda **_: verified)
    data, policy = encode_receipt_file(file), Policy(minimum_assurance=level)
    if signed and not verified:
        with rejects(
            Reason.RECEIPT_CLAIMS,
            "assurance, sentence or claims say something else than the proof allows",
            kind=ReceiptRejected,
        ):
            verify_receipt(data, policy, sample_tools("sumcheck"))
    else:
        found = verify_receipt(data, policy, sample_tools("sumcheck"))
        assert found.steps[11].detail.startswith(f"assurance {level.value}")


@pytest.mark.parametrize("mode", [1, 2])
def test_12_no_other_mode_may_claim_it(monkeypatch: pytest.MonkeyPatch, mode: int) -> None:
    monkeypatch.setattr(proof_mode, "evidence_complete", lambda **_: True)
    key = bytes([*range(12), mode, 1])
    sample = Sample(bundle=sample_bundle(system="sumcheck", verifying_key=key))
    file = sample_receipt_file(sample)
    assert file.receipt.assurance is Assurance.ZK_INTEGRITY
    level, parts = Assurance.ZK_PRIVATE, sample.bundle.parts
    more = replace(file.receipt, assurance=level, proven=proven_sentence(level, parts))
    with pytest.raises(ReceiptRejected) as caught:
        verify_receipt(encode_receipt_file(_with(more, file)), OPEN, sample_tools("sumcheck"))
    assert caught.value.reason is Reason.RECEIPT_CLAIMS


def test_12_a_receipt_may_not_say_less_either() -> None:
    sample = Sample(bundle=sample_bundle(system="ezkl"))
    file = sample_receipt_file(sample)
    assert file.receipt.assurance is Assurance.ZK_INTEGRITY
    less = _with(replace(file.receipt, assurance=Assurance.COMMITMENT), file)
    with rejects(
        Reason.RECEIPT_CLAIMS,
        "assurance, sentence or claims say something else than the proof allows",
    ):
        verify_receipt(encode_receipt_file(less), OPEN, sample_tools("ezkl"))
