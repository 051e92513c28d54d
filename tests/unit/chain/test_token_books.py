"""The books on a real chain: every transfer once, told apart by what moved it; and the command."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from chain_samples import Authorize
from order_book_suite import send_settlement
from sqlalchemy import text
from typer.testing import CliRunner

from inferproof.chain.abi import calldata
from inferproof.chain.accounts import SettlementAccount
from inferproof.chain.batch import build_batch_tx
from inferproof.chain.contracts import BATCH_SETTLER, deploy, load_artifact
from inferproof.chain.reconciliation import TokenBooks
from inferproof.chain.rpc import Rpc
from inferproof.chain.token import TokenChain
from inferproof.chain.transactions import suggest_fees, transact, wait_receipt
from inferproof.cli.main import app
from inferproof.errors import Reason, Unavailable
from inferproof.payments.x402.receipt import authorization_payment
from inferproof.protocol.encoding import keccak256
from inferproof.protocol.quote import quote_digest
from inferproof.services.reconciliation.service import Reconciler, ReconcilerSettings
from inferproof.storage.ports.jobs import Failure, ValidatedOrder
from inferproof.storage.ports.outbox import NewTransaction
from inferproof.storage.sql.engine import Database
from inferproof.storage.sql.ledger import SqlLedger
from inferproof.storage.sql.orders import sql_orders
from inferproof.testing.devnet import Devnet, DevnetInfo
from inferproof.testing.memory_store import open_stores
from inferproof.testing.metrics import MemoryMetrics
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import GATEWAY, Sample
from inferproof.types.digest import Address, Digest
from inferproof.types.payment import Authorization
from inferproof.types.reconciliation import BooksReport, Fault, Tally, Transfer

PRICE = 250_000
SAMPLE = Sample()


async def settled(token: TokenChain, devnet: DevnetInfo, *items: Authorization) -> list[Any]:
    """The receipts of one transaction for each, by the gateway."""
    key, receipts = devnet.accounts.gateway, []
    for item in items:
        nonce = await token.nonce(key.address)
        signed = token.build_settlement_tx(item, key, nonce=nonce, fees=await token.fees())
        await token.submit_raw(signed.raw)
        receipts.append(await wait_receipt(token.rpc, signed.tx))
    return receipts


async def since(token: TokenChain, account: Address, first: int, **more: Any) -> list[Transfer]:
    books = TokenBooks(token, **more)
    return list(await books.transfers([account], first, await books.last_block()))


async def test_each_kind_of_transfer(
    token: TokenChain, devnet: DevnetInfo, authorize: Authorize
) -> None:
    payee, buyer = devnet.accounts.provider, devnet.accounts.buyer
    first = (await token.head()).number + 1
    paid = authorize()
    (receipt,) = await settled(token, devnet, paid)
    plain = calldata("transfer(address,uint256)", payee.address, 7)
    await transact(token.rpc, buyer, to=token.asset.address, data=plain, what="a gift")
    out = calldata("transfer(address,uint256)", buyer.address, 9)
    await transact(token.rpc, payee, to=token.asset.address, data=out, what="a withdrawal")
    own = calldata("transfer(address,uint256)", payee.address, 3)
    await transact(token.rpc, payee, to=token.asset.address, data=own, what="around")
    found = await since(token, payee.address, first)
    assert [(t.sender, t.recipient, t.amount, t.nonce) for t in found] == [
        (buyer.address, payee.address, PRICE, paid.nonce),
        (buyer.address, payee.address, 7, None),
        (payee.address, buyer.address, 9, None),
        (payee.address, payee.address, 3, None),
    ]
    assert (found[0].tx, found[0].block) == (receipt.tx, receipt.block)


async def test_a_batch_is_told_item_by_item(
    rpc: Rpc, token: TokenChain, devnet: DevnetInfo, authorize: Authorize
) -> None:
    contract = await deploy(rpc, load_artifact(BATCH_SETTLER), devnet.accounts.owner)
    items = [authorize() for _ in range(8)]
    items[3] = replace(items[3], signature=authorize().signature)  # refused alone
    first = (await token.head()).number + 1
    key = devnet.accounts.gateway
    signed = build_batch_tx(
        items,
        key,
        contract=contract,
        nonce=await rpc.nonce(key.address),
        fees=await suggest_fees(rpc),
    )
    # Two transactions in one block: places of events go on over both.
    await rpc.request("evm_setAutomine", False)
    try:
        await rpc.send_raw(signed.raw)
        single = authorize()
        after = token.build_settlement_tx(
            single, key, nonce=signed.nonce + 1, fees=await token.fees()
        )
        await rpc.send_raw(after.raw)
        await rpc.request("evm_mine")
    finally:
        await rpc.request("evm_setAutomine", True)
    await wait_receipt(rpc, after.tx)
    found = await since(token, devnet.accounts.provider.address, first)
    good = [*items[:3], *items[4:], single]
    assert [t.nonce for t in found] == [item.nonce for item in good]
    assert {t.tx for t in found} == {signed.tx, after.tx}
    assert len({(t.block, t.index) for t in found}) == len(good)


@pytest.mark.parametrize("span", [1, 2, 1000])
async def test_any_range_gives_the_same(
    token: TokenChain, devnet: DevnetInfo, authorize: Authorize, span: int
) -> None:
    first = (await token.head()).number + 1
    await settled(token, devnet, *(authorize() for _ in range(5)))
    payee = devnet.accounts.provider.address
    assert await since(token, payee, first, span_blocks=span) == await since(token, payee, first)
    assert len(await since(token, payee, first, span_blocks=span)) == 5
    assert await TokenBooks(token).transfers([], first, first + 4) == []
    assert await TokenBooks(token).transfers([payee], first + 4, first + 3) == []


async def test_a_node_that_refuses_long_ranges_is_asked_for_halves(
    token: TokenChain,
    devnet: DevnetInfo,
    authorize: Authorize,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = (await token.head()).number + 1
    await settled(token, devnet, *(authorize() for _ in range(5)))
    whole, logs, asked = await since(token, devnet.accounts.provider.address, first), Rpc.logs, []

    async def limited(rpc: Rpc, *given: Any, first_block: int, last_block: int) -> Any:
        asked.append(last_block - first_block + 1)
        if asked[-1] > 2:
            raise Unavailable(
                Reason.CHAIN_RPC_ERROR, url="x", method="eth_getLogs", why="at most 2 blocks"
            )
        return await logs(rpc, *given, first_block=first_block, last_block=last_block)

    monkeypatch.setattr(Rpc, "logs", limited)
    assert await since(token, devnet.accounts.provider.address, first) == whole
    assert max(asked) == 5

    async def never(rpc: Rpc, *given: Any, first_block: int, last_block: int) -> Any:
        raise Unavailable(Reason.CHAIN_RPC_ERROR, url="x", method="eth_getLogs", why="not here")

    monkeypatch.setattr(Rpc, "logs", never)
    with rejects(Reason.CHAIN_RPC_ERROR, "the chain at x refuses eth_getLogs: not here"):
        await since(token, devnet.accounts.provider.address, first)


async def test_balances_of_the_past(
    token: TokenChain, devnet: DevnetInfo, authorize: Authorize
) -> None:
    books, payee = TokenBooks(token), devnet.accounts.provider.address
    before = await books.last_block()
    held = await token.balance(payee)
    await settled(token, devnet, authorize())
    assert await books.balance(payee, before) == held
    assert await books.balance(payee, await books.last_block()) == held + PRICE
    assert await books.balance(payee, -1) == 0
    assert await TokenBooks(token, confirmations=2).last_block() == await books.last_block() - 1
    assert await TokenBooks(token, confirmations=10**6).last_block() == 0


async def test_a_state_that_the_node_does_not_have(token: TokenChain, devnet: DevnetInfo) -> None:
    payee, block = devnet.accounts.provider.address, 0
    with rejects(
        Reason.BOOKS_NO_STATE,
        f"the node cannot tell what {payee} held after block 0: the contract at "
        f"{token.asset.address} answers balanceOf(address) with 0 bytes, not 32; name a node "
        "that keeps old states with --rpc, a later block with --from-block, or the balance with "
        "--opening",
        kind=Unavailable,
    ):
        await TokenBooks(token).balance(payee, block)


# -- a whole order book on the chain ------------------------------------------------------------


class Books:
    """An order book whose money really moved: jobs that are done, and one that was refunded."""

    def __init__(self, devnet: DevnetInfo, token: TokenChain, database: Database) -> None:
        self.devnet = devnet
        self.token = token
        self.database = database
        self.orders = sql_orders(database)
        self.account = SettlementAccount(token, devnet.accounts.gateway)
        self.keeper = Reconciler(
            ledger=SqlLedger(database),
            chain=TokenBooks(token),
            metrics=MemoryMetrics(),
            settings=ReconcilerSettings(page=2, again_s=0),
        )

    async def reserve(self, payment: Authorization) -> Digest:
        quote = replace(SAMPLE.quote(), price=payment.money, payee=payment.payee)
        order = ValidatedOrder(
            job_id=Digest(keccak256(payment.nonce.raw)),
            model_id="sample",
            model_version="1.0.0",
            model_commitment=quote.model_commitment,
            request=SAMPLE.request,
            request_digest=SAMPLE.request_digest(),
            payment=authorization_payment(payment),
            quote=quote,
            quote_signature=GATEWAY.sign(quote_digest(quote)),
            salt=bytes(32),
            nonce_salt=None,
            payment_id=None,
            first_block=await self.account.head(),
            created_at=1,
            deadline=2,
        )
        return (await self.orders.jobs.reserve(order)).job.order.job_id

    async def sell(self, payment: Authorization) -> Digest:
        job_id = await self.reserve(payment)
        sight = await self.account.look()
        signed = await self.account.sign_settlement([payment], sight.pending, sight.fees)
        await send_settlement(self.orders, job_id, self._stored(signed), now=1)
        await self.account.submit(signed.raw)
        receipt = await wait_receipt(self.token.rpc, signed.tx)
        await self.orders.settlements.settled(job_id, receipt.tx, receipt.block, now=2)
        return job_id

    async def refund(self, payment: Authorization) -> Digest:
        job_id = await self.sell(payment)
        claimed = await self.orders.queue.claim(now=3, lease_until=9)
        assert claimed is not None
        await self.orders.queue.give_up(job_id, claimed.fence, Failure("X", "x", {}), now=4)
        sight = await self.account.look()
        signed = await self.account.sign_refund(
            payment.payer, payment.amount, sight.pending, sight.fees
        )
        await self.orders.settlements.send_refund(job_id, self._stored(signed), now=5)
        await self.account.submit(signed.raw)
        receipt = await wait_receipt(self.token.rpc, signed.tx)
        await self.orders.settlements.refunded(job_id, receipt.tx, receipt.block, now=6)
        return job_id

    def _stored(self, signed: Any) -> NewTransaction:
        network = self.token.asset.network
        return NewTransaction(network, signed.sender, signed.nonce, signed.tx, signed.raw)

    async def sql(self, statement: str, **values: str) -> None:
        async def change(connection: Any) -> None:
            assert (await connection.execute(text(statement), values)).rowcount == 1, statement

        await self.database.write(change)

    async def check(self) -> BooksReport:
        return await self.keeper.check()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["file", pytest.param("postgres", marks=pytest.mark.postgres)])
async def test_an_order_book_against_the_chain(
    kind: str,
    url_of_kind: Callable[[str], str],
    token: TokenChain,
    devnet: DevnetInfo,
    authorize: Authorize,
    tmp_path: Path,
) -> None:
    till = devnet.accounts.gateway.address

    def paid() -> Authorization:
        return authorize(payee=till)

    url = url_of_kind(kind)
    async with open_stores(url) as stores:
        books = Books(devnet, token, stores.database)
        assert (await books.check()).balanced
        refunded = await books.refund(paid())
        done = await books.sell(paid())
        await books.reserve(paid())
        assert (await books.check()).balanced
        report = await books.check()
        assert (report.settled, report.refunded) == (Tally(2, 2 * PRICE), Tally(1, PRICE))
        assert report.earned == PRICE == report.accounts[0].closing - report.accounts[0].opening
        arguments = ["books", "check", "--json"]
        environment = {
            "INFERPROOF_DATABASE_URL": url,
            "INFERPROOF_DATA_DIR": str(tmp_path),
            "INFERPROOF_RPC_URL": devnet.rpc_url,
            "INFERPROOF_TOKEN_ADDRESS": token.asset.address.hex,
            "INFERPROOF_TOKEN_NAME": token.asset.domain_name,
            "INFERPROOF_TOKEN_VERSION": token.asset.domain_version,
            "INFERPROOF_TOKEN_SYMBOL": token.asset.symbol,
        }
        # The money of one job never came: its transaction is another's.
        await books.sql(
            "UPDATE payment_reservations SET nonce = :nonce WHERE job_id = :job",
            nonce="0x" + "5" * 64,
            job=done.hex,
        )
        report = await books.check()
        assert [(d.fault, d.job_id) for d in report.discrepancies] == [
            (Fault.SETTLEMENT_NOT_FOUND, done)
        ]
        assert report.other_income == Tally(1, PRICE)
        await books.sql(
            "UPDATE refunds SET tx = :tx WHERE job_id = :job", tx="0x" + "6" * 64, job=refunded.hex
        )
        report = await books.check()
        assert {(d.fault, d.job_id) for d in report.discrepancies} == {
            (Fault.SETTLEMENT_NOT_FOUND, done),
            (Fault.REFUND_ELSEWHERE, refunded),
        }
        await books.sql(
            "DELETE FROM outbox_raws WHERE outbox IN (SELECT outbox.number FROM outbox JOIN "
            "outbox_jobs ON outbox = outbox.number JOIN jobs ON job = jobs.number "
            "WHERE kind = 'refund' AND job_id = :job)",
            job=refunded.hex,
        )
        report = await books.check()
        assert {(d.fault, d.job_id) for d in report.discrepancies} == {
            (Fault.SETTLEMENT_NOT_FOUND, done),
            (Fault.REFUND_NOT_FOUND, refunded),
        }
    result = await asyncio.to_thread(CliRunner().invoke, app, arguments, env=environment)
    assert result.exit_code == 1, result.output
    told = json.loads(result.stdout)
    assert told["balanced"] is False
    assert {(d["code"], d["job_id"]) for d in told["discrepancies"]} == {
        ("SETTLEMENT_NOT_FOUND", done.hex),
        ("REFUND_NOT_FOUND", refunded.hex),
    }


async def test_a_node_that_lost_blocks_is_caught(authorize: Authorize, tmp_path: Path) -> None:
    """What the order book says of a chain whose blocks were rolled back."""
    with Devnet() as own:
        async with Rpc(own.info.rpc_url) as rpc, open_stores() as stores:
            token = TokenChain(rpc, own.info.token)
            books = Books(own.info, token, stores.database)
            payment = authorize(own.info.token, payee=own.info.accounts.gateway.address)
            job = await books.sell(payment)
            assert (await books.check()).balanced
            await rpc.request("anvil_rollback", 1)
            await rpc.request("evm_mine")
            report = await books.check()
            assert [(d.fault, d.job_id) for d in report.discrepancies] == [
                (Fault.SETTLEMENT_NOT_FOUND, job)
            ]
