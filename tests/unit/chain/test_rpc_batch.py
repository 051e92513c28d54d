"""Many questions to a node in one request, and what stands for those that it refuses."""

import pytest
from test_rpc import closed_port, page, server

from inferproof.chain import rpc as rpc_module
from inferproof.chain.rpc import CallReverted, Rpc
from inferproof.errors import Reason, Unavailable
from inferproof.testing.devnet import DevnetInfo
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Digest

FREE = Digest(b"\x11" * 32)


async def test_results_come_in_the_order_of_the_calls(
    rpc: Rpc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rpc_module, "MAX_TOGETHER", 3)
    calls = [("eth_chainId", []), ("eth_blockNumber", [])] * 4
    results = await rpc.batch(calls)
    assert results[::2] == ["0x7a69"] * 4
    assert all(int(result, 16) > 0 for result in results[1::2])
    assert await rpc.batch([]) == []


async def test_a_call_that_is_refused_fails_alone(rpc: Rpc, devnet: DevnetInfo) -> None:
    token = devnet.token.address.hex
    unknown, reverting, good = await rpc.batch(
        [
            ("eth_nothing", []),
            ("eth_call", [{"to": token, "data": "0xa9059cbb" + "00" * 64}, "latest"]),
            ("eth_chainId", []),
        ]
    )
    assert isinstance(unknown, Unavailable)
    assert unknown.reason is Reason.CHAIN_RPC_ERROR
    assert isinstance(reverting, CallReverted)
    assert reverting.facts["address"] == token
    assert reverting.data
    assert good == "0x7a69"


async def test_a_node_that_refuses_batches_is_told() -> None:
    refusal = b'{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"no batches"}}'
    async with server(page(refusal)) as url, Rpc(url) as rpc:
        with rejects(
            Reason.CHAIN_RPC_ERROR,
            f"the chain at {url} refuses a batch of calls: no batches",
            kind=Unavailable,
        ):
            await rpc.batch([("eth_chainId", [])])


@pytest.mark.parametrize("answer", [b"[]", b"[1]", b'[{"id":0}]', b"nonsense", b"null", b"{}"])
async def test_nonsense_is_unavailable(answer: bytes) -> None:
    async with server(page(answer)) as url, Rpc(url) as rpc:
        with pytest.raises(Unavailable) as caught:
            await rpc.batch([("eth_chainId", [])])
        assert caught.value.reason is Reason.CHAIN_UNREACHABLE


async def test_a_dead_node_is_unavailable() -> None:
    async with Rpc(f"http://127.0.0.1:{closed_port()}/secret") as rpc:
        with pytest.raises(Unavailable) as caught:
            await rpc.batch([("eth_chainId", [])])
        assert caught.value.reason is Reason.CHAIN_UNREACHABLE
        assert "secret" not in caught.value.message
