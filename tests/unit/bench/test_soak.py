"""The soak run's plan is its seed's, and its verdict sees every way to lose or double a payment."""

import itertools
import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from bench.soak.journal import Bought, End, Paid
from bench.soak.plan import LAST_CANCELLED, Disaster, Kind, make_plan
from bench.soak.verdict import Verdict, weigh

from inferproof.protocol.encoding import keccak256
from inferproof.types.digest import Address, Digest
from inferproof.types.reconciliation import Transfer

TILL, PAYER = Address(b"\x01" * 20), Address(b"\x02" * 20)
BALANCED = {"balanced": True}
PRICE = 250_000


def digest(name: str) -> Digest:
    return Digest(keccak256(name.encode()))


def order(number: int, *ends: End | None) -> Bought:
    names = [f"{number}.{n}" for n in range(len(ends))]
    payments = [
        Paid(digest("job" + name), PAYER, digest(name), PRICE, end)
        for name, end in zip(names, ends, strict=True)
    ]
    return Bought(number, Kind.PLAIN, payments)


def claimed(number: int, *ends: End | None) -> Bought:
    """An order that is paid by a transfer, with so many claims to it."""
    made = digest(f"transfer {number}")
    claims = [
        Paid(digest(f"claim {number}.{n}"), PAYER, None, PRICE, end, transfer=made)
        for n, end in enumerate(ends)
    ]
    return Bought(number, Kind.TRANSFER, claims, transfer=made)


def given(number: int) -> Transfer:
    return Transfer(digest(f"transfer {number}"), 4, 0, PAYER, TILL, PRICE)


def taken(name: str, index: int = 0) -> Transfer:
    return Transfer(digest(f"tx {name}"), 5, index, PAYER, TILL, PRICE, digest(name))


def back(index: int = 0) -> Transfer:
    return Transfer(digest(f"back {index}"), 6, index, TILL, PAYER, PRICE)


def counts(verdict: Verdict) -> tuple[int, int, int, int]:
    return verdict.lost, verdict.doubled, verdict.unpaid, verdict.refunded


HONEST = [
    order(0, End.ANSWERED),
    order(1, End.REFUNDED),
    order(2, End.VOID),
    order(3, End.REFUSED, End.ANSWERED),
    claimed(4, End.REFUSED, End.ANSWERED),
    claimed(5, End.REFUNDED),
]
MOVED = [taken("0.0"), taken("1.0"), taken("3.1"), back(), given(4), given(5), back(1)]


def test_an_honest_run() -> None:
    verdict = weigh(HONEST, MOVED, TILL, BALANCED)
    assert counts(verdict) == (0, 0, 0, 2)
    assert verdict.line == "jobs 6 lost 0 doubled 0 unpaid 0 refunded 2"
    assert verdict.good


@pytest.mark.parametrize(
    ("orders", "moved", "expected"),
    [
        ([order(0, End.ANSWERED)], [], (0, 0, 1, 0)),
        ([order(0, End.ANSWERED)], [taken("0.0"), taken("0.0", 1)], (0, 1, 0, 0)),
        ([order(0, End.ANSWERED)], [taken("0.0"), back()], (0, 1, 0, 0)),
        ([order(0, End.VOID)], [taken("0.0")], (1, 0, 0, 0)),
        ([order(0, End.REFUSED)], [taken("0.0")], (1, 0, 0, 0)),
        ([order(0, None)], [taken("0.0")], (1, 0, 0, 0)),
        ([order(0, None)], [], (1, 0, 0, 0)),
        ([order(0)], [], (1, 0, 0, 0)),
        ([order(0, End.REFUNDED)], [taken("0.0")], (1, 0, 0, 1)),
        ([order(0, End.REFUNDED)], [taken("0.0"), back(), back(1)], (0, 1, 0, 1)),
        (
            [order(0, End.ANSWERED, End.ANSWERED)],
            [taken("0.0"), taken("0.1", 1)],
            (0, 1, 0, 0),
        ),
        ([claimed(0, End.ANSWERED)], [], (0, 0, 1, 0)),
        ([claimed(0, End.ANSWERED, End.ANSWERED)], [given(0)], (0, 1, 0, 0)),
        ([claimed(0, End.REFUNDED, End.ANSWERED)], [given(0), back()], (0, 1, 0, 1)),
        ([claimed(0, End.REFUSED, End.REFUSED)], [given(0)], (1, 0, 0, 0)),
        ([claimed(0, End.REFUSED, None)], [given(0)], (1, 0, 0, 0)),
        ([claimed(0, End.REFUNDED)], [given(0)], (1, 0, 0, 1)),
    ],
    ids=[
        *("free answer", "taken twice", "answered and refunded", "void but taken"),
        *("refused but taken", "taken without an end", "without an end", "never paid"),
        *("refund missing", "refunded twice", "answered twice"),
        *("claim without a transfer", "transfer answered twice", "claimed and refunded"),
        *("transfer for nothing", "claim without an end", "refund of a transfer missing"),
    ],
)
def test_each_wrong_is_counted(
    orders: list[Bought], moved: list[Transfer], expected: tuple[int, int, int, int]
) -> None:
    verdict = weigh(orders, moved, TILL, BALANCED)
    assert counts(verdict) == expected
    assert not verdict.good


@pytest.mark.parametrize(
    "books",
    [
        {"failed": "no"},
        {"balanced": False, "discrepancies": [{"code": "BALANCE", "message": "it does not"}]},
        {**BALANCED, "other_income": {"count": 1, "amount": "250000"}},
        {**BALANCED, "other_outgo": {"count": 1, "amount": "250000"}},
    ],
)
def test_books_that_disagree_spoil_the_run(books: dict[str, object]) -> None:
    verdict = weigh(HONEST, MOVED, TILL, books)
    assert counts(verdict) == (0, 0, 0, 2)
    assert not verdict.good


def test_what_a_buyer_saw_go_wrong_spoils_the_run() -> None:
    seen = replace(HONEST[0], wrongs=["a replay was answered with 200"])
    verdict = weigh([seen, *HONEST[1:]], MOVED, TILL, BALANCED)
    assert verdict.wrongs == ("order 0: a replay was answered with 200",)
    assert not verdict.good


def test_a_seed_is_a_plan() -> None:
    assert make_plan(300, 7) == make_plan(300, 7) != make_plan(300, 8)
    plan = make_plan(300, 7)
    assert plan.jobs == 300
    assert plan.kinds.count(Kind.ZOO) == 30
    assert {event.disaster for event in plan.events} == set(Disaster)
    places = [event.after for event in plan.events]
    assert places == sorted(places)
    assert 0 < places[0] <= places[-1] < 300
    assert Kind.CANCELLED not in plan.kinds[round(LAST_CANCELLED * 300) :]
    assert set(plan.kinds) == set(Kind) - {Kind.EZKL}
    assert len(make_plan(10_000, 1).events) == len(Disaster) + 20


def test_a_gateway_that_works_itself_dies_as_often_as_its_workers_would() -> None:
    apart = [event.disaster for event in make_plan(10_000, 1).events]
    alone = [event.disaster for event in make_plan(10_000, 1, alone=True).events]
    assert len(alone) == len(apart)
    assert Disaster.KILL_WORKER in apart
    killed = (Disaster.KILL_GATEWAY, Disaster.KILL_WORKER)
    assert alone.count(Disaster.KILL_GATEWAY) == sum(map(apart.count, killed))
    assert Disaster.KILL_WORKER not in alone


@pytest.mark.parametrize(("asked", "got"), [(1, 1), (7, 7), (30, 30), (31, 30)])
def test_orders_by_ezkl_are_as_many_as_asked_for_and_spread(asked: int, got: int) -> None:
    plain, plan = make_plan(300, 7), make_plan(300, 7, asked)
    places = [number for number, kind in enumerate(plan.kinds) if kind is Kind.EZKL]
    assert len(places) == got
    assert all(plain.kinds[place] is Kind.ZOO for place in places)
    assert all(b - a >= 300 // got // 10 * 10 for a, b in itertools.pairwise(places))
    assert plan.events == plain.events
