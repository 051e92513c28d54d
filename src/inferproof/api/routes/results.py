"""Jobs, receipts, proofs and verifications. All free: who paid may always come back."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from inferproof.api import schemas as s
from inferproof.api import views
from inferproof.api.body import KIB, body_limit
from inferproof.api.context import Served
from inferproof.api.routes.describe import errors
from inferproof.api.routes.infer import job_json
from inferproof.api.routes.parameters import (
    DigestParameter,
    JobParameter,
    hex_bytes,
    read_body,
)
from inferproof.api.wire import JSON, json_response

router = APIRouter(prefix="/v1", tags=["results"])

IMMUTABLE = {"Cache-Control": "public, max-age=31536000, immutable"}
_FILE = {"content": {JSON: {"schema": {"type": "object"}}}}


@router.get(
    "/jobs/{job_id}",
    response_model=s.JobInfo,
    responses=errors(404),
    operation_id="getJob",
    summary="A job",
)
async def get_job(
    served: Served,
    job_id: JobParameter,
    wait: Annotated[
        float, Query(ge=0, le=60, description="Seconds to wait for the job to be over.")
    ] = 0,
) -> Response:
    """The job in whatever state it is; a failed one says why, and where its refund stands."""
    job = await (served.gateway.wait(job_id, wait) if wait else served.gateway.job(job_id))
    return json_response(await job_json(served, job))


@router.post(
    "/jobs/{job_id}/cancel",
    response_model=s.JobInfo,
    responses=errors(404, 409, 413),
    operation_id="cancelJob",
    summary="Cancel a job",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {JSON: {"schema": s.Cancellation.model_json_schema()}},
        }
    },
)
@body_limit(4 * KIB)
async def cancel_job(served: Served, request: Request, job_id: JobParameter) -> Response:
    """The job, cancelled by its payer: refunded where it was paid, and else never settled.

    The payer signs the EIP-712 struct `CancelJob(bytes32 job,uint64 before)`. A job that is done
    cannot be cancelled, nor one that is being computed unless the operator allows it. Cancelling
    again changes nothing.
    """
    asked = read_body(s.Cancellation, await request.body())
    signature = hex_bytes(asked.signature, "body.signature")
    job = await served.gateway.cancel(job_id, asked.before, signature)
    return json_response(await job_json(served, job))


@router.post(
    "/jobs/{job_id}/opening",
    response_class=Response,
    responses={200: {"description": "The opening, a file.", **_FILE}, **errors(404, 413)},
    operation_id="openInput",
    summary="The opening of a private input",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {JSON: {"schema": s.OpeningRequest.model_json_schema()}},
        }
    },
)
@body_limit(4 * KIB)
async def open_input(served: Served, request: Request, job_id: JobParameter) -> Response:
    """What the payer of a finished job compares its own, private input with: a secret.

    The payer signs the EIP-712 struct `OpenInput(bytes32 job,uint64 before)`. With the opening it
    computes the root that the statement names, and rejects a proof about another input.
    """
    asked = read_body(s.OpeningRequest, await request.body())
    signature = hex_bytes(asked.signature, "body.signature")
    data = await served.gateway.input_opening(job_id, asked.before, signature)
    return Response(data, media_type=JSON)


@router.get(
    "/jobs/{job_id}/verifications",
    response_model=s.VerificationList,
    responses=errors(),
    operation_id="listVerifications",
    summary="Verifications of a job",
)
async def list_verifications(served: Served, job_id: JobParameter) -> Response:
    """What was verified here of the job's receipt and proof, newest first, at most 100."""
    found = await served.gateway.verifications_of(job_id)
    page = s.VerificationList(verifications=[views.verification_info(r) for r in found])
    return json_response(page.model_dump(exclude_none=True))


@router.get(
    "/receipts/{job_id}",
    response_class=Response,
    responses={200: {"description": "The receipt file.", **_FILE}, **errors(404)},
    operation_id="getReceipt",
    summary="A receipt",
)
async def get_receipt(
    served: Served,
    job_id: JobParameter,
    attach: Annotated[
        bool,
        Query(
            description="Attach request, proof and verifier bundle; no request with a private "
            "input."
        ),
    ] = False,
) -> Response:
    """The signed receipt of a finished job. With `attach` the file can be verified by itself."""
    return Response(await served.gateway.receipt(job_id, attach=attach), media_type=JSON)


@router.get(
    "/proofs/{digest}",
    response_class=Response,
    responses={200: {"description": "The proof file.", **_FILE}, **errors(404)},
    operation_id="getProof",
    summary="A proof",
)
async def get_proof(served: Served, digest: DigestParameter) -> Response:
    """The proof file whose proof digest this is. It never changes."""
    data = await served.gateway.proof(digest)
    return Response(data, media_type=JSON, headers=IMMUTABLE)


@router.post(
    "/verify",
    response_model=s.VerificationInfo,
    responses=errors(404, 413),
    operation_id="verify",
    summary="Verify a receipt or a proof",
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "A receipt file with its attachments (inferproof/receipt/1 or 2), or a "
            "proof file (inferproof/proof/1 or 2) of a job of this gateway.",
            "content": {
                JSON: {
                    "schema": {"type": "object"},
                    "example": {"body": {}, "checksum": "44136f", "format": "inferproof/receipt/1"},
                }
            },
        }
    },
)
@body_limit(lambda settings: settings.verify_limit)
async def verify(served: Served, request: Request) -> Response:
    """The stored record of the verification; `verified` false says why, and is a record too."""
    data = await request.body()  # first: whoever sends slowly must not hold a turn
    async with served.verifying:
        record = await served.gateway.verify(data)
    served.metrics.verification(record.kind, record.reason or "verified")
    return json_response(views.verification_info(record).model_dump(exclude_none=True))


@router.get(
    "/verifications/{number}",
    response_model=s.VerificationInfo,
    responses=errors(404),
    operation_id="getVerification",
    summary="A stored verification",
)
async def get_verification(
    served: Served, number: Annotated[int, Path(ge=1, lt=2**63)]
) -> Response:
    """A verification that was made here, without what would tell the job's id: numbers follow
    one another, so anybody may read them all."""
    record = await served.gateway.verification(number)
    return json_response(views.public_verification(record).model_dump(exclude_none=True))
