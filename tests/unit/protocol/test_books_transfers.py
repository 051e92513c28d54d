"""The books of jobs that an earlier transfer paid for."""

from dataclasses import replace

import pytest

from inferproof.protocol.reconciliation import Books
from inferproof.types.digest import Address, Digest
from inferproof.types.job import JobState
from inferproof.types.payment import Settlement, SettlementState
from inferproof.types.reconciliation import (
    Account,
    ChainBooks,
    Entry,
    Fault,
    Reserved,
    Tally,
    Transfer,
)

PAYER, PAYEE = Address(b"\x01" * 20), Address(b"\x02" * 20)
TX = Digest(b"\x0a" * 32)


def moved(index: int, amount: int = 300, nonce: Digest | None = None) -> Transfer:
    return Transfer(TX, 7, index, PAYER, PAYEE, amount, nonce)


def entry(number: int, amount: int = 300) -> Entry:
    return Entry(
        number=number,
        job_id=Digest(bytes([number]) * 32),
        state=JobState.QUEUED,
        reserved=Reserved(PAYER, PAYEE, amount, Digest(bytes([64 + number]) * 32), TX),
        settlement=Settlement(SettlementState.SETTLED, TX, 7),
    )


def books(*transfers: Transfer) -> Books:
    closing = sum(transfer.amount for transfer in transfers)
    return Books(ChainBooks(1, 9, (Account(PAYEE, 0, closing),), transfers))


def test_each_claim_takes_one_transfer() -> None:
    checked = books(moved(0), moved(1), moved(2, amount=5))
    checked.enter(entry(1))
    checked.enter(entry(2))
    report = checked.close()
    assert report.balanced, report.discrepancies
    assert (report.settled, report.other_income) == (Tally(2, 600), Tally(1, 5))


@pytest.mark.parametrize(
    "transfer", [moved(0, amount=299), moved(0, nonce=Digest(b"\x0b" * 32)), None]
)
def test_a_transfer_that_is_not_there(transfer: Transfer | None) -> None:
    checked = books(*([] if transfer is None else [transfer]))
    checked.enter(entry(1))
    assert [d.fault for d in checked.close().discrepancies] == [Fault.SETTLEMENT_NOT_FOUND]


def test_two_claims_to_one_transfer() -> None:
    checked = books(moved(0))
    checked.enter(entry(1))
    checked.enter(entry(2))
    (found,) = checked.close().discrepancies
    assert (found.fault, found.job_id) == (Fault.SETTLEMENT_NOT_FOUND, entry(2).job_id)


def test_the_stated_block_is_compared() -> None:
    checked = books(moved(0))
    wrong = replace(entry(1), settlement=Settlement(SettlementState.SETTLED, TX, 8))
    checked.enter(wrong)
    assert [d.fault for d in checked.close().discrepancies] == [Fault.SETTLEMENT_ELSEWHERE]
