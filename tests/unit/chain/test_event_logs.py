"""What a node tells of events and blocks is not believed where it contradicts the question."""

from collections.abc import Callable
from typing import Any

import pytest
from event_chain import FIRST, STRANGER, Chain, MinedLog

from inferproof.chain import event_logs, rpc
from inferproof.chain.rpc import Rpc
from inferproof.errors import Reason, Unavailable
from inferproof.testing.devnet import DevnetInfo
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Digest
from inferproof.types.indexing import Header

Told = dict[str, Any]


@pytest.fixture
def chain() -> Chain:
    made = Chain()
    for number in range(1, 7):
        made.mine([MinedLog(FIRST, (number,)), MinedLog(STRANGER)])
    return made


def lies(chain: Chain, change: Callable[[list[Told]], object]) -> None:
    """Lets the node change what it tells of events."""
    told = chain._logs

    def lie(wanted: Any) -> Any:
        logs = told(wanted)
        given = change(logs)
        return logs if given is None else given

    chain._logs = lie  # type: ignore[method-assign]


async def test_events_come_in_order_each_once(chain: Chain) -> None:
    chain.twice = True
    lies(chain, lambda logs: logs.reverse())
    found = await chain.reader(span_blocks=2).logs({FIRST}, 2, 6)
    assert [log.place for log in found] == [(n, 0) for n in range(2, 7)]
    assert chain.asked == ["eth_getLogs"] * 3


async def test_refused_ranges_are_halved(chain: Chain) -> None:
    chain.longest = 1
    assert len(await chain.reader().logs({FIRST}, 1, 6)) == 6
    chain.refused = {3}
    with rejects(
        Reason.INDEX_BLOCK_REFUSED,
        "the node refuses the events of block 3: query returned more than 10000 results; later "
        "blocks are read meanwhile",
        kind=Unavailable,
    ):
        await chain.reader().logs({FIRST}, 1, 6)


async def test_too_many_events_at_once_are_asked_for_in_halves(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_logs, "MAX_LOGS", 2)
    assert len(await chain.reader().logs({FIRST}, 1, 6)) == 6
    assert len(chain.asked) > 3
    monkeypatch.setattr(event_logs, "MAX_BLOCK_LOGS", 0)
    with refused("it gives 1 events at once"):
        await chain.reader().logs({FIRST}, 1, 1)


def refused(why: str) -> Any:
    return rejects(
        Reason.INDEX_BAD_ANSWER,
        f"the node's answer about events is not to be believed: {why}",
        kind=Unavailable,
    )


FORM = "it has not the form of blocks or events"
OTHER = "0x" + "99" * 32


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            lambda logs: logs[0].update(blockNumber="0x6"),
            "asked for blocks 2 to 3, it gives an event of block 6",
        ),
        (
            lambda logs: logs[0].update(address=STRANGER.hex),
            f"it gives an event of {STRANGER}, which was not asked for",
        ),
        (
            lambda logs: logs[0].update(removed=True),
            "it gives an event that it says was removed",
        ),
        (lambda logs: logs[0].update(topics=[OTHER] * 5), "it gives an event with 5 topics"),
        (
            lambda logs: logs.append(logs[0] | {"data": "0x01"}),
            "it gives two events 0 of block 2",
        ),
        (
            lambda logs: logs.append(logs[0] | {"logIndex": "0x9", "blockHash": OTHER}),
            "it gives two hashes of block 2",
        ),
        (lambda logs: logs[0].update(data="0x" + "00" * (2**20 + 1)), FORM),
        (lambda logs: logs[0].update(data="00"), FORM),
        (lambda logs: logs[0].update(blockHash="0x12"), FORM),
        (lambda logs: logs[0].update(logIndex="-0x1"), FORM),
        (lambda logs: logs[0].update(blockNumber=None), FORM),
        (lambda logs: logs[0].__delitem__("transactionHash"), FORM),
        (lambda _: {}, FORM),
    ],
)
async def test_a_lie_about_events(chain: Chain, change: Any, why: str) -> None:
    lies(chain, change)
    with refused(why):
        await chain.reader().logs({FIRST}, 2, 3)


async def test_events_of_another_block_than_the_one_named(chain: Chain) -> None:
    (block,) = (await chain.reader().headers([4])).values()
    assert [log.place for log in await chain.reader().logs_of({FIRST}, block)] == [(4, 0)]
    lies(chain, lambda logs: logs[0].update(blockHash=OTHER))
    with refused(f"asked for block {block.hash}, it gives events of another"):
        await chain.reader().logs_of({FIRST}, block)
    unknown = Header(4, Digest(b"\x01" * 32), block.parent, block.time)
    with rejects(
        Reason.INDEX_BLOCK_REFUSED,
        "the node refuses the events of block 4: unknown block; later blocks are read meanwhile",
        kind=Unavailable,
    ):
        await chain.reader().logs_of({FIRST}, unknown)


async def test_a_lie_about_blocks(chain: Chain) -> None:
    assert sorted(await chain.reader().headers([3, 5, 99])) == [3, 5]
    whole = chain._header
    chain._header = lambda _: whole("0x2")  # type: ignore[method-assign]
    with refused("asked for block 3, it gives block 2"):
        await chain.reader().headers([3])
    chain._header = lambda _: None  # type: ignore[method-assign]
    with refused("it knows no newest block"):
        await chain.reader().head()


async def test_an_answer_without_end_is_not_read(
    devnet: DevnetInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rpc, "MAX_ANSWER_BYTES", 100)
    async with Rpc(devnet.rpc_url) as connection:
        assert await connection.chain_id() == devnet.chain_id
        with rejects(
            Reason.CHAIN_RPC_ERROR,
            f"the chain at {devnet.rpc_url} refuses the request: its answer is larger than 100 "
            "bytes",
            kind=Unavailable,
        ):
            await event_logs.LogReader(connection).head()
