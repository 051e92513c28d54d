"""What became of every order, by the contract's events, its balances and the nodes' own books.

| word | meaning |
|---|---|
| paid, rescued, refunded | how an order ended in the contract; each ends once |
| lost | an order without an end; or a party that has less than the rules give it |
| doubled | an order that was made, accepted, or ended twice; or a party that has more |
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from inferproof.protocol.escrow import server_share
from inferproof.types.digest import Address, Digest
from inferproof.types.escrow import Order


class Step(StrEnum):
    """What an event of the contract tells of an order."""

    REQUESTED = "requested"
    ACCEPTED = "accepted"
    PAID = "paid"
    RESCUED = "rescued"
    REFUNDED = "refunded"


ENDS = (Step.PAID, Step.RESCUED, Step.REFUNDED)


@dataclass(frozen=True, slots=True)
class Told:
    """An event. `who` is the server of an acceptance or of a delivery, and the acceptor of a
    refund, where there was one."""

    order: Digest
    step: Step
    who: Address | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """A node's own record of an order: its job's state, and that of its delivery."""

    order: Digest
    job: str
    delivery: str


@dataclass(frozen=True, slots=True)
class Witnesses:
    """What is compared. Units: atomic.

    `orders` are those that buyers made, by id; `asked` is how many they wanted. `put` is what each
    account has put into the escrow by itself, `owned` what it has there, `fees` what the market
    has, `held` what the token says that the contract has, and `spent` what each buyer's wallet has
    less than at first. `books` are the nodes' own, by their address.
    """

    asked: int
    orders: Mapping[Digest, Order]
    events: Sequence[Told]
    fee_bps: int
    put: Mapping[Address, int]
    owned: Mapping[Address, int]
    fees: int
    held: int
    spent: Mapping[Address, int]
    books: Mapping[Address, Sequence[Kept]]


@dataclass(slots=True)
class OrderVerdict:
    """The counts of the last line, and in words what was wrong."""

    asked: int
    ends: Counter[Step] = field(default_factory=Counter)
    lost: int = 0
    doubled: int = 0
    wrongs: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        ended = sum(self.ends[end] for end in ENDS)
        return not (self.lost or self.doubled or self.wrongs) and ended == self.asked

    @property
    def line(self) -> str:
        paid, rescued, refunded = (self.ends[end] for end in ENDS)
        return (
            f"requests {self.asked} paid {paid} rescued {rescued} refunded {refunded} "
            f"lost {self.lost} doubled {self.doubled}"
        )


def weigh_orders(seen: Witnesses) -> OrderVerdict:
    """The verdict."""
    verdict = OrderVerdict(seen.asked)
    steps: dict[Digest, dict[Step, list[Address | None]]] = defaultdict(lambda: defaultdict(list))
    for told in seen.events:
        steps[told.order][told.step].append(told.who)
    for unknown in steps.keys() - seen.orders.keys():
        verdict.wrongs.append(f"order {unknown} is no buyer's")
    due: Counter[Address] = Counter(dict(seen.put))
    spent: Counter[Address] = Counter()
    fees = 0
    for order_id, order in seen.orders.items():
        found = steps[order_id]
        end = _end(verdict, order_id, found)
        spent[order.buyer] += order.price
        acceptor = (found[Step.ACCEPTED] or [None])[0]
        fees += _share(due, order, end, acceptor, (found[end] or [None])[0] if end else None, seen)
    _compare(verdict, "escrow", due, seen.owned)
    _compare(verdict, "wallets of buyers", spent, seen.spent)
    if fees != seen.fees:
        verdict.wrongs.append(f"the market's fees are {seen.fees}, and not {fees}")
    owed = sum(due.values()) + fees
    if seen.held != owed:
        verdict.wrongs.append(f"the contract holds {seen.held}, and owes {owed}")
    for node, kept in seen.books.items():
        _check_books(verdict, node, kept, steps)
    if len(seen.orders) != seen.asked:
        verdict.wrongs.append(f"{len(seen.orders)} orders were made, and not {seen.asked}")
    return verdict


def _end(
    verdict: OrderVerdict, order: Digest, found: Mapping[Step, Sequence[Address | None]]
) -> Step | None:
    """How an order ended; what is wrong about that is told."""
    counts = {step: len(found.get(step, ())) for step in Step}
    ended = sum(counts[end] for end in ENDS)
    if counts[Step.REQUESTED] > 1 or counts[Step.ACCEPTED] > 1 or ended > 1:
        verdict.doubled += 1
        verdict.wrongs.append(f"order {order}: {counts}")
    if not ended:
        verdict.lost += 1
        verdict.wrongs.append(f"order {order} has no end: {counts}")
        return None
    end = next(end for end in ENDS if counts[end])
    verdict.ends[end] += 1
    return end


def _share(
    due: Counter[Address],
    order: Order,
    end: Step | None,
    acceptor: Address | None,
    deliverer: Address | None,
    seen: Witnesses,
) -> int:
    """Counts what an order leaves to whom; returns the fee. Source: specs/escrow.md, section 5.

    An acceptor here always said that it has the input, so its bond is at stake.
    """
    if acceptor is not None:
        due[acceptor] -= order.bond
    if end in (Step.PAID, Step.RESCUED) and deliverer is not None:
        earned = server_share(order.price, seen.fee_bps)
        half = order.bond // 2 if end is Step.RESCUED else order.bond
        due[deliverer] += earned + half
        due[order.buyer] += order.bond - half
        return order.price - earned
    if end is Step.REFUNDED:
        due[order.buyer] += order.price + (order.bond if acceptor is not None else 0)
    return 0


def _compare(
    verdict: OrderVerdict, where: str, due: Mapping[Address, int], has: Mapping[Address, int]
) -> None:
    for account in due.keys() | has.keys():
        more = has.get(account, 0) - due.get(account, 0)
        if more:
            verdict.lost += more < 0
            verdict.doubled += more > 0
            verdict.wrongs.append(f"{where}: {account} has {more:+} of what it is to have")


def _check_books(
    verdict: OrderVerdict,
    node: Address,
    kept: Sequence[Kept],
    steps: Mapping[Digest, Mapping[Step, Sequence[Address | None]]],
) -> None:
    """A node's record of deliveries is the chain's, and nothing of it is still open."""
    by_chain = {
        order
        for order, found in steps.items()
        if node in (*found.get(Step.PAID, ()), *found.get(Step.RESCUED, ()))
    }
    by_node = Counter(each.order for each in kept if each.delivery == "delivered")
    for order in (order for order, count in by_node.items() if count > 1):
        verdict.doubled += 1
        verdict.wrongs.append(f"{node} delivered order {order} twice by its own books")
    for order in by_chain ^ by_node.keys():
        who = "the chain" if order in by_chain else "its own books"
        verdict.wrongs.append(f"{node} delivered order {order} by {who} alone")
    for each in kept:
        if each.delivery == "open":
            verdict.wrongs.append(f"{node} still means to deliver order {each.order}: {each.job}")
