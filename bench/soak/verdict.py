"""What became of every payment, by three witnesses: the buyers, the chain, the gateway's books.

| word | meaning |
|---|---|
| lost | money moved, and its buyer has neither an answer nor the money back; or no end at all |
| doubled | money moved twice for one payment, back twice, or both answered and refunded |
| unpaid | answered, and no money moved |
| refunded | money moved, and is back with its payer |
"""

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.measure import percentile
from bench.soak.journal import Bought, End, Paid
from bench.soak.plan import Disaster, Kind, Plan
from bench.soak.world import World
from inferproof.chain.reconciliation import TokenBooks
from inferproof.chain.rpc import Rpc
from inferproof.chain.token import TokenChain
from inferproof.types.digest import Address, Digest
from inferproof.types.reconciliation import Transfer

PERCENTILES = (50, 95, 99)
BOOKS_S = 300
BOUGHT = (End.ANSWERED, End.REFUNDED)
"""Ends of a payment whose money was used; every order comes to one of them at most once."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The counts of the last line, what was wrong in words, and what the books said."""

    jobs: int
    lost: int
    doubled: int
    unpaid: int
    refunded: int
    wrongs: tuple[str, ...]
    books: dict[str, Any]

    @property
    def good(self) -> bool:
        bad = self.lost or self.doubled or self.unpaid or self.wrongs
        return not bad and self.books.get("balanced") is True

    @property
    def line(self) -> str:
        return (
            f"jobs {self.jobs} lost {self.lost} doubled {self.doubled} unpaid {self.unpaid} "
            f"refunded {self.refunded}"
        )


async def judge(world: World, orders: Sequence[Bought]) -> Verdict:
    """The verdict, once every order is over or given up."""
    till = world.info.accounts.gateway.address
    async with Rpc(world.info.rpc_url) as rpc:
        books = TokenBooks(TokenChain(rpc, world.info.token))
        transfers = await books.transfers([till], 0, await books.last_block())
    told = await asyncio.to_thread(check_books, world)
    return weigh(orders, transfers, till, told)


class Moved:
    """What the chain says of the till's money."""

    def __init__(self, transfers: Sequence[Transfer], till: Address) -> None:
        self._taken: Counter[tuple[Address, Digest | None]] = Counter()
        self._given: Counter[Digest] = Counter()
        self.back: Counter[Address] = Counter()
        for transfer in transfers:
            if transfer.recipient == till and transfer.nonce is not None:
                self._taken[transfer.sender, transfer.nonce] += 1
            elif transfer.recipient == till:
                self._given[transfer.tx] += 1
            elif transfer.sender == till:
                self.back[transfer.recipient] += 1

    def times(self, paid: Paid) -> int:
        """How often the funds of the payment arrived."""
        if paid.transfer is not None:
            return self._given[paid.transfer]
        return self._taken[paid.payer, paid.nonce]


def weigh(
    orders: Sequence[Bought], transfers: Sequence[Transfer], till: Address, books: dict[str, Any]
) -> Verdict:
    """The verdict on these orders, by the transfers of the chain."""
    money = Moved(transfers, till)
    lost = doubled = unpaid = refunded = 0
    due: Counter[Address] = Counter()
    wrongs = [f"order {order.number}: {wrong}" for order in orders for wrong in order.wrongs]
    for order in orders:
        for paid in order.payments:
            times = money.times(paid)
            doubled += times > 1
            moved = times > 0
            if paid.end is End.ANSWERED:
                unpaid += not moved
            elif paid.end is End.REFUNDED and moved:
                refunded += 1
                due[paid.payer] += 1
            elif _is_lost(order, paid, moved=moved):
                lost += 1
                wrongs.append(f"order {order.number}: job {paid.job} is {_fate(paid, moved)}")
        doubled += sum(paid.end in BOUGHT for paid in order.payments) > 1
        if not order.payments:
            lost += 1
            wrongs.append(f"order {order.number} was never paid")
    for payer in due.keys() | money.back.keys():
        over = money.back[payer] - due[payer]
        doubled += max(0, over)
        lost += max(0, -over)
        if over:
            wrongs.append(f"{payer} was given back {money.back[payer]} payments of {due[payer]}")
    wrongs += _told_by(books)
    return Verdict(len(orders), lost, doubled, unpaid, refunded, tuple(wrongs), books)


def _is_lost(order: Bought, paid: Paid, *, moved: bool) -> bool:
    """Whether the payment came to nothing, though its money moved or may still move. A claim that
    was refused came to nothing only where no other claim to its transfer bought anything."""
    if paid.transfer is not None and paid.end is End.REFUSED:
        others = [p for p in order.payments if p.transfer == paid.transfer]
        return moved and paid is others[-1] and all(p.end not in BOUGHT for p in others)
    return moved or paid.end is None


def _told_by(books: dict[str, Any]) -> list[str]:
    """What is wrong by the books: all money of the run is some job's."""
    if "balanced" not in books:
        return [f"the books could not be checked: {books}"]
    wrongs = [f"the books: {d['code']}: {d['message']}" for d in books.get("discrepancies", ())]
    for name in ("other_income", "other_outgo"):
        count = books.get(name, {}).get("count", 0)
        if count:
            wrongs.append(f"the books: {count} transfers of {name.replace('_', ' ')}, of no job")
    return wrongs


def _fate(paid: Paid, moved: bool) -> str:
    return f"{paid.end or 'without an end'}{', and its money is gone' if moved else ''}"


def check_books(world: World) -> dict[str, Any]:
    """What `inferproof books check --json` prints about the order book."""
    command = [sys.executable, "-c", "from inferproof.cli.main import run; run()"]
    command += ["books", "check", "--json", "--rpc", world.info.rpc_url]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env={**os.environ, **world.environment},
        timeout=BOOKS_S,
        check=False,
    )
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        return {"failed": (done.stdout + done.stderr)[-2000:]}
    return found


def report(
    plan: Plan,
    orders: Sequence[Bought],
    verdict: Verdict,
    happened: Counter[Disaster],
    wall_s: float,
) -> str:
    """The report as text, without the last line."""
    over = [paid for order in orders for paid in order.payments]
    accepted = [paid.accepted_s for paid in over if paid.accepted_s is not None]
    answered = [p.over_s for p in over if p.over_s is not None and p.end is End.ANSWERED]
    back = [p.over_s for p in over if p.over_s is not None and p.end is End.REFUNDED]
    kinds = Counter(plan.kinds)
    by_ezkl = kinds[Kind.EZKL]
    claims = Counter(
        "used" if paid.end in BOUGHT else "refused" for paid in over if paid.transfer is not None
    )
    lines = [
        f"{plan.jobs} orders of seed {plan.seed} in {wall_s:.0f} s, "
        f"{plan.jobs / wall_s:.1f} a second",
        f"  {plan.jobs - by_ezkl} to be proven by sumcheck, {by_ezkl} by ezkl; each buyer "
        "verifies its proof",
        "  of these " + ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items())),
        "  disasters: " + ", ".join(f"{n} x {what}" for what, n in sorted(happened.items())),
        f"  accepted after {_spread(accepted)}",
        f"  answered after {_spread(answered)}",
        f"  refunded after {_spread(back)}",
        "  payments: " + ", ".join(f"{n} {end}" for end, n in _ends(over).items()),
        f"  claims to transfers: {claims['used']} used, {claims['refused']} refused, which a claim "
        "to a used transfer must be",
        f"  books: {_books(verdict.books)}",
    ]
    return "\n".join([*lines, *(f"WRONG: {wrong}" for wrong in verdict.wrongs)])


def _ends(over: Sequence[Paid]) -> Counter[str]:
    return Counter(str(paid.end or "without an end") for paid in over)


def _spread(seconds: Sequence[float]) -> str:
    if not seconds:
        return "(none)"
    parts = [f"p{p} {percentile(seconds, p):.3f} s" for p in PERCENTILES]
    return ", ".join([*parts, f"max {max(seconds):.3f} s"])


def _books(books: dict[str, Any]) -> str:
    if "balanced" not in books:
        return "not checked"
    word = "balanced" if books["balanced"] else "in disagreement"
    totals = ", ".join(f"{name} {books[name]['count']}" for name in ("settled", "refunded"))
    return f"{word}, {totals}, earned {books['earned']} units"
