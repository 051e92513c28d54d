"""How programs find this gateway and its models, and the facilitator for other servers."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from inferproof.api import views
from inferproof.api.body import AT_ONCE, body_limit
from inferproof.api.context import Served, Services, origin
from inferproof.api.resources import SERVICE_NAME, model_resource
from inferproof.api.routes.describe import errors
from inferproof.api.wire import json_response, parse_json
from inferproof.errors import NotFound, Reason
from inferproof.payments.x402.challenge import bazaar
from inferproof.payments.x402.facilitator import Facilitator
from inferproof.payments.x402.wire import BAZAAR, VERSION
from inferproof.protocol.encoding import Json
from inferproof.services.orders.base import GatewaySettings, ModelView
from inferproof.storage.ports.models import ModelFilter

router = APIRouter()

MAX_MODELS = 1000
"""More models than one gateway lists at once in its documents; the pages have them all."""

_OBJECT = {"content": {"application/json": {"schema": {"type": "object"}}}}


def _document(description: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"description": description, **_OBJECT}, **errors()}


@router.get(
    "/.well-known/ai-service.json",
    response_class=Response,
    responses=_document("What this service is, offers and takes."),
    operation_id="aiService",
    summary="Service description",
    tags=["discovery"],
)
async def ai_service(served: Served, request: Request) -> Response:
    """What an agent needs to call this gateway: models, prices, payment, endpoints."""
    base = origin(request, served.settings)
    settings = served.gateway.settings
    models = await _active(served)
    return json_response(
        {
            "schema": "inferproof/ai-service/1",
            "name": SERVICE_NAME,
            "version": served.settings.version,
            "description": "Machine-learning inference with a proof of every answer.",
            "url": base,
            "gateway": served.gateway.address.hex,
            "endpoints": {
                "openapi": f"{base}/openapi.json",
                "models": f"{base}/v1/models",
                "quotes": f"{base}/v1/quotes",
                "infer": f"{base}/v1/models/{{model}}/infer",
                "jobs": f"{base}/v1/jobs/{{job_id}}",
                "receipts": f"{base}/v1/receipts/{{job_id}}",
                "verify": f"{base}/v1/verify",
            },
            "payment": {
                "protocol": "x402",
                "x402Version": VERSION,
                "schemes": ["exact"],
                "network": settings.asset.network.caip2,
                "asset": settings.asset.address.hex,
                "payTo": settings.payee.hex,
                **{
                    name: offer
                    for method in served.gateway.methods.values()
                    for name, offer in method.offer().items()
                },
            },
            **_registry(settings),
            "models": [
                {
                    "name": view.name,
                    "title": view.title,
                    "category": view.category,
                    "input": view.input_type,
                    "output": view.output_type,
                    "price": views.amount(view.price).model_dump(include={"amount", "text"}),
                    "proof_system": view.proof_system,
                    "assurance": view.assurance.value,
                    "proven": view.proven,
                    "commitment": view.commitment.hex,
                    "url": base + views.model_path(view.name),
                }
                for view in models
            ],
        }
    )


@router.get(
    "/.well-known/x402",
    response_class=Response,
    responses=_document("The paid resources."),
    operation_id="wellKnownX402",
    summary="Paid resources",
    tags=["discovery"],
)
async def well_known_x402(served: Served, request: Request) -> Response:
    """The addresses of all paid calls; each answers 402 with its terms."""
    base = origin(request, served.settings)
    resources = [_infer_url(base, view) for view in await _active(served)]
    return json_response({"version": 1, "x402Version": VERSION, "resources": resources})


class ResourceQuery(BaseModel):
    """The filters of the Bazaar's discovery API; ones we do not know are left aside."""

    type: str | None = Field(None, max_length=16)
    payTo: str | None = Field(None, max_length=64)  # noqa: N815 - the Bazaar's name
    scheme: str | None = Field(None, max_length=32)
    network: str | None = Field(None, max_length=64)
    extensions: str | None = Field(None, max_length=64)
    limit: int = Field(20, ge=1, le=100)
    offset: int = Field(0, ge=0, le=1_000_000)


@router.get(
    "/discovery/resources",
    response_class=Response,
    responses=_document("Resources in the Bazaar's form."),
    operation_id="discoveryResources",
    summary="Bazaar resources",
    tags=["discovery"],
)
async def discovery_resources(
    served: Served, request: Request, query: Annotated[ResourceQuery, Query()]
) -> Response:
    """The x402 Bazaar's list of resources, for this gateway's own models."""
    base = origin(request, served.settings)
    items = [
        item for view in await _active(served) if _wanted(item := _item(served, base, view), query)
    ]
    page = items[query.offset : query.offset + query.limit]
    pagination = {"limit": query.limit, "offset": query.offset, "total": len(items)}
    return json_response({"x402Version": VERSION, "items": page, "pagination": pagination})


@router.get(
    "/facilitator/supported",
    response_class=Response,
    responses={**_document("The x402 SupportedResponse."), **errors(404)},
    operation_id="facilitatorSupported",
    summary="What the facilitator settles",
    tags=["facilitator"],
)
async def supported(served: Served) -> Response:
    """Networks and schemes of the facilitator."""
    return json_response(_facilitator(served).supported())


_VERIFY_BODY = {
    "requestBody": {
        "required": True,
        "description": "The x402 request: paymentPayload and paymentRequirements.",
        "content": {
            "application/json": {
                "schema": {"type": "object"},
                "example": {"x402Version": 2, "paymentPayload": {}, "paymentRequirements": {}},
            }
        },
    }
}


@router.post(
    "/facilitator/verify",
    response_class=Response,
    responses={**_document("The x402 VerifyResponse."), **errors(404, 413)},
    operation_id="facilitatorVerify",
    summary="Verify an authorization",
    tags=["facilitator"],
    openapi_extra=_VERIFY_BODY,
)
@body_limit(AT_ONCE)
async def facilitator_verify(served: Served, request: Request) -> Response:
    """Whether an authorization can be settled now. Nothing is reserved."""
    facilitator = _facilitator(served)
    return json_response(await facilitator.verify(parse_json(await request.body())))


@router.post(
    "/facilitator/settle",
    response_class=Response,
    responses={**_document("The x402 SettleResponse."), **errors(404, 413)},
    operation_id="facilitatorSettle",
    summary="Settle an authorization",
    tags=["facilitator"],
    openapi_extra=_VERIFY_BODY,
)
@body_limit(AT_ONCE)
async def facilitator_settle(served: Served, request: Request) -> Response:
    """Sends an authorization to the chain; the same request again pays nothing twice."""
    facilitator = _facilitator(served)
    return json_response(await facilitator.settle(parse_json(await request.body())))


def _facilitator(served: Services) -> Facilitator:
    if served.facilitator is None:
        raise NotFound(Reason.FACILITATOR_CLOSED)
    return served.facilitator


def _registry(settings: GatewaySettings) -> dict[str, Any]:
    """By which contract prices are, where the gateway follows one."""
    if settings.model_registry is None:
        return {}
    network, address = settings.asset.network.caip2, settings.model_registry.hex
    return {"model_registry": {"network": network, "address": address}}


async def _active(served: Services) -> list[ModelView]:
    return list(await served.gateway.list_models(ModelFilter(limit=MAX_MODELS)))


def _infer_url(base: str, view: ModelView) -> str:
    return f"{base}{views.model_path(view.name)}/infer"


def _item(served: Services, base: str, view: ModelView) -> dict[str, Any]:
    asset = view.price.asset
    resource = model_resource(view, _infer_url(base, view))
    extensions: dict[str, Json] = {}
    if resource.discovery is not None:
        extensions[BAZAAR] = bazaar(resource.discovery)
    return {
        "resource": resource.url,
        "type": "http",
        "x402Version": VERSION,
        "accepts": [
            {
                "scheme": "exact",
                "network": asset.network.caip2,
                "asset": asset.address.hex,
                "amount": str(view.price.amount),
                "payTo": view.payee.hex,
                "maxTimeoutSeconds": served.settings.payment_timeout_s,
                "extra": {"name": asset.domain_name, "version": asset.domain_version},
            }
        ],
        "lastUpdated": datetime.fromtimestamp(view.updated_at, UTC).isoformat(),
        "description": resource.description,
        "mimeType": resource.mime_type,
        "serviceName": SERVICE_NAME,
        "tags": list(resource.tags),
        "extensions": extensions,
    }


def _wanted(item: dict[str, Any], query: ResourceQuery) -> bool:
    accepts = item["accepts"][0]
    tests = (
        (query.type, item["type"]),
        (query.payTo and query.payTo.lower(), accepts["payTo"]),
        (query.scheme, accepts["scheme"]),
        (query.network, accepts["network"]),
    )
    if any(wanted is not None and wanted != got for wanted, got in tests):
        return False
    return query.extensions is None or query.extensions in item["extensions"]
