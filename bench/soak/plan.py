"""What is ordered, and what goes wrong when: all of it drawn from one seed."""

import random
from dataclasses import dataclass
from enum import StrEnum

ZOO_EVERY = 10
"""One order in so many is of the zoo's model, or of its ezkl model; the rest are of a small one
whose prover refuses and fails as it is told."""
LAST_CANCELLED = 0.7
"""No later part of a run has cancelled orders: one that was never settled is void only when its
authorization is over, and the run would wait for that."""


class Kind(StrEnum):
    """How an order behaves."""

    PLAIN = "plain"
    ZOO = "of the zoo"
    """Of a model of the zoo."""
    EZKL = "by ezkl"
    """Of a model of the zoo that is proven by ezkl."""
    REFUSED = "refused"
    """The proof system refuses its input after the payment: it must be refunded."""
    FAULTY = "faulty"
    """Its first attempt ends in something temporary."""
    TWINS = "twins"
    """Its payment is sent several times at once."""
    REPLAYED = "replayed"
    """Its payment is sent with another request as well, which must be a conflict."""
    FORGOTTEN = "forgotten"
    """The buyer is gone right after paying, and resumes from what it wrote down."""
    CANCELLED = "cancelled"
    """The buyer cancels it right after paying: refunded, void, or answered if too late."""
    TRANSFER = "transfer"
    """Paid by a transfer that the buyer makes on the chain, and claims once it is in a block."""
    TRANSFER_TWICE = "transfer claimed twice"
    """The same, and the transfer is claimed for another request too, which must be a conflict."""
    TRANSFER_RACED = "transfer raced"
    """Two claims to one transfer are sent at once: one of them is a job, the other a conflict."""


BY_TRANSFER = frozenset({Kind.TRANSFER, Kind.TRANSFER_TWICE, Kind.TRANSFER_RACED})
REFUSED_TRANSFERS = 0.2
"""The share of the orders paid by a transfer whose input is refused like that of Kind.REFUSED."""


SHARES = {
    Kind.REFUSED: 0.03,
    Kind.FAULTY: 0.03,
    Kind.TWINS: 0.10,
    Kind.REPLAYED: 0.05,
    Kind.FORGOTTEN: 0.05,
    Kind.CANCELLED: 0.03,
    Kind.TRANSFER: 0.04,
    Kind.TRANSFER_TWICE: 0.03,
    Kind.TRANSFER_RACED: 0.03,
}


class Disaster(StrEnum):
    """What goes wrong."""

    KILL_GATEWAY = "the gateway is killed"
    KILL_WORKER = "a worker is killed"
    KILL_ALL = "gateway and workers are killed at once"
    NODE_SILENT = "the node falls silent"
    NODE_GONE = "the node cannot be reached"
    REORG = "the chain drops its newest blocks"


@dataclass(frozen=True, slots=True)
class Event:
    """A disaster, once so many orders are over."""

    after: int
    disaster: Disaster


@dataclass(frozen=True, slots=True)
class Plan:
    """A soak run. `kinds` are those of its orders, by number."""

    seed: int
    kinds: tuple[Kind, ...]
    events: tuple[Event, ...]

    @property
    def jobs(self) -> int:
        return len(self.kinds)


def make_plan(
    jobs: int, seed: int, by_ezkl: int = 0, *, processes: int = 0, alone: bool = False
) -> Plan:
    """The plan of a seed: the same each time. `by_ezkl` orders of those of the zoo are proven by
    ezkl, spread over the run. Where several `processes` take requests and one settles for them,
    each of them dies. A gateway that is `alone` has no worker process: it dies in its stead."""
    draw = random.Random(seed)  # noqa: S311 - it is to be repeatable
    weights = [*SHARES.values(), 1 - sum(SHARES.values())]
    kinds = draw.choices([*SHARES, Kind.PLAIN], weights, k=jobs)
    zoo = range(ZOO_EVERY // 2, jobs, ZOO_EVERY)
    for number in zoo:
        kinds[number] = Kind.ZOO
    count = min(by_ezkl, len(zoo))
    for number in range(count):
        kinds[zoo[number * len(zoo) // count]] = Kind.EZKL
    for number in range(round(LAST_CANCELLED * jobs), jobs):
        if kinds[number] is Kind.CANCELLED:
            kinds[number] = Kind.PLAIN
    # Every disaster once in a short run, and more of the frequent ones in a long one.
    disasters = list(Disaster)
    more = [Disaster.KILL_GATEWAY, Disaster.KILL_WORKER, Disaster.REORG, Disaster.NODE_GONE]
    disasters += draw.choices(more, k=min(20, jobs // 500))
    if processes:
        disasters += [Disaster.KILL_GATEWAY] * (processes + 1)
    if alone:
        of_worker, own = Disaster.KILL_WORKER, Disaster.KILL_GATEWAY
        disasters = [own if each is of_worker else each for each in disasters]
    draw.shuffle(disasters)
    step = 0.9 * jobs / len(disasters)
    places = [round(step * (i + draw.uniform(0.1, 0.9))) for i in range(len(disasters))]
    events = tuple(Event(place, what) for place, what in zip(places, disasters, strict=True))
    return Plan(seed, tuple(kinds), events)
