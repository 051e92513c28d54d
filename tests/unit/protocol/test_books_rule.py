"""The books agree to the atomic unit, and each way to disagree has its own sentence."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from inferproof.protocol.encoding import keccak256
from inferproof.protocol.reconciliation import LISTED, Books
from inferproof.types.digest import Address, Digest
from inferproof.types.job import JobState
from inferproof.types.payment import Settlement, SettlementState
from inferproof.types.reconciliation import (
    Account,
    BooksReport,
    CallTaken,
    ChainBooks,
    Entry,
    Fault,
    RefundEntry,
    Reserved,
    Tally,
    Transfer,
)

TILL, PAYER, OTHER = (Address(bytes([n]) * 20) for n in (1, 2, 3))
PRICE = 250_000
FIRST, LAST = 10, 99


def digest(name: str) -> Digest:
    return Digest(keccak256(name.encode()))


JOB, NONCE, TX, REFUND_TX = digest("job"), digest("nonce"), digest("tx"), digest("refund")
PENDING = Settlement(SettlementState.PENDING)
SETTLED = Settlement(SettlementState.SETTLED, TX, 20)
FAILED = Settlement(SettlementState.FAILED)
PAYMENT = Transfer(TX, 20, 5, PAYER, TILL, PRICE, NONCE)
REFUND = Transfer(REFUND_TX, 30, 0, TILL, PAYER, PRICE)
RESERVED = Reserved(PAYER, TILL, PRICE, NONCE)


@dataclass
class Case:
    """One job and what the chain has of it, as it should be."""

    state: JobState | None
    settlement: Settlement | None = SETTLED
    refund: RefundEntry | None = None
    signed: tuple[Digest, ...] = ()
    answered: bool = False
    reserved: Reserved | None = RESERVED
    transfers: tuple[Transfer, ...] = (PAYMENT,)
    opening: int = 1_000
    missing: int = 0
    calls: tuple[CallTaken, ...] | None = None
    others: tuple[Entry, ...] = field(default=())

    @property
    def entry(self) -> Entry:
        return Entry(
            1,
            JOB,
            self.state,
            self.reserved,
            self.settlement,
            self.refund,
            self.signed,
            self.answered,
        )

    def close(self) -> BooksReport:
        change = sum(t.amount for t in self.transfers if t.recipient == TILL)
        change -= sum(t.amount for t in self.transfers if t.sender == TILL)
        till = Account(TILL, self.opening, self.opening + change - self.missing)
        books = Books(ChainBooks(FIRST, LAST, (till,), self.transfers, self.calls))
        for entry in (self.entry, *self.others):
            books.enter(entry)
        return books.close()


def honest(state: JobState) -> Case:
    match state:
        case JobState.RESERVED | JobState.SETTLING | JobState.WITHDRAWN:
            return Case(state, PENDING, transfers=())
        case JobState.VOID:
            return Case(state, FAILED, transfers=())
        case JobState.DONE:
            return Case(state, answered=True)
        case JobState.FAILED:
            return Case(state, refund=RefundEntry("due", None, None))
        case JobState.REFUNDING:
            due = RefundEntry("pending", REFUND_TX, None)
            return Case(state, refund=due, signed=(REFUND_TX,))
        case JobState.REFUNDED:
            back = RefundEntry("settled", REFUND_TX, 30)
            return Case(state, refund=back, signed=(REFUND_TX,), transfers=(PAYMENT, REFUND))
    return Case(state)


@pytest.mark.parametrize("state", JobState)
def test_an_honest_job_agrees(state: JobState) -> None:
    report = honest(state).close()
    assert report.discrepancies == ()
    assert report.balanced
    assert report.jobs == {state: Tally(1, PRICE)}
    assert report.earned == sum(a.closing - a.opening for a in report.accounts)
    assert report.other_income == report.other_outgo == Tally()


def test_the_totals() -> None:
    report = honest(JobState.REFUNDED).close()
    assert (report.settled, report.refunded, report.earned) == (Tally(1, PRICE), Tally(1, PRICE), 0)
    report = honest(JobState.DONE).close()
    assert (report.settled, report.refunded, report.earned) == (Tally(1, PRICE), Tally(), PRICE)
    report = honest(JobState.FAILED).close()
    assert report.pending[JobState.FAILED] == Tally(1, PRICE)


# -- in motion is no fault ----------------------------------------------------------------------


@pytest.mark.parametrize("state", [JobState.RESERVED, JobState.SETTLING, JobState.WITHDRAWN])
def test_money_that_arrived_and_is_not_recorded_yet(state: JobState) -> None:
    report = replace(honest(state), transfers=(PAYMENT,)).close()
    assert report.balanced
    assert report.arriving == Tally(1, PRICE)
    assert report.earned == PRICE


def test_a_refund_that_went_out_and_is_not_recorded_yet() -> None:
    report = replace(honest(JobState.REFUNDING), transfers=(PAYMENT, REFUND)).close()
    assert report.balanced
    assert report.returning == Tally(1, PRICE)
    assert report.earned == 0


def test_what_the_order_book_has_outside_of_the_blocks_is_only_counted() -> None:
    early = replace(honest(JobState.DONE), transfers=())
    early.settlement = Settlement(SettlementState.SETTLED, TX, FIRST - 1)
    late = replace(honest(JobState.DONE), transfers=())
    late.settlement = Settlement(SettlementState.SETTLED, TX, LAST + 1)
    assert early.close().earlier == Tally(1, PRICE)
    assert late.close().later == Tally(1, PRICE)
    assert early.close().balanced
    assert late.close().balanced


def test_both_ends_of_the_blocks_are_looked_up() -> None:
    for block in (FIRST, LAST):
        case = replace(honest(JobState.DONE), transfers=())
        case.settlement = Settlement(SettlementState.SETTLED, TX, block)
        assert [d.fault for d in case.close().discrepancies] == [Fault.SETTLEMENT_NOT_FOUND]


def test_other_transfers_are_told_and_are_no_fault() -> None:
    gift = Transfer(digest("gift"), 40, 0, OTHER, TILL, 7)
    # An authorization that pays for no job: somebody gave it away.
    unknown = Transfer(digest("unknown"), 41, 1, PAYER, TILL, 8, digest("other nonce"))
    withdrawal = Transfer(digest("withdrawal"), 42, 0, TILL, OTHER, 200_000)
    case = replace(honest(JobState.DONE), transfers=(PAYMENT, gift, unknown, withdrawal))
    report = case.close()
    assert report.balanced
    assert report.other_income == Tally(2, 15)
    assert report.other_outgo == Tally(1, 200_000)
    assert report.listed == (gift, unknown, withdrawal)


def test_a_transfer_to_oneself_changes_nothing() -> None:
    around = Transfer(digest("around"), 40, 0, TILL, TILL, 7)
    report = replace(honest(JobState.DONE), transfers=(PAYMENT, around)).close()
    assert report.balanced
    assert report.internal == Tally(1, 7)


def test_the_list_of_other_transfers_ends() -> None:
    gifts = tuple(Transfer(digest(f"g{n}"), 40, n, OTHER, TILL, 1) for n in range(LISTED + 5))
    report = Case(JobState.VOID, FAILED, transfers=gifts).close()
    assert len(report.listed) == LISTED
    assert report.other_income == Tally(LISTED + 5, LISTED + 5)


def test_calls_that_were_bought_before() -> None:
    unknown = replace(CALL, tx=digest("unknown"), index=4)
    report = replace(honest(JobState.DONE), **{**BY_CALL, "calls": (CALL, unknown)}).close()
    assert report.balanced
    assert (report.calls, report.other_calls, report.settled) == (1, 1, Tally())
    # Where no contract of access is asked, calls are not looked for.
    assert replace(honest(JobState.DONE), **{**BY_CALL, "calls": None}).close().balanced


# -- every fault, by one change of an honest job ------------------------------------------------

AGAIN = replace(PAYMENT, tx=digest("again"), block=21)
BACK_AGAIN = replace(REFUND, tx=digest("back again"), block=31)
TWIN = Entry(2, digest("twin"), JobState.DONE, RESERVED, SETTLED, answered=True)
CALL = CallTaken(TX, 20, 3, PAYER, TILL)
BY_CALL: dict[str, Any] = {
    "reserved": replace(RESERVED, amount=0),
    "transfers": (),
    "calls": (CALL,),
}

FAULTS: list[tuple[Fault, JobState, dict[str, Any], str]] = [
    (
        Fault.RESERVATION_WITHOUT_JOB,
        JobState.VOID,
        {"state": None, "settlement": None},
        f"{PAYER} paid 250000 units for a job that is not in the order book",
    ),
    (
        Fault.JOB_WITHOUT_RESERVATION,
        JobState.DONE,
        {"reserved": None},
        "the job is done, and no payment is reserved for it",
    ),
    (
        Fault.JOB_WITHOUT_SETTLEMENT,
        JobState.RESERVED,
        {"settlement": None},
        "the job is reserved, and there is no row of its settlement",
    ),
    (
        Fault.PAID_UNSETTLED,
        JobState.QUEUED,
        {"settlement": PENDING, "transfers": ()},
        "the job is queued, but its settlement is pending",
    ),
    (
        Fault.PAID_UNSETTLED,
        JobState.DONE,
        {"settlement": Settlement(SettlementState.SETTLED)},
        "the job is done, but its settlement is settled without transaction or block",
    ),
    (
        Fault.SETTLED_UNPAID,
        JobState.SETTLING,
        {"settlement": SETTLED, "transfers": (PAYMENT,)},
        "the job is settling, but its settlement is settled",
    ),
    (
        Fault.ANSWER_MISSING,
        JobState.DONE,
        {"answered": False},
        "the job is done, and there is no answer",
    ),
    (
        Fault.ANSWER_UNDUE,
        JobState.REFUNDED,
        {"answered": True},
        "there is an answer, but the job is refunded",
    ),
    (
        Fault.REFUND_MISSING,
        JobState.FAILED,
        {"refund": None},
        "the job is failed, and there is no row of its refund",
    ),
    (
        Fault.REFUND_UNDUE,
        JobState.DONE,
        {"refund": RefundEntry("due", None, None)},
        "the job is done, but a refund is due",
    ),
    (
        Fault.REFUND_STATE,
        JobState.REFUNDED,
        {"refund": RefundEntry("due", None, None)},
        "the job is refunded, but its refund is due",
    ),
    (
        Fault.REFUND_STATE,
        JobState.REFUNDED,
        {"refund": RefundEntry("settled", REFUND_TX, None)},
        "the job is refunded, but its refund is settled without transaction or block",
    ),
    (
        Fault.REFUND_STATE,
        JobState.REFUNDING,
        {"refund": RefundEntry("pending", None, None)},
        "the job is refunding, but its refund is pending without a transaction",
    ),
    (
        Fault.SETTLEMENT_NOT_FOUND,
        JobState.DONE,
        {"transfers": ()},
        f"the job is done, but 250000 units from {PAYER} did not arrive with its authorization "
        "in block 20",
    ),
    (
        Fault.SETTLEMENT_NOT_FOUND,
        JobState.RUNNING,
        # The same money, without the authorization that the job was sold for.
        {"transfers": (replace(PAYMENT, nonce=None),)},
        f"the job is running, but 250000 units from {PAYER} did not arrive with its authorization "
        "in block 20",
    ),
    (
        Fault.SETTLEMENT_ELSEWHERE,
        JobState.DONE,
        {"transfers": (replace(PAYMENT, block=21),)},
        f"the order book has the settlement in {TX} of block 20, the chain in {TX} of block 21",
    ),
    (
        Fault.SETTLEMENT_TWICE,
        JobState.DONE,
        {"transfers": (PAYMENT, AGAIN)},
        f"the authorization moved its funds in {TX}, and again in {AGAIN.tx}",
    ),
    (
        Fault.SETTLEMENT_OF_VOID,
        JobState.VOID,
        {"transfers": (PAYMENT,)},
        f"the job is void, but 250000 units of {PAYER} arrived in {TX}",
    ),
    (
        Fault.SETTLEMENT_SHARED,
        JobState.DONE,
        {"others": (TWIN,)},
        f"the settlement {TX} pays for another job as well",
    ),
    (
        Fault.REFUND_NOT_FOUND,
        JobState.REFUNDED,
        {"transfers": (PAYMENT,)},
        f"the job is refunded, but 250000 units did not go to {PAYER} in {REFUND_TX} of block 30",
    ),
    (
        Fault.REFUND_ELSEWHERE,
        JobState.REFUNDED,
        {"transfers": (PAYMENT, replace(REFUND, block=33))},
        f"the order book has the refund in {REFUND_TX} of block 30, the chain in {REFUND_TX} of "
        "block 33",
    ),
    (
        Fault.REFUND_TWICE,
        JobState.REFUNDED,
        {"signed": (REFUND_TX, BACK_AGAIN.tx), "transfers": (PAYMENT, REFUND, BACK_AGAIN)},
        "the job was refunded in {}, and again in {}".format(*sorted([REFUND_TX, BACK_AGAIN.tx])),
    ),
    (
        Fault.REFUND_UNRECORDED,
        JobState.DONE,
        {"signed": (REFUND_TX,), "transfers": (PAYMENT, REFUND)},
        f"the job is done, but 250000 units went back to {PAYER} in {REFUND_TX}",
    ),
    (
        Fault.REFUND_UNRECORDED,
        # Taken for lost although it is there: it would be paid again.
        JobState.FAILED,
        {"signed": (REFUND_TX,), "transfers": (PAYMENT, REFUND)},
        f"the job is failed, but 250000 units went back to {PAYER} in {REFUND_TX}",
    ),
    (
        Fault.CALL_NOT_FOUND,
        JobState.DONE,
        {**BY_CALL, "calls": ()},
        f"the job is done, but no call of {PAYER} was taken in {TX} of block 20",
    ),
    (
        Fault.CALL_NOT_FOUND,
        JobState.RUNNING,
        {**BY_CALL, "calls": (replace(CALL, buyer=OTHER),)},
        f"the job is running, but no call of {PAYER} was taken in {TX} of block 20",
    ),
    (
        Fault.CALL_SHARED,
        JobState.DONE,
        {**BY_CALL, "others": (replace(TWIN, reserved=BY_CALL["reserved"]),)},
        f"the call that was taken in {TX} is that of another job as well",
    ),
    (
        Fault.BALANCE,
        JobState.DONE,
        {"missing": 1},
        f"{TILL} held 1000 units before block 10 and holds 250999 after block 99; its transfers "
        "explain +250000",
    ),
]


@pytest.mark.parametrize(
    ("fault", "state", "changes", "sentence"), FAULTS, ids=[f"{f.name}-{s}" for f, s, *_ in FAULTS]
)
def test_one_change_is_one_fault(
    fault: Fault, state: JobState, changes: dict[str, Any], sentence: str
) -> None:
    (found,) = replace(honest(state), **changes).close().discrepancies
    assert (found.fault, found.sentence) == (fault, sentence)
    assert found.code == fault.name
    if fault is Fault.BALANCE:
        assert (found.job_id, found.account) == (None, TILL)
    else:
        assert found.job_id in (JOB, TWIN.job_id)


def test_other_funds_than_the_authorization_says() -> None:
    less = replace(PAYMENT, amount=PRICE - 1)
    report = replace(honest(JobState.DONE), transfers=(less,)).close()
    assert [d.fault for d in report.discrepancies] == [
        Fault.SETTLEMENT_OTHER_FUNDS,
        Fault.SETTLEMENT_NOT_FOUND,
    ]
    assert report.discrepancies[0].sentence == (
        f"the authorization over 250000 units moved 249999 units to {TILL} in {TX}"
    )


@pytest.mark.parametrize("wrong", [{"amount": PRICE + 1}, {"recipient": OTHER}])
def test_a_refund_of_other_funds(wrong: dict[str, Any]) -> None:
    moved = replace(REFUND, **wrong)
    report = replace(honest(JobState.REFUNDED), transfers=(PAYMENT, moved)).close()
    assert [d.fault for d in report.discrepancies] == [
        Fault.REFUND_OTHER_FUNDS,
        Fault.REFUND_NOT_FOUND,
    ]
    assert report.discrepancies[0].sentence == (
        f"the refund of 250000 units to {PAYER} moved {moved.amount} units to {moved.recipient} "
        f"in {REFUND_TX}"
    )


def test_every_fault_is_tested() -> None:
    told = {fault for fault, *_ in FAULTS}
    assert told | {Fault.SETTLEMENT_OTHER_FUNDS, Fault.REFUND_OTHER_FUNDS} == set(Fault)


def test_two_refunds_of_one_transaction_count_once_each() -> None:
    """A batch that refunds two equal jobs of one payer."""
    second = replace(REFUND, index=1)
    other = Reserved(PAYER, TILL, PRICE, digest("nonce 2"))
    paid = Transfer(digest("tx 2"), 22, 1, PAYER, TILL, PRICE, other.nonce)
    twin = Entry(
        2,
        digest("job 2"),
        JobState.REFUNDED,
        other,
        Settlement(SettlementState.SETTLED, paid.tx, 22),
        RefundEntry("settled", REFUND_TX, 30),
        (REFUND_TX,),
    )
    case = replace(
        honest(JobState.REFUNDED), transfers=(PAYMENT, paid, REFUND, second), others=(twin,)
    )
    report = case.close()
    assert report.balanced
    assert report.refunded == Tally(2, 2 * PRICE)
    short = replace(case, transfers=(PAYMENT, paid, REFUND)).close()
    assert [d.fault for d in short.discrepancies] == [Fault.REFUND_NOT_FOUND]
