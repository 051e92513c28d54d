"""The registry of models, and quotes."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from inferproof.api import schemas as s
from inferproof.api import views
from inferproof.api.body import KIB, NO_BODY, body_limit
from inferproof.api.context import Served, require_admin
from inferproof.api.routes.describe import errors
from inferproof.api.routes.parameters import ModelName, hex_bytes, read_body
from inferproof.api.wire import json_response
from inferproof.services.orders.base import ModelView
from inferproof.storage.ports.models import ModelFilter, ModelOrder, ModelStatus
from inferproof.types.digest import Digest
from inferproof.types.money import parse_units

router = APIRouter(prefix="/v1", tags=["models"])

_ORDER = {
    "use": ModelOrder.USE,
    "price": ModelOrder.PRICE,
    "name": ModelOrder.TITLE,
    "newest": ModelOrder.NEWEST,
}
SUBMISSION_SIGNATURE = "Inferproof-Signature"


class ModelQuery(s.Wire):
    """Which models, in what order."""

    status: Literal["active", "pending", "suspended", "withdrawn", "any"] = "active"
    id: str | None = Field(None, max_length=64, description="All versions of one model.")
    category: str | None = Field(None, max_length=64)
    max_price: str | None = Field(
        None,
        max_length=40,
        description="In whole tokens, as a decimal: 0.25.",
        pattern=r"^(0|[1-9][0-9]{0,20})(\.[0-9]{1,18})?$",
    )
    input_type: Literal["text", "vector", "image", "tensor"] | None = None
    output_type: Literal["classification", "regression", "embedding"] | None = None
    proof_system: str | None = Field(None, max_length=64)
    order: Literal["use", "price", "name", "newest"] = "use"
    limit: int = Field(20, ge=1, le=100)
    offset: int = Field(0, ge=0, le=1_000_000)


@router.get(
    "/models",
    response_model=s.ModelPage,
    responses=errors(),
    operation_id="listModels",
    summary="List models",
)
async def list_models(served: Served, query: Annotated[ModelQuery, Query()]) -> Response:
    """Models that match every filter. Without filters: those that answer calls, most used first."""
    decimals = served.gateway.settings.asset.decimals
    wanted = ModelFilter(
        status=None if query.status == "any" else ModelStatus(query.status),
        id=query.id,
        category=query.category,
        max_price=None if query.max_price is None else parse_units(query.max_price, decimals),
        input_type=query.input_type,
        output_type=query.output_type,
        proof_system=query.proof_system,
        order=_ORDER[query.order],
        limit=query.limit + 1,  # one more tells whether there is a next page
        offset=query.offset,
    )
    found = await served.gateway.list_models(wanted)
    page = views.model_page(found, query.limit, query.offset)
    return json_response(page.model_dump())


@router.get(
    "/models/{model}",
    response_model=s.ModelInfo,
    responses=errors(404),
    operation_id="getModel",
    summary="One model",
)
async def get_model(served: Served, model: ModelName) -> Response:
    """The model `id@version`; a bare id means its newest active version."""
    return _model(await served.gateway.model(model))


@router.get(
    "/models/{model}/verifier",
    response_class=Response,
    responses={
        200: {
            "description": "The verifier bundle: all that is needed to check this model's proofs.",
            "content": {"application/json": {"schema": {"type": "object"}}},
        },
        **errors(404),
    },
    operation_id="getVerifier",
    summary="Verifier bundle of a model",
)
async def get_verifier(served: Served, model: ModelName) -> Response:
    """A document in its only byte form; its model commitment is recomputed by who reads it."""
    data = await served.gateway.bundle(model)
    return Response(data, media_type="application/json")


@router.post(
    "/models",
    status_code=201,
    response_model=s.ModelInfo,
    responses=errors(409, 413),
    operation_id="submitModel",
    summary="Submit a model",
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "The submission document (inferproof/submission/2), byte for byte "
            "what was signed. `inferproof provider submit` makes it.",
            "content": {
                "application/json": {
                    "schema": {"type": "object"},
                    "example": {
                        "format": "inferproof/submission/2",
                        "card": {"schema": "inferproof/model-card/1", "id": "fraud"},
                        "file": {"size": 18234},
                        "provider": s.HEX20,
                        "bundle": "eyJib2R5Ijp7fX0=",
                    },
                }
            },
        }
    },
)
@body_limit(lambda settings: settings.submission_limit)
async def submit_model(
    served: Served,
    request: Request,
    signature: Annotated[
        str,
        Header(
            alias=SUBMISSION_SIGNATURE,
            description="The provider's signature over the submission's digest, 0x and hex.",
            pattern="^0x[0-9a-f]{130}$",
        ),
    ],
) -> Response:
    """A model with status pending; the operator approves it. The same document again: the same."""
    view = await served.gateway.submit_model(
        await request.body(), hex_bytes(signature, SUBMISSION_SIGNATURE)
    )
    return _model(view, status=201)


@router.post(
    "/models/{model}/approve",
    response_model=s.ModelInfo,
    responses=errors(401, 404, 409),
    dependencies=[Depends(require_admin)],
    operation_id="approveModel",
    summary="Approve a model",
    openapi_extra={"security": [{"admin": []}]},
)
@body_limit(NO_BODY)
async def approve_model(served: Served, model: ModelName) -> Response:
    """Makes `id@version` active. Its compiled model must lie beside the gateway."""
    return _model(await served.gateway.approve(model))


@router.post(
    "/models/{model}/suspend",
    response_model=s.ModelInfo,
    responses=errors(401, 404, 409),
    dependencies=[Depends(require_admin)],
    operation_id="suspendModel",
    summary="Suspend a model",
    openapi_extra={"security": [{"admin": []}]},
)
@body_limit(NO_BODY)
async def suspend_model(served: Served, model: ModelName) -> Response:
    """Stops new calls of `id@version`; jobs that were paid go on."""
    return _model(await served.gateway.suspend(model))


@router.post(
    "/quotes",
    status_code=201,
    response_model=s.QuoteInfo,
    responses=errors(404, 409, 413),
    operation_id="quote",
    summary="Ask for a price",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": s.QuoteRequest.model_json_schema()}},
        }
    },
)
@body_limit(4 * KIB)
async def quote(served: Served, request: Request) -> Response:
    """A signed quote: price, predicted time, memory, proof size and verification gas."""
    wanted = read_body(s.QuoteRequest, await request.body())
    digest = None if wanted.request_digest is None else Digest.from_hex(wanted.request_digest)
    signed = await served.gateway.quote(wanted.model, digest)
    view = await served.gateway.model(wanted.model)
    info = views.quote_info(signed, view, served.gateway.address)
    return json_response(info.model_dump(), status=201)


def _model(view: ModelView, status: int = 200) -> Response:
    return json_response(views.model_info(view).model_dump(), status=status)
