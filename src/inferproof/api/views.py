"""From the services' values to the shapes of schemas.py."""

import json
from collections.abc import Mapping, Sequence
from urllib.parse import quote as percent

from inferproof.api import schemas as s
from inferproof.api.resources import body_of
from inferproof.protocol.encoding import Json
from inferproof.protocol.quote import asset_json, quote_json
from inferproof.services.orders.base import AnswerView, JobView, ModelView, SignedQuote
from inferproof.storage.ports.verifications import VerificationRecord
from inferproof.types.digest import Address, Digest
from inferproof.types.money import Money
from inferproof.types.payment import Payment, Settlement
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
        file={"bytes": view.file_size},
        input=s.InputInfo(
            type=view.input_type,
            max_bytes=view.max_input_bytes,
            tensors={name: list(shape) for name, shape in view.input_shapes.items()},
            examples=[
                {"title": example.title, "body": body_of(example.value), "label": example.label}
                for example in view.examples
            ],
        ),
        output=s.OutputInfo(type=view.output_type, labels=list(view.labels), unit=view.unit),
        price=amount(view.price),
        payee=view.payee.hex,
        revenue={"developer_bps": view.developer_bps, "platform_bps": view.platform_bps},
        proof=proof_info(view),
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


def proof_info(view: ModelView) -> s.ProofInfo:
    return s.ProofInfo(
        system=view.proof_system,
        system_version=view.proof_system_version,
        setup=view.setup.value,
        input_visibility=view.visibility.value,
        private_inputs=view.private_inputs,
        assurance=view.assurance.value,
        proven=view.proven,
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


def quote_info(signed: SignedQuote, view: ModelView, gateway: Address) -> s.QuoteInfo:
    return s.QuoteInfo.model_validate({**_quote(signed, gateway), "proof": proof_info(view)})


def _quote(signed: SignedQuote, gateway: Address) -> dict[str, object]:
    quote = signed.quote
    return {
        "id": signed.id.hex,
        "quote": quote_json(quote),
        "signature": "0x" + signed.signature.hex(),
        "gateway": gateway.hex,
        "text": f"{quote.price} for {quote.model_id}",
    }


def job_info(job: JobView, gateway: Address, *, receipt: bytes | None = None) -> dict[str, object]:
    """The job in the form of JobInfo. `receipt` is given when it is done.

    Made without the model, which would check and copy what is known to be right: every accepted
    order is answered with this.
    """
    payment, name = job.payment, f"{job.model_id}@{job.model_version}"
    answer, failure, refund = job.answer, job.failure, job.refund
    identity = job.id.hex
    info: dict[str, object] = {
        "job_id": identity,
        "state": job.state.value,
        "model": name,
        "model_commitment": job.model_commitment.hex,
        "request_digest": job.request_digest.hex,
        "payment": _payment(payment, job.payment_shown),
        "settlement": _settlement(job.settlement, payment.asset.network.caip2),
        "quote": _quote(job.quote, gateway),
        "created_at": job.created_at,
        "updated_at": job.updated_at,
        "deadline": job.deadline,
    }
    if answer is not None:
        info["output"] = _output(answer).model_dump(exclude_none=True)
        info["proof"] = _proof(answer).model_dump(exclude_none=True)
    if receipt is not None:
        info["receipt"] = json.loads(receipt)
    if answer is not None:
        info["timings"] = {t.stage: t.microseconds / 1e6 for t in answer.timings}
    if failure is not None:
        facts = dict(failure.facts)
        info["failure"] = {"code": failure.code, "message": failure.message, "facts": facts}
    if refund is not None:
        info["refund"] = _moved(refund.state.value, refund.transaction, refund.block)
    info["links"] = {
        "self": f"/v1/jobs/{identity}",
        "receipt": f"/v1/receipts/{identity}",
        "model": model_path(name),
    }
    return info


def _payment(payment: Payment, shown: Mapping[str, Json]) -> dict[str, object]:
    asset = asset_json(payment.asset)
    return {
        **shown,
        "payer": payment.payer.hex,
        "payee": payment.payee.hex,
        "amount": {"amount": str(payment.amount), "text": str(payment.money), "asset": asset},
    }


def _settlement(settlement: Settlement, network: str) -> dict[str, object]:
    moved = _moved(settlement.state.value, settlement.transaction, settlement.block)
    return {**moved, "network": network}


def _moved(state: str, transaction: Digest | None, block: int | None) -> dict[str, object]:
    moved: dict[str, object] = {"state": state}
    if transaction is not None:
        moved["transaction"] = transaction.hex
    if block is not None:
        moved["block"] = block
    return moved


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
    return s.OutputView(
        tensors=[_tensor(tensor) for tensor in answer.outputs],
        label=answer.label,
        scores=answer.scores,
        unit=answer.unit,
        out_of_range=answer.out_of_range,
    )


def _tensor(tensor: FixedTensor) -> s.OutputTensor:
    return s.OutputTensor(
        name=tensor.name,
        shape=list(tensor.shape),
        values=tensor.to_array().ravel().tolist(),
        integers=list(tensor.values),
        scale=tensor.scale,
    )


def _proof(answer: AnswerView) -> s.ProofView:
    return s.ProofView(
        digest=answer.proof_digest.hex,
        url=f"/v1/proofs/{answer.proof_digest.hex}",
        bytes=answer.proof_size,
        assurance=answer.assurance.value,
        proven=answer.proven,
    )
