"""Buyers of orders: our own client, which is sent wherever the order's kind and its state ask for.

A buyer looks at its order in the contract until that has an end which no reorganisation takes back.
What is refused or lost on the way is tried again: the contract alone says what became of it.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from bench.soak.escrow_plan import IDLE, OrderKind
from bench.soak.escrow_world import OrderWorld
from bench.soak.world import CONFIRMATIONS
from inferproof.app.ordering import BuyerChain
from inferproof.chain.escrow import accept_data, refund_after
from inferproof.client import Client
from inferproof.client.orders import OrderTerms, order_in
from inferproof.errors import InferproofError, NotFound, Unavailable
from inferproof.protocol.signature import SigningKey
from inferproof.types.digest import Address, Digest
from inferproof.types.escrow import Order, OrderSlot, OrderStatus
from inferproof.types.payment import Authorization

T = TypeVar("T")
MAX_PRICE = "0.25"
ACCEPT_S, DELIVER_S, RESCUE_S = 40, 40, 60
IDLE_ACCEPT_S, IDLE_S = 20, 5
"""How long an order waits for the server that never delivers, and that server's own time."""
PATIENCE_S = 15.0
TICK_S = 0.5
ASK_S = 60.0
ENDS = frozenset({OrderStatus.PAID, OrderStatus.RESCUED, OrderStatus.REFUNDED})


@dataclass(slots=True)
class Ordered:
    """An order that is wanted, what was locked for it, and what its buyer met on the way.

    `made` has more than one where a request never came into a block before its time was over.
    """

    number: int
    kind: OrderKind
    made: dict[Digest, Order] = field(default_factory=dict)
    end: OrderStatus | None = None
    answered: bool = False
    met: Counter[str] = field(default_factory=Counter)
    wrongs: list[str] = field(default_factory=list)


class _Locked(Exception):
    """The money is locked: the buyer asks nobody yet."""


class _OnlyLock(BuyerChain):
    """Makes the order, and has the caller go no further."""

    def place(self, escrow: Address, order: Order, authorization: Authorization) -> None:
        super().place(escrow, order, authorization)
        raise _Locked


class OrderCrowd:
    """All buyers of a world, each in a thread of its own; `loop` is the world's."""

    def __init__(self, world: OrderWorld, folder: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._world = world
        self._folder = folder
        self._loop = loop
        self._idle = threading.Lock()
        self._given_up = threading.Event()

    def buy(self, ordered: Ordered) -> None:
        """Brings an order to its end, or leaves it where all is given up."""
        attempt = 0
        while ordered.end is None and not self._given_up.is_set():
            folder = self._folder / f"{ordered.number}-{attempt}"
            _Buyer(self._world, ordered, folder, self.ask, self._idle, self._given_up).buy()
            attempt += 1

    def give_up(self) -> None:
        """Every buyer stops soon."""
        self._given_up.set()

    def ask(self, work: Coroutine[Any, Any, T]) -> T:
        """What the chain says, asked in the world's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(ASK_S)


class _Buyer:
    """One attempt at an order: it ends with the order, or with a request that never was in a
    block."""

    def __init__(
        self,
        world: OrderWorld,
        ordered: Ordered,
        folder: Path,
        ask: Any,
        idle: threading.Lock,
        given_up: threading.Event,
    ) -> None:
        self._world = world
        self._given_up = given_up
        self._ordered = ordered
        self._ask = ask
        self._idle = idle
        self._key: SigningKey = world.payers[ordered.number]
        rpc_url = world.info.rpc_url
        self._chain, self._lock = BuyerChain(rpc_url, self._key), _OnlyLock(rpc_url, self._key)
        first = ordered.number % len(world.nodes)
        nodes = [*world.nodes[first:], *world.nodes[:first]]
        self._clients = [
            Client(node.deployment.url, key=self._key, state=folder, patience_s=PATIENCE_S)
            for node in nodes
        ]
        self._turn = 0

    def buy(self) -> None:
        job: Digest | None = None
        while job is None:
            if self._given_up.wait(TICK_S):
                return
            job = self._attempt(self._make)
        self._ordered.made[job] = order_in(self._clients[0].open_call(job)).order
        while self._ordered.end is None and not self._given_up.wait(TICK_S):
            if self._attempt(lambda: self._step(job)):
                del self._ordered.made[job]  # no block has it, and none will
                return

    def _attempt(self, work: Any) -> Any:
        """What the work gives; nothing where anybody refused it or was away."""
        try:
            return work()
        except _Locked:
            return None
        except (InferproofError, TimeoutError) as error:
            self._ordered.met[getattr(error, "code", type(error).__name__)] += 1
            return None

    def _make(self) -> Digest | None:
        """The order's id, once it is written down."""
        client, ordered = self._clients[0], self._ordered
        if not client.open_jobs:
            of_idle = ordered.kind in IDLE
            terms = OrderTerms(
                accept_s=IDLE_ACCEPT_S if of_idle else ACCEPT_S,
                deliver_s=IDLE_S if of_idle else DELIVER_S,
                rescue_s=IDLE_S if ordered.kind is OrderKind.MISSED else RESCUE_S,
                any_server=ordered.kind is not OrderKind.NAMED,
            )
            example = self._world.listing.card.input.examples[0]
            with suppress(_Locked):
                client.request(
                    self._world.listing.card.id,
                    example.value,
                    max_price=MAX_PRICE,
                    escrow=self._world.info.escrow,
                    chain=self._lock,
                    terms=terms,
                )
        (job,) = client.open_jobs
        return job

    # -- what comes next

    def _step(self, job: Digest) -> bool:
        """One step by what the contract says; whether the order never came to be."""
        ordered, order = self._ordered, self._ordered.made[job]
        final, slot, now = self._ask(self._look(job))
        if final.status in ENDS:
            ordered.end = final.status
            return False
        if slot.status is OrderStatus.NONE:
            if now > order.accept_by + 2 * CONFIRMATIONS:
                return True
            self._clients[0].resume_request(job, self._lock)
        elif slot.status is OrderStatus.OPEN and now > order.accept_by:
            self._end(order)
        elif slot.status is OrderStatus.OPEN and ordered.kind in IDLE:
            self._taken_by_idle(order)
        elif slot.status is OrderStatus.OPEN:
            self._asked(job)
        elif slot.status is OrderStatus.ACCEPTED and now > refund_after(order, slot):
            self._end(order)
        elif slot.status is OrderStatus.ACCEPTED and ordered.kind is not OrderKind.MISSED:
            if now > order.deliver_by:
                self._rescued(job)
            elif ordered.kind is not OrderKind.LATE:
                self._asked(job)
        return False

    async def _look(self, job: Digest) -> tuple[OrderSlot, OrderSlot, int]:
        head = await self._world.rpc.head()
        escrow = self._world.escrow
        deep = await escrow.slot(job, block=max(0, head.number - CONFIRMATIONS))
        return deep, await escrow.slot(job), head.timestamp

    def _asked(self, job: Digest) -> None:
        """The node of the order has it, or both have."""
        if self._ordered.answered:
            return
        first, second = self._clients
        if self._ordered.kind is not OrderKind.RACED:
            self._answered(lambda: first.resume_request(job, self._chain))
            return
        with ThreadPoolExecutor(2) as pool:
            both = [
                pool.submit(self._attempt, lambda: self._answered(lambda: first.resume(job))),
                pool.submit(self._attempt, lambda: self._answered(lambda: second.rescue(job))),
            ]
            for each in both:
                each.result()

    def _rescued(self, job: Digest) -> None:
        """A node is asked to deliver in the place of who is late, the other one first."""
        if self._ordered.answered:
            return
        self._turn += 1
        client = self._clients[self._turn % len(self._clients)]
        self._answered(lambda: client.rescue(job))

    def _answered(self, work: Any) -> None:
        try:
            answer = work()
        except (NotFound, Unavailable):
            raise
        except InferproofError as error:
            if error.code.startswith(("PROOF", "RECEIPT", "POLICY")):
                self._ordered.wrongs.append(f"{error.code}: {error.message}")
            raise
        if not answer.verified:
            self._ordered.wrongs.append("an answer was not verified")
        self._ordered.answered = True

    def _taken_by_idle(self, order: Order) -> None:
        with self._idle:
            data = accept_data(order, acknowledged=True)
            self._ask(self._world.escrow.send(self._world.idle, data, "accept"))

    def _end(self, order: Order) -> None:
        """A stranger ends it, whose money it is not."""
        stranger = self._world.strangers[self._ordered.number]
        self._ask(self._world.escrow.refund(order, stranger))
