"""The escrow's rules once more, in plain Python: who has what after each step, and what is refused.

Written from specs/escrow.md, sections 3 to 5, and not from the contract, which it is compared with.
Units: atomic units of one token; Unix seconds.
"""

from collections import Counter
from dataclasses import dataclass, field

from inferproof.types.digest import ZERO_ADDRESS, Address, Digest
from inferproof.types.escrow import Order, OrderStatus

BPS = 10_000


class Refused(Exception):
    """The rules do not allow the step. Its text is the name of the contract's error."""


@dataclass
class Kept:
    """An order, and what became of it."""

    order: Order
    fee: int
    status: OrderStatus = OrderStatus.OPEN
    acceptor: Address = ZERO_ADDRESS
    given: bool = False

    @property
    def locked(self) -> int:
        """What of its money is in the escrow and nobody's."""
        if self.status is OrderStatus.OPEN:
            return self.order.price
        bonded = self.status is OrderStatus.ACCEPTED
        return self.order.price + self.order.bond if bonded else 0


def check(allowed: bool, error: str) -> None:
    if not allowed:
        raise Refused(error)


@dataclass
class EscrowRules:
    """A market whose servers stake the order's bond once, and whose model costs `price`."""

    price: int
    fee_bps: int
    servers: set[Address]
    wallets: Counter[Address]
    balances: Counter[Address]
    fees: int = 0
    paused: bool = False
    orders: dict[Digest, Kept] = field(default_factory=dict)

    # -- money

    def has(self, who: Address) -> int:
        return self.wallets[who] + self.balances[who]

    def deposit(self, who: Address, amount: int) -> None:
        self.wallets[who] -= amount
        self.balances[who] += amount

    def withdraw(self, who: Address, amount: int) -> None:
        check(self.balances[who] >= amount, "BalanceTooLow")
        self.balances[who] -= amount
        self.wallets[who] += amount

    def withdraw_fees(self, to: Address) -> None:
        self.wallets[to] += self.fees
        self.fees = 0

    # -- an order's life

    def request(self, order: Digest, made: Order, now: int) -> None:
        check(not self.paused, "EnforcedPause")
        check(
            now < made.accept_by <= made.input_by < made.deliver_by < made.rescue_by,
            "BadTimes",
        )
        check(order not in self.orders, "OrderExists")
        check(made.price >= self.price, "PriceTooLow")
        self.wallets[made.buyer] -= made.price
        self.orders[order] = Kept(made, made.price * self.fee_bps // BPS)

    def cancel(self, order: Digest, who: Address) -> None:
        kept = self._of(order, OrderStatus.OPEN)
        check(who == kept.order.buyer, "NotBuyer")
        kept.status = OrderStatus.CANCELLED
        self.balances[who] += kept.order.price

    def accept(self, order: Digest, who: Address, acknowledged: bool, now: int) -> None:
        kept = self._of(order, OrderStatus.OPEN)
        made = kept.order
        check(now <= made.accept_by, "TooLate")
        check(made.server in (ZERO_ADDRESS, who), "OtherServerChosen")
        check(not self.paused, "EnforcedPause")
        check(who in self.servers, "NotAServer")
        check(self.balances[who] >= made.bond, "BalanceTooLow")
        self.balances[who] -= made.bond
        kept.status, kept.acceptor = OrderStatus.ACCEPTED, who
        kept.given |= acknowledged

    def acknowledge(self, order: Digest, who: Address, now: int) -> None:
        kept = self._of(order, OrderStatus.ACCEPTED)
        check(who == kept.acceptor, "NotAcceptor")
        check(now <= kept.order.input_by, "TooLate")
        kept.given = True

    def post_input(self, order: Digest, right: bool, now: int) -> None:
        kept = self._of(order, OrderStatus.OPEN, OrderStatus.ACCEPTED)
        check(right, "OtherInput")
        kept.given |= now <= kept.order.input_by

    def deliver(self, order: Digest, who: Address, proven: bool, now: int) -> None:
        """`proven`: whether there is a proof of these outputs that is bound to this server."""
        kept = self._of(order, OrderStatus.ACCEPTED)
        made, late = kept.order, now > kept.order.deliver_by
        check(now <= made.rescue_by, "TooLate")
        if who != kept.acceptor:
            check(late, "NotAcceptor")
            check(who in self.servers, "NotAServer")
        check(proven, "VerifierReverted")
        kept.status = OrderStatus.RESCUED if late else OrderStatus.PAID
        self.fees += kept.fee
        self.balances[who] += made.price - kept.fee
        if late and kept.given:
            self.balances[who] += made.bond // 2
            self.balances[made.buyer] += made.bond - made.bond // 2
        else:
            self.balances[kept.acceptor] += made.bond

    def refund(self, order: Digest, now: int) -> None:
        kept = self._of(order, OrderStatus.OPEN, OrderStatus.ACCEPTED)
        made, accepted = kept.order, kept.status is OrderStatus.ACCEPTED
        end = made.accept_by
        if accepted:
            end = made.rescue_by if kept.given else made.input_by
        check(now > end, "TooEarly")
        kept.status = OrderStatus.REFUNDED
        self.balances[made.buyer] += made.price
        if accepted:
            self.balances[made.buyer if kept.given else kept.acceptor] += made.bond

    # -- what is to hold at any time

    @property
    def held(self) -> int:
        """All that the escrow has to have."""
        locked = sum(kept.locked for kept in self.orders.values())
        return locked + self.fees + self.balances.total()

    @property
    def supply(self) -> int:
        return self.held + self.wallets.total()

    def staked(self, server: Address) -> int:
        """What a server has staked for orders that are not over."""
        accepted = [k for k in self.orders.values() if k.status is OrderStatus.ACCEPTED]
        return sum(kept.order.bond for kept in accepted if kept.acceptor == server)

    def spent(self) -> int:
        """The prices of what was delivered, and of what is not over."""
        back = (OrderStatus.REFUNDED, OrderStatus.CANCELLED)
        return sum(k.order.price for k in self.orders.values() if k.status not in back)

    def _of(self, order: Digest, *statuses: OrderStatus) -> Kept:
        kept = self.orders.get(order)
        if kept is None or kept.status not in statuses:
            raise Refused("WrongStatus")
        return kept
