"""The escrow's part of `inferproof demo`: money that waits in a contract until a proof is there."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inferproof.app.ordering import BuyerChain
from inferproof.app.router_proofs import router_proof
from inferproof.chain.escrow import Escrow, accept_data, deliver_data, open_escrow
from inferproof.chain.rpc import Rpc
from inferproof.cli.console import err, plain
from inferproof.client import Answer, Client
from inferproof.client.orders import OrderTerms, order_in
from inferproof.errors import Reason, Rejection, Unavailable
from inferproof.protocol.proof_file import decode_proof_file
from inferproof.protocol.signature import SigningKey
from inferproof.protocol.verifier_bundle import decode_bundle
from inferproof.testing.devnet import dev_key
from inferproof.testing.market import Listing, Market
from inferproof.types.digest import Digest
from inferproof.types.escrow import Order, OrderStatus

MAX_PRICE = "0.25"
PASSER_BY = dev_key(9)
"""Whose order it is not: anyone may end one that is over."""
LATE_S, OVER_S = 4, 4
"""How long the demonstration's late server has, and how long others have after it."""


@dataclass(frozen=True, slots=True)
class Escrowed:
    """How many orders ended how, and the reason for which a delivery was refused."""

    paid: int
    rescued: int
    refunded: int
    refused: str


class _Lost(Exception):
    """The buyer leaves once its money is locked."""


class _OnlyLock(BuyerChain):
    """Makes the order, and has the caller go no further."""

    def place(self, escrow: Any, order: Order, authorization: Any) -> None:
        super().place(escrow, order, authorization)
        raise _Lost


def run_escrow(market: Market, folder: Path) -> Escrowed:
    """An order that is paid, a delivery that is refused, a late server that another one rescues,
    and a missed deadline that a passer-by ends.

    Raises: Unavailable DEMO_BROKEN where anything is otherwise, and what a part of the market
    raises.
    """
    return _Demonstration(market, folder).run()


class _Demonstration:
    def __init__(self, market: Market, folder: Path) -> None:
        self._market, info = market, market.devnet
        self._info = info
        self._buyer, self._late = info.accounts.buyer, info.accounts.provider
        self._chain = BuyerChain(info.rpc_url, self._buyer)
        self._state = folder / "orders" / str(int(time.time()))

    def run(self) -> Escrowed:
        fast, *_ = sorted(self._market.models, key=lambda each: each.card.input.max_bytes)
        with Client(self._market.url, key=self._buyer, state=self._state) as client:
            err.rule("money waits in a contract until it has verified a proof")
            answer = self._paid(client, fast)
            err.rule("another server takes two orders, brings a copied proof, and is late")
            self._on_chain(lambda escrow: self._stake(escrow))
            late, missed = (self._locked(client, fast, over) for over in (600, OVER_S))
            for job in (late, missed):
                self._send(accept_data(self._order(client, job), acknowledged=True), self._late)
            refused = self._copied(self._order(client, missed), answer)
            self._wait_until(self._order(client, missed).rescue_by)
            self._refunded(self._order(client, missed))
            self._rescued(client, late)
        return Escrowed(paid=1, rescued=1, refunded=1, refused=refused)

    # -- what happens

    def _paid(self, client: Client, listing: Listing) -> Answer:
        example = listing.card.input.examples[0]
        began = time.perf_counter()
        answer = client.request(
            listing.card.id,
            example.value,
            max_price=MAX_PRICE,
            escrow=self._info.escrow,
            chain=self._chain,
        )
        self._until(answer.job_id, OrderStatus.PAID)
        err.print(
            f"  [green]✓[/] requested, accepted, proven, verified by the contract and paid in "
            f"{time.perf_counter() - began:.1f} s: [bold green]{plain(answer.label)}[/]"
        )
        return answer

    def _locked(self, client: Client, listing: Listing, rescue_s: int) -> Digest:
        """An order whose buyer waits for nothing more."""
        value = listing.card.input.examples[0].value
        terms = OrderTerms(accept_s=LATE_S, deliver_s=LATE_S, rescue_s=rescue_s, any_server=True)
        before = set(client.open_jobs)
        try:
            client.request(
                listing.card.id,
                value,
                max_price=MAX_PRICE,
                escrow=self._info.escrow,
                chain=_OnlyLock(self._info.rpc_url, self._buyer),
                terms=terms,
            )
        except _Lost:
            (job,) = set(client.open_jobs) - before
            return job
        raise Unavailable(Reason.DEMO_BROKEN, what="an order was answered that nobody was given")

    def _copied(self, order: Order, answer: Answer) -> str:
        """The reason for which the escrow refuses a proof of another order, by another server."""
        attached = answer.receipt_file
        if attached.proof is None or attached.verifier is None:
            raise Unavailable(Reason.DEMO_BROKEN, what="the receipt carries no proof")
        file = decode_proof_file(attached.proof)
        _, proof = router_proof(decode_bundle(attached.verifier), file)
        try:
            self._send(deliver_data(order, file.outputs, proof), self._late)
        except Rejection as error:
            err.print(f"  [bold red]rejected[/] {error.code}: {plain(error.message)[:160]}")
            return error.code
        raise Unavailable(Reason.DEMO_BROKEN, what="the escrow paid for a copied proof")

    def _rescued(self, client: Client, job: Digest) -> None:
        order, gateway = self._order(client, job), self._info.accounts.gateway.address
        bond = order.bond - order.bond // 2
        before = self._balances(order)
        answer = client.rescue(job)
        self._until(job, OrderStatus.RESCUED)
        had, has = before, self._balances(order)
        if has[gateway.hex] - had[gateway.hex] != order.price + order.bond // 2:
            raise Unavailable(Reason.DEMO_BROKEN, what="the rescuer was paid another amount")
        if has[order.buyer.hex] - had[order.buyer.hex] != bond:
            raise Unavailable(Reason.DEMO_BROKEN, what="the buyer has another part of the bond")
        err.print(
            f"  [green]✓[/] rescued by the gateway: [bold green]{plain(answer.label)}[/]; half of "
            "the late server's bond is its, half the buyer's"
        )

    def _refunded(self, order: Order) -> None:
        before = self._balances(order)[order.buyer.hex]

        async def end(escrow: Escrow) -> None:
            await escrow.refund(order, PASSER_BY)

        self._once_due(end)
        got = self._balances(order)[order.buyer.hex] - before
        if got != order.price + order.bond:
            raise Unavailable(Reason.DEMO_BROKEN, what=f"the buyer was refunded {got}")
        err.print("  [green]✓[/] ended by a passer-by: the buyer has its price and the whole bond")

    # -- the chain

    async def _stake(self, escrow: Escrow) -> None:
        await escrow.deposit(self._info.token.address, 1_000_000, self._late)

    def _send(self, data: bytes, key: SigningKey) -> None:
        async def send(escrow: Escrow) -> None:
            await escrow.send(key, data, "call")

        self._on_chain(send)

    def _order(self, client: Client, job: Digest) -> Order:
        return order_in(client.open_call(job)).order

    def _balances(self, order: Order) -> dict[str, int]:
        found: dict[str, int] = {}

        async def ask(escrow: Escrow) -> None:
            for who in (order.buyer, self._info.accounts.gateway.address):
                found[who.hex] = await escrow.balance(who, order.token)

        self._on_chain(ask)
        return found

    def _until(self, job: Digest, status: OrderStatus, limit_s: float = 60.0) -> None:
        end = time.monotonic() + limit_s
        while True:
            found: list[OrderStatus] = []

            async def ask(escrow: Escrow, found: list[OrderStatus] = found) -> None:
                found.append((await escrow.slot(job)).status)

            self._on_chain(ask)
            if found == [status]:
                return
            if time.monotonic() > end:
                what = f"order {job} is {found[0].name.lower()}"
                raise Unavailable(Reason.DEMO_BROKEN, what=what)
            time.sleep(0.1)

    def _once_due(self, end: Callable[[Escrow], Awaitable[None]], limit_s: float = 30.0) -> None:
        """Tries it until it is not too early by the chain's clock, which may be a little behind."""
        until = time.monotonic() + limit_s
        while True:
            try:
                return self._on_chain(end)
            except Rejection as error:
                if error.reason is not Reason.ORDER_TOO_EARLY or time.monotonic() > until:
                    raise
            time.sleep(0.5)

    def _wait_until(self, second: int) -> None:
        while time.time() <= second + 1:
            time.sleep(0.2)

    def _on_chain(self, work: Callable[[Escrow], Awaitable[None]]) -> None:
        async def done() -> None:
            async with Rpc(self._info.rpc_url) as rpc:
                await work(await open_escrow(rpc, self._info.escrow))

        asyncio.run(done())
