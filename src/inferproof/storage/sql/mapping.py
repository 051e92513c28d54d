"""Between rows and values. What has an encoding in protocol/ is kept in that encoding."""

import json
import struct
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Row, Select, select

from inferproof.protocol.fields import Fields
from inferproof.protocol.quote import quote_json, read_quote
from inferproof.storage.ports.jobs import (
    Answer,
    Failure,
    Job,
    Kept,
    KeptProof,
    Refund,
    RefundState,
    ValidatedOrder,
)
from inferproof.storage.ports.models import ModelEstimate, ModelRecord, ModelStatus, Statistics
from inferproof.storage.ports.outbox import (
    NewTransaction,
    OutboxItem,
    OutboxKind,
    OutboxState,
    Payable,
    SettlementStep,
    StoredRaw,
)
from inferproof.storage.ports.verifications import VerificationRecord, VerificationStep
from inferproof.storage.sql.tables import (
    answers,
    checkpoints,
    jobs,
    models,
    outbox,
    payment_reservations,
    refunds,
    settlements,
    verifications,
)
from inferproof.types.digest import Digest
from inferproof.types.job import JobState
from inferproof.types.money import Asset, Network
from inferproof.types.payment import Payment, Settlement, SettlementState
from inferproof.types.receipt import Request, StageTime
from inferproof.types.tensor import FixedTensor

Values = dict[str, Any]

_OF_PAYABLE = ("job_id", "state", "first_block", "created_at")
_OF_PAYMENT = ("payer", "payee", "amount", "nonce", "method", "terms", "signature", "ends")

PROOF, ANSWER = "proof", "answer"
"""Steps that are kept, as checkpoints call them."""


def payment_values(payment: Payment) -> Values:
    """The columns of payment_reservations that a payment has, whatever its method."""
    return {
        "network": payment.asset.network.caip2,
        "token": payment.asset.address,
        "payer": payment.payer,
        "payee": payment.payee,
        "amount": payment.amount,
        "nonce": payment.nonce,
        "method": payment.method,
        "terms": payment.terms.decode("ascii"),
        "signature": payment.signature,
        "ends": payment.ends,
    }


def payment_of_row(m: Mapping[Any, Any], asset: Asset) -> Payment:
    """The inverse of `payment_values`."""
    c = payment_reservations.c
    return Payment(
        method=m[c.method],
        asset=asset,
        payer=m[c.payer],
        payee=m[c.payee],
        amount=m[c.amount],
        nonce=m[c.nonce],
        terms=m[c.terms].encode("ascii"),
        signature=m[c.signature],
        ends=m[c.ends],
    )


def reservation_values(order: ValidatedOrder, settled_in: Digest | None = None) -> Values:
    """The row of payment_reservations that an order makes; the transaction is given of a payment
    whose money was moved before."""
    return {
        **payment_values(order.payment),
        "job_id": order.job_id,
        "request_digest": order.request_digest,
        "payment_id": order.payment_id,
        "created_at": order.created_at,
        "tx": settled_in,
    }


def job_values(order: ValidatedOrder, turn: int, state: JobState) -> Values:
    """The row of jobs that an order makes."""
    return {
        "job_id": order.job_id,
        "state": state.value,
        "model_id": order.model_id,
        "model_version": order.model_version,
        "model_commitment": order.model_commitment,
        "method": order.request.method,
        "path": order.request.path,
        "body": order.request.body,
        "request_salt": order.request.salt,
        "request_digest": order.request_digest,
        "quote": json.dumps(quote_json(order.quote), sort_keys=True, separators=(",", ":")),
        "quote_signature": order.quote_signature,
        "salt": order.salt,
        "nonce_salt": order.nonce_salt,
        "first_block": order.first_block,
        "webhook": order.webhook,
        "attempts": 0,
        "fence": 0,
        "deadline": order.deadline,
        "created_at": order.created_at,
        "updated_at": order.created_at,
        "turn": turn,
        "api_key": order.api_key,
        "deliver_by": order.deliver_by,
    }


def settlement_values(number: int, settlement: Settlement, now: int) -> Values:
    """The row of settlements that a new job has, whose number this is."""
    return {
        "job": number,
        "state": settlement.state.value,
        "tx": settlement.transaction,
        "block": settlement.block,
        "updated_at": now,
    }


def answer_values(answer: Answer) -> Values:
    """The row of answers that an answer makes, without its job."""
    return {
        "outputs": encode_outputs(answer.outputs),
        "proof_digest": answer.proof_digest,
        "proof_blob": answer.proof_blob,
        "proof_size": answer.proof_size,
        "out_of_range": answer.out_of_range,
        "verifier_blob": answer.verifier_blob,
        "receipt": answer.receipt,
        "timings": _encode_timings(answer.timings),
    }


def checkpoint_values(done: KeptProof | Answer) -> Values:
    """The row of checkpoints that a step makes, without its job and its claim."""
    if isinstance(done, KeptProof):
        return {"step": PROOF, "blob": done.blob, "value": _encode_timings(done.timings)}
    values = answer_values(done)
    plain = {
        **values,
        "proof_digest": done.proof_digest.hex,
        "proof_blob": done.proof_blob.hex,
        "verifier_blob": done.verifier_blob.hex,
        "receipt": done.receipt.hex(),
    }
    return {"step": ANSWER, "blob": done.proof_blob, "value": json.dumps(plain)}


def kept_of_rows(rows: Iterable[Row[Any]]) -> Kept:
    """What the rows of checkpoints of one job hold."""
    c, proof, answer = checkpoints.c, None, None
    for row in rows:
        m = row._mapping
        if m[c.step] == PROOF:
            proof = KeptProof(m[c.blob], _decode_timings(m[c.value]))
        elif m[c.step] == ANSWER:
            plain = json.loads(m[c.value])
            answer = Answer(
                outputs=decode_outputs(plain["outputs"]),
                proof_digest=Digest.from_hex(plain["proof_digest"]),
                proof_blob=Digest.from_hex(plain["proof_blob"]),
                proof_size=plain.get("proof_size"),
                out_of_range=plain.get("out_of_range"),
                verifier_blob=Digest.from_hex(plain["verifier_blob"]),
                receipt=bytes.fromhex(plain["receipt"]),
                timings=_decode_timings(plain["timings"]),
            )
    return Kept(proof, answer)


def _encode_timings(timings: tuple[StageTime, ...]) -> str:
    return json.dumps([[t.stage, t.microseconds] for t in timings])


def _decode_timings(text: str) -> tuple[StageTime, ...]:
    return tuple(StageTime(stage, us) for stage, us in json.loads(text))


def failure_values(failure: Failure) -> Values:
    """The columns of jobs that say why a job did not end well."""
    return {
        "failure_code": failure.code,
        "failure_message": failure.message,
        "failure_facts": json.dumps(dict(failure.facts), sort_keys=True),
    }


def encode_outputs(outputs: tuple[FixedTensor, ...]) -> str:
    """Exact: integers as they are, scales as the hex of their float64."""
    return json.dumps(
        [
            {
                "name": o.name,
                "shape": list(o.shape),
                "values": list(o.values),
                "scale": struct.pack(">d", o.scale).hex(),
            }
            for o in outputs
        ]
    )


def decode_outputs(text: str) -> tuple[FixedTensor, ...]:
    """The inverse of `encode_outputs`."""
    return tuple(
        FixedTensor(
            o["name"],
            tuple(o["shape"]),
            tuple(o["values"]),
            struct.unpack(">d", bytes.fromhex(o["scale"]))[0],
        )
        for o in json.loads(text)
    )


def select_jobs() -> Select[Any]:
    """The query that `job_of_row` reads: a job with all that belongs to it."""
    return (
        select(jobs, payment_reservations, settlements, refunds, answers)
        .join(payment_reservations, payment_reservations.c.job_id == jobs.c.job_id)
        .join(settlements, settlements.c.job == jobs.c.number)
        .join(refunds, refunds.c.job_id == jobs.c.job_id, isouter=True)
        .join(answers, answers.c.job_id == jobs.c.job_id, isouter=True)
    )


def job_of_row(row: Row[Any]) -> Job:
    """The job in a row of `select_jobs`."""
    m: Mapping[Any, Any] = row._mapping
    return Job(
        order=_order(m),
        state=JobState(m[jobs.c.state]),
        attempts=m[jobs.c.attempts],
        fence=m[jobs.c.fence],
        lease_until=m[jobs.c.lease_until],
        updated_at=m[jobs.c.updated_at],
        settlement=Settlement(
            SettlementState(m[settlements.c.state]), m[settlements.c.tx], m[settlements.c.block]
        ),
        failure=_failure(m),
        refund=_refund(m),
        answer=_answer(m),
    )


def _order(m: Mapping[Any, Any]) -> ValidatedOrder:
    quote = read_quote(Fields(json.loads(m[jobs.c.quote]), "quote"))
    return ValidatedOrder(
        job_id=m[jobs.c.job_id],
        model_id=m[jobs.c.model_id],
        model_version=m[jobs.c.model_version],
        model_commitment=m[jobs.c.model_commitment],
        request=Request(m[jobs.c.method], m[jobs.c.path], m[jobs.c.body], m[jobs.c.request_salt]),
        request_digest=m[jobs.c.request_digest],
        # An order is only made once payment and quote were found to be in the same asset.
        payment=payment_of_row(m, quote.price.asset),
        quote=quote,
        quote_signature=m[jobs.c.quote_signature],
        salt=m[jobs.c.salt],
        nonce_salt=m[jobs.c.nonce_salt],
        payment_id=m[payment_reservations.c.payment_id],
        first_block=m[jobs.c.first_block],
        created_at=m[jobs.c.created_at],
        deadline=m[jobs.c.deadline],
        api_key=m[jobs.c.api_key],
        webhook=m[jobs.c.webhook],
        deliver_by=m[jobs.c.deliver_by],
    )


def _failure(m: Mapping[Any, Any]) -> Failure | None:
    code = m[jobs.c.failure_code]
    if code is None:
        return None
    return Failure(code, m[jobs.c.failure_message], json.loads(m[jobs.c.failure_facts]))


def _refund(m: Mapping[Any, Any]) -> Refund | None:
    state = m[refunds.c.state]
    if state is None:
        return None
    c = refunds.c
    return Refund(RefundState(state), m[c.tx], m[c.block], m[c.attempts], m[c.retry_at])


def _answer(m: Mapping[Any, Any]) -> Answer | None:
    c = answers.c
    if m[c.outputs] is None:
        return None
    return Answer(
        outputs=decode_outputs(m[c.outputs]),
        proof_digest=m[c.proof_digest],
        proof_blob=m[c.proof_blob],
        proof_size=m[c.proof_size],
        out_of_range=m[c.out_of_range],
        verifier_blob=m[c.verifier_blob],
        receipt=m[c.receipt],
        timings=_decode_timings(m[c.timings]),
    )


def outbox_values(kind: OutboxKind, tx: NewTransaction, now: int) -> Values:
    """The row of outbox for a number that was taken."""
    return {
        "kind": kind.value,
        "network": tx.network.caip2,
        "sender": tx.sender,
        "nonce": tx.nonce,
        "state": OutboxState.OPEN.value,
        "created_at": now,
    }


def raw_values(number: int, tx: NewTransaction, now: int) -> Values:
    """The row of outbox_raws for a transaction that was signed and not sent."""
    return {
        "outbox": number,
        "tx": tx.tx,
        "raw": tx.raw,
        "fee_cap": tx.fee_cap,
        "fee_tip": tx.fee_tip,
        "attempts": 0,
        "created_at": now,
    }


def outbox_of_row(row: Row[Any], raws: tuple[StoredRaw, ...]) -> OutboxItem:
    """The number in a row of outbox, with its transactions."""
    m, c = row._mapping, outbox.c
    return OutboxItem(
        id=m[c.number],
        kind=OutboxKind(m[c.kind]),
        network=Network(m[c.network]),
        sender=m[c.sender],
        nonce=m[c.nonce],
        state=OutboxState(m[c.state]),
        created_at=m[c.created_at],
        nonce_spent_at=m[c.nonce_spent_at],
        raws=raws,
    )


def select_payables() -> Select[Any]:
    """The query that `payable_of_row` reads."""
    return (
        select(
            *(jobs.c[name] for name in _OF_PAYABLE),
            *(payment_reservations.c[name] for name in _OF_PAYMENT),
            settlements,
        )
        .select_from(jobs)
        .join(payment_reservations, payment_reservations.c.job_id == jobs.c.job_id)
        .join(settlements, settlements.c.job == jobs.c.number)
    )


def payable_of_row(row: Row[Any], asset: Asset) -> Payable:
    """The payment, in this asset, in a row of `select_payables`."""
    m, c = row._mapping, settlements.c
    step = m[c.step]
    return Payable(
        job_id=m[jobs.c.job_id],
        state=JobState(m[jobs.c.state]),
        payment=payment_of_row(m, asset),
        first_block=m[jobs.c.first_block],
        created_at=m[jobs.c.created_at],
        settlement=Settlement(SettlementState(m[c.state]), m[c.tx], m[c.block]),
        step=None if step is None else SettlementStep(step),
        doubted_at=m[c.doubted_at],
    )


def model_values(record: ModelRecord) -> Values:
    """The row of models that a new record makes."""
    return {
        "id": record.id,
        "version": record.version,
        "commitment": record.commitment,
        "provider": record.provider,
        "proof_system": record.proof_system,
        "title": record.title,
        "category": record.category,
        "input_type": record.input_type,
        "output_type": record.output_type,
        "price": record.card_price,
        "listed_price": record.listed_price,
        "status": record.status.value,
        "document": record.document,
        "signature": record.signature,
        "bundle_blob": record.bundle_blob,
        "estimate": None if record.estimate is None else encode_estimate(record.estimate),
        "calls": 0,
        "done": 0,
        "failed": 0,
        "prove_ms_total": 0,
        "created_at": record.created_at,
        "updated_at": record.updated_at,
    }


_ESTIMATE = ("prove_ms", "verify_ms", "peak_bytes", "key_bytes", "proof_bytes", "verify_gas")


def encode_estimate(estimate: ModelEstimate) -> str:
    """The estimate as JSON."""
    return json.dumps({name: getattr(estimate, name) for name in _ESTIMATE})


def model_of_row(row: Row[Any]) -> ModelRecord:
    """The record in a row of models."""
    m, c = row._mapping, models.c
    estimate, done = m[c.estimate], m[c.done]
    return ModelRecord(
        id=m[c.id],
        version=m[c.version],
        commitment=m[c.commitment],
        provider=m[c.provider],
        proof_system=m[c.proof_system],
        title=m[c.title],
        category=m[c.category],
        input_type=m[c.input_type],
        output_type=m[c.output_type],
        card_price=m[c.price],
        listed_price=m[c.listed_price],
        status=ModelStatus(m[c.status]),
        document=m[c.document],
        signature=m[c.signature],
        bundle_blob=m[c.bundle_blob],
        created_at=m[c.created_at],
        updated_at=m[c.updated_at],
        estimate=None if estimate is None else ModelEstimate(**json.loads(estimate)),
        statistics=Statistics(
            m[c.calls], done, m[c.failed], m[c.prove_ms_total] // done if done else 0
        ),
    )


def verification_values(record: VerificationRecord) -> Values:
    """The row of verifications that a record makes."""
    return {
        "subject": record.subject,
        "kind": record.kind,
        "verified": record.verified,
        "at": record.at,
        "job_id": record.job_id,
        "assurance": record.assurance,
        "reason": record.reason,
        "message": record.message,
        "steps": json.dumps([[s.number, s.name, s.status, s.detail] for s in record.steps]),
    }


def verification_of_row(row: Row[Any]) -> VerificationRecord:
    """The record in a row of verifications."""
    m, c = row._mapping, verifications.c
    return VerificationRecord(
        id=m[c.number],
        subject=m[c.subject],
        kind=m[c.kind],
        verified=m[c.verified],
        at=m[c.at],
        steps=tuple(VerificationStep(*step) for step in json.loads(m[c.steps])),
        job_id=m[c.job_id],
        assurance=m[c.assurance],
        reason=m[c.reason],
        message=m[c.message],
    )
