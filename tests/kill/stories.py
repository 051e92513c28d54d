"""What happens to one job, told up to its end, with a process that dies at one boundary.

A story brings a job past the effects that it is listed for; CASES names one for each effect. An
effect without a story, or one that its story never comes to, fails the suite.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from kill_market import OVER, WEBHOOK, Bought, KillMarket

from inferproof.testing.boundaries import Boundary
from inferproof.testing.kill_server import FAULTY, GATEWAY, PHASE, REFUSED, SLOW
from inferproof.types.revenue import Payout, PayoutState

Story = Callable[[KillMarket, Boundary | None], Bought]

BEFORE_SENDING = Boundary("settlements", "send_settlements", "after")
BEFORE_REFUNDING = Boundary("settlements", "send_refund", "after")
GWEI = 10**9
VALID_S = (3, 9, 27, 81)
"""For how long an authorization is valid that is to be over soon: as short as the machine can send
one in time."""
RESERVED = Boundary("jobs", "reserve", "after")


def answered(market: KillMarket, at: Boundary | None) -> Bought:
    """Paid, proven, answered."""
    bought = market.buy()
    return sent(market, bought, at)


def refunded(market: KillMarket, at: Boundary | None) -> Bought:
    """The model refuses the input after it was paid for."""
    return sent(market, market.buy(REFUSED, ends="refunded"), at)


def tried_again(market: KillMarket, at: Boundary | None) -> Bought:
    """Something temporary goes wrong at the first attempt."""
    return sent(market, market.buy(FAULTY), at)


def slow(market: KillMarket, at: Boundary | None) -> Bought:
    """The proof takes longer than a lease."""
    return sent(market, market.buy(SLOW), at)


def void(market: KillMarket, at: Boundary | None) -> Bought:
    """The gateway is down until the authorization is over."""
    for valid_s in VALID_S:
        bought = market.buy(ends="void", valid_s=valid_s)
        market.arm(RESERVED)
        market.send(bought)
        if "error" not in bought.facts:
            break
        market.forget(bought)  # it was too late when it arrived
    died(market)
    time.sleep(max(0.0, bought.over_at - time.time()) + 1.1)
    market.chain("evm_mine")
    return _revived(market, bought, at)


def replaced(market: KillMarket, at: Boundary | None) -> Bought:
    """The number of a stored settlement is spent by another program before it is sent."""
    return _number_spent(market, market.buy(), BEFORE_SENDING, at)


def refund_lost(market: KillMarket, at: Boundary | None) -> Bought:
    """The number of a stored refund is spent by another program before it is sent."""
    bought = market.buy(REFUSED, ends="refunded")
    return _number_spent(market, bought, BEFORE_REFUNDING, at)


def settled_elsewhere(market: KillMarket, at: Boundary | None) -> Bought:
    """A stranger settles what it has seen before the gateway's own settlement is sent."""
    bought = _stored(market, market.buy())
    market.settle_elsewhere(bought)
    return _revived(market, bought, at)


def settled_elsewhere_and_replaced(market: KillMarket, at: Boundary | None) -> Bought:
    """The same, and the number of the gateway's own settlement is spent."""
    bought = _stored(market, market.buy())
    market.settle_elsewhere(bought)
    market.spend_number()
    return _revived(market, bought, at)


def cancelled_on_chain(market: KillMarket, at: Boundary | None) -> Bought:
    """The payer uses the authorization up before it is settled."""
    bought = _stored(market, market.buy(ends="void"))
    market.cancel_on_chain(bought)
    return _revived(market, bought, at)


def stuck(market: KillMarket, at: Boundary | None) -> Bought:
    """Blocks pass, and each asks for higher fees than were offered."""
    bought = market.buy()
    with market.held():
        market.arm(at)
        market.send(bought)
        market.wait_for(bought, "settling")

        def passed() -> bool:
            if not market.deployment.fired:
                # For each block anew: fees fall from one empty block to the next, and a gateway
                # that is slow to look would find its first offer to be enough again.
                market.base_fee(20 * GWEI)
            market.chain("evm_mine")
            return market.deployment.fired or market.ask(bought) in OVER

        if not market.until(passed):
            raise AssertionError(f"{market.name}: no fees were raised for job {bought.job}")
    bought = _to_its_end(market, bought, at)
    # As it was, or the next one offers enough from the start.
    market.base_fee(GWEI)
    market.chain("evm_mine")
    return bought


def gap(market: KillMarket, at: Boundary | None) -> Bought:
    """The node forgets another program's transaction, whose number comes before the gateway's."""
    bought = market.buy()
    with market.held():
        # While the gateway is down: one that had looked at the chain just before would take the
        # same number, and there would be no gap.
        market.deployment.kill(GATEWAY)
        other = market.spend_number()
        market.deployment.revive()
        market.send(bought)
        market.wait_for(bought, "settling")
        market.arm(at)  # before the gap is there: it may be filled at once
        market.chain("anvil_dropTransaction", other)
        market.reach(at)
    return _to_its_end(market, bought, at)


def taken_back(market: KillMarket, at: Boundary | None) -> Bought:
    """The chain takes back the block of a settlement whose job was answered."""
    bought = market.buy()
    market.send(bought)
    market.bring_to_end(bought)
    market.arm(at)
    market.take_back(bought.facts["settlement"]["block"])
    _settled_again(market, bought, at)
    return bought


def deep(market: KillMarket, at: Boundary | None) -> Bought:
    """The block of a settlement is too deep to be taken back."""
    bought = market.buy()
    market.send(bought)
    market.bring_to_end(bought)
    market.arm(at)
    market.chain("anvil_mine", "0xe")
    market.reach(at)
    return bought


def never_paid(market: KillMarket, at: Boundary | None) -> Bought:
    """The job failed, the chain took its settlement back, and its payer cancelled: nothing is
    owed, and nothing is refunded."""
    bought = market.buy(REFUSED, ends="void")
    market.arm(Boundary("queue", "give_up", "after"))
    market.send(bought)
    died(market)
    market.take_back(market.settled_in(bought))
    market.cancel_on_chain(bought)
    return _revived(market, bought, at)


def uncertain(market: KillMarket, at: Boundary | None) -> Bought:
    """The chain makes no block for longer than a settlement is waited for."""
    bought = market.buy()
    with market.held():
        market.arm(at)
        market.send(bought)
        market.reach(at)
    return _to_its_end(market, bought, at)


def early(market: KillMarket, at: Boundary | None) -> Bought:
    """A worker computes while the chain holds the settlement back."""
    market.deployment.restart(early_start="true")
    bought = market.buy()
    with market.held():
        market.arm(at)
        market.send(bought)
        market.reach(at)
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
        if not market.until(lambda: market.cancel(bought) == "withdrawn"):
            raise AssertionError(f"{market.name}: {bought.job} is not cancelled: {bought.facts}")
    return _to_its_end(market, bought, at)


def by_transfer(market: KillMarket, at: Boundary | None) -> Bought:
    """Paid by a transfer that was made before."""
    return sent(market, market.buy_by_transfer(), at)


def told(market: KillMarket, at: Boundary | None, *, refused: int = 0) -> Bought:
    """The buyer's server is told of the end."""
    bought = market.buy()
    bought.headers[WEBHOOK] = market.receiver.url
    market.arm(at)
    # Not before: what is still told of an earlier job would be refused in place of this.
    market.receiver.refuse = refused
    market.send(bought)
    market.bring_to_end(bought)
    market.reach(at)
    return bought


def told_late(market: KillMarket, at: Boundary | None) -> Bought:
    """The buyer's server fails when it is told."""
    return told(market, at, refused=1)


def paid_out(market: KillMarket, at: Boundary | None) -> Bought:
    """The operator pays the developer what the job brought."""
    bought = _earned(market)
    market.arm(at)
    payout = market.pay_out()
    market.reach(at)
    _made(market, payout)
    return bought


def forgotten(market: KillMarket, at: Boundary | None) -> Bought:
    """A payout was made, and the database does not know of it, as one that is restored."""
    bought = _earned(market)
    payout = market.pay_out()
    _made(market, payout)
    market.deployment.kill(GATEWAY)
    market.edit("UPDATE payouts SET outbox = NULL, found_tx = NULL, found_block = NULL")
    market.arm(at)
    market.deployment.revive()
    market.reach(at)
    _made(market, payout)
    return bought


def paid_out_later(market: KillMarket, at: Boundary | None) -> Bought:
    """A payout's transaction fails on the chain."""
    bought, contract = _earned(market), market.devnet.payouts.hex
    code = market.chain("eth_getCode", contract, "latest")
    with market.held():
        payout = market.pay_out()
        if not market.until(lambda: int(market.chain("txpool_status")["pending"], 16) > 0):
            raise AssertionError(f"{market.name}: payout {payout.number} is not sent")
        market.arm(at)
        market.chain("anvil_setCode", contract, "0xfe")
    # The block is there. A gateway does not start with another contract than it knows.
    market.chain("anvil_setCode", contract, code)
    market.reach(at)
    failed = market.until(lambda: market.payout(payout.number).attempts > 0)
    if not failed:
        raise AssertionError(f"{market.name}: payout {payout.number} has not failed")
    _made(market, payout)
    return bought


def indexed(market: KillMarket, at: Boundary | None) -> Bought:
    """The token's events are read while the chain goes on; it takes back the newest block."""
    bought = sent(market, market.buy(), at)
    market.reach(at)
    market.chain("anvil_mine", "0x3")  # what is taken back holds nobody's money
    market.take_back()
    if not market.until(market.is_indexed):
        raise AssertionError(f"{market.name}: the index is not what the chain has")
    return bought


_STORIES: dict[str, Story] = {
    "jobs.reserve": answered,
    "settlements.send_settlements": answered,
    "outbox.note_sent": answered,
    "settlements.included": answered,
    "settlements.settled": settled_elsewhere,
    "settlements.refuse": settled_elsewhere_and_replaced,
    "settlements.doubt": cancelled_on_chain,
    "outbox.drop": replaced,
    "outbox.fill": gap,
    "settlements.take_back": taken_back,
    "outbox.unwatch": deep,
    "settlements.lost": never_paid,
    "queue.claim": answered,
    "queue.checkpoint": answered,
    "queue.finish": answered,
    "chain.submit": answered,
    "blobs.put": answered,
    "execution.prove": answered,
    "system.check": answered,
    "queue.give_up": refunded,
    "settlements.send_refund": refunded,
    "settlements.refunded": refunded,
    "queue.release": tried_again,
    "queue.heartbeat": slow,
    "settlements.void": void,
    "outbox.replace": stuck,
    "outbox.note_nonce_spent": replaced,
    "settlements.refund_lost": refund_lost,
    "settlements.uncertain": uncertain,
    "queue.claim_early": early,
    "queue.leave_early": early,
    "jobs.cancel": cancelled,
    "jobs.redeem": by_transfer,
    "sender.post": told,
    "deliveries.delivered": told,
    "deliveries.failed": told_late,
    "payouts.send": paid_out,
    "payouts.paid": paid_out,
    "payouts.found": forgotten,
    "payouts.failed": paid_out_later,
    "events.apply": indexed,
}

HOW: dict[Story, str] = {
    answered: "every job that is paid and answered passes it",
    refunded: "the proof system refuses an input that asks for it",
    tried_again: "the proof system fails once on an input that asks for it",
    slow: "the proof system takes its time until a process has come there",
    void: "the process is killed, and the authorization's end is waited for",
    replaced: "the process is killed, and its number spent, before it is started again",
    refund_lost: "the process is killed, and its number spent, before it is started again",
    settled_elsewhere: "the process is killed, and the payment settled, before it starts again",
    settled_elsewhere_and_replaced: "the same, and its number is spent",
    cancelled_on_chain: "the process is killed, and the payment used up, before it starts again",
    stuck: "the chain is held and mined by hand, at a base fee that is set for each block",
    gap: "the chain is held, and a transaction taken from it that was sent while nobody looked",
    taken_back: "the chain is told to take the settlement's block back",
    deep: "blocks are mined by hand",
    never_paid: "the process is killed, and the chain takes the settlement's block back",
    uncertain: "the chain is held until a process has come there",
    early: "the chain is held until a process has come there",
    cancelled: "the chain is held until the payer's word is taken",
    by_transfer: "every job that a transfer pays for passes it",
    told: "every job with a webhook passes it",
    told_late: "the receiver is told to fail",
    paid_out: "every payout passes it",
    forgotten: "the process is killed, and the database's word of the payout taken away",
    paid_out_later: "the chain is held, and the contract's code gone in the payout's block",
    indexed: "every block that the chain makes or takes back passes it",
}
"""How each story brings its boundary about. None leaves it to the clock."""


@dataclass(frozen=True, slots=True)
class Case:
    """The story that comes to an effect, and how it does."""

    story: Callable[[KillMarket, Boundary | None], object]
    how: str


CASES = {effect: Case(story, HOW[story]) for effect, story in _STORIES.items()}
"""What comes to each effect."""

SECOND = (Boundary("blobs", "put", "before", 2), Boundary("queue", "checkpoint", "after", 2))
"""Effects that a job passes twice: the bundle after the proof, the answer after the proof."""

WORKING = frozenset(
    [
        "queue.claim",
        "queue.claim_early",
        "queue.leave_early",
        "queue.heartbeat",
        "queue.checkpoint",
        "queue.release",
        "queue.finish",
        "queue.give_up",
        "blobs.put",
        "execution.prove",
        "system.check",
    ]
)
"""Effects of a worker. Where workers are processes of their own, the other one takes over."""

TAKING = frozenset(["jobs.reserve", "jobs.redeem", "jobs.cancel"])
"""Effects of a process that takes requests, where a gateway is several."""

BEHIND = tuple(
    map(
        Boundary.read,
        (
            "settlements.send_settlements:after",
            "chain.submit:before",
            "settlements.included:after",
            "blobs.put:before",
            "execution.prove:after",
            "queue.finish:after",
            "settlements.send_refund:after",
            "sender.post:after",
        ),
    )
)
"""Some of what settles and proves for them: what it does is what a gateway of one process does."""


# -- the parts of stories -------------------------------------------------------------------------


def sent(market: KillMarket, bought: Bought, at: Boundary | None) -> Bought:
    """The job at its end, whose payment was sent once the boundary was armed."""
    market.arm(at)
    market.send(bought)
    return _to_its_end(market, bought, at)


def _revived(market: KillMarket, bought: Bought, at: Boundary | None) -> Bought:
    market.arm(at)
    market.deployment.revive()
    return _to_its_end(market, bought, at)


def _stored(market: KillMarket, bought: Bought) -> Bought:
    """The settlement is stored, and not sent; the gateway is down."""
    market.arm(BEFORE_SENDING)
    market.send(bought)
    died(market)
    return bought


def _earned(market: KillMarket) -> Bought:
    """A job that was answered, so deep that nothing takes its payment back."""
    bought = market.buy()
    market.send(bought)
    market.bring_to_end(bought)
    market.chain("anvil_mine", "0xe")
    return bought


def _made(market: KillMarket, payout: Payout) -> None:
    if not market.until(lambda: market.payout(payout.number).state is PayoutState.PAID):
        raise AssertionError(f"{market.name}: payout {payout.number} is not made")


def _settled_again(market: KillMarket, bought: Bought, at: Boundary | None) -> None:
    def again() -> bool:
        state = market.ask(bought) and bought.facts["settlement"]["state"]
        return (at is None or market.deployment.fired) and state == "settled"

    if not market.until(again):
        raise AssertionError(f"{market.name}: job {bought.job} is not settled again")


def _number_spent(
    market: KillMarket, bought: Bought, stored: Boundary, at: Boundary | None
) -> Bought:
    market.arm(stored)
    market.send(bought)
    died(market)
    market.spend_number()
    return _revived(market, bought, at)


def died(market: KillMarket) -> None:
    """Returns when a process has died where the story begins. Raises: AssertionError."""
    if not market.wait_for_death():
        raise AssertionError(f"{market.name}: nobody died where the story begins")
    market.kills += 1


def _to_its_end(market: KillMarket, bought: Bought, at: Boundary | None) -> Bought:
    """The others take over from a worker that died; a gateway is started again."""
    workers = market.deployment.workers
    others = workers if len(workers) > 1 else ()
    if at is not None and _works(at) and others and market.wait_for_death():
        dead = tuple(role for role in others if not market.deployment.alive(role))
        market.bring_to_end(bought, keep_dead=dead)
    else:
        market.bring_to_end(bought)
    return bought


def _works(at: Boundary) -> bool:
    return at.effect in WORKING or at.part in ("openings", PHASE)


def _hidden(market: KillMarket, bought: Bought) -> None:
    """Nothing of the answer is told before the settlement."""
    market.until(lambda: market.ask(bought) != "")
    state, told = bought.state, str(bought.facts)
    if state not in ("reserved", "settling") or "output" in told or "proof" in bought.facts:
        raise AssertionError(f"{market.name}: told before the settlement: {told}")
