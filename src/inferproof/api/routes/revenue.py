"""The ledger of revenue, for the operator."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from starlette.responses import Response

from inferproof.api import schemas as s
from inferproof.api.context import Served, Services, require_admin
from inferproof.api.routes.describe import errors
from inferproof.api.wire import json_response
from inferproof.errors import NotFound, Reason
from inferproof.services.revenue.service import RevenueService
from inferproof.services.revenue.views import balance_json, line_json, payout_json
from inferproof.storage.ports.revenue import Period

router = APIRouter(prefix="/v1/revenue", tags=["operations"])

_SECONDS = "In Unix seconds."


class Page(s.Wire):
    """Where to go on, and how far."""

    after: int = Field(0, ge=0, lt=2**53, description="What the page before gave as next_after.")
    limit: int = Field(100, ge=1, le=500)


class StatementQuery(Page):
    """Which orders."""

    since: int | None = Field(None, ge=0, lt=2**53, description=_SECONDS)
    until: int | None = Field(None, ge=0, lt=2**53, description=f"{_SECONDS} Not in it itself.")


@router.get(
    "",
    response_model=s.RevenuePage,
    responses=errors(401, 404),
    operation_id="listRevenue",
    summary="What orders brought",
    dependencies=[Depends(require_admin)],
    openapi_extra={"security": [{"admin": []}]},
)
async def list_revenue(served: Served, query: Annotated[StatementQuery, Query()]) -> Response:
    """Orders by their numbers, each with the shares of its price and the payout that paid them, or
    the reason why it paid nothing; and what is due to each developer."""
    ledger = _ledger(served)
    period = Period(query.since, query.until)
    lines = await ledger.lines(period, after=query.after, limit=query.limit)
    page = s.RevenuePage(
        network=ledger.asset.network.caip2,
        token=ledger.asset.address.hex,
        lines=[s.RevenueLine(**line_json(line)) for line in lines],
        balances=[s.RevenueBalance(**balance_json(each)) for each in await ledger.balances()],
        next_after=lines[-1].facts.number if len(lines) == query.limit else None,
    )
    return json_response(page.model_dump())


@router.get(
    "/payouts",
    response_model=s.PayoutPage,
    responses=errors(401, 404),
    operation_id="listPayouts",
    summary="Payouts to developers",
    dependencies=[Depends(require_admin)],
    openapi_extra={"security": [{"admin": []}]},
)
async def list_payouts(served: Served, query: Annotated[Page, Query()]) -> Response:
    """Payouts by their numbers, each with its transaction once that is in a block."""
    found = await _ledger(served).payouts(after=query.after, limit=query.limit)
    page = s.PayoutPage(
        payouts=[s.PayoutInfo(**payout_json(payout)) for payout in found],
        next_after=found[-1].number if len(found) == query.limit else None,
    )
    return json_response(page.model_dump())


def _ledger(served: Services) -> RevenueService:
    if served.revenue is None:
        raise NotFound(Reason.REVENUE_NOT_KEPT)
    return served.revenue
