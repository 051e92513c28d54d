"""Sharing a price, naming a payout, and the reasons of a statement."""

import csv
import io
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferproof.protocol.encoding import tagged_digest
from inferproof.protocol.revenue import (
    MAX_ITEMS,
    SENTENCES,
    csv_cell,
    funding_digest,
    funding_nonce,
    ledger_digest,
    payout_id,
    split,
    why_unpaid,
)
from inferproof.services.revenue.views import COLUMNS, csv_text
from inferproof.testing.samples import ASSET
from inferproof.types.digest import Address, Digest
from inferproof.types.escrow import OrderDeliveryState
from inferproof.types.job import JobState
from inferproof.types.money import MAX_AMOUNT, Network
from inferproof.types.payment import SettlementState
from inferproof.types.revenue import (
    Entry,
    Holder,
    OrderFacts,
    PayoutState,
    Shares,
    Standing,
    StatementLine,
    Unpaid,
)

PLATFORM, ANN, CONTRACT = (Address(bytes([n]) * 20) for n in (1, 2, 3))
JOB = Digest(b"\x07" * 32)
FACTS = OrderFacts(
    number=1,
    job_id=JOB,
    created_at=1000,
    model="sample@1.0.0",
    method="exact",
    price=250_000,
    state=JobState.DONE,
    settlement=SettlementState.SETTLED,
    is_deep=True,
    entry=Entry(JOB, ANN, Shares(175_000, 75_000)),
    payout=Standing(3, PayoutState.PAID, credited=False, transaction=JOB, block=9),
)

prices = st.integers(0, MAX_AMOUNT)
shares = st.integers(0, 10_000)


@given(prices, shares)
def test_the_parts_sum_to_the_price(price: int, bps: int) -> None:
    parts = split(price, bps)
    assert parts.developer + parts.platform == parts.price == price
    assert min(parts.developer, parts.platform) >= 0


@given(prices, shares)
def test_what_rounding_leaves_is_the_developers(price: int, bps: int) -> None:
    parts = split(price, bps)
    assert 0 <= parts.developer * 10_000 - price * bps < 10_000
    assert parts.platform * 10_000 <= price * (10_000 - bps)


@given(prices, shares, shares)
def test_a_larger_share_is_never_less(price: int, one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert split(price, low).developer <= split(price, high).developer


@pytest.mark.parametrize(
    ("price", "bps", "expected"),
    [
        (250_000, 7_000, (175_000, 75_000)),
        (1, 7_000, (1, 0)),
        (1, 1, (1, 0)),
        (1, 0, (0, 1)),
        (9_999, 9_999, (9_999, 0)),
        (10_001, 3_333, (3_334, 6_667)),
        (0, 7_000, (0, 0)),
        (5, 10_000, (5, 0)),
    ],
)
def test_known_splits(price: int, bps: int, expected: tuple[int, int]) -> None:
    parts = split(price, bps)
    assert (parts.developer, parts.platform) == expected


@pytest.mark.parametrize(("price", "bps"), [(-1, 7_000), (1, -1), (1, 10_001)])
def test_a_share_that_is_none_is_a_bug_of_ours(price: int, bps: int) -> None:
    with pytest.raises(ValueError, match="basis points"):
        split(price, bps)


# -- names on the chain --------------------------------------------------------------------------


def test_a_ledger_is_of_its_chain_token_contract_and_payer() -> None:
    known = ledger_digest(ASSET, CONTRACT, PLATFORM)
    assert known == tagged_digest(
        "inferproof/revenue-ledger/1",
        ASSET.network.caip2.encode(),
        ASSET.address.raw,
        CONTRACT.raw,
        PLATFORM.raw,
    )
    others = {
        ledger_digest(replace(ASSET, network=Network.evm(1)), CONTRACT, PLATFORM),
        ledger_digest(replace(ASSET, address=ANN), CONTRACT, PLATFORM),
        ledger_digest(ASSET, ANN, PLATFORM),
        ledger_digest(ASSET, CONTRACT, ANN),
    }
    assert len(others | {known}) == 5


def test_the_ids_of_a_payout_share_a_slot_and_no_two_are_alike() -> None:
    ledger = ledger_digest(ASSET, CONTRACT, PLATFORM)
    ids = [payout_id(ledger, number, place) for number in range(1, 4) for place in range(MAX_ITEMS)]
    assert len(set(ids)) == len(ids)
    assert len({each.raw[:31] for each in ids}) == 3
    word = tagged_digest("inferproof/payout/1", ledger.raw, (2).to_bytes(8, "big"))
    assert payout_id(ledger, 2, 9).raw == word.raw[:31] + b"\x09"
    with pytest.raises(ValueError, match="100 items"):
        payout_id(ledger, 1, MAX_ITEMS)


def test_funding_is_signed_for_one_sum_to_one_contract() -> None:
    ledger = ledger_digest(ASSET, CONTRACT, PLATFORM)
    nonce = funding_nonce(ledger, 1)
    assert nonce != funding_nonce(ledger, 2)
    known = funding_digest(ASSET, PLATFORM, CONTRACT, 5, nonce, 9)
    others = {
        funding_digest(ASSET, ANN, CONTRACT, 5, nonce, 9),
        funding_digest(ASSET, PLATFORM, ANN, 5, nonce, 9),
        funding_digest(ASSET, PLATFORM, CONTRACT, 6, nonce, 9),
        funding_digest(ASSET, PLATFORM, CONTRACT, 5, funding_nonce(ledger, 2), 9),
        funding_digest(ASSET, PLATFORM, CONTRACT, 5, nonce, 8),
    }
    assert len(others | {known}) == 6


# -- reasons -------------------------------------------------------------------------------------


def test_every_reason_has_a_sentence() -> None:
    assert set(SENTENCES) == set(Unpaid)


NOT_ENTERED = replace(FACTS, entry=None, payout=None)
WAITING = replace(FACTS, payout=None)
ORDERED = replace(NOT_ENTERED, method="escrow", fee=6_250, delivery=OrderDeliveryState.DELIVERED)
"""One that an escrow has paid for."""


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (FACTS, None),
        (replace(NOT_ENTERED, state=JobState.RUNNING), Unpaid.OPEN),
        (replace(NOT_ENTERED, state=JobState.WITHDRAWN), Unpaid.OPEN),
        (replace(NOT_ENTERED, state=JobState.VOID), Unpaid.NOT_TAKEN),
        (replace(NOT_ENTERED, state=JobState.FAILED), Unpaid.TO_GIVE_BACK),
        (replace(NOT_ENTERED, state=JobState.REFUNDING), Unpaid.TO_GIVE_BACK),
        (replace(NOT_ENTERED, state=JobState.REFUNDED), Unpaid.GIVEN_BACK),
        (replace(NOT_ENTERED, settlement=SettlementState.FAILED), Unpaid.LOST),
        (replace(NOT_ENTERED, settlement=SettlementState.UNCERTAIN), Unpaid.UNCERTAIN),
        (replace(NOT_ENTERED, settlement=None), Unpaid.UNCERTAIN),
        (replace(NOT_ENTERED, is_deep=False), Unpaid.NOT_DEEP),
        (NOT_ENTERED, Unpaid.NOT_ENTERED),
        (replace(ORDERED, delivery=OrderDeliveryState.OPEN), Unpaid.TO_DELIVER),
        (replace(ORDERED, delivery=OrderDeliveryState.ENDED), Unpaid.NOT_DELIVERED),
        (replace(ORDERED, is_deep=False), Unpaid.NOT_DEEP),
        (ORDERED, Unpaid.NOT_ENTERED),
        (replace(ORDERED, state=JobState.FAILED), Unpaid.TO_GIVE_BACK),
        (replace(ORDERED, state=JobState.REFUNDED), Unpaid.GIVEN_BACK),
        (replace(ORDERED, state=JobState.VOID), Unpaid.NOT_TAKEN),
        (replace(WAITING, entry=Entry(JOB, ANN, Shares(0, 9))), Unpaid.ZERO),
        (replace(WAITING, entry=Entry(JOB, PLATFORM, Shares(7, 3))), Unpaid.OWN),
        (WAITING, Unpaid.WAITS),
        (replace(FACTS, payout=Standing(3, PayoutState.DUE, credited=False)), Unpaid.UNDER_WAY),
        (replace(FACTS, payout=Standing(3, PayoutState.SENT, credited=False)), Unpaid.UNDER_WAY),
        (replace(FACTS, payout=Standing(3, PayoutState.PAID, credited=True)), Unpaid.CREDITED),
    ],
)
def test_each_unpaid_order_has_its_reason(facts: OrderFacts, expected: Unpaid | None) -> None:
    assert why_unpaid(facts, PLATFORM) is expected


def test_a_line_tells_where_the_money_came_in() -> None:
    entry = Entry(JOB, ANN, Shares(170_625, 73_125))
    assert StatementLine(FACTS, None).received_in is Holder.ACCOUNT
    assert StatementLine(replace(ORDERED, entry=entry), None).received_in is Holder.ESCROW
    assert StatementLine(ORDERED, Unpaid.NOT_ENTERED).received_in is None


def test_too_little_is_told_apart_from_waiting() -> None:
    assert why_unpaid(WAITING, PLATFORM, {ANN}) is Unpaid.SMALL
    assert why_unpaid(FACTS, PLATFORM, {ANN}) is None


# -- CSV -----------------------------------------------------------------------------------------


@given(st.text())
def test_no_cell_is_a_formula(text: str) -> None:
    cell = csv_cell(text)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert cell in (text, f"'{text}")


def test_a_statement_as_csv() -> None:
    hostile = replace(FACTS, model='=HYPERLINK("x"),\n@1.0.0')
    rows = list(
        csv.reader(
            io.StringIO(
                csv_text(
                    [
                        StatementLine(hostile, None),
                        StatementLine(NOT_ENTERED, Unpaid.NOT_ENTERED),
                    ]
                ),
                newline="",
            )
        )
    )
    assert tuple(rows[0]) == COLUMNS
    paid, unpaid = (dict(zip(COLUMNS, row, strict=True)) for row in rows[1:])
    assert paid["model"] == '\'=HYPERLINK("x"),\n@1.0.0'
    assert (paid["developer_share"], paid["platform_share"]) == ("175000", "75000")
    assert (paid["fee"], paid["received_in"], unpaid["received_in"]) == ("0", "account", "")
    assert (paid["paid"], paid["reason"], paid["payout"], paid["block"]) == ("175000", "", "3", "9")
    assert (unpaid["paid"], unpaid["developer"], unpaid["payout"]) == ("0", "", "")
    assert (unpaid["reason"], unpaid["why"]) == ("not_entered", "it was not entered yet")
