"""What happens to one job, told up to its end, with a process that dies at one boundary.

A story brings a job past the effects that it is listed for; CASES names one for each effect. An
effect without a story, or one that its story never comes to, fails the suite.
"""

import time
from collections.abc import Callable

from kill_market import WEBHOOK, Bought, KillMarket

from inferproof.testing.boundaries import Boundary
from inferproof.testing.kill_server import FAULTY, REFUSED, SLOW

Story = Callable[[KillMarket, Boundary | None], Bought]

BEFORE_SENDING = Boundary("orders", "send_settlements", "after")
BEFORE_REFUNDING = Boundary("orders", "send_refund", "after")
RESERVED = Boundary("orders", "reserve", "after")


def answered(market: KillMarket, at: Boundary | None) -> Bought:
    """Paid, proven, answered."""
    bought = market.buy()
    return _sent(market, bought, at)


def refunded(market: KillMarket, at: Boundary | None) -> Bought:
    """The model refuses the input after it was paid for."""
    return _sent(market, market.buy(REFUSED, ends="refunded"), at)


def tried_again(market: KillMarket, at: Boundary | None) -> Bought:
    """Something temporary goes wrong at the first attempt."""
    return _sent(market, market.buy(FAULTY), at)


def slow(market: KillMarket, at: Boundary | None) -> Bought:
    """The proof takes longer than a lease."""
    return _sent(market, market.buy(SLOW), at)


def void(market: KillMarket, at: Boundary | None) -> Bought:
    """The gateway is down until the authorization is over."""
    bought = market.buy(ends="void", valid_s=3)
    market.arm(RESERVED)
    market.send(bought)
    _died(market)
    assert bought.payment is not None
    time.sleep(max(0.0, bought.payment.valid_before - time.time()) + 1.1)
    market.chain("evm_mine")
    return _revived(market, bought, at)


def number_spent(market: KillMarket, at: Boundary | None) -> Bought:
    """The number of a stored settlement is spent by another program before it is sent."""
    return _number_spent(market, market.buy(), BEFORE_SENDING, at)


def refund_lost(market: KillMarket, at: Boundary | None) -> Bought:
    """The number of a stored refund is spent by another program before it is sent."""
    bought = market.buy(REFUSED, ends="refunded")
    return _number_spent(market, bought, BEFORE_REFUNDING, at)


def uncertain(market: KillMarket, at: Boundary | None) -> Bought:
    """The chain makes no block for longer than a settlement is waited for."""
    bought = market.buy()
    with market.held():
        market.arm(at)
        market.send(bought)
        market.wait_for(bought, "nothing", limit_s=3.0)
        market.until(lambda: market.ask(bought) != "")
    return _to_its_end(market, bought, at)


def early(market: KillMarket, at: Boundary | None) -> Bought:
    """A worker computes while the chain holds the settlement back."""
    market.deployment.restart(early_start="true")
    bought = market.buy()
    with market.held():
        market.arm(at)
        market.send(bought)
        market.wait_for(bought, "nothing", limit_s=1.5)
        _hidden(market, bought)
    market.bring_to_end(bought)
    market.deployment.restart(early_start="false")
    return bought


def cancelled(market: KillMarket, at: Boundary | None) -> Bought:
    """The payer cancels while the settlement is on its way; it is settled all the same."""
    bought = market.buy(ends="refunded")
    with market.held():
        market.send(bought)
        market.wait_for(bought, "settling")
        market.arm(at)
        market.until(lambda: market.cancel(bought) == "withdrawn")
    return _to_its_end(market, bought, at)


def by_transfer(market: KillMarket, at: Boundary | None) -> Bought:
    """Paid by a transfer that was made before."""
    return _sent(market, market.buy_by_transfer(), at)


def told(market: KillMarket, at: Boundary | None) -> Bought:
    """The buyer's server is told of the end."""
    bought = market.buy()
    bought.headers[WEBHOOK] = market.receiver.url
    _sent(market, bought, at)
    market.until(lambda: at is None or market.deployment.fired, limit_s=20)
    return bought


def told_late(market: KillMarket, at: Boundary | None) -> Bought:
    """The buyer's server fails when it is told."""
    market.receiver.refuse = 1
    return told(market, at)


def stuck(market: KillMarket, at: Boundary | None) -> Bought:
    """Blocks pass without the settlement, so its fees are raised."""
    bought = market.buy()
    with market.held():
        market.send(bought)
        market.wait_for(bought, "settling")
        time.sleep(0.3)
        market.forget()
        market.mine(3)
        market.arm(at)
        market.wait_for(bought, "nothing", limit_s=3.0)
        market.until(lambda: market.ask(bought) != "")
    market.bring_to_end(bought)
    return bought


def gap(market: KillMarket, at: Boundary | None) -> Bought:
    """Another program's transaction, whose number was before ours, is lost."""
    bought = market.buy()
    with market.held():
        market.spend_number()
        market.send(bought)
        market.wait_for(bought, "settling")
        time.sleep(0.3)
        market.forget()
        market.arm(at)
        market.wait_for(bought, "nothing", limit_s=4.0)
        market.until(lambda: market.ask(bought) != "")
    market.bring_to_end(bought)
    return bought


def front_run(market: KillMarket, at: Boundary | None) -> Bought:
    """A stranger settles the authorization before the gateway does."""
    bought = _reserved_only(market, market.buy())
    assert bought.payment is not None
    market.settle_as_stranger(bought.payment)
    return _revived(market, bought, at)


def front_run_again(market: KillMarket, at: Boundary | None) -> Bought:
    """The same while the gateway's own settlement waits for another place."""
    bought = market.buy()
    market.arm(BEFORE_SENDING)
    market.send(bought)
    _died(market)
    market.spend_number()
    assert bought.payment is not None
    market.settle_as_stranger(bought.payment)
    return _revived(market, bought, at)


def cancelled_on_chain(market: KillMarket, at: Boundary | None) -> Bought:
    """The payer cancels its authorization on the chain before it is settled."""
    bought = _reserved_only(market, market.buy(ends="void"))
    assert bought.payment is not None
    market.cancel_on_chain(bought.payment)
    return _revived(market, bought, at)


def deep(market: KillMarket, at: Boundary | None) -> Bought:
    """The block of a settlement becomes too deep to be taken back."""
    bought = market.buy()
    _sent(market, bought, None)
    market.arm(at)
    market.mine(20)
    _wait_and_revive(market, at)
    return bought


def taken_back(market: KillMarket, at: Boundary | None) -> Bought:
    """The chain takes back the block of a settlement; it is made again."""
    bought = market.buy()
    _sent(market, bought, None)
    market.arm(at)
    market.take_back()
    market.mine(1)
    _wait_and_revive(market, at)
    market.until(lambda: market.ask(bought) == "done" and _settled(bought))
    return bought


def lost(market: KillMarket, at: Boundary | None) -> Bought:
    """The same, and the payer cancels before it can be made again: the answer was given."""
    bought = market.buy()
    _sent(market, bought, None)
    bought.unpaid = True
    market.deployment.kill(*market.deployment.roles)
    market.take_back()
    assert bought.payment is not None
    market.cancel_on_chain(bought.payment)
    market.arm(at)
    market.deployment.revive()
    _wait_and_revive(market, at)
    return bought


CASES: dict[str, Story] = {
    "orders.reserve": answered,
    "orders.send_settlements": answered,
    "orders.note_sent": answered,
    "orders.included": answered,
    "orders.claim": answered,
    "orders.checkpoint": answered,
    "orders.finish": answered,
    "chain.submit": answered,
    "blobs.put": answered,
    "system.prove": answered,
    "system.check": answered,
    "orders.give_up": refunded,
    "orders.send_refund": refunded,
    "orders.refunded": refunded,
    "orders.release": tried_again,
    "orders.heartbeat": slow,
    "orders.void": void,
    "orders.replace": stuck,
    "orders.fill": gap,
    "orders.note_nonce_spent": number_spent,
    "orders.drop": number_spent,
    "orders.settled": front_run,
    "orders.refuse": front_run_again,
    "orders.doubt": cancelled_on_chain,
    "orders.unwatch": deep,
    "orders.take_back": taken_back,
    "orders.lost": lost,
    "orders.refund_lost": refund_lost,
    "orders.uncertain": uncertain,
    "orders.claim_early": early,
    "orders.leave_early": early,
    "orders.cancel": cancelled,
    "orders.redeem": by_transfer,
    "sender.post": told,
    "deliveries.delivered": told,
    "deliveries.failed": told_late,
}
"""The story that comes to each effect."""

UNCALLED: dict[str, str] = {
    "orders.send_settlement": "send_settlements for one job, as tests of the order book write it",
    "orders.resume": "no service sends a payment again that was refused",
}
"""Effects that no service calls, and why; one that is called after all fails the suite."""

SECOND = (Boundary("blobs", "put", "before", 2), Boundary("orders", "checkpoint", "after", 2))
"""Effects that a job passes twice: the bundle after the proof, the answer after the proof."""

WORKING = frozenset(
    [
        "orders.claim",
        "orders.claim_early",
        "orders.leave_early",
        "orders.heartbeat",
        "orders.checkpoint",
        "orders.release",
        "orders.finish",
        "orders.give_up",
        "blobs.put",
        "system.prove",
        "system.check",
    ]
)
"""Effects of a worker. Where workers are processes of their own, the other one takes over."""


# -- the parts of stories -------------------------------------------------------------------------


def _sent(market: KillMarket, bought: Bought, at: Boundary | None) -> Bought:
    market.arm(at)
    market.send(bought)
    return _to_its_end(market, bought, at)


def _revived(market: KillMarket, bought: Bought, at: Boundary | None) -> Bought:
    market.arm(at)
    market.deployment.revive()
    return _to_its_end(market, bought, at)


def _reserved_only(market: KillMarket, bought: Bought) -> Bought:
    market.arm(RESERVED)
    market.send(bought)
    _died(market)
    return bought


def _wait_and_revive(market: KillMarket, at: Boundary | None) -> None:
    """What happens after the job is over."""
    market.until(lambda: at is None or market.deployment.fired, limit_s=10)
    market.until(lambda: market.deployment.whole)


def _settled(bought: Bought) -> bool:
    return bool(bought.facts["settlement"]["state"] == "settled")


def _number_spent(
    market: KillMarket, bought: Bought, stored: Boundary, at: Boundary | None
) -> Bought:
    market.arm(stored)
    market.send(bought)
    _died(market)
    market.spend_number()
    return _revived(market, bought, at)


def _died(market: KillMarket) -> None:
    if not market.wait_for_death():
        raise AssertionError(f"{market.name}: nobody died where the story begins")
    market.kills += 1


def _to_its_end(market: KillMarket, bought: Bought, at: Boundary | None) -> Bought:
    """The others take over from a worker that died; a gateway is started again."""
    others = tuple(role for role in market.deployment.roles if role != "gateway")
    if at is not None and at.effect in WORKING and others and market.wait_for_death():
        dead = tuple(role for role in others if not market.deployment.alive(role))
        market.bring_to_end(bought, keep_dead=dead)
    else:
        market.bring_to_end(bought)
    return bought


def _hidden(market: KillMarket, bought: Bought) -> None:
    """Nothing of the answer is told before the settlement."""
    market.until(lambda: market.ask(bought) != "")
    state, told = bought.state, str(bought.facts)
    if state not in ("reserved", "settling") or "output" in told or "proof" in bought.facts:
        raise AssertionError(f"{market.name}: told before the settlement: {told}")
