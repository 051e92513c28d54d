"""Reading events: what a node may do, what is read then, and a real chain that reorganises."""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from event_chain import CHAIN_ID, FIRST, SECOND, SOURCES, Chain, MinedLog, digest
from index_parts import Index, open_index, replayed, tables
from waiting import until

from inferproof.chain.abi import calldata
from inferproof.chain.contracts import MODEL_REGISTRY, load_artifact
from inferproof.chain.event_abi import EventAbi
from inferproof.chain.event_logs import LogReader
from inferproof.chain.model_registry import SEAL, open_registry
from inferproof.chain.rpc import Rpc
from inferproof.chain.transactions import transact
from inferproof.errors import Conflict, NotFound, Reason, Unavailable
from inferproof.protocol.indexing import IndexTerms, Place, set_digest
from inferproof.protocol.registration import raw_content_id
from inferproof.services.indexer.history import EventQuery, History, account_key
from inferproof.testing.devnet import Devnet, DevnetInfo
from inferproof.testing.rejections import rejects
from inferproof.types.digest import ZERO_DIGEST, Digest
from inferproof.types.indexing import Change, Cursor, Source, SourceSet
from inferproof.types.registry import CommitmentKind, ContractKey, Registration, Terms, TokenPrice

TERMS = IndexTerms(depth=3, keep=6, span=4, batch=2)


def logs(*keys: int) -> list[MinedLog]:
    return [MinedLog(FIRST, (key,), b"data") for key in keys]


@pytest.fixture
def chain() -> Chain:
    made = Chain()
    for number in range(1, 13):
        made.mine(logs(number, 7))
    return made


@pytest.fixture
async def index(chain: Chain, url: str) -> AsyncIterator[Index]:
    async with open_index(chain.reader(), SOURCES, TERMS, url) as opened:
        yield opened


async def blocks(index: Index) -> list[int]:
    return sorted({row[0] for row in (await tables(index.database))["events"]})


async def provisional(index: Index) -> list[int]:
    return sorted({row[0] for row in (await tables(index.database))["events"] if row[-1]})


async def failure_of(index: Index) -> Unavailable | None:
    """Why not all was read; None where it was."""
    try:
        await index.indexer.catch_up()
    except Unavailable as error:
        return error
    return None


async def test_all_is_read_and_the_newest_is_provisional(index: Index) -> None:
    assert await index.indexer.catch_up() == 22
    assert await blocks(index) == list(range(2, 13)), "the first source is read from block 2 on"
    assert await provisional(index) == [11, 12]
    assert index.metrics.events == 22
    assert index.metrics.lag[-1] == 0
    assert await index.indexer.catch_up() == 0


async def test_a_new_head_confirms(index: Index, chain: Chain) -> None:
    await index.indexer.catch_up()
    chain.mine([])
    await index.indexer.catch_up()
    assert await provisional(index) == [12]
    chain.drop(2)
    await index.indexer.catch_up()
    assert await provisional(index) == [10, 11], "under a lower head they are so again"


async def test_a_reorganisation_is_rolled_back_to_the_fork(
    index: Index, chain: Chain, caplog: pytest.LogCaptureFixture
) -> None:
    await index.indexer.catch_up()
    chain.drop(4)
    for _ in range(6):
        chain.mine(logs(9))
    with caplog.at_level(logging.INFO, "inferproof.indexer"):
        await index.indexer.catch_up()
    assert index.metrics.rollbacks == 1
    (told,) = caplog.messages
    assert told == (
        "the chain changed: events after block 8 are taken back, 2 blocks of them confirmed"
    )
    assert await tables(index.database) == await replayed(chain.reader(), SOURCES, TERMS)


async def test_what_is_too_deep_is_said_and_mended_as_it_says(index: Index, chain: Chain) -> None:
    await index.indexer.catch_up()
    before = await tables(index.database)
    chain.drop(8)
    for _ in range(9):
        chain.mine(logs(9))
    for _ in range(2):  # again and again, and nothing is changed
        with rejects(
            Reason.INDEX_REORG_TOO_DEEP,
            "the chain at block 13 replaced block 7 too, the oldest that the index still knows; "
            "what was read before it may be wrong: run inferproof indexer rebuild, and raise "
            "INFERPROOF_INDEX_KEPT_BLOCKS",
            kind=Conflict,
        ):
            await index.indexer.catch_up()
        index.restart()
    assert await tables(index.database) == before
    await index.indexer.rebuild()
    assert await blocks(index) == []
    await index.indexer.catch_up()
    assert await tables(index.database) == await replayed(chain.reader(), SOURCES, TERMS)


async def test_a_node_that_is_behind_is_waited_for(index: Index, chain: Chain) -> None:
    await index.indexer.catch_up()
    before, newest = await tables(index.database), chain.blocks[4:]
    del chain.blocks[4:]
    with rejects(
        Reason.INDEX_NODE_BEHIND,
        "the node is at block 3, and block 7 is the oldest that the index still knows; wait until "
        "it has caught up, or run inferproof indexer rebuild where the chain began anew",
        kind=Unavailable,
    ):
        await index.indexer.catch_up()
    assert await tables(index.database) == before
    chain.blocks += newest
    assert await index.indexer.catch_up() == 0


async def test_a_short_chain_that_began_anew_needs_no_mending(url: str) -> None:
    chain = Chain()
    chain.mine(logs(1))
    chain.mine(logs(2))
    async with open_index(chain.reader(), SOURCES, TERMS, url) as index:
        assert await index.indexer.catch_up() == 1
        chain.blocks.clear()
        for number in range(5):
            chain.mine(logs(number))
        await index.indexer.catch_up()
        assert await tables(index.database) == await replayed(chain.reader(), SOURCES, TERMS)


async def test_a_refused_block_leaves_a_gap_that_is_filled(index: Index, chain: Chain) -> None:
    chain.refused = {6}
    await index.indexer.catch_up()
    cursor = await index.store.cursor(SOURCES)
    assert cursor is not None
    assert cursor.covered.spans == ((2, 5), (7, 12))
    assert cursor.complete_to(2) == 5
    assert index.metrics.lag[-1] == 1
    index.restart()
    chain.refused = set()
    assert await index.indexer.catch_up() == 2
    assert await tables(index.database) == await replayed(chain.reader(), SOURCES, TERMS)


async def test_a_node_that_refuses_everything_is_not_asked_for_ever(
    index: Index, chain: Chain
) -> None:
    chain.refused = set(range(13))
    with rejects(
        Reason.INDEX_BLOCK_REFUSED,
        "the node refuses the events of block 10: query returned more than 10000 results; later "
        "blocks are read meanwhile",
        kind=Unavailable,
    ):
        await index.indexer.catch_up()
    assert len(chain.asked) < 100


async def test_a_node_that_lags_does_not_leave_events_out(index: Index, chain: Chain) -> None:
    """It knows the newest block, and answers about events as if it did not."""
    chain.lag = 3
    assert await index.indexer.catch_up() == 22
    assert await tables(index.database) == await replayed(chain.reader(), SOURCES, TERMS)


async def test_a_chain_that_changes_between_two_questions_is_read_again(
    index: Index, chain: Chain
) -> None:
    def change() -> None:
        chain.drop(2)
        for _ in range(2):
            chain.mine(logs(8))

    for asked in range(1, 40):
        chain.after = [(asked, change)]
        while (error := await failure_of(index)) is not None:
            assert error.message == (
                f"the chain changed at block {error.facts['block']} while its events were read; "
                "they are read again"
            )
        chain.after = []
        await index.indexer.catch_up()
        assert await tables(index.database) == await replayed(chain.reader(), SOURCES, TERMS)


async def test_what_says_that_the_chain_changed(
    index: Index, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = chain._logs

    def of_another_fork(wanted: dict[str, str]) -> list[dict[str, object]]:
        return [log | {"blockHash": "0x" + "99" * 32} for log in whole(wanted)]

    monkeypatch.setattr(chain, "_logs", of_another_fork)
    with rejects(
        Reason.INDEX_CHAIN_MOVED,
        "the chain changed at block 2 while its events were read; they are read again",
        kind=Unavailable,
    ):
        await index.indexer.step()
    assert await blocks(index) == []


async def test_after_no_answer_fewer_blocks_are_asked_for(
    index: Index, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    whole = chain._logs

    def slow(wanted: dict[str, str]) -> list[dict[str, object]]:
        size = int(wanted["toBlock"], 16) - int(wanted["fromBlock"], 16) + 1
        asked.append(size)
        if size > 1:
            raise Unavailable(Reason.CHAIN_UNREACHABLE, url="http://node", why="no answer")
        return whole(wanted)

    monkeypatch.setattr(chain, "_logs", slow)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await index.indexer.catch_up()
    await index.indexer.step()
    assert asked == [4, 2, 1]


async def test_two_at_a_time_do_not_write_over_each_other(index: Index) -> None:
    before = await index.store.begin(SOURCES)
    await index.indexer.step()
    with rejects(
        Reason.INDEX_TAKEN,
        "another process changed the index of chain 31337 meanwhile; one at a time reads it",
        kind=Conflict,
    ):
        await index.store.apply(SOURCES, Change(before, Cursor(version=1), dropped=-1))
    assert await index.indexer.catch_up() > 0


async def test_a_rebuild_that_did_not_end_is_ended_by_whoever_reads_next(
    index: Index, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inferproof.services.indexer.service.REBUILT", 3)
    await index.indexer.catch_up()
    real, left = index.store.apply, [2]

    async def dies(sources: SourceSet, change: Change) -> None:
        if not left[0]:
            raise ConnectionError
        left[0] -= 1
        await real(sources, change)

    monkeypatch.setattr(index.store, "apply", dies)
    with pytest.raises(ConnectionError):
        await index.indexer.rebuild()
    assert 2 in await blocks(index)
    assert 12 not in await blocks(index)
    left[0] = 1000
    index.restart()
    await index.indexer.catch_up()
    assert await tables(index.database) == await replayed(chain.reader(), SOURCES, TERMS)


async def test_sets_do_not_meet_and_are_forgotten_alone(
    index: Index, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inferproof.storage.sql.chain_events.FORGOTTEN", 5)
    other = SourceSet(CHAIN_ID, (Source("First", FIRST, 2),))
    second = Index(index.database, chain.reader(), other, TERMS)
    await index.indexer.catch_up()
    await second.indexer.catch_up()
    assert [(each.digest, each.events) for each in await index.store.sets()] == [
        (set_digest(SOURCES), 22),
        (set_digest(other), 22),
    ]
    await index.store.forget(set_digest(other))
    await index.store.forget(set_digest(other))
    (left,) = await index.store.sets()
    assert (left.digest, left.events, left.head) == (set_digest(SOURCES), 22, 12)
    assert await tables(index.database) == await replayed(chain.reader(), SOURCES, TERMS)
    with pytest.raises(Conflict):  # whoever still reads it begins from what is not there any more
        await second.store.apply(other, Change(Cursor(version=99), Cursor(version=100)))


async def test_only_the_leader_reads(index: Index) -> None:
    other = index.database.leader_lock("indexer")
    assert await other.held()
    task = asyncio.create_task(index.indexer.run(0.001, index.database.leader_lock("indexer")))
    await asyncio.sleep(0.05)
    assert await index.store.cursor(SOURCES) is None
    await other.release()
    await until(lambda: index.metrics.events == 22, "all is read")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_what_goes_wrong_is_logged_and_tried_again(
    index: Index, chain: Chain, caplog: pytest.LogCaptureFixture
) -> None:
    chain.down = True
    task = asyncio.create_task(index.indexer.run(0.001, index.database.leader_lock("indexer")))
    await until(lambda: bool(caplog.messages), "it is logged")
    assert caplog.messages[0].startswith("cannot read events: the chain at http://node does not")
    chain.down = False
    await until(lambda: index.metrics.events == 22, "all is read")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


# -- the history ----------------------------------------------------------------------------------

EVENT = {
    "type": "event",
    "name": "Seen",
    "inputs": [],
}


class Anything(EventAbi):
    """Knows the one event of the chain by the name Seen."""

    def topics_of(self, name: str) -> list[Digest]:
        return [digest("an event")] if name == "Seen" else []


def history_of(index: Index) -> History:
    return History(index.store, SOURCES, {"First": Anything([EVENT]), "Second": Anything([EVENT])})


async def test_pages_follow_each_other_in_the_chains_order(index: Index) -> None:
    await index.indexer.catch_up()
    history, after, seen = history_of(index), None, []
    while True:
        page = await history.page(EventQuery(after=after, limit=5))
        seen += [view.log.place for view in page.events]
        if not page.more:
            break
        after = page.events[-1].place
    assert seen == [(block, at) for block in range(2, 13) for at in (0, 1)]
    assert (page.chain_id, page.head, page.confirmed, page.complete_to) == (CHAIN_ID, 12, 10, 12)


async def test_an_event_is_found_by_contract_name_and_indexed_argument(
    index: Index, chain: Chain
) -> None:
    chain.mine([MinedLog(SECOND, (5, 7)), MinedLog(SECOND, (5, 5)), MinedLog(SECOND)])
    await index.indexer.catch_up()
    history = history_of(index)

    async def found(**query: object) -> list[tuple[int, int]]:
        page = await history.page(EventQuery(limit=1000, **query))  # type: ignore[arg-type]
        return [view.log.place for view in page.events]

    seven, five = (Digest(n.to_bytes(32, "big")) for n in (7, 5))
    assert await found(contract="Second") == [(13, 0), (13, 1), (13, 2)]
    assert await found(contract=SECOND.hex) == [(13, 0), (13, 1), (13, 2)]
    assert await found(key=five) == [(5, 0), (13, 0), (13, 1)]
    assert await found(contract="First", event="Seen", key=five) == [(5, 0)]
    assert len(await found(key=seven)) == 13
    place = Place(12, 1, chain.blocks[12].hash.raw[:8].hex())
    assert await found(key=seven, after=place) == [(13, 0)]
    assert await found(contract="Second", event="Seen", after=place) == [
        (13, 0),
        (13, 1),
        (13, 2),
    ]


async def test_what_is_not_read_here_is_said(index: Index) -> None:
    history = history_of(index)
    assert (await history.page(EventQuery())).complete_to == -1
    with rejects(
        Reason.EVENTS_CONTRACT_UNKNOWN,
        "no events of Escrow are read here; those of First, Second are",
        kind=NotFound,
    ):
        await history.page(EventQuery(contract="Escrow"))
    with rejects(
        Reason.EVENTS_EVENT_UNKNOWN,
        "no contract that is read here has the event Paid; they have Seen",
        kind=NotFound,
    ):
        await history.page(EventQuery(event="Paid"))


async def test_a_cursor_in_a_block_that_was_replaced_is_told_so(index: Index, chain: Chain) -> None:
    await index.indexer.catch_up()
    history = history_of(index)
    (*_, last) = (await history.page(EventQuery(limit=1000))).events
    assert last.provisional
    chain.drop(1)
    chain.mine(logs(1, 2, 3))
    await index.indexer.catch_up()
    with rejects(
        Reason.EVENTS_CURSOR_REPLACED,
        "the chain replaced block 12, which the cursor stands in; go on from an earlier cursor, "
        "whose event was not provisional any more",
        kind=Conflict,
    ):
        await history.page(EventQuery(after=last.place))


# -- a real chain ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def restless() -> Iterator[DevnetInfo]:
    """A chain of our own: it is reorganised."""
    with Devnet() as running:

        async def hurry() -> None:
            async with Rpc(running.info.rpc_url) as rpc:
                await rpc.request("anvil_setBlockTimestampInterval", 61)

        with ThreadPoolExecutor(1) as pool:
            pool.submit(asyncio.run, hurry()).result()
        yield running.info


async def register(rpc: Rpc, chain: DevnetInfo) -> Digest:
    """The commitment of a new model of the provider's."""
    registry = await open_registry(rpc, chain.model_registry)
    commitment = Digest(secrets.token_bytes(32))
    terms = Terms(
        ContractKey(b"\x0a\x0b\x0c\x0d", Digest(b"\x11" * 32)),
        CommitmentKind.DISCLOSED,
        CommitmentKind.DISCLOSED,
        ZERO_DIGEST,
        "",
        raw_content_id(b"the bundle"),
    )
    made = Registration(
        commitment,
        commitment,
        chain.accounts.provider.address,
        await registry.deadline(),
        terms,
        (TokenPrice(chain.token.address, 250_000),),
    )
    await registry.register(made, chain.accounts.provider)
    return commitment


async def test_models_of_a_real_chain(restless: DevnetInfo, url: str) -> None:
    """Registered, read, taken back by the chain, read again: as a replay from zero has them."""
    async with Rpc(restless.rpc_url) as rpc:
        head = (await rpc.head()).number
        registry = Source(MODEL_REGISTRY, restless.model_registry, head)
        sources = SourceSet(restless.chain_id, (registry,))
        reader, abi = LogReader(rpc), EventAbi(load_artifact(MODEL_REGISTRY).abi)
        async with open_index(reader, sources, IndexTerms(depth=3, keep=64), url) as index:
            history = History(index.store, sources, {MODEL_REGISTRY: abi})
            first = await register(rpc, restless)
            await index.indexer.catch_up()
            page = await history.page(EventQuery(key=first))
            assert {view.event for view in page.events} == {"VersionRegistered", "PriceSet"}
            price = next(view for view in page.events if view.event == "PriceSet")
            assert price.fields == {
                "commitment": first.hex,
                "token": restless.token.address.hex,
                "amount": "250000",
                "accepted": True,
            }
            assert price.log.time == (await rpc.block(price.log.block)).timestamp
            owned = await history.page(
                EventQuery(key=account_key(restless.accounts.provider.address))
            )
            assert [view.event for view in owned.events] == ["VersionRegistered"]
            # A second one, which the chain takes back and puts others in the place of.
            before = await tables(index.database)
            lasting = (await rpc.head()).number
            second = await register(rpc, restless)
            await index.indexer.catch_up()
            assert len((await history.page(EventQuery(key=second))).events) == 2
            newest = (await rpc.head()).number
            await rpc.request("anvil_reorg", newest - lasting, [])
            await index.indexer.catch_up()
            assert (await history.page(EventQuery(key=second))).events == []
            assert index.metrics.rollbacks == 1
            assert [row[:3] for row in (await tables(index.database))["events"]] == [
                row[:3] for row in before["events"]
            ]
            assert await tables(index.database) == await replayed(reader, sources, index.terms)
            # A snapshot is brought back, and the chain goes another way from there.
            snapshot = await rpc.request("evm_snapshot")
            third = await register(rpc, restless)
            await index.indexer.catch_up()
            await rpc.request("evm_revert", snapshot)
            index.restart()
            await index.indexer.catch_up()
            assert (await history.page(EventQuery(key=third))).events == []
            await transact(
                rpc,
                restless.accounts.buyer,
                to=restless.model_registry,
                data=calldata(SEAL, third),
                what=SEAL,
            )
            await index.indexer.catch_up()
            sealed = await history.page(EventQuery(event="Sealed", key=third))
            assert [view.provisional for view in sealed.events] == [True]
            await rpc.request("anvil_mine", hex(2))
            await index.indexer.catch_up()
            sealed = await history.page(EventQuery(event="Sealed", key=third))
            assert [view.provisional for view in sealed.events] == [False]
            assert await tables(index.database) == await replayed(reader, sources, index.terms)
