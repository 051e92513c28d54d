"""What is ordered in an escrow, and what goes wrong when: all of it drawn from one seed."""

import random
from dataclasses import dataclass
from enum import StrEnum

NODES = 2


class OrderKind(StrEnum):
    """How an order is placed."""

    NAMED = "for one node"
    """Only the node that is asked may accept it."""
    RACED = "for both nodes"
    """Both have it, and one accepts."""
    LATE = "taken by a server that never delivers"
    """A node is asked once that server's time is over."""
    MISSED = "taken by such a server, and forgotten"
    """Its buyer asks nobody: a passer-by ends it."""


SHARES = {OrderKind.RACED: 0.15, OrderKind.LATE: 0.12, OrderKind.MISSED: 0.08}
IDLE = frozenset({OrderKind.LATE, OrderKind.MISSED})
"""Those that the server accepts which never delivers."""


class Trouble(StrEnum):
    """What goes wrong."""

    KILL = "a node is killed"
    KILL_BOTH = "both nodes are killed at once"
    AWAY = "a node is away for longer than its orders wait"
    CHAIN_GONE = "no node reaches the chain"
    CHAIN_SILENT = "the chain falls silent"
    REORG = "the chain drops its newest blocks"


@dataclass(frozen=True, slots=True)
class Happening:
    """A trouble, once so many orders are over. `node` is the one that it befalls."""

    after: int
    trouble: Trouble
    node: int


@dataclass(frozen=True, slots=True)
class OrderPlan:
    """A run. `kinds` are those of its orders, by number; even numbers ask the first node first."""

    seed: int
    kinds: tuple[OrderKind, ...]
    happenings: tuple[Happening, ...]


def make_order_plan(orders: int, seed: int) -> OrderPlan:
    """The plan of a seed, the same each time: every trouble once, and one more for each twenty
    orders; an order of each kind where there are four."""
    draw = random.Random(seed)  # noqa: S311 - it is to be repeatable
    weights = [*SHARES.values(), 1 - sum(SHARES.values())]
    kinds = draw.choices([*SHARES, OrderKind.NAMED], weights, k=orders)
    places = draw.sample(range(orders), min(orders, len(OrderKind)))
    for kind, place in zip(OrderKind, places, strict=False):
        kinds[place] = kind
    more = [Trouble.KILL, Trouble.KILL_BOTH, Trouble.REORG, Trouble.CHAIN_GONE]
    troubles = [*Trouble, *draw.choices(more, k=orders // 20)]
    draw.shuffle(troubles)
    step = 0.8 * orders / len(troubles)
    happenings = tuple(
        Happening(round(step * (i + draw.uniform(0.1, 0.9))), what, draw.randrange(NODES))
        for i, what in enumerate(troubles)
    )
    return OrderPlan(seed, tuple(kinds), happenings)
