"""Orders in an escrow: their id, their times, their JSON, what a server earns."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from eth_account.messages import encode_typed_data
from eth_utils import keccak
from hypothesis import given
from hypothesis import strategies as st

from inferproof.errors import Reason, RequestRejected
from inferproof.protocol.encoding import canonical_json
from inferproof.protocol.escrow import (
    LONGEST_S,
    ORDER,
    check_times,
    order_id,
    order_json,
    order_of,
    order_values,
    read_order,
    server_share,
)
from inferproof.protocol.json_text import read_json
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Address, Digest
from inferproof.types.escrow import ContractAssurance, Order, OrderStatus

ESCROW = Address(b"\x44" * 20)
NOW = 1_800_000_000
MADE = Order(
    buyer=Address(b"\x01" * 20),
    token=Address(b"\x02" * 20),
    price=250_000,
    bond=50_000,
    model=Digest(b"\x03" * 32),
    input_commitment=Digest(b"\x04" * 32),
    inputs=Digest(b"\x05" * 32),
    assurance=ContractAssurance.ZK_INTEGRITY,
    accept_by=NOW + 60,
    input_by=NOW + 60,
    deliver_by=NOW + 600,
    rescue_by=NOW + 1200,
    salt=Digest(b"\x06" * 32),
    plan=Digest(b"\x07" * 32),
    server=Address(b"\x08" * 20),
)
digests = st.binary(min_size=32, max_size=32).map(Digest)
addresses = st.binary(min_size=20, max_size=20).map(Address)
amounts, times = st.integers(0, 2**128 - 1), st.integers(0, 2**40 - 1)
orders = st.builds(
    Order,
    buyer=addresses,
    token=addresses,
    price=amounts,
    bond=amounts,
    model=digests,
    input_commitment=digests,
    inputs=digests,
    assurance=st.sampled_from(ContractAssurance),
    accept_by=times,
    input_by=times,
    deliver_by=times,
    rescue_by=times,
    salt=digests,
    plan=digests,
    server=addresses,
)


def _as_wallets_have_it(order: Order) -> dict[str, Any]:
    return {
        name: value.hex if isinstance(value, Address | Digest) else value
        for name, value in order_values(order).items()
    }


@given(orders)
def test_the_id_is_that_of_another_implementation(order: Order) -> None:
    domain = {
        "name": "inferproof escrow",
        "version": "1",
        "chainId": 8453,
        "verifyingContract": ESCROW.hex,
    }
    message = encode_typed_data(
        domain_data=domain, message_types=ORDER.types(), message_data=_as_wallets_have_it(order)
    )
    other = keccak(b"\x19" + message.version + message.header + message.body)
    assert order_id(order, 8453, ESCROW).raw == other


def test_every_field_and_the_place_change_the_id() -> None:
    others = [
        replace(MADE, buyer=ESCROW),
        replace(MADE, token=ESCROW),
        replace(MADE, price=1),
        replace(MADE, bond=1),
        replace(MADE, model=MADE.salt),
        replace(MADE, input_commitment=MADE.salt),
        replace(MADE, inputs=MADE.salt),
        replace(MADE, assurance=ContractAssurance.ANY),
        replace(MADE, accept_by=1),
        replace(MADE, input_by=1),
        replace(MADE, deliver_by=1),
        replace(MADE, rescue_by=1),
        replace(MADE, salt=MADE.model),
        replace(MADE, plan=MADE.model),
        replace(MADE, server=ESCROW),
    ]
    ids = {order_id(order, 1, ESCROW) for order in (MADE, *others)}
    ids |= {order_id(MADE, 2, ESCROW), order_id(MADE, 1, MADE.buyer)}
    assert len(others) == len(ORDER.fields)
    assert len(ids) == 3 + len(others)


@given(orders)
def test_json_round_trips(order: Order) -> None:
    assert read_order(read_json(canonical_json(order_json(order)))) == order


@given(orders)
def test_what_events_tell_is_the_order(order: Order) -> None:
    told = {
        name: value.raw if isinstance(value, Digest) else value
        for name, value in order_values(order).items()
    }
    assert order_of({n: v.hex if isinstance(v, Address) else v for n, v in told.items()}) == order


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("buyer", "0x12"),
        ("buyer", None),
        ("buyer", "0x" + "AB" * 20),
        ("price", 250_000),
        ("price", "-1"),
        ("price", "01"),
        ("price", str(2**128)),
        ("bond", str(2**128)),
        ("model", "0x" + "AB" * 32),
        ("assurance", 5),
        ("assurance", True),
        ("accept_by", -1),
        ("rescue_by", 2**40),
        ("salt", b"\x06" * 32),
        ("more", 1),
    ],
)
def test_another_json_is_refused(name: str, value: object) -> None:
    with rejects(
        Reason.FIELD_MALFORMED,
        f"field {name} of the order is malformed",
        kind=RequestRejected,
    ):
        read_order({**order_json(MADE), name: value})


def test_times_that_an_escrow_takes() -> None:
    check_times(MADE, NOW)
    check_times(MADE, NOW + 59)
    check_times(replace(MADE, rescue_by=NOW + LONGEST_S), NOW)


@pytest.mark.parametrize(
    "change",
    [
        lambda o: replace(o, accept_by=NOW),
        lambda o: replace(o, input_by=o.accept_by - 1),
        lambda o: replace(o, deliver_by=o.input_by),
        lambda o: replace(o, rescue_by=o.deliver_by),
    ],
)
def test_times_that_are_not_one_after_the_other(change: Callable[[Order], Order]) -> None:
    order = change(MADE)
    told = (order.accept_by, order.input_by, order.deliver_by, order.rescue_by)
    with rejects(
        Reason.ORDER_TIMES,
        f"the escrow would not take the order: at {NOW}, its times {told} are not one after the "
        "other",
        kind=RequestRejected,
    ):
        check_times(order, NOW)


def test_an_order_ends_within_thirty_days() -> None:
    with rejects(
        Reason.ORDER_TIMES,
        "the escrow would not take the order: it ends more than 30 days from now",
        kind=RequestRejected,
    ):
        check_times(replace(MADE, rescue_by=NOW + LONGEST_S + 1), NOW)


@given(amounts, st.integers(0, 1000))
def test_share_and_fee_are_the_price(price: int, fee_bps: int) -> None:
    fee = price - server_share(price, fee_bps)
    assert fee * 10_000 <= price * fee_bps < (fee + 1) * 10_000


def test_what_is_over_stays() -> None:
    assert [status.name for status in OrderStatus if status.is_over] == [
        "PAID", "RESCUED", "REFUNDED", "CANCELLED"
    ]  # fmt: skip
