"""The history of contracts over HTTP, for the operator alone."""

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
from api_fakes import ADMIN_TOKEN, error_of
from event_chain import FIRST, SOURCES, Chain, MinedLog, topics_of
from index_parts import open_index

from inferproof.api.context import Services
from inferproof.api.create import create_app
from inferproof.errors import NotFound, Reason
from inferproof.protocol.indexing import IndexTerms
from inferproof.services.indexer.history import History
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Digest

ADMIN = {"Authorization": f"Bearer {ADMIN_TOKEN}"}


class Decoder:
    """The one event of the chain. Implements services.indexer.base.EventDecoder."""

    names = ("Seen",)

    def topics_of(self, name: str) -> list[Digest]:
        return [topics_of(MinedLog(FIRST))[0]] if name == "Seen" else []

    def decode(self, topics: tuple[Digest, ...], data: bytes) -> tuple[str, dict[str, str] | None]:
        return "Seen", {"key": topics[1].hex} if len(topics) > 1 else None


@pytest.fixture
def chain() -> Chain:
    made = Chain()
    for number in range(1, 7):
        made.mine([MinedLog(FIRST, (number, 7)), MinedLog(FIRST, (), b"\x01")])
    return made


@pytest.fixture
async def shown(services: Services, chain: Chain) -> AsyncIterator[httpx.AsyncClient]:
    async with open_index(chain.reader(), SOURCES, IndexTerms(depth=2)) as index:
        await index.indexer.catch_up()
        history = History(index.store, SOURCES, {"First": Decoder(), "Second": Decoder()})
        app = create_app(replace(services, history=history))
        transport = httpx.ASGITransport(app, raise_app_exceptions=True)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://gateway.test", headers=ADMIN
        ) as client:
            yield client


async def test_an_event_is_shown_whole(shown: httpx.AsyncClient, chain: Chain) -> None:
    told = (await shown.get("/v1/events", params={"limit": 1})).json()
    block = chain.blocks[2]
    keys = [Digest(n.to_bytes(32, "big")).hex for n in (2, 7)]
    (event,) = told.pop("events")
    assert event == {
        "contract": "First",
        "event": "Seen",
        "fields": {"key": keys[0]},
        "address": FIRST.hex,
        "block": 2,
        "block_hash": block.hash.hex,
        "time": 1024,
        "transaction": block.told([FIRST.hex])[0]["transactionHash"],
        "log_index": 0,
        "topics": [topics_of(MinedLog(FIRST))[0].hex, *keys],
        "data": "0x",
        "provisional": False,
        "cursor": f"2-0-{block.hash.raw[:8].hex()}",
    }
    assert told == {
        "chain_id": 31337,
        "head": 6,
        "confirmed": 5,
        "complete_to": 6,
        "next": event["cursor"],
    }


async def test_pages_and_filters(shown: httpx.AsyncClient) -> None:
    query, places = {"limit": "3"}, []
    while True:
        page = (await shown.get("/v1/events", params=query)).json()
        places += [(each["block"], each["log_index"]) for each in page["events"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert places == [(block, at) for block in range(2, 7) for at in (0, 1)]
    key = {"key": Digest((4).to_bytes(32, "big")).hex}
    for more in ({}, {"contract": "First"}, {"contract": FIRST.hex}, {"event": "Seen"}):
        (found,) = (await shown.get("/v1/events", params=key | more)).json()["events"]
        assert found["block"] == 4
    account = "0x" + (7).to_bytes(20, "big").hex()
    assert len((await shown.get("/v1/events", params={"key": account})).json()["events"]) == 5
    assert (await shown.get("/v1/events", params=key | {"contract": "Second"})).json()[
        "events"
    ] == []


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"contract": "Escrow"}, 404, "EVENTS_CONTRACT_UNKNOWN"),
        ({"contract": "0x" + "99" * 20}, 404, "EVENTS_CONTRACT_UNKNOWN"),
        ({"contract": "0x99"}, 422, "ADDRESS_MALFORMED"),
        ({"event": "Paid"}, 404, "EVENTS_EVENT_UNKNOWN"),
        ({"key": "0x12"}, 422, "REQUEST_INVALID"),
        ({"cursor": "12"}, 422, "EVENTS_CURSOR_MALFORMED"),
        ({"cursor": "6-0-" + "00" * 8}, 409, "EVENTS_CURSOR_REPLACED"),
        ({"limit": "0"}, 422, "REQUEST_INVALID"),
        ({"block": "1"}, 422, "REQUEST_INVALID"),
    ],
)
async def test_what_is_refused(
    shown: httpx.AsyncClient, query: dict[str, str], status: int, code: str
) -> None:
    answer = await shown.get("/v1/events", params=query)
    assert (answer.status_code, error_of(answer)["code"]) == (status, code)


async def test_it_is_the_operators(shown: httpx.AsyncClient, http: httpx.AsyncClient) -> None:
    answer = await shown.get("/v1/events", headers={"Authorization": "Bearer another"})
    assert (answer.status_code, error_of(answer)["code"]) == (401, "ADMIN_ONLY")
    answer = await http.get("/v1/events", headers=ADMIN)
    assert (answer.status_code, error_of(answer)["code"]) == (404, "EVENTS_NOT_INDEXED")
    message = "this gateway reads no events of contracts"
    assert error_of(answer)["message"] == message
    with rejects(Reason.EVENTS_NOT_INDEXED, message, kind=NotFound):
        raise NotFound(Reason.EVENTS_NOT_INDEXED)
