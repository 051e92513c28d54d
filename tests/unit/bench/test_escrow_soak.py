"""The soak of orders: its plan is its seed's, and its verdict sees every way to lose or double."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from bench.soak.escrow import told
from bench.soak.escrow_plan import OrderKind, Trouble, make_order_plan
from bench.soak.escrow_verdict import Kept, OrderVerdict, Step, Told, Witnesses, weigh_orders

from inferproof.chain.escrow import ACCEPTED, DELIVERED, REFUNDED, REQUESTED
from inferproof.protocol.encoding import keccak256
from inferproof.types.digest import ZERO_ADDRESS, ZERO_DIGEST, Address, Digest
from inferproof.types.escrow import Order
from inferproof.types.event import Log
from inferproof.types.verifier import ContractAssurance

ONE, OTHER, IDLE = (Address(bytes([n]) * 20) for n in (1, 2, 3))
PRICE, BOND, FEE, STAKE = 250_000, 50_001, 6_250, 1_000_000


def buyer(number: int) -> Address:
    return Address(bytes([100 + number]) * 20)


def order(number: int) -> Order:
    return Order(
        buyer=buyer(number),
        token=Address(b"\x09" * 20),
        price=PRICE,
        bond=BOND,
        model=ZERO_DIGEST,
        input_commitment=ZERO_DIGEST,
        inputs=ZERO_DIGEST,
        assurance=ContractAssurance.ZK_INTEGRITY,
        accept_by=10,
        input_by=10,
        deliver_by=20,
        rescue_by=30,
        salt=Digest(bytes([number]) * 32),
    )


IDS = [Digest(keccak256(b"order %d" % n)) for n in range(4)]
PAID, RESCUED, MISSED, UNTAKEN = IDS


def good() -> Witnesses:
    """One order of each end: delivered in time, rescued, missed, and never accepted."""
    fees = 2 * FEE
    owned = {
        ONE: STAKE + PRICE - FEE,
        OTHER: STAKE + PRICE - FEE + BOND // 2,
        IDLE: STAKE - 2 * BOND,
        buyer(0): 0,
        buyer(1): BOND - BOND // 2,
        buyer(2): PRICE + BOND,
        buyer(3): PRICE,
    }
    return Witnesses(
        asked=4,
        orders={job: order(number) for number, job in enumerate(IDS)},
        events=(
            *(Told(job, Step.REQUESTED) for job in IDS),
            Told(PAID, Step.ACCEPTED, ONE),
            Told(PAID, Step.PAID, ONE),
            Told(RESCUED, Step.ACCEPTED, IDLE),
            Told(RESCUED, Step.RESCUED, OTHER),
            Told(MISSED, Step.ACCEPTED, IDLE),
            Told(MISSED, Step.REFUNDED, IDLE),
            Told(UNTAKEN, Step.REFUNDED),
        ),
        fee_bps=250,
        put=dict.fromkeys((ONE, OTHER, IDLE), STAKE),
        owned=owned,
        fees=fees,
        held=sum(owned.values()) + fees,
        spent={buyer(number): PRICE for number in range(4)},
        books={
            ONE: [Kept(PAID, "done", "delivered"), Kept(RESCUED, "void", "ended")],
            OTHER: [Kept(RESCUED, "done", "delivered")],
        },
    )


def counts(verdict: OrderVerdict) -> tuple[int, int]:
    return verdict.lost, verdict.doubled


def test_all_that_agrees_is_good() -> None:
    verdict = weigh_orders(good())
    assert verdict.wrongs == []
    assert verdict.line == "requests 4 paid 1 rescued 1 refunded 2 lost 0 doubled 0"
    assert verdict.good


def without(seen: Witnesses, order_id: Digest, step: Step) -> Witnesses:
    kept = tuple(t for t in seen.events if (t.order, t.step) != (order_id, step))
    return replace(seen, events=kept)


def also(seen: Witnesses, *more: Told) -> Witnesses:
    return replace(seen, events=(*seen.events, *more))


def moved(seen: Witnesses, who: Address, units: int) -> Witnesses:
    """An account has more in the escrow, and so has the contract."""
    owned = {**seen.owned, who: seen.owned[who] + units}
    return replace(seen, owned=owned, held=seen.held + units)


def booked(seen: Witnesses, node: Address, *kept: Kept) -> Witnesses:
    return replace(seen, books={**seen.books, node: kept})


FORGED: dict[str, tuple[Callable[[Witnesses], Witnesses], tuple[int, int]]] = {
    # Its buyer has the price back all the same, which is then too much.
    "an order without an end": (lambda s: without(s, UNTAKEN, Step.REFUNDED), (1, 1)),
    "an order that ends twice": (lambda s: also(s, Told(PAID, Step.PAID, ONE)), (0, 1)),
    "an order that is made twice": (lambda s: also(s, Told(PAID, Step.REQUESTED)), (0, 1)),
    "two servers for one order": (lambda s: also(s, Told(PAID, Step.ACCEPTED, OTHER)), (0, 1)),
    "an order of nobody": (lambda s: also(s, Told(ZERO_DIGEST, Step.REQUESTED)), (0, 0)),
    "a unit too little": (lambda s: moved(s, ONE, -1), (1, 0)),
    "a unit too much": (lambda s: moved(s, buyer(2), 1), (0, 1)),
    "a unit that nobody has": (lambda s: replace(s, held=s.held - 1), (0, 0)),
    "another fee": (lambda s: replace(s, fees=s.fees + 1), (0, 0)),
    "a wallet that paid twice": (
        lambda s: replace(s, spent={**s.spent, buyer(0): 2 * PRICE}),
        (0, 1),
    ),
    "a node that claims another's delivery": (
        lambda s: booked(s, ONE, *s.books[ONE], Kept(RESCUED, "done", "delivered")),
        (0, 0),
    ),
    "a node that delivered twice": (
        lambda s: booked(s, ONE, *s.books[ONE], Kept(PAID, "done", "delivered")),
        (0, 1),
    ),
    "a node that knows nothing of its delivery": (lambda s: booked(s, OTHER), (0, 0)),
    "a node that goes on": (
        lambda s: booked(s, OTHER, *s.books[OTHER], Kept(MISSED, "queued", "open")),
        (0, 0),
    ),
    "an order too few": (lambda s: replace(s, asked=5), (0, 0)),
}


@pytest.mark.parametrize("what", FORGED)
def test_whatever_does_not_agree_is_seen(what: str) -> None:
    forge, expected = FORGED[what]
    verdict = weigh_orders(forge(good()))
    assert not verdict.good
    assert counts(verdict) == expected
    assert verdict.wrongs


def test_a_plan_is_that_of_its_seed() -> None:
    plan = make_order_plan(200, 1)
    assert plan == make_order_plan(200, 1)
    assert plan != make_order_plan(200, 2)
    assert set(plan.kinds) == set(OrderKind)
    assert {each.trouble for each in plan.happenings} == set(Trouble)
    assert all(0 <= each.after < 200 for each in plan.happenings)


@pytest.mark.parametrize("count", [1, 4, 20])
def test_short_plans_have_every_kind_that_there_is_room_for(count: int) -> None:
    plan = make_order_plan(count, 3)
    assert len(plan.kinds) == count
    assert len(set(plan.kinds)) >= min(count, len(OrderKind))


def test_events_are_read_as_they_are_told() -> None:
    who = Digest(bytes(12) + ONE.raw)

    def log(topic: Digest, third: Digest, data: bytes = b"") -> Log:
        return Log(ZERO_ADDRESS, (topic, PAID, third), data)

    late = (bytes(31) + b"\x01", bytes(32))
    assert told(log(REQUESTED, who)) == Told(PAID, Step.REQUESTED)
    assert told(log(ACCEPTED, who)) == Told(PAID, Step.ACCEPTED, ONE)
    assert told(log(DELIVERED, who, late[0])) == Told(PAID, Step.RESCUED, ONE)
    assert told(log(DELIVERED, who, late[1])) == Told(PAID, Step.PAID, ONE)
    assert told(log(REFUNDED, who)) == Told(PAID, Step.REFUNDED, ONE)
    assert told(log(REFUNDED, ZERO_DIGEST)) == Told(PAID, Step.REFUNDED)
