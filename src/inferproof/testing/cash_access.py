"""What is sold before it is called, on the chain in memory: a contract of access with rights that
tests hand out. It keeps to what honouring them relies on:

- a call of a right is taken by who may, for who holds it, while it lasts and has calls left
- what was taken is given back once at most
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from inferproof.errors import NotFound, Reason
from inferproof.protocol.access import is_purchase, plan_of
from inferproof.protocol.encoding import Json
from inferproof.protocol.fields import Fields
from inferproof.types.access import (
    Consumption,
    Entitlement,
    Plan,
    PlanKind,
    PlanTerms,
    Purchase,
    Subscription,
)
from inferproof.types.digest import Address, Digest

if TYPE_CHECKING:
    from inferproof.testing.cash import CashLedger

ACCESS = Address(b"\xac" * 20)


@dataclass(frozen=True, slots=True)
class CashRight:
    """What somebody has. Units: `until` in Unix seconds; None for no end, or any number."""

    buyer: Address
    model: Digest
    kind: PlanKind = PlanKind.PASS
    calls: int | None = None
    until: int | None = None
    used: int = 0
    price: int = 0

    def entitles(self, taken: Consumption, now: int) -> bool:
        """Whether a call of it may be taken at this second."""
        lasts = self.until is None or now < self.until
        left = self.calls is None or self.used < self.calls
        return (self.buyer, self.model) == (taken.buyer, taken.model) and lasts and left


class CashAccess:
    """The contract, as a gateway asks it. Implements payments.passes.method.PassChain."""

    address = ACCESS

    def __init__(self, ledger: "CashLedger | None" = None) -> None:
        self.ledger = ledger

    @property
    def _ledger(self) -> "CashLedger":
        assert self.ledger is not None  # noqa: S101 - it is given before anything is asked
        return self.ledger

    def give(self, right: Digest, what: CashRight) -> Digest:
        """The right, which somebody has from now on."""
        self._ledger.rights[right] = what
        return right

    async def head(self) -> int:
        self._ledger.require_up()
        return self._ledger.block

    async def now(self) -> int:
        self._ledger.require_up()
        return self._ledger.time()

    async def may_consume(self, who: Address) -> bool:
        self._ledger.require_up()
        return who in self._ledger.consumers

    async def entitlement(
        self, buyer: Address, commitment: Digest, token: Address, right: Digest
    ) -> Entitlement:
        self._ledger.require_up()
        found = self._ledger.rights.get(right)
        nothing = Digest(bytes(32))
        asked = Consumption(self.address, buyer, commitment, token, right, buyer, nothing, right, 0)
        if found is None or not found.entitles(asked, self._ledger.time()):
            return Entitlement(False, 0)
        return Entitlement(True, found.price)

    async def plan(self, name: Digest) -> Plan:
        found = self._ledger.rights.get(name)
        if found is None:
            raise NotFound(Reason.PLAN_NOT_FOUND, access=self.address, plan=name)
        terms = PlanTerms(found.kind, calls=found.calls or 0)
        return Plan(plan_of(name), found.model, terms, found.price, True, 0)

    async def purchase(self, right: Digest) -> Purchase:
        found = self._ledger.rights.get(right)
        if found is None or not is_purchase(right):
            raise NotFound(Reason.PURCHASE_NOT_FOUND, access=self.address, right=right)
        return Purchase(right, 0, found.until, found.calls, found.used, found.price)

    async def holds(self, holder: Address, right: Digest) -> bool:
        found = self._ledger.rights.get(right)
        return found is not None and found.buyer == holder

    async def subscription(self, plan: Digest, subscriber: Address) -> Subscription:
        found = self._ledger.rights.get(plan)
        if found is None or found.buyer != subscriber:
            return Subscription(0, 0, 0, 0, 0)
        return Subscription(found.until or 2**40, 0, 0, found.used, 0)


def consume(ledger: "CashLedger", taken: Consumption) -> bool:
    """Whether the contract took the call."""
    found = ledger.rights.get(taken.right)
    may = taken.consumer in ledger.consumers
    if not may or found is None or not found.entitles(taken, ledger.time()):
        return False
    ledger.rights[taken.right] = replace(found, used=found.used + 1)
    return True


def restore(ledger: "CashLedger", taken: Consumption) -> None:
    """Gives the call back, where it was taken."""
    found = ledger.rights.get(taken.right)
    if found is not None and found.used:
        ledger.rights[taken.right] = replace(found, used=found.used - 1)


def consumption_json(taken: Consumption) -> dict[str, Json]:
    """What a transaction of this chain carries of it."""
    return {
        "access": taken.access.hex,
        "buyer": taken.buyer.hex,
        "model": taken.model.hex,
        "token": taken.token.hex,
        "right": taken.right.hex,
        "consumer": taken.consumer.hex,
        "nonce": taken.nonce.hex,
        "mark": taken.mark.hex,
        "validBefore": taken.valid_before,
    }


def read_consumption(fields: Fields) -> Consumption:
    """The consumption in a transaction."""
    digests: Mapping[str, Digest] = {
        name: fields.digest(name) for name in ("model", "right", "nonce", "mark")
    }
    found = Consumption(
        access=fields.address("access"),
        buyer=fields.address("buyer"),
        token=fields.address("token"),
        consumer=fields.address("consumer"),
        valid_before=fields.integer("validBefore"),
        **digests,
    )
    fields.end()
    return found
