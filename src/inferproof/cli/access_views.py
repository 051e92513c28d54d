"""What `inferproof access` shows of plans and purchases."""

from typing import Any

from inferproof.cli.console import out, print_json
from inferproof.types.access import Plan, PlanKind, Purchase, Subscription


def plan_json(found: Plan) -> dict[str, Any]:
    """A plan, in JSON's types. Amounts are texts, in atomic units."""
    terms = found.terms
    return {
        "plan": found.name.hex,
        "model": found.model.hex,
        "kind": terms.kind.name.lower(),
        "open": found.is_open,
        "token": None if terms.kind is PlanKind.FREE else terms.token.hex,
        "price": str(found.price),
        "span": terms.span,
        "calls": terms.calls,
        "refund_window": terms.refund_window,
        "transferable": terms.transferable,
        "cap": str(terms.cap),
        "sold": found.sold,
    }


def purchase_json(found: Purchase) -> dict[str, Any]:
    """A purchase, in JSON's types; no end and any number of calls are null."""
    return {
        "right": found.right.hex,
        "refund_until": found.refund_until,
        "until": found.until,
        "calls_left": None if found.calls is None else found.calls - found.used,
        "paid": str(found.paid),
    }


def subscription_json(own: Subscription) -> dict[str, Any]:
    """What a subscriber has paid and allows, in JSON's types."""
    return {
        "paid_until": own.paid_until,
        "renewals": own.renewals,
        "renew_by": own.renew_by,
        "limit": str(own.limit),
        "used": own.used,
    }


def show_facts(facts: dict[str, Any], as_json: bool) -> None:
    """Prints the facts: one JSON object, or a line each."""
    if as_json:
        print_json(facts)
        return
    for name, value in facts.items():
        told = {None: "none", True: "yes", False: "no"}[value] if _is_flag(value) else value
        out.print(f"[bold]{name.replace('_', ' ')}[/]".ljust(30) + f"{told}")


def _is_flag(value: object) -> bool:
    """Whether it is yes, no or nothing: a number that equals one of them is not."""
    return value is None or isinstance(value, bool)
