"""Payer states are asked for in one call, and its answer is what single questions say."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from chain_samples import Authorize
from test_rpc import page, server

from inferproof.chain import token_state
from inferproof.chain.accounts import SettlementAccount
from inferproof.chain.contracts import BATCH_SETTLER, deploy, load_artifact
from inferproof.chain.rpc import CallReverted, Rpc
from inferproof.chain.token import TokenChain
from inferproof.chain.token_state import TokenState, ask_payer_states
from inferproof.errors import Misconfigured, Reason, Unavailable
from inferproof.testing.devnet import DevnetInfo
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Address, Digest
from inferproof.types.payment import PayerState

FREE = Digest(b"\x11" * 32)
NOBODY = Address(b"\x09" * 20)


@pytest.fixture
async def account(devnet: DevnetInfo) -> AsyncIterator[SettlementAccount]:
    async with Rpc(devnet.rpc_url) as connection:
        yield SettlementAccount(TokenChain(connection, devnet.token), devnet.accounts.gateway)


async def test_a_state_is_what_the_single_questions_say(
    account: SettlementAccount, devnet: DevnetInfo, authorize: Authorize
) -> None:
    payer = devnet.accounts.buyer.address
    fresh = await account.payer_state(payer, FREE)
    assert fresh == PayerState(await account.balance(payer), False, fresh.head)
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
    spent = await account.payer_state(payer, paid.nonce)
    assert spent.used
    assert spent.balance == fresh.balance - paid.amount
    # The head is from before the question: a settlement of what was free then is not older.
    assert fresh.head <= spent.head <= included.block


async def test_many_who_ask_at_once_are_answered_each(
    account: SettlementAccount, devnet: DevnetInfo
) -> None:
    wallets = [devnet.accounts.buyer.address, Address(b"\x09" * 20)] * 30
    nonces = [Digest(bytes([n]) * 32) for n in range(60)]
    states = await asyncio.gather(*map(account.payer_state, wallets, nonces))
    assert {p.used for p in states} == {False}
    assert {p.balance for p in states[1::2]} == {0}
    assert {p.balance for p in states[::2]} == {await account.balance(wallets[0])}


async def test_an_address_that_is_no_token_is_told(rpc: Rpc, devnet: DevnetInfo) -> None:
    wallet = Address(b"\x09" * 20)
    token = TokenChain(rpc, replace(devnet.token, address=wallet))
    with rejects(
        Reason.CHAIN_BAD_ANSWER,
        f"the contract at {wallet} answers balanceOf or authorizationState with 0 bytes, not 32",
        kind=Misconfigured,
    ):
        await token.payer_states([(wallet, FREE)])


async def test_more_than_fit_into_one_question(
    rpc: Rpc, devnet: DevnetInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_state, "MOST", 2)
    buyer = devnet.accounts.buyer.address
    balance = await TokenChain(rpc, devnet.token).balance(buyer)
    assert balance
    found, block = await ask_payer_states(
        rpc,
        devnet.token.address,
        [(buyer, FREE), (NOBODY, FREE), (NOBODY, FREE), (buyer, FREE), (NOBODY, FREE)],
    )
    balances = [balance, 0, 0, balance, 0]
    assert found == [TokenState(each, used=False, has_code=False) for each in balances]
    assert block >= 0


async def test_as_many_as_fit_are_answered_by_a_node(rpc: Rpc, devnet: DevnetInfo) -> None:
    wanted = [(Address(n.to_bytes(20, "big")), FREE) for n in range(token_state.MOST)]
    found, _ = await ask_payer_states(rpc, devnet.token.address, wanted)
    assert len(found) == token_state.MOST


async def test_nobody_is_asked_about(rpc: Rpc, devnet: DevnetInfo) -> None:
    found, _ = await ask_payer_states(rpc, devnet.token.address, [])
    assert found == []


async def test_a_contract_that_refuses_is_told(rpc: Rpc, devnet: DevnetInfo) -> None:
    contract = await deploy(rpc, load_artifact(BATCH_SETTLER), devnet.accounts.owner)
    with rejects(
        Reason.CHAIN_CALL_REVERTED,
        f"the contract at {contract} refuses balanceOf or authorizationState: execution reverted",
        kind=CallReverted,
    ):
        await ask_payer_states(rpc, contract, [(NOBODY, FREE)])


@pytest.mark.parametrize(
    "word",
    [
        "0x",
        "0x" + f"{1:064x}" + "00" * 32,
        "0x" + f"{2:064x}" + "00" * 64,
        "0x" + f"{1:064x}" + "00" * 96,
        "0xzz",
    ],
)
async def test_an_answer_to_another_question_is_none(devnet: DevnetInfo, word: str) -> None:
    answer = [{"id": 0, "result": "0x7"}, {"id": 1, "result": word}]
    async with server(page(json.dumps(answer).encode())) as url, Rpc(url) as rpc:
        with rejects(
            Reason.CHAIN_UNREACHABLE,
            f"the chain at {url} does not answer: the answer is not JSON-RPC of an EVM chain; "
            "check the address and that the node runs",
            kind=Unavailable,
        ):
            await ask_payer_states(rpc, devnet.token.address, [(NOBODY, FREE)])


async def test_a_node_that_refuses_one_of_the_questions_is_told(devnet: DevnetInfo) -> None:
    no = {"error": {"code": -32601, "message": "no such method"}}
    for answer in (
        [{"id": 0, **no}, {"id": 1, "result": "0x"}],
        [{"id": 0, "result": "0x7"}, {"id": 1, **no}],
    ):
        async with server(page(json.dumps(answer).encode())) as url, Rpc(url) as rpc:
            with pytest.raises(Unavailable) as caught:
                await ask_payer_states(rpc, devnet.token.address, [(NOBODY, FREE)])
            assert caught.value.reason is Reason.CHAIN_RPC_ERROR
