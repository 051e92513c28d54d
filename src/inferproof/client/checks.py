"""Whether an offer can lead to an acceptable receipt, and whether the receipt is this call's."""

from typing import Any

import numpy as np

from inferproof.client.answer import Answer, Offer
from inferproof.client.ledger import PaidCall
from inferproof.errors import PolicyRejected, Reason, ReceiptRejected
from inferproof.payments.parts import payment_parts
from inferproof.protocol.claims import PROVES_EXECUTION
from inferproof.protocol.proof_file import decode_proof_file
from inferproof.protocol.receipt import decode_receipt_file
from inferproof.types.digest import Address
from inferproof.types.proof import Assurance
from inferproof.types.receipt import Receipt, ReceiptFile
from inferproof.types.tensor import FixedTensor
from inferproof.verify.policy import Policy
from inferproof.verify.receipt import Tools, VerifiedReceipt, verify_receipt


def check_offer(offer: Offer, policy: Policy, tools: Tools | None) -> None:
    """Returns when a receipt under this offer can pass the policy, and can be verified here.

    So that nobody pays first and is told afterwards. Raises: PolicyRejected POLICY_GATEWAY,
    POLICY_MODEL, POLICY_NETWORK, POLICY_ASSURANCE; MissingPart, NotFound SYSTEM_UNKNOWN.
    """
    quote = offer.quote
    if policy.gateways is not None and offer.gateway not in policy.gateways:
        raise PolicyRejected(Reason.POLICY_GATEWAY, gateway=offer.gateway)
    if policy.models is not None and quote.model_commitment not in policy.models:
        raise PolicyRejected(Reason.POLICY_MODEL, model=quote.model_commitment)
    network = quote.price.asset.network
    if policy.networks is not None and network not in policy.networks:
        raise PolicyRejected(Reason.POLICY_NETWORK, network=network)
    if tools is None:
        return
    levels = list(Assurance)
    proves = quote.proof_system in PROVES_EXECUTION
    level = Assurance.ZK_INTEGRITY if proves else Assurance.COMMITMENT
    if levels.index(level) < levels.index(policy.minimum_assurance):
        raise PolicyRejected(
            Reason.POLICY_ASSURANCE, got=level.value, minimum=policy.minimum_assurance.value
        )
    tools.checker(quote.proof_system)


def check_answer(
    data: bytes,
    paid: PaidCall,
    gateway: Address,
    policy: Policy,
    tools: Tools | None,
    job: dict[str, Any],
) -> Answer:
    """The answer in a receipt file, once it is known to be about this very call.

    `job` is the gateway's JSON of the job; only the names of labels are taken from it.
    With `tools` the receipt is verified first, without them the answer says so.
    Raises: what `verify_receipt` raises; ReceiptRejected RECEIPT_OTHER_CALL,
    RECEIPT_PROOF_MISSING.
    """
    verified: VerifiedReceipt | None = None
    if tools is not None:
        verified = verify_receipt(data, policy, tools)
        file, outputs = verified.file, verified.proof.outputs
    else:
        file = decode_receipt_file(data, payment_parts())
        outputs = _claimed_outputs(file)
    receipt = file.receipt
    _check_call(receipt, paid, gateway)
    return Answer(
        job_id=paid.answering_job,
        outputs=outputs,
        label=label_of(job, outputs),
        verified=verified is not None,
        receipt_file=file,
        steps=verified.steps if verified is not None else (),
        timings={time.stage: time.microseconds / 1e6 for time in receipt.timings},
    )


def label_of(job: dict[str, Any], outputs: tuple[FixedTensor, ...]) -> str | None:
    """The name of the largest value of the first output; None where the model names none.

    The gateway lists its scores in the order of the outputs; which is largest is computed here.
    """
    output = job.get("output")
    scores = output.get("scores") if isinstance(output, dict) else None
    if not isinstance(scores, dict) or not outputs or len(scores) != len(outputs[0].values):
        return None
    return str(list(scores)[int(np.argmax(outputs[0].values))])


def _claimed_outputs(file: ReceiptFile) -> tuple[FixedTensor, ...]:
    if file.proof is None:
        raise ReceiptRejected(Reason.RECEIPT_PROOF_MISSING, digest=file.receipt.proof_digest)
    return decode_proof_file(file.proof).outputs


def _check_call(receipt: Receipt, paid: PaidCall, gateway: Address) -> None:
    if paid.earlier is None:
        same = {"payment": paid.payment.is_stated_by(receipt.payment)}
    else:  # the same payer's payment of another time, at the price of then
        same = {"payer": receipt.payment.payer == paid.payment.payer}
    same |= {
        "request": receipt.request_digest == paid.request,
        "quote": receipt.quote == paid.quote or paid.earlier is not None,
        "gateway": receipt.gateway == gateway,
        "job": receipt.statement.job_id == paid.answering_job,
    }
    for what, holds in same.items():
        if not holds:
            raise ReceiptRejected(Reason.RECEIPT_OTHER_CALL, what=what)
