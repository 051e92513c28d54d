"""What a contract of access says: plans, purchases, and who may call for how much."""

from collections.abc import Sequence
from typing import Any

from inferproof.chain.abi import calldata, decode_values, encode_arguments
from inferproof.chain.rpc import CallReverted, Rpc
from inferproof.errors import Misconfigured, NotFound, Reason
from inferproof.protocol.encoding import keccak256
from inferproof.types.access import (
    Entitlement,
    Plan,
    PlanKind,
    PlanTerms,
    Purchase,
    Subscription,
)
from inferproof.types.digest import ZERO_DIGEST, Address, Digest

TERMS = "(uint8,address,uint32,uint32,uint32,bool,uint96)"
_PLAN = "(bytes32,address,uint96,uint8,bool,bool,uint32,uint32,uint32,uint40,uint96)"
_PURCHASE = "(uint40,uint40,uint32,uint32,uint96)"
_SUBSCRIPTION = "(uint40,uint40,uint32,uint32,uint96)"
PLAN_NAME = f"planName(bytes32,{TERMS})"
PLAN_OF = "planOf(bytes32)"
PURCHASE_OF = "purchaseOf(bytes32)"
SUBSCRIPTION_OF = "subscriptionOf(bytes32,address)"
EARNED = "earned(address,address)"
IS_CONSUMER = "isConsumer(address)"
ENTITLEMENT = "entitlement(address,bytes32,address,bytes32)"
BALANCE_OF = "balanceOf(address,uint256)"
REGISTRY = "REGISTRY()"
OWNER = "owner()"

_UNKNOWN_PLAN = keccak256(b"UnknownPlan(bytes32)")[:4]
_UNKNOWN_PURCHASE = keccak256(b"UnknownPurchase(bytes32)")[:4]


class AccessQuestions:
    """What one contract says through one node; it takes no key."""

    def __init__(self, rpc: Rpc, address: Address) -> None:
        self._rpc = rpc
        self.address = address

    async def registry(self) -> Address:
        """By which it knows models. Raises: Misconfigured CHAIN_BAD_ANSWER; Unavailable."""
        (found,) = await self._ask(REGISTRY, ["address"], "a registry")
        return Address.from_hex(found)

    async def plan(self, name: Digest) -> Plan:
        """Raises: NotFound PLAN_NOT_FOUND; as `registry`."""
        try:
            (found,) = await self._ask(PLAN_OF, [_PLAN], "a plan", name)
        except CallReverted as error:
            _unless(error, _UNKNOWN_PLAN)
            raise NotFound(Reason.PLAN_NOT_FOUND, access=self.address, plan=name) from error
        model, token, price, kind, transferable, is_open, span, calls, window, sold, cap = found
        terms = PlanTerms(
            PlanKind(kind), Address.from_hex(token), span, calls, window, transferable, cap
        )
        return Plan(name, Digest(model), terms, price, is_open, sold)

    async def purchase(self, right: Digest) -> Purchase:
        """A pass or a pack. Raises: NotFound PURCHASE_NOT_FOUND; as `registry`."""
        try:
            (found,) = await self._ask(PURCHASE_OF, [_PURCHASE], "a purchase", right)
        except CallReverted as error:
            _unless(error, _UNKNOWN_PURCHASE)
            raise NotFound(Reason.PURCHASE_NOT_FOUND, access=self.address, right=right) from error
        refund_until, until, calls, used, paid = found
        return Purchase(right, refund_until, until or None, calls or None, used, paid)

    async def subscription(self, plan: Digest, subscriber: Address) -> Subscription:
        """All zeros for who never subscribed. Raises: as `registry`."""
        (found,) = await self._ask(
            SUBSCRIPTION_OF, [_SUBSCRIPTION], "a subscription", plan, subscriber
        )
        return Subscription(*found)

    async def holds(self, holder: Address, right: Digest) -> bool:
        """Whether a pass or a pack is somebody's now. Raises: as `registry`."""
        number = int.from_bytes(right.raw, "big")
        (balance,) = await self._ask(BALANCE_OF, ["uint256"], "a balance", holder, number)
        return bool(balance)

    async def entitlement(
        self, buyer: Address, commitment: Digest, token: Address, right: Digest = ZERO_DIGEST
    ) -> Entitlement:
        """Whether the buyer may call the version now: per call where no right is named, else by a
        plan, or by what was bought of one. Raises: as `registry`."""
        types = ["bool", "uint256"]
        found = await self._ask(
            ENTITLEMENT, types, "an entitlement", buyer, commitment, token, right
        )
        return Entitlement(*found)

    async def earned(self, account: Address, token: Address) -> int:
        """What an account can take out now, in atomic units. Raises: as `registry`."""
        (amount,) = await self._ask(EARNED, ["uint256"], "an amount", account, token)
        return int(amount)

    async def plan_name(self, model: Digest, terms: PlanTerms) -> Digest:
        """What a plan of a model with these terms is named by. Raises: as `registry`."""
        arguments = encode_arguments(["bytes32", TERMS], [model, encoded_terms(terms)])
        answer = await self._rpc.call(
            self.address, selector_of(PLAN_NAME) + arguments, what="planName"
        )
        return Digest(self._read("planName", ["bytes32"], answer, "a name")[0])

    async def _ask(
        self, signature: str, types: Sequence[str], expected: str, *arguments: object
    ) -> tuple[Any, ...]:
        answer = await self._rpc.call(self.address, calldata(signature, *arguments), what=signature)
        return self._read(signature, types, answer, expected)

    def _read(
        self, signature: str, types: Sequence[str], answer: bytes, expected: str
    ) -> tuple[Any, ...]:
        values = decode_values(types, answer)
        if values is None:
            raise Misconfigured(
                Reason.CHAIN_BAD_ANSWER,
                address=self.address,
                call=signature,
                got=len(answer),
                expected=expected,
            )
        return values


def _unless(error: CallReverted, selector: bytes) -> None:
    """Raises the error, unless it is the one of this selector."""
    if error.data[:4] != selector:
        raise error


def selector_of(signature: str) -> bytes:
    """The 4 bytes that a call of the function begins with."""
    return keccak256(signature.encode())[:4]


def encoded_terms(terms: PlanTerms) -> tuple[object, ...]:
    """The terms as the contract takes them."""
    return (
        int(terms.kind),
        terms.token.hex,
        terms.span,
        terms.calls,
        terms.refund_window,
        terms.transferable,
        terms.cap,
    )
