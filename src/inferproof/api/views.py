"""From the services' values to the shapes of schemas.py."""

import json
from collections.abc import Sequence
from urllib.parse import quote as percent

from inferproof.api import schemas as s
from inferproof.protocol.quote import asset_json, quote_json
from inferproof.services.gateway.base import AnswerView, JobView, ModelView, SignedQuote
from inferproof.storage.base import VerificationRecord
from inferproof.types.digest import Address
from inferproof.types.money import Money
from inferproof.types.payment import Payment, Settlement, TransferPayment
from inferproof.types.tensor import FixedTensor


def model_path(name: str) -> str:
    """The path of a model; `@` needs no escape in a path."""
    return f"/v1/models/{percent(name, safe='@')}"


def amount(money: Money) -> s.Amount:
    return s.Amount(amount=str(money.amount), text=str(money), asset=asset_json(money.asset))


def model_info(view: ModelView) -> s.ModelInfo:
    path = model_path(view.name)
    e, st = view.estimate, view.statistics
    return s.ModelInfo(
        id=view.id,
        version=view.version,
        name=view.name,
        status=view.status.value,
        title=view.title,
        description=view.description,
        category=view.category,
        developer=view.developer,
        license=view.license,
        provider=view.provider.hex,
        commitment=view.commitment.hex,
        file={"sha256": view.file_sha256.hex, "bytes": view.file_size},
        input=s.InputInfo(
            type=view.input_type,
            max_bytes=view.max_input_bytes,
            tensors={name: list(shape) for name, shape in view.input_shapes.items()},
            examples=[
                {"title": example.title, "value": example.value, "label": example.label}
                for example in view.examples
            ],
        ),
        output=s.OutputInfo(type=view.output_type, labels=list(view.labels), unit=view.unit),
        price=amount(view.price),
        payee=view.payee.hex,
        revenue={"developer_bps": view.developer_bps, "platform_bps": view.platform_bps},
        proof=s.ProofInfo(
            system=view.proof_system,
            system_version=view.proof_system_version,
            setup=view.setup.value,
            input_visibility=view.visibility.value,
            assurance=view.assurance.value,
            proven=view.proven,
        ),
        estimate=None
        if e is None
        else s.Estimate(
            prove_ms=e.prove_ms,
            verify_ms=e.verify_ms,
            peak_bytes=e.peak_bytes,
            key_bytes=e.key_bytes,
            proof_bytes=e.proof_bytes,
            verify_gas=e.verify_gas,
        ),
        statistics=s.Statistics(
            calls=st.calls, done=st.done, failed=st.failed, prove_ms=st.prove_ms
        ),
        created_at=view.created_at,
        updated_at=view.updated_at,
        links=s.Links(self=path, infer=f"{path}/infer", verifier=f"{path}/verifier"),
    )


def model_page(views: Sequence[ModelView], limit: int, offset: int) -> s.ModelPage:
    """A page; `views` holds one model more than `limit` when there is a next page."""
    more = len(views) > limit
    return s.ModelPage(
        models=[model_info(view) for view in views[:limit]],
        limit=limit,
        offset=offset,
        next_offset=offset + limit if more else None,
    )


def quote_info(signed: SignedQuote, gateway: Address) -> s.QuoteInfo:
    return s.QuoteInfo(
        id=signed.id.hex,
        quote=quote_json(signed.quote),
        signature="0x" + signed.signature.hex(),
        gateway=gateway.hex,
        text=f"{signed.quote.price} for {signed.quote.model_id}",
    )


def job_info(
    job: JobView, gateway: Address, *, receipt: bytes | None = None, proof_size: int | None = None
) -> s.JobInfo:
    """The job. `receipt` and `proof_size` are given when it is done."""
    payment, path = job.payment, f"/v1/jobs/{job.id.hex}"
    answer, failure, refund = job.answer, job.failure, job.refund
    return s.JobInfo(
        job_id=job.id.hex,
        state=job.state.value,
        model=f"{job.model_id}@{job.model_version}",
        model_commitment=job.model_commitment.hex,
        request_digest=job.request_digest.hex,
        payment=payment_view(payment),
        settlement=settlement_view(job.settlement, payment.asset.network.caip2),
        quote=quote_info(job.quote, gateway),
        created_at=job.created_at,
        updated_at=job.updated_at,
        deadline=job.deadline,
        output=_output(answer) if answer else None,
        proof=_proof(answer, proof_size) if answer and proof_size is not None else None,
        receipt=json.loads(receipt) if receipt is not None else None,
        timings={t.stage: t.microseconds / 1e6 for t in answer.timings} if answer else None,
        failure=s.FailureView(code=failure.code, message=failure.message, facts=dict(failure.facts))
        if failure
        else None,
        refund=s.RefundView(
            state=refund.state.value,
            transaction=refund.transaction.hex if refund.transaction else None,
            block=refund.block,
        )
        if refund
        else None,
        links=s.JobLinks(
            self=path,
            receipt=f"/v1/receipts/{job.id.hex}",
            model=model_path(f"{job.model_id}@{job.model_version}"),
        ),
    )


def payment_view(payment: Payment) -> s.PaymentView:
    transfer = payment if isinstance(payment, TransferPayment) else None
    return s.PaymentView(
        kind="authorization" if transfer is None else "transfer",
        payer=payment.payer.hex,
        payee=payment.payee.hex,
        amount=amount(payment.money),
        nonce=payment.nonce.hex,
        transaction=None if transfer is None else transfer.claim.transaction.hex,
        log_index=None if transfer is None else transfer.log_index,
    )


def settlement_view(settlement: Settlement, network: str) -> s.SettlementView:
    return s.SettlementView(
        state=settlement.state.value,
        network=network,
        transaction=settlement.transaction.hex if settlement.transaction else None,
        block=settlement.block,
    )


def verification_info(record: VerificationRecord) -> s.VerificationInfo:
    return s.VerificationInfo(
        id=record.id,
        subject=record.subject.hex,
        kind=record.kind,
        verified=record.verified,
        at=record.at,
        steps=[
            s.StepView(number=x.number, name=x.name, status=x.status, detail=x.detail)
            for x in record.steps
        ],
        job_id=record.job_id.hex if record.job_id else None,
        assurance=record.assurance,
        reason=record.reason,
        message=record.message,
        links={"self": f"/v1/verifications/{record.id}"},
    )


def public_verification(record: VerificationRecord) -> s.VerificationInfo:
    """The same without job id, details and message: who knows a job's id may read the job."""
    info = verification_info(record)
    steps = [step.model_copy(update={"detail": ""}) for step in info.steps]
    return info.model_copy(update={"job_id": None, "message": None, "steps": steps})


def _output(answer: AnswerView) -> s.OutputView:
    tensors = [_tensor(tensor) for tensor in answer.outputs]
    first = tensors[0].values if tensors else []
    return s.OutputView(
        tensors=tensors,
        label=answer.label,
        scores=dict(zip(answer.labels, first, strict=True))
        if answer.labels and len(answer.labels) == len(first)
        else None,
        unit=answer.unit,
    )


def _tensor(tensor: FixedTensor) -> s.OutputTensor:
    return s.OutputTensor(
        name=tensor.name,
        shape=list(tensor.shape),
        values=tensor.to_array().ravel().tolist(),
        integers=list(tensor.values),
        scale=tensor.scale,
    )


def _proof(answer: AnswerView, size: int) -> s.ProofView:
    return s.ProofView(
        digest=answer.proof_digest.hex,
        url=f"/v1/proofs/{answer.proof_digest.hex}",
        bytes=size,
        assurance=answer.assurance.value,
        proven=answer.proven,
    )
