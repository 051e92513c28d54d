"""Many questions to a node in one request, and what stands for those that it refuses."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from chain_samples import Authorize
from test_rpc import closed_port, page, server

from inferproof.chain import rpc as rpc_module
from inferproof.chain.accounts import SettlementAccount
from inferproof.chain.rpc import CallReverted, Rpc
from inferproof.chain.token import TokenChain
from inferproof.errors import Misconfigured, Reason, Unavailable
from inferproof.testing.devnet import DevnetInfo
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Address, Digest
from inferproof.types.payment import Purse

FREE = Digest(b"\x11" * 32)


@pytest.fixture
async def account(devnet: DevnetInfo) -> AsyncIterator[SettlementAccount]:
    async with Rpc(devnet.rpc_url) as connection:
        yield SettlementAccount(TokenChain(connection, devnet.token), devnet.accounts.gateway)


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


async def test_a_purse_is_what_the_single_questions_say(
    account: SettlementAccount, devnet: DevnetInfo, authorize: Authorize
) -> None:
    payer = devnet.accounts.buyer.address
    fresh = await account.purse(payer, FREE)
    assert fresh == Purse(await account.balance(payer), False, fresh.head)
    paid = authorize()
    sight = await account.look()
    signed = await account.sign_settlement([paid], sight.pending, sight.fees)
    await account.submit(signed.raw)
    for _ in range(600):
        found = await account.included([signed.tx])
        if found:
            break
        await asyncio.sleep(0.05)
    included = found[signed.tx]
    spent = await account.purse(payer, paid.nonce)
    assert spent.used
    assert spent.balance == fresh.balance - paid.amount
    # The head is from before the question: a settlement of what was free then is not older.
    assert fresh.head <= spent.head <= included.block


async def test_many_who_ask_at_once_are_answered_each(
    account: SettlementAccount, devnet: DevnetInfo
) -> None:
    wallets = [devnet.accounts.buyer.address, Address(b"\x09" * 20)] * 30
    nonces = [Digest(bytes([n]) * 32) for n in range(60)]
    purses = await asyncio.gather(*map(account.purse, wallets, nonces))
    assert {p.used for p in purses} == {False}
    assert {p.balance for p in purses[1::2]} == {0}
    assert {p.balance for p in purses[::2]} == {await account.balance(wallets[0])}


async def test_an_address_that_is_no_token_is_told(rpc: Rpc, devnet: DevnetInfo) -> None:
    wallet = Address(b"\x09" * 20)
    token = TokenChain(rpc, replace(devnet.token, address=wallet))
    with rejects(
        Reason.CHAIN_BAD_ANSWER,
        f"the contract at {wallet} answers balanceOf or authorizationState with 0 bytes, not 32",
        kind=Misconfigured,
    ):
        await token.purses([(wallet, FREE)])
