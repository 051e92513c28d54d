"""One node: what it answers, and how it fails."""

import asyncio
import importlib
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

import inferproof.chain
from inferproof.chain.abi import calldata
from inferproof.chain.rpc import CallReverted, Rpc
from inferproof.chain.transactions import (
    SignedTx,
    require_success,
    sign_tx,
    suggest_fees,
    transact,
    wait_receipt,
)
from inferproof.errors import Conflict, Misconfigured, MissingPart, Reason, Rejection, Unavailable
from inferproof.testing.devnet import DevnetInfo, dev_key
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Address, Digest


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def server(answer: bytes | None) -> AsyncIterator[str]:
    """A server that answers every connection with these bytes, or never."""

    done = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(64)
        if answer is None:
            await done.wait()
        else:
            writer.write(answer)
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    running = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{running.sockets[0].getsockname()[1]}"
    finally:
        done.set()
        running.close()
        await asyncio.sleep(0)


def page(body: bytes, kind: str = "application/json", status: str = "200 OK") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"Connection: close\r\n\r\n" + body


async def test_a_node_tells_its_chain_and_head(rpc: Rpc, devnet: DevnetInfo) -> None:
    await rpc.require_chain(devnet.chain_id)
    head = await rpc.head()
    assert head.number >= 5
    assert head.timestamp > 1_700_000_000
    assert head.base_fee > 0


async def test_another_chain_is_refused(rpc: Rpc) -> None:
    with rejects(
        Reason.CHAIN_ID_MISMATCH,
        f"the chain at {rpc.shown_url} has the id 31337, the settings say 8453; "
        "point to the right node",
        kind=Misconfigured,
    ):
        await rpc.require_chain(8453)


async def test_a_dead_node_is_unavailable() -> None:
    port = closed_port()
    async with Rpc(f"http://127.0.0.1:{port}/v2/secret-access-key") as rpc:
        with rejects(
            Reason.CHAIN_UNREACHABLE,
            f"the chain at http://127.0.0.1:{port} does not answer: the connection failed; "
            "check the address and that the node runs",
            kind=Unavailable,
        ):
            await rpc.chain_id()


async def test_no_message_shows_the_access_key() -> None:
    async with Rpc(f"http://user:pass@127.0.0.1:{closed_port()}/v2/secret?key=secret") as rpc:
        assert "secret" not in repr(rpc)
        assert "pass" not in repr(rpc)
        with pytest.raises(Unavailable) as caught:
            await rpc.chain_id()
        assert "secret" not in caught.value.message
        assert "pass" not in caught.value.message


async def test_a_silent_node_is_left_after_the_time_limit() -> None:
    async with server(None) as url, Rpc(url, timeout_s=0.2) as rpc:
        with rejects(
            Reason.CHAIN_UNREACHABLE,
            f"the chain at {url} does not answer: no answer in 0.2 seconds; "
            "check the address and that the node runs",
            kind=Unavailable,
        ):
            await rpc.head()


@pytest.mark.parametrize(
    "answer",
    [
        page(b"hello", "text/html"),
        page(b"{"),
        page(b"[]"),
        page(b"\xff\xfe"),
        page(b'{"jsonrpc":"2.0","id":1}'),
        page(b'{"jsonrpc":"2.0","id":0,"result":"zz"}'),
        page(b'{"jsonrpc":"2.0","id":0,"result":null}'),
        page(b"no", status="503 Service Unavailable"),
        b"not http at all\r\n\r\n",
        b"",
    ],
)
async def test_nonsense_from_a_node_is_unavailable(answer: bytes) -> None:
    async with server(answer) as url, Rpc(url) as rpc:
        with pytest.raises(Unavailable) as caught:
            await rpc.chain_id()
        assert caught.value.reason is Reason.CHAIN_UNREACHABLE


async def test_an_error_of_the_node_is_told(rpc: Rpc) -> None:
    with rejects(
        Reason.CHAIN_RPC_ERROR,
        f"the chain at {rpc.shown_url} refuses eth_noSuchThing: Method not found",
        kind=Unavailable,
    ):
        await rpc.request("eth_noSuchThing")


async def test_a_call_that_reverts_gives_the_reason(rpc: Rpc, devnet: DevnetInfo) -> None:
    buyer = devnet.accounts.buyer.address
    with rejects(
        Reason.CHAIN_CALL_REVERTED,
        f"the contract at {devnet.token.address} refuses mint: OwnableUnauthorizedAccount({buyer})",
        kind=Rejection,
    ):
        data = calldata("mint(address,uint256)", buyer, 1)
        await rpc.call(devnet.token.address, data, what="mint", sender=buyer)


@pytest.mark.parametrize("code", ["5b600056", "fe", "600056", "01"])
async def test_a_call_that_fails_without_reverting_is_refused_too(rpc: Rpc, code: str) -> None:
    """An endless loop, an invalid instruction, a wild jump, an empty stack."""
    broken = Address(b"\x44" * 20)
    await rpc.request("anvil_setCode", broken.hex, "0x" + code)
    with pytest.raises(CallReverted):
        await rpc.call(broken, b"", what="anything", gas=1_000_000)
    with pytest.raises(CallReverted):
        await rpc.estimate_gas(broken, b"", what="anything")


async def test_an_address_without_code_answers_nothing(rpc: Rpc) -> None:
    nowhere = Address(b"\x77" * 20)
    assert await rpc.code(nowhere) == b""
    assert await rpc.call(nowhere, b"\1\2\3\4", what="nothing") == b""


async def signed(rpc: Rpc, devnet: DevnetInfo, nonce: int, account: int = 5) -> SignedTx:
    return sign_tx(
        dev_key(account),
        chain_id=devnet.chain_id,
        nonce=nonce,
        fees=await suggest_fees(rpc),
        gas=100_000,
        to=devnet.token.address,
        data=calldata("approve(address,uint256)", devnet.accounts.buyer.address, 1),
    )


async def test_the_same_bytes_can_be_sent_again_before_they_are_mined(devnet: DevnetInfo) -> None:
    async with Rpc(devnet.rpc_url) as rpc:
        sender = dev_key(5).address
        ahead = await signed(rpc, devnet, await rpc.nonce(sender) + 1)
        assert await rpc.send_raw(ahead.raw) == ahead.tx
        assert await rpc.send_raw(ahead.raw) == ahead.tx
        assert await rpc.receipt(ahead.tx) is None
        first = await signed(rpc, devnet, ahead.nonce - 1)
        await rpc.send_raw(first.raw)
        assert (await wait_receipt(rpc, ahead.tx, timeout_s=5)).succeeded


async def test_a_mined_number_is_a_conflict(rpc: Rpc, devnet: DevnetInfo) -> None:
    sent = await signed(rpc, devnet, await rpc.nonce(dev_key(6).address), account=6)
    await rpc.send_raw(sent.raw)
    receipt = await wait_receipt(rpc, sent.tx)
    assert receipt.succeeded
    assert receipt.gas_used > 21_000
    with rejects(
        Reason.TX_NONCE_USED,
        f"the number of transaction {sent.tx} is spent: it, or another one of its sender, "
        "is in a block",
        kind=Conflict,
    ):
        await rpc.send_raw(sent.raw)


async def test_a_transaction_that_cannot_pay_is_refused(rpc: Rpc, devnet: DevnetInfo) -> None:
    poor = type(dev_key(0)).from_hex("11" * 32)
    unpaid = sign_tx(
        poor,
        chain_id=devnet.chain_id,
        nonce=0,
        fees=await suggest_fees(rpc),
        gas=100_000,
        to=devnet.token.address,
        data=b"",
    )
    with rejects(
        Reason.TX_REFUSED,
        "the chain refuses the transaction: Insufficient funds for gas * price + value",
        kind=Unavailable,
    ):
        await rpc.send_raw(unpaid.raw)


async def test_waiting_for_an_unknown_transaction_ends(rpc: Rpc) -> None:
    unknown = Digest(b"\x01" * 32)
    assert await rpc.receipt(unknown) is None
    with rejects(
        Reason.TX_NOT_MINED,
        f"transaction {unknown} is not in a block after 0.1 seconds",
        kind=Unavailable,
    ):
        await wait_receipt(rpc, unknown, timeout_s=0.1)


async def test_a_reverted_transaction_is_told_with_its_block(rpc: Rpc, devnet: DevnetInfo) -> None:
    stranger = dev_key(7)
    reverting = sign_tx(
        stranger,
        chain_id=devnet.chain_id,
        nonce=await rpc.nonce(stranger.address),
        fees=await suggest_fees(rpc),
        gas=100_000,
        to=devnet.token.address,
        data=calldata("mint(address,uint256)", stranger.address, 1),
    )
    await rpc.send_raw(reverting.raw)
    receipt = await wait_receipt(rpc, reverting.tx)
    assert not receipt.succeeded
    with rejects(
        Reason.TX_REVERTED,
        f"transaction {reverting.tx} was included in block {receipt.block} and reverted",
        kind=Rejection,
    ):
        require_success(receipt)


async def test_transact_does_not_send_what_would_revert(rpc: Rpc, devnet: DevnetInfo) -> None:
    stranger = dev_key(8)
    before = await rpc.nonce(stranger.address)
    data = calldata("mint(address,uint256)", stranger.address, 1)
    with pytest.raises(Rejection) as caught:
        await transact(rpc, stranger, to=devnet.token.address, data=data, what="mint")
    assert caught.value.reason is Reason.CHAIN_CALL_REVERTED
    assert await rpc.nonce(stranger.address) == before


async def test_transactions_and_keys_do_not_print_their_secrets(
    rpc: Rpc, devnet: DevnetInfo
) -> None:
    transaction = await signed(rpc, devnet, 99)
    assert transaction.raw.hex() not in repr(transaction)
    shown = repr(devnet)
    for account in range(4):
        assert dev_key(account).secret().hex() not in shown


@pytest.mark.parametrize("package", ["web3", "eth_account", "eth_abi"])
def test_without_its_libraries_the_chain_says_how_to_get_them(
    monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with rejects(
        Reason.MISSING_LIBRARY,
        f"the chain needs the Python package {package}; "
        'install it with: pip install "inferproof[chain]"',
        kind=MissingPart,
    ):
        importlib.reload(inferproof.chain)
