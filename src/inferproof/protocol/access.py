"""Plans of access: what they are named by, and which terms belong together.

Source: specs/access.md. Of what is bought by them, protocol/passes.py says how it pays for a call.
"""

from inferproof.errors import Reason, RequestRejected
from inferproof.types.access import PlanKind, PlanTerms
from inferproof.types.digest import ZERO_ADDRESS, Digest

MAX_SPAN = MAX_CALLS = 2**32 - 1
MAX_PRICE = 2**96 - 1
SERIAL_BYTES = 8
"""At the end of a name: zero in a plan's, a number in that of what was bought of it."""


def plan_of(right: Digest) -> Digest:
    """The plan that a name belongs to: its own, or that of what was bought of it."""
    return Digest(right.raw[:-SERIAL_BYTES] + bytes(SERIAL_BYTES))


def is_purchase(right: Digest) -> bool:
    """Whether it names what was bought, and not a plan."""
    return plan_of(right) != right


def check_plan(terms: PlanTerms, price: int) -> None:
    """Returns when terms and price belong together. Raises: RequestRejected PLAN_TERMS."""
    kind = terms.kind
    bought = kind in (PlanKind.PASS, PlanKind.PACK)
    any_number = kind in (PlanKind.PASS, PlanKind.SUBSCRIPTION)
    for refused, why in (
        (not 0 <= terms.span <= MAX_SPAN, "a span has 0 to 2^32 - 1 seconds"),
        (not 0 <= terms.refund_window <= MAX_SPAN, "a refund window has 0 to 2^32 - 1 seconds"),
        (not 0 <= terms.calls <= MAX_CALLS, "calls are 0 to 2^32 - 1"),
        (not 0 <= price <= MAX_PRICE, "a price is below 2^96"),
        (not 0 <= terms.cap <= MAX_PRICE, "a cap is below 2^96"),
        (kind is not PlanKind.PACK and terms.span == 0, f"a plan of kind {_name(kind)} has a span"),
        (kind is PlanKind.PASS and terms.calls != 0, "a pass has any number of calls"),
        (not any_number and terms.calls == 0, f"a plan of kind {_name(kind)} names its calls"),
        (not bought and terms.refund_window != 0, "only a pass or a pack can be given back"),
        (not bought and terms.transferable, "only a pass or a pack can be handed on"),
        (kind is not PlanKind.LOAD and terms.cap != 0, "only a price that follows load has a cap"),
        (kind is PlanKind.LOAD and price > terms.cap, "the price is above its cap"),
        (kind is PlanKind.FREE and price != 0, "a free plan costs nothing"),
        (
            (kind is PlanKind.FREE) != (terms.token == ZERO_ADDRESS),
            "a free plan has no token, and every other has one",
        ),
    ):
        if refused:
            raise RequestRejected(Reason.PLAN_TERMS, why=why)


def _name(kind: PlanKind) -> str:
    return kind.name.lower()
