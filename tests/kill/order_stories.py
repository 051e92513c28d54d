"""Orders of an escrow whose server dies: accepted once, delivered once, whatever is stopped where,
and the money as the contract's rules say.

A story brings an order past the effects that it is listed for, to the order's end in the escrow.
"""

from collections.abc import Callable

from kill_market import KillMarket
from order_market import ACCEPTED, KEPT, Ordered, Orders
from stories import GWEI, RESERVED, Case, died

from inferproof.testing.boundaries import Boundary
from inferproof.testing.kill_server import GATEWAY, REFUSED
from inferproof.types.escrow import OrderStatus

ANSWERED = Boundary("order_deliveries", "send", "before")
STORED = Boundary("order_deliveries", "send", "after")
MISSING = 10_000_000
"""What the escrow lacks of what is kept there for bonds, where it is to be filled."""


def served(market: KillMarket, at: Boundary | None) -> None:
    """Accepted, proven, delivered, paid."""
    made = _orders(market).make()
    market.arm(at)
    market.send(made.bought)
    _to_its_end(market, made, at)


def failed(market: KillMarket, at: Boundary | None) -> None:
    """The proof system refuses the input after the order was accepted: the escrow refunds the
    buyer, with the bond, when a stranger asks it to."""
    orders = _orders(market)
    made = orders.make(REFUSED, OrderStatus.REFUNDED, state="refunded")
    bought = made.bought
    market.arm(at)
    if not market.until(lambda: (market.ask(bought) or market.send(bought)) == "failed"):
        raise AssertionError(f"{market.name}: job {bought.job} has not failed: {bought.facts}")
    orders.pass_until(made.order.rescue_by)
    orders.refund(made)
    _to_its_end(market, made, at)


def rescued(market: KillMarket, at: Boundary | None) -> None:
    """Another server accepts the order while this one is down, and is late."""
    orders = _orders(market)
    made = _reserved(market, OrderStatus.RESCUED, "done")
    orders.accepted_by_another(made)
    orders.pass_until(made.order.deliver_by)
    _revived(market, made, at)


def outrun(market: KillMarket, at: Boundary | None) -> None:
    """Another server accepts the order while this one is down, and it is over without either."""
    orders = _orders(market)
    made = _reserved(market, OrderStatus.REFUNDED, "void")
    orders.accepted_by_another(made)
    orders.pass_until(made.order.rescue_by)
    orders.refund(made)
    _revived(market, made, at)


def too_late(market: KillMarket, at: Boundary | None) -> None:
    """The server is down until nobody may deliver any more."""
    orders = _orders(market)
    made = orders.make(1.0, OrderStatus.REFUNDED)
    _killed_at(market, made, ANSWERED)
    orders.pass_until(made.order.rescue_by)
    market.arm(at)
    market.deployment.revive()
    market.reach(at)
    orders.refund(made)
    _to_its_end(market, made, at)


def number_spent(market: KillMarket, at: Boundary | None) -> None:
    """The number of a stored delivery is spent by another program before it is sent."""
    made = _orders(market).make()
    _killed_at(market, made, STORED)
    market.spend_number()
    _revived(market, made, at)


def delivery_fails(market: KillMarket, at: Boundary | None) -> None:
    """A delivery fails on the chain, and is made again."""
    made, contract = _orders(market).make(), market.devnet.escrow.hex
    _killed_at(market, made, STORED)
    code = market.chain("eth_getCode", contract, "latest")
    with market.held():
        market.deployment.revive()
        if not market.until(lambda: int(market.chain("txpool_status")["pending"], 16) > 0):
            raise AssertionError(f"{market.name}: the delivery of {made.id} is not sent")
        market.arm(at)
        market.chain("anvil_setCode", contract, "0xfe")
    # The block is there. A gateway does not start with another contract than it knows.
    market.chain("anvil_setCode", contract, code)
    _to_its_end(market, made, at)


def delivery_stuck(market: KillMarket, at: Boundary | None) -> None:
    """Blocks pass, and each asks for higher fees than the delivery offers."""
    orders = _orders(market)
    made = orders.make()
    _killed_at(market, made, STORED)
    with market.held():
        market.arm(at)
        market.deployment.revive()

        def passed() -> bool:
            if not market.deployment.fired:
                market.base_fee(20 * GWEI)
            market.chain("evm_mine")
            return market.deployment.fired or orders.status(made) in made.ends

        if not market.until(passed):
            raise AssertionError(f"{market.name}: no fees were raised for order {made.id}")
    _to_its_end(market, made, at)
    market.base_fee(GWEI)
    market.chain("evm_mine")


def acceptance_taken_back(market: KillMarket, at: Boundary | None) -> None:
    """The chain takes back the blocks from the acceptance of an order on that was paid."""
    orders = _orders(market)
    made = orders.make()
    market.send(made.bought)
    orders.bring_to_end(made)
    market.arm(at)
    market.take_back(orders.block_of(made, ACCEPTED))
    market.reach(at)
    _to_its_end(market, made, at)


def filled(market: KillMarket, at: Boundary | None) -> None:
    """The escrow has less of the server's than it keeps there for bonds."""
    orders, gateway = _orders(market), market.devnet.accounts.gateway.address
    market.deployment.kill(GATEWAY)
    orders.take_out(orders.balance(gateway) - KEPT + MISSING)
    market.arm(at)
    market.deployment.revive()
    market.reach(at)
    if not market.until(lambda: orders.balance(gateway) == KEPT):
        raise AssertionError(f"{market.name}: {orders.balance(gateway)} are kept, and not {KEPT}")


def _reserved(market: KillMarket, end: OrderStatus, state: str) -> Ordered:
    """An order whose request the gateway has, which was killed before it accepted it."""
    made = _orders(market).make(1.0, end, state=state)
    made.acceptances = 0
    _killed_at(market, made, RESERVED)
    return made


def _killed_at(market: KillMarket, made: Ordered, at: Boundary) -> None:
    market.arm(at)
    market.send(made.bought)
    died(market)


def _revived(market: KillMarket, made: Ordered, at: Boundary | None) -> None:
    market.arm(at)
    market.deployment.revive()
    _to_its_end(market, made, at)


def _to_its_end(market: KillMarket, made: Ordered, at: Boundary | None) -> None:
    _orders(market).bring_to_end(made)
    market.reach(at)


def _orders(market: KillMarket) -> Orders:
    assert market.orders is not None
    return market.orders


OrderStory = Callable[[KillMarket, Boundary | None], None]

_STORIES: dict[str, OrderStory] = {
    "jobs.reserve": served,
    "settlements.send_settlements": served,
    "chain.submit": served,
    "outbox.note_sent": served,
    "settlements.included": served,
    "queue.claim": served,
    "execution.prove": served,
    "blobs.put": served,
    "queue.checkpoint": served,
    "queue.finish": served,
    "order_deliveries.send": served,
    "order_deliveries.delivered": served,
    "settlements.refuse": rescued,
    "settlements.settled": rescued,
    "settlements.void": outrun,
    "queue.give_up": failed,
    "settlements.refunded": failed,
    "order_deliveries.put_off": failed,
    "order_deliveries.ended": too_late,
    "order_deliveries.reverted": delivery_fails,
    "outbox.drop": number_spent,
    "outbox.note_nonce_spent": number_spent,
    "outbox.replace": delivery_stuck,
    "settlements.take_back": acceptance_taken_back,
    "outbox.fill": filled,
}
DELIVERING = frozenset(effect for effect in _STORIES if effect.startswith("order_deliveries."))
"""Effects on deliveries, which only orders of an escrow come to."""

TWICE = tuple(
    Boundary(part, method, side, 2)
    for part, method in (("chain", "submit"), ("outbox", "note_sent"))
    for side in ("before", "after")
)
"""What an order passes twice: its acceptance is sent, and its delivery."""

_HOW: dict[OrderStory, str] = {
    served: "every order that is served passes it",
    failed: "the proof system refuses an input that asks for it, and a stranger refunds the order",
    rescued: "the process is killed, and another server accepts the order and lets its time pass",
    outrun: "the same, and a stranger refunds the order",
    too_late: "the process is killed, and the chain's clock moved past the last time",
    number_spent: "the process is killed, and its number spent, before it is started again",
    delivery_fails: "the chain is held, and the contract's code gone in the delivery's block",
    delivery_stuck: "the chain is held and mined by hand, at a base fee that is set for each block",
    acceptance_taken_back: "the chain is told to take back the acceptance's block and all later",
    filled: "the process is killed, and money taken out of the escrow, before it starts again",
}


def order_case(at: Boundary) -> Case:
    """The story that comes to the boundary of a market with orders."""
    story = _STORIES[at.effect]
    return Case(story, _HOW[story])


def order_boundaries(known: tuple[Boundary, ...], kind: str) -> list[Boundary]:
    """Those of a server of orders, in the order of the stories. Steps that other jobs take too, and
    are killed at in other layouts, have their one side on SQLite and the other on PostgreSQL."""
    found = [each for effect in _STORIES for each in known if each.effect == effect]
    ends = next(at for at, each in enumerate(found) if each.effect == "settlements.refuse")
    every = [*found[:ends], *TWICE, *found[ends:]]
    side = "before" if kind == "sqlite" else "after"
    return [at for at in every if at.effect in DELIVERING or at.side == side]
