"""What a server says of the open orders of an escrow: of each once, after restarts and faults of
its node, and why it takes one or not."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from order_book_suite import order as kept_order
from order_parts import ESCROW, sample_order
from service_parts import PROVIDER_KEY, Services, World, named_bundle, running

from inferproof.errors import PaymentRejected, Reason, Unavailable
from inferproof.payments.escrow.method import EscrowMethod, OrderTerms
from inferproof.protocol.escrow import order_id
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.services.models.catalog import Catalog
from inferproof.services.orders.base import GatewaySettings
from inferproof.services.provider.base import Standing, Verdict
from inferproof.services.provider.service import Provider, ProviderSettings
from inferproof.testing.samples import ASSET, ORDERED_AT
from inferproof.types.digest import ZERO_ADDRESS, Address, Digest
from inferproof.types.escrow import (
    Acceptance,
    OpenOrder,
    Order,
    OrderSlot,
    OrderStatus,
    OrderTransaction,
)

SERVER, OTHER = PROVIDER_KEY.address, Address(b"\x0e" * 20)
MODEL = named_bundle().commitment
TX = OrderTransaction(Digest(b"\x0c" * 32), 77, Digest(b"\x0d" * 32), OTHER)
OPEN = OrderSlot(OrderStatus.OPEN, ZERO_ADDRESS, False, False, 250, 0)
EARNS = 243_750
"""Of a price of 250,000, less a fee of 2.5 per cent."""
FAULT = Unavailable(Reason.CHAIN_UNREACHABLE, url="http://node", why="refused")


def accepted(server: Address) -> OrderSlot:
    return OrderSlot(OrderStatus.ACCEPTED, server, True, False, 250, 1)


def of_model(number: int = 1, **changes: Any) -> Order:
    return sample_order(**({"model": MODEL, "salt": Digest(bytes([number]) * 32)} | changes))


@dataclass
class FakeEscrow:
    """The events of an escrow by their blocks, and what it keeps of each order. `faults` come
    first, one at a question."""

    events: list[OpenOrder] = field(default_factory=list)
    slots: dict[Digest, OrderSlot] = field(default_factory=dict)
    faults: list[Exception] = field(default_factory=list)
    newest: int = 100
    asked: list[tuple[int, int]] = field(default_factory=list)
    refuses: str | None = None

    def make(self, made: Order, block: int = 100) -> OpenOrder:
        name = order_id(made, ASSET.network.chain_id, ESCROW)
        found = OpenOrder(name, made, 250, block)
        self.events.append(found)
        self.slots[found.id] = OPEN
        return found

    async def head(self) -> int:
        if self.faults:
            raise self.faults.pop(0)
        return self.newest

    async def requested(self, first: int, last: int) -> Sequence[OpenOrder]:
        self.asked.append((first, last))
        return [event for event in self.events if first <= event.block <= last]

    async def slot(self, order: Digest) -> OrderSlot:
        return self.slots[order]

    async def gas_price(self) -> int:
        return 10**9

    async def check_acceptance(self, acceptance: Acceptance) -> None:
        if self.refuses is not None:
            raise PaymentRejected(Reason.ORDER_REFUSED, call="accept", why=self.refuses)

    async def accepted_in(self, order: Digest, first_block: int) -> OrderTransaction | None:
        return TX


@dataclass
class Served:
    """A server over an escrow. Make another provider to start it again."""

    services: Services
    escrow: FakeEscrow = field(default_factory=FakeEscrow)
    keys: list[VerifierBundle] = field(default_factory=list)
    refused_key: PaymentRejected | None = None
    waiting: int = 0
    poll_s: float = 0.0

    def provider(self, bond_limit: int = 10_000_000) -> Provider:
        async def waits() -> int:
            return self.waiting

        async def check_key(bundle: VerifierBundle) -> None:
            self.keys.append(bundle)
            if self.refused_key is not None:
                raise self.refused_key

        stores = self.services.stores
        terms = OrderTerms(ESCROW, SERVER, bond_limit=bond_limit)
        return Provider(
            feed=self.escrow,
            method=EscrowMethod(ASSET, self.escrow, terms),
            models=stores.models,
            catalog=Catalog(stores.models),
            check_key=check_key,
            jobs=stores.orders.jobs,
            waiting=waits,
            terms=GatewaySettings(asset=ASSET, payee=SERVER, queue_limit=5),
            settings=ProviderSettings(
                ESCROW, SERVER, poll_s=self.poll_s, lookback=50, longest_backoff_s=0.01
            ),
            clock=self.services.world.clock,
        )

    async def only(self) -> Verdict:
        (verdict,) = await self.provider().look()
        return verdict

    async def refusal(self) -> tuple[str, str]:
        """The code and the words by which its only order is refused."""
        verdict = await self.only()
        assert verdict.standing is Standing.REFUSED
        assert verdict.why is not None
        return verdict.why.code, verdict.why.message


@pytest.fixture
async def served(tmp_path: Any) -> AsyncIterator[Served]:
    async with running(World(tmp_path)) as services:
        yield Served(services)


async def test_an_open_order_is_servable_for_its_price_less_the_fee(served: Served) -> None:
    made = served.escrow.make(of_model())
    verdict = await served.only()
    assert verdict == Verdict(made, Standing.SERVABLE, "sample@1.0.0", EARNS, has_input=False)
    assert [bundle.commitment for bundle in served.keys] == [MODEL]


async def test_an_order_whose_input_came_has_it(served: Served) -> None:
    made = served.escrow.make(of_model())
    await served.services.stores.orders.jobs.reserve(replace(kept_order(), job_id=made.id))
    assert (await served.only()).has_input


# -- following ------------------------------------------------------------------------------------


async def test_an_event_that_is_seen_twice_is_one_order(served: Served) -> None:
    escrow, provider = served.escrow, served.provider()
    first = escrow.make(of_model(1), block=98)
    assert [verdict.order for verdict in await provider.look()] == [first]
    escrow.newest, second = 103, escrow.make(of_model(2), block=102)
    assert [verdict.order for verdict in await provider.look()] == [first, second]
    assert escrow.asked == [(50, 100), (89, 103)], "the newest blocks are read again"


async def test_an_order_that_is_over_is_told_of_no_more_and_forgotten_once_it_is_deep(
    served: Served,
) -> None:
    escrow, provider = served.escrow, served.provider()
    made = escrow.make(of_model())
    assert len(await provider.look()) == 1
    escrow.slots[made.id] = replace(OPEN, status=OrderStatus.CANCELLED)
    assert await provider.look() == []
    escrow.slots[made.id] = OPEN
    assert len(await provider.look()) == 1, "the chain took the end back"
    escrow.slots[made.id], escrow.newest = replace(OPEN, status=OrderStatus.PAID), 200
    assert await provider.look() == []
    escrow.slots[made.id] = OPEN
    assert await provider.look() == [], "it is too deep to be looked at again"


async def test_an_order_whose_block_was_taken_back_is_none(served: Served) -> None:
    made = served.escrow.make(of_model())
    provider = served.provider()
    await provider.look()
    served.escrow.events.clear()
    served.escrow.slots[made.id] = replace(OPEN, status=OrderStatus.NONE)
    assert await provider.look() == []


async def test_one_that_is_started_again_finds_what_it_knew(served: Served) -> None:
    escrow = served.escrow
    made = escrow.make(of_model(), block=60)
    escrow.make(of_model(9), block=49)  # before it looks back
    first = await served.provider().look()
    again = await served.provider().look()
    assert first == again
    assert [verdict.order for verdict in again] == [made]
    escrow.slots[made.id] = accepted(SERVER)
    assert (await served.only()).standing is Standing.OWN


async def test_a_fault_of_the_node_ends_nothing(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "inferproof.provider")
    made = served.escrow.make(of_model())
    served.escrow.faults = [FAULT, FAULT, RuntimeError("a bug")]
    following = asyncio.create_task(served.provider().run())
    for _ in range(2_000):
        await asyncio.sleep(0.001)
        if served.escrow.asked and "once its input comes" in caplog.text:
            break
    following.cancel()
    with suppress(asyncio.CancelledError):
        await following
    told = [record.getMessage() for record in caplog.records]
    assert sum(text.startswith("cannot look at orders: CHAIN_UNREACHABLE") for text in told) == 2
    assert told.count("a fault of ours") == 1
    assert told.count(f"served once its input comes, for {EARNS} units") == 1, (
        f"{made.id} is told of once"
    )


# -- what it is to this server ---------------------------------------------------------------------


async def test_an_order_of_another_is_taken_until_that_is_late(served: Served) -> None:
    made = served.escrow.make(of_model())
    served.escrow.slots[made.id] = accepted(OTHER)
    assert (await served.only()).standing is Standing.TAKEN
    served.services.world.clock.now = made.order.deliver_by + 1
    late = await served.only()
    assert (late.standing, late.earns) == (Standing.SERVABLE, EARNS + made.order.bond // 2)


async def test_its_own_order_brings_its_price_alone(served: Served) -> None:
    made = served.escrow.make(of_model())
    served.escrow.slots[made.id] = accepted(SERVER)
    assert await served.only() == Verdict(made, Standing.OWN, None, EARNS, has_input=False)
    served.services.world.clock.now = made.order.rescue_by + 1
    assert await served.provider().look() == []


# -- refused --------------------------------------------------------------------------------------


async def test_an_order_of_a_model_that_is_not_here(served: Served) -> None:
    other = Digest(b"\x99" * 32)
    served.escrow.make(of_model(model=other))
    code, words = await served.refusal()
    assert (code, words) == ("MODEL_UNKNOWN", f"there is no model {other}")


async def test_an_order_for_another_server(served: Served) -> None:
    served.escrow.make(of_model(server=OTHER))
    assert await served.refusal() == (
        "ORDER_SERVER",
        f"the order is for the server {OTHER}, and not for {SERVER}",
    )


async def test_an_order_that_its_escrow_would_refuse(served: Served) -> None:
    served.escrow.make(of_model())
    served.escrow.refuses = "InsufficientBalance"
    code, words = await served.refusal()
    assert (code, words) == ("ORDER_REFUSED", "the escrow refuses accept: InsufficientBalance")


async def test_an_order_of_a_model_that_contracts_know_by_another_key(served: Served) -> None:
    served.escrow.make(of_model())
    served.refused_key = PaymentRejected(Reason.ORDER_KEY, model=MODEL)
    assert await served.refusal() == ("ORDER_KEY", served.refused_key.message)


async def test_an_order_while_too_much_waits(served: Served) -> None:
    served.escrow.make(of_model())
    served.waiting = 5
    code, words = await served.refusal()
    assert (code, words) == (
        "QUEUE_FULL",
        Unavailable(Reason.QUEUE_FULL, depth=5, limit=5).message,
    )
    served.waiting = 4
    assert (await served.only()).standing is Standing.SERVABLE


async def test_an_order_that_leaves_too_little_time(served: Served) -> None:
    made = served.escrow.make(of_model(accept_by=ORDERED_AT + 59))
    assert await served.refusal() == (
        "ORDER_LATE",
        f"order {made.id} leaves 59 seconds until accept_by, and 60 are needed; make another with "
        "later times",
    )


async def test_one_order_that_is_refused_keeps_no_other_from_being_served(served: Served) -> None:
    served.escrow.make(of_model(1, server=OTHER))
    served.escrow.make(of_model(2))
    found = [verdict.standing for verdict in await served.provider().look()]
    assert found == [Standing.REFUSED, Standing.SERVABLE]
