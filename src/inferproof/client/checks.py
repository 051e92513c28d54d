"""Whether an offer can lead to an acceptable receipt, and whether the receipt is this call's."""

from inferproof.client.answer import Answer, Offer
from inferproof.client.ledger import PaidCall
from inferproof.errors import PolicyRejected, Reason, ReceiptRejected
from inferproof.payments.parts import payment_parts
from inferproof.protocol.claims import strongest_assurance
from inferproof.protocol.input_opening import InputOpening
from inferproof.protocol.labels import label_of
from inferproof.protocol.proof_file import decode_proof_file
from inferproof.protocol.receipt import decode_receipt_file
from inferproof.protocol.verifier_bundle import VerifierBundle, decode_bundle
from inferproof.types.digest import Address
from inferproof.types.proof import Assurance
from inferproof.types.receipt import Receipt, ReceiptFile
from inferproof.types.tensor import FixedTensor
from inferproof.verify.policy import Policy
from inferproof.verify.proof import check_own_input
from inferproof.verify.receipt import Tools, VerifiedReceipt, verify_receipt


def check_offer(offer: Offer, policy: Policy, tools: Tools | None) -> None:
    """Returns when a receipt under this offer can pass the policy, and can be verified here.

    So that nobody pays first and is told afterwards. Raises: PolicyRejected POLICY_GATEWAY,
    POLICY_MODEL, POLICY_NETWORK, POLICY_ASSURANCE, POLICY_SECURITY; MissingPart, NotFound
    SYSTEM_UNKNOWN.
    """
    quote = offer.quote
    if policy.gateways is not None and offer.gateway not in policy.gateways:
        raise PolicyRejected(Reason.POLICY_GATEWAY, gateway=offer.gateway)
    policy.check_named(quote.model_commitment)
    network = quote.price.asset.network
    if policy.networks is not None and network not in policy.networks:
        raise PolicyRejected(Reason.POLICY_NETWORK, network=network)
    if tools is None:
        return
    # What the gateway says of the proof is not signed: the receipt is held to the policy as well.
    level = min(
        strongest_assurance(quote.proof_system),
        offer.proof.assurance or Assurance.ZK_PRIVATE,
        key=list(Assurance).index,
    )
    policy.check_model(quote.model_commitment, level)
    tools.checker(quote.proof_system)


def check_answer(
    data: bytes,
    paid: PaidCall,
    gateway: Address,
    policy: Policy,
    tools: Tools | None,
    opening: InputOpening | None = None,
) -> Answer:
    """The answer in a receipt file, once it is known to be about this very call.

    With `tools` the receipt is verified first, without them the answer says so. With an `opening`
    the call's input is private, and the proof is found to be about it.
    Raises: what `verify_receipt` and `check_own_input` raise; ReceiptRejected RECEIPT_OTHER_CALL,
    RECEIPT_PROOF_MISSING.
    """
    verified: VerifiedReceipt | None = None
    if tools is not None:
        verified = verify_receipt(data, policy, tools)
        file, outputs = verified.file, verified.proof.outputs
        bundle: VerifierBundle | None = verified.bundle
    else:
        file = decode_receipt_file(data, payment_parts())
        outputs, bundle = _claimed_outputs(file), _claimed_bundle(file)
    receipt = file.receipt
    _check_call(receipt, paid, gateway)
    if opening is not None and tools is not None and verified is not None:
        checker = tools.checker(verified.bundle.parts.proof_system)
        own = tools.preprocess(verified.bundle.preprocessing, paid.body)
        check_own_input(verified.proof, verified.bundle, checker, own, opening)
    return Answer(
        job_id=paid.answering_job,
        outputs=outputs,
        label=label_of(bundle.outputs, outputs) if bundle else None,
        verified=verified is not None,
        receipt_file=file,
        steps=verified.steps if verified is not None else (),
        timings={time.stage: time.microseconds / 1e6 for time in receipt.timings},
        labels=tuple(spec.labels for spec in bundle.outputs) if bundle else (),
        opening=opening,
    )


def _claimed_bundle(file: ReceiptFile) -> VerifierBundle | None:
    """The attached verifier bundle, where it is that of the receipt's model."""
    if file.verifier is None:
        return None
    bundle = decode_bundle(file.verifier)
    return bundle if bundle.commitment == file.receipt.statement.model_commitment else None


def _claimed_outputs(file: ReceiptFile) -> tuple[FixedTensor, ...]:
    if file.proof is None:
        raise ReceiptRejected(Reason.RECEIPT_PROOF_MISSING, digest=file.receipt.proof_digest)
    return decode_proof_file(file.proof).outputs


def _check_call(receipt: Receipt, paid: PaidCall, gateway: Address) -> None:
    if paid.earlier is None:
        same = {"payment": paid.payment.is_stated_by(receipt.payment)}
    else:  # the same payer's payment of another time, at the price of then
        same = {"payer": receipt.payment.payer == paid.payment.payer}
    private = paid.request_salt is not None
    same |= {
        "request": receipt.request_digest == paid.request,
        "quote": receipt.quote == paid.quote or paid.earlier is not None,
        "gateway": receipt.gateway == gateway,
        "job": receipt.statement.job_id == paid.answering_job,
        "visibility of the input": receipt.statement.private_input == private,
    }
    for what, holds in same.items():
        if not holds:
            raise ReceiptRejected(Reason.RECEIPT_OTHER_CALL, what=what)
