"""From stored rows to what buyers see."""

from inferproof.models.card import CLASSIFICATION
from inferproof.payments.method import PaymentMethods
from inferproof.protocol.claims import assurance_of, proven_sentence
from inferproof.protocol.labels import label_of, scores_of
from inferproof.services.models.catalog import RegisteredModel
from inferproof.services.orders.base import (
    AnswerView,
    Example,
    GatewaySettings,
    JobView,
    ModelView,
    SignedQuote,
)
from inferproof.storage.ports.jobs import Answer, Job
from inferproof.types.money import Money


def model_view(
    model: RegisteredModel, settings: GatewaySettings, *, private_inputs: bool | None
) -> ModelView:
    """The model as buyers see it on this gateway's terms."""
    record, card, bundle = model.record, model.submission.card, model.submission.bundle
    parts = bundle.parts
    assurance = assurance_of(bundle)
    return ModelView(
        id=record.id,
        version=record.version,
        status=record.status,
        title=card.title,
        description=card.description,
        category=card.category,
        developer=card.developer,
        license=card.license,
        provider=record.provider,
        commitment=record.commitment,
        proof_system=parts.proof_system,
        proof_system_version=parts.proof_system_version,
        setup=parts.setup,
        visibility=parts.visibility,
        assurance=assurance,
        private_assurance=assurance_of(bundle, private_input=True),
        private_inputs=private_inputs,
        proven=proven_sentence(assurance, parts),
        input_type=card.input.type,
        max_input_bytes=card.input.max_bytes,
        input_shapes={spec.name: spec.shape for spec in bundle.inputs},
        examples=tuple(Example(e.title, e.value, e.label) for e in card.input.examples),
        output_type=card.output.type,
        labels=card.output.labels,
        unit=card.output.unit,
        price=Money(record.price, settings.asset),
        payee=settings.payee,
        developer_bps=card.revenue.developer_bps,
        platform_bps=card.revenue.platform_bps,
        file_size=model.submission.file_size,
        estimate=record.estimate,
        statistics=record.statistics,
        created_at=record.created_at,
        updated_at=record.updated_at,
    )


def job_view(job: Job, model: RegisteredModel, methods: PaymentMethods) -> JobView:
    """The job as its buyer sees it."""
    order = job.order
    return JobView(
        id=order.job_id,
        state=job.state,
        model_id=order.model_id,
        model_version=order.model_version,
        model_commitment=order.model_commitment,
        request_digest=order.request_digest,
        payment=order.payment,
        payment_shown=methods[order.payment.method].view(order.payment),
        quote=SignedQuote(order.quote, order.quote_signature),
        settlement=job.settlement,
        created_at=order.created_at,
        updated_at=job.updated_at,
        deadline=order.deadline,
        failure=job.failure,
        refund=job.refund,
        answer=None if job.answer is None else _answer_view(job, job.answer, model),
    )


def _answer_view(job: Job, answer: Answer, model: RegisteredModel) -> AnswerView:
    bundle, output = model.submission.bundle, model.submission.card.output
    parts, specs, private = bundle.parts, bundle.outputs, job.order.private_input
    assurance = assurance_of(bundle, private_input=private)
    return AnswerView(
        outputs=answer.outputs,
        label=label_of(specs, answer.outputs) if output.type == CLASSIFICATION else None,
        scores=scores_of(specs, answer.outputs),
        unit=output.unit,
        proof_digest=answer.proof_digest,
        assurance=assurance,
        proven=proven_sentence(assurance, parts, private_input=private),
        timings=answer.timings,
        proof_size=answer.proof_size or 0,
        out_of_range=answer.out_of_range,
    )
