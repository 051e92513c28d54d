"""Plans of access: their names, and terms that do not belong together."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferproof.errors import Reason, RequestRejected
from inferproof.protocol.access import check_plan, is_purchase, plan_of
from inferproof.testing.rejections import rejects
from inferproof.types.access import PlanKind, PlanTerms
from inferproof.types.digest import ZERO_ADDRESS, Address, Digest

TOKEN = Address(b"\x12" * 20)
FREE = PlanTerms(PlanKind.FREE, span=60, calls=2)
PASS = PlanTerms(PlanKind.PASS, TOKEN, span=60, refund_window=10, transferable=True)
PACK = PlanTerms(PlanKind.PACK, TOKEN, calls=3)
SUBSCRIPTION = PlanTerms(PlanKind.SUBSCRIPTION, TOKEN, span=60)
LOAD = PlanTerms(PlanKind.LOAD, TOKEN, span=60, calls=10, cap=400)


@given(st.binary(min_size=24, max_size=24), st.integers(1, 2**64 - 1))
def test_what_was_bought_names_its_plan(plan: bytes, serial: int) -> None:
    name = Digest(plan + bytes(8))
    right = Digest(plan + serial.to_bytes(8, "big"))
    assert plan_of(right) == plan_of(name) == name
    assert is_purchase(right)
    assert not is_purchase(name)


@pytest.mark.parametrize("terms", [FREE, PASS, PACK, SUBSCRIPTION, LOAD], ids=lambda t: t.kind.name)
def test_terms_that_belong_together_are_taken(terms: PlanTerms) -> None:
    check_plan(terms, 0 if terms is FREE else 400)


@pytest.mark.parametrize(
    ("terms", "price", "why"),
    [
        (replace(PASS, span=2**32), 1, "a span has 0 to 2^32 - 1 seconds"),
        (replace(PASS, refund_window=-1), 1, "a refund window has 0 to 2^32 - 1 seconds"),
        (replace(PACK, calls=2**32), 1, "calls are 0 to 2^32 - 1"),
        (PASS, 2**96, "a price is below 2^96"),
        (replace(LOAD, cap=2**96), 1, "a cap is below 2^96"),
        (replace(PASS, span=0), 1, "a plan of kind pass has a span"),
        (replace(PASS, calls=1), 1, "a pass has any number of calls"),
        (replace(PACK, calls=0), 1, "a plan of kind pack names its calls"),
        (replace(LOAD, calls=0), 1, "a plan of kind load names its calls"),
        (replace(SUBSCRIPTION, refund_window=1), 1, "only a pass or a pack can be given back"),
        (replace(SUBSCRIPTION, transferable=True), 1, "only a pass or a pack can be handed on"),
        (replace(PASS, cap=1), 1, "only a price that follows load has a cap"),
        (LOAD, 401, "the price is above its cap"),
        (FREE, 1, "a free plan costs nothing"),
        (replace(FREE, token=TOKEN), 0, "a free plan has no token, and every other has one"),
        (replace(PASS, token=ZERO_ADDRESS), 1, "a free plan has no token, and every other has one"),
    ],
)
def test_others_are_told(terms: PlanTerms, price: int, why: str) -> None:
    with rejects(
        Reason.PLAN_TERMS,
        f"the terms of the plan do not belong together: {why}",
        kind=RequestRejected,
    ):
        check_plan(terms, price)
