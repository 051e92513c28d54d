"""The history of contracts, for the operator."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from starlette.responses import Response

from inferproof.api import schemas as s
from inferproof.api.context import Served, require_admin
from inferproof.api.routes.describe import errors
from inferproof.api.wire import json_response
from inferproof.errors import NotFound, Reason
from inferproof.protocol.indexing import Place
from inferproof.services.indexer.history import EventPage, EventQuery, EventView, account_key
from inferproof.types.digest import Address, Digest

router = APIRouter(prefix="/v1", tags=["history"])

ADDRESS_CHARACTERS = 42


class EventsQuery(s.Wire):
    """Which events."""

    contract: str | None = Field(
        None, max_length=64, description="Name of a contract that is read here, or its address."
    )
    event: str | None = Field(None, max_length=128, description="Name of an event.")
    key: str | None = Field(
        None,
        description="An indexed argument: 32 bytes, such as an order or a model commitment, or an "
        "account. 0x and lower-case hex digits.",
        pattern="^0x([0-9a-f]{64}|[0-9a-f]{40})$",
    )
    cursor: str | None = Field(
        None, max_length=60, description="Begin after the event that gave this cursor."
    )
    limit: int = Field(100, ge=1, le=1000)


@router.get(
    "/events",
    response_model=s.EventList,
    responses=errors(401, 404, 409),
    dependencies=[Depends(require_admin)],
    operation_id="listEvents",
    summary="Events of contracts",
    openapi_extra={"security": [{"admin": []}]},
)
async def list_events(served: Served, query: Annotated[EventsQuery, Query()]) -> Response:
    """Events that match every filter, in the chain's order, a page at a time.

    A cursor of an event that is not provisional holds for ever. One whose block the chain replaced
    is answered with 409: go on from an earlier one.
    """
    if served.history is None:
        raise NotFound(Reason.EVENTS_NOT_INDEXED)
    contract = query.contract
    if contract is not None and contract.startswith("0x"):
        contract = Address.from_hex(contract).hex
    page = await served.history.page(
        EventQuery(
            contract=contract,
            event=query.event,
            key=None if query.key is None else _key(query.key),
            after=None if query.cursor is None else Place.parse(query.cursor),
            limit=query.limit,
        )
    )
    return json_response(_page(page).model_dump())


def _key(text: str) -> Digest:
    if len(text) == ADDRESS_CHARACTERS:
        return account_key(Address.from_hex(text))
    return Digest.from_hex(text)


def _page(page: EventPage) -> s.EventList:
    events = [_event(view) for view in page.events]
    return s.EventList(
        chain_id=page.chain_id,
        head=page.head,
        confirmed=page.confirmed,
        complete_to=page.complete_to,
        events=events,
        next=events[-1].cursor if page.more else None,
    )


def _event(view: EventView) -> s.EventInfo:
    log = view.log
    return s.EventInfo(
        contract=view.contract,
        event=view.event,
        fields=None if view.fields is None else dict(view.fields),
        address=log.address.hex,
        block=log.block,
        block_hash=log.block_hash.hex,
        time=log.time,
        transaction=log.tx.hex,
        log_index=log.index,
        topics=[topic.hex for topic in log.topics],
        data="0x" + log.data.hex(),
        provisional=view.provisional,
        cursor=str(view.place),
    )
