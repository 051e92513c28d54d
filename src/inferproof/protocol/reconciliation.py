"""The books: whether orders, settlements, refunds and balances agree to the atomic unit.

What the order book says of each job is held against what the token itself says: every Transfer
to or from an account of ours in a span of blocks, and whether it used up an authorization.

    entries of the order book ─► enter ─┐
    transfers and balances    ──────────┴─► close ─► BooksReport

| the job is | then |
|---|---|
| paid (lifecycle.PAID) | exactly one settlement of exactly its funds, where the entry says; |
| | for a transfer that was claimed: one such transfer, of no authorization, that no other claimed |
| the same, for nothing | exactly one call that was bought before, taken where the entry says |
| void | no settlement |
| reserved, settling, withdrawn | whatever the chain did so far is in motion, and no fault |
| refunded | exactly one refund of exactly its amount to its payer, where the entry says |
| refunding | at most one refund, which may be on the chain already |
| anything else | no refund |

A transfer explains one job. What explains none is other income or other outgo: a withdrawal by
the operator, a gift. Whatever it is called, opening balance + income - outgo is the closing one.

Soundness: read the transfers before the entries. Money then never moved for an entry that was
not there yet, and what an entry says of a later block is left for the next time. An entry may
still be about a block that the chain has dropped since; look twice before you believe a fault.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import islice

from inferproof.protocol.lifecycle import PAID
from inferproof.types.digest import Address, Digest
from inferproof.types.job import JobState
from inferproof.types.payment import Settlement, SettlementState
from inferproof.types.reconciliation import (
    BooksReport,
    CallTaken,
    ChainBooks,
    Discrepancy,
    Entry,
    Fault,
    RefundEntry,
    Reserved,
    Tally,
    Transfer,
)

OWED = frozenset({JobState.FAILED, JobState.REFUNDING, JobState.REFUNDED})
"""States of a job that has a refund."""
LISTED = 100
"""How many transfers of each other kind a report lists; it counts them all."""


@dataclass(slots=True)
class _Tallies:
    jobs: dict[JobState, Tally] = field(default_factory=dict)
    settled: Tally = field(default_factory=Tally)
    refunded: Tally = field(default_factory=Tally)
    arriving: Tally = field(default_factory=Tally)
    returning: Tally = field(default_factory=Tally)
    earlier: Tally = field(default_factory=Tally)
    later: Tally = field(default_factory=Tally)


class Books:
    """One comparison: made of what the chain says, given each entry once, then closed."""

    def __init__(self, chain: ChainBooks) -> None:
        self._chain = chain
        self._ours = frozenset(account.address for account in chain.accounts)
        self._settlements: dict[tuple[Address, Digest], list[Transfer]] = defaultdict(list)
        self._claimable: dict[Digest, list[Transfer]] = defaultdict(list)
        self._outgo: dict[Digest, list[Transfer]] = defaultdict(list)
        self._explained: set[tuple[int, int]] = set()
        self._calls: dict[Digest, list[CallTaken]] = defaultdict(list)
        for call in chain.calls or ():
            self._calls[call.tx].append(call)
        self._calls_explained: set[tuple[int, int]] = set()
        self._tallies = _Tallies()
        self._found: list[Discrepancy] = []
        for transfer in chain.transfers:
            if transfer.recipient in self._ours and transfer.nonce is not None:
                self._settlements[transfer.sender, transfer.nonce].append(transfer)
            elif transfer.recipient in self._ours:
                self._claimable[transfer.tx].append(transfer)
            if transfer.sender in self._ours:
                self._outgo[transfer.tx].append(transfer)

    def enter(self, entry: Entry) -> None:
        """Compares one entry with itself and with the chain."""
        paid = entry.reserved
        if entry.state is not None:
            amount = paid.amount if paid is not None else 0
            jobs = self._tallies.jobs
            jobs[entry.state] = jobs.get(entry.state, Tally()).plus(amount)
        if paid is None:
            self._fault(Fault.JOB_WITHOUT_RESERVATION, entry)
            return
        if entry.state is None:
            self._fault(Fault.RESERVATION_WITHOUT_JOB, entry)
        else:
            self._check_rows(entry, entry.state)
        if paid.amount == 0:  # no money moved for it, and none goes back
            self._check_call(entry, paid)
            return
        self._check_settlement(entry, paid)
        self._check_refund(entry, paid)

    def close(self, *, left_out: int = 0) -> BooksReport:
        """The report on all entries; nothing is entered after it."""
        income, outgo, internal = Tally(), Tally(), Tally()
        listed: list[Transfer] = []
        for transfer in self._chain.transfers:
            if _place(transfer) in self._explained:
                continue
            if transfer.sender in self._ours and transfer.recipient in self._ours:
                internal = internal.plus(transfer.amount)
                continue
            if transfer.recipient in self._ours:
                income = income.plus(transfer.amount)
                shown = income.count <= LISTED
            else:
                outgo = outgo.plus(transfer.amount)
                shown = outgo.count <= LISTED
            if shown:
                listed.append(transfer)
        self._check_balances()
        t = self._tallies
        return BooksReport(
            first_block=self._chain.first_block,
            last_block=self._chain.last_block,
            accounts=self._chain.accounts,
            jobs=t.jobs,
            settled=t.settled,
            refunded=t.refunded,
            arriving=t.arriving,
            returning=t.returning,
            earlier=t.earlier,
            later=t.later,
            other_income=income,
            other_outgo=outgo,
            internal=internal,
            listed=tuple(listed),
            discrepancies=tuple(self._found),
            left_out=left_out,
            calls=len(self._calls_explained),
            other_calls=len(self._chain.calls or ()) - len(self._calls_explained),
        )

    # -- the order book by itself -----------------------------------------------------------

    def _check_rows(self, entry: Entry, state: JobState) -> None:
        settlement, refund = entry.settlement, entry.refund
        if settlement is None:
            self._fault(Fault.JOB_WITHOUT_SETTLEMENT, entry)
        elif state in PAID and not _is_whole(settlement):
            self._fault(Fault.PAID_UNSETTLED, entry, settlement=_shown(settlement))
        elif state not in PAID and settlement.state is SettlementState.SETTLED:
            self._fault(Fault.SETTLED_UNPAID, entry)
        if state is JobState.DONE and not entry.answered:
            self._fault(Fault.ANSWER_MISSING, entry)
        if state is not JobState.DONE and entry.answered:
            self._fault(Fault.ANSWER_UNDUE, entry)
        if state in OWED and refund is None:
            self._fault(Fault.REFUND_MISSING, entry)
        elif state not in OWED and refund is not None:
            self._fault(Fault.REFUND_UNDUE, entry, refund=refund.state)
        elif refund is not None and not _fits(state, refund):
            self._fault(Fault.REFUND_STATE, entry, refund=_shown_refund(refund))

    # -- settlements ------------------------------------------------------------------------

    def _check_settlement(self, entry: Entry, paid: Reserved) -> None:
        moved = self._moved(paid)
        exact = [t for t in moved if (t.recipient, t.amount) == (paid.payee, paid.amount)]
        for other in moved:
            if other not in exact:
                self._explain(entry, other)
                self._fault(
                    Fault.SETTLEMENT_OTHER_FUNDS,
                    entry,
                    got=other.amount,
                    to=other.recipient,
                    found=other.tx,
                )
        if len(exact) > 1:
            self._fault(Fault.SETTLEMENT_TWICE, entry, found=exact[0].tx, again=exact[1].tx)
        for transfer in exact:
            self._explain(entry, transfer)
        found = exact[0] if exact else None
        if entry.state in PAID:
            self._check_paid(entry, paid, found)
        elif found is None:
            return
        elif entry.state is JobState.VOID:
            self._fault(Fault.SETTLEMENT_OF_VOID, entry, found=found.tx)
        elif entry.state is not None:
            self._tallies.arriving = self._tallies.arriving.plus(paid.amount)

    def _moved(self, paid: Reserved) -> list[Transfer]:
        """What paid: the transfers of an authorization, or the one that a claim spent.

        Several equal transfers of one transaction are as good as each other: each claim takes one.
        """
        if paid.transaction is None:
            return self._settlements.get((paid.payer, paid.nonce), [])
        terms = (paid.payer, paid.payee, paid.amount)
        free = (
            transfer
            for transfer in self._claimable.get(paid.transaction, [])
            if (transfer.sender, transfer.recipient, transfer.amount) == terms
            and _place(transfer) not in self._explained
        )
        return list(islice(free, 1))

    def _check_paid(self, entry: Entry, paid: Reserved, found: Transfer | None) -> None:
        said = entry.settlement
        if said is None or said.transaction is None or said.block is None:
            return  # told by the rows
        if found is not None:
            self._tallies.settled = self._tallies.settled.plus(paid.amount)
            self._check_place(
                Fault.SETTLEMENT_ELSEWHERE, entry, found, said.transaction, said.block
            )
        elif self._covers(said.block):
            self._fault(Fault.SETTLEMENT_NOT_FOUND, entry, block=said.block)
        else:
            self._outside(said.block, paid.amount)

    # -- calls that were bought before ------------------------------------------------------

    def _check_call(self, entry: Entry, paid: Reserved) -> None:
        """Soundness: of which right it was is not compared; the settler did that."""
        said = entry.settlement
        if entry.state not in PAID or said is None or self._chain.calls is None:
            return
        if said.transaction is None or said.block is None or not self._covers(said.block):
            return
        own = [
            call
            for call in self._calls.get(said.transaction, [])
            if (call.block, call.buyer, call.consumer) == (said.block, paid.payer, paid.payee)
        ]
        if not own:
            tx, block = said.transaction, said.block
            self._fault(Fault.CALL_NOT_FOUND, entry, tx=tx, block=block)
            return
        free = [c for c in own if (c.block, c.index) not in self._calls_explained]
        if not free:
            self._fault(Fault.CALL_SHARED, entry, found=said.transaction)
            return
        self._calls_explained.add((free[0].block, free[0].index))

    # -- refunds ----------------------------------------------------------------------------

    def _check_refund(self, entry: Entry, paid: Reserved) -> None:
        said = entry.refund
        signed = set(entry.refund_transactions)
        if said is not None and said.transaction is not None:
            signed.add(said.transaction)
        looked = [self._refund_in(entry, paid, tx) for tx in sorted(signed)]
        refunds = [transfer for transfer in looked if transfer is not None]
        if len(refunds) > 1:
            self._fault(Fault.REFUND_TWICE, entry, found=refunds[0].tx, again=refunds[1].tx)
        found = refunds[0] if refunds else None
        if entry.state is JobState.REFUNDED:
            self._check_refunded(entry, paid, refunds)
        elif found is None:
            return
        elif entry.state is JobState.REFUNDING:
            self._tallies.returning = self._tallies.returning.plus(paid.amount)
        else:
            self._fault(Fault.REFUND_UNRECORDED, entry, found=found.tx)

    def _refund_in(self, entry: Entry, paid: Reserved, tx: Digest) -> Transfer | None:
        """The refund of this job in a transaction that was signed to make it."""
        free = [t for t in self._outgo.get(tx, []) if _place(t) not in self._explained]
        for transfer in free:
            if (transfer.recipient, transfer.amount) == (paid.payer, paid.amount):
                self._explain(entry, transfer)
                return transfer
        for transfer in free[:1]:
            self._fault(
                Fault.REFUND_OTHER_FUNDS,
                entry,
                got=transfer.amount,
                to=transfer.recipient,
                found=tx,
            )
        return None

    def _check_refunded(self, entry: Entry, paid: Reserved, refunds: list[Transfer]) -> None:
        said = entry.refund
        if said is None or said.transaction is None or said.block is None:
            return  # told by the rows
        if refunds:
            self._tallies.refunded = self._tallies.refunded.plus(paid.amount)
            same = [t for t in refunds if t.tx == said.transaction]
            self._check_place(
                Fault.REFUND_ELSEWHERE, entry, (same or refunds)[0], said.transaction, said.block
            )
        elif self._covers(said.block):
            self._fault(Fault.REFUND_NOT_FOUND, entry, tx=said.transaction, block=said.block)
        else:
            self._outside(said.block, paid.amount)

    # -- what both need ---------------------------------------------------------------------

    def _check_place(
        self, fault: Fault, entry: Entry, found: Transfer, tx: Digest, block: int
    ) -> None:
        if (found.tx, found.block) != (tx, block):
            self._fault(fault, entry, tx=tx, block=block, found=found.tx, found_block=found.block)

    def _check_balances(self) -> None:
        change: dict[Address, int] = defaultdict(int)
        for transfer in self._chain.transfers:
            change[transfer.sender] -= transfer.amount
            change[transfer.recipient] += transfer.amount
        for account in self._chain.accounts:
            if account.closing - account.opening != change[account.address]:
                facts = {
                    "account": account.address,
                    "opening": account.opening,
                    "closing": account.closing,
                    "first": self._chain.first_block,
                    "last": self._chain.last_block,
                    "explained": f"{change[account.address]:+d}",
                }
                sentence = Fault.BALANCE.value.format(**facts)
                self._found.append(Discrepancy(Fault.BALANCE, sentence, account=account.address))

    def _explain(self, entry: Entry, transfer: Transfer) -> None:
        if _place(transfer) in self._explained:
            self._fault(Fault.SETTLEMENT_SHARED, entry, found=transfer.tx)
        self._explained.add(_place(transfer))

    def _covers(self, block: int) -> bool:
        return self._chain.first_block <= block <= self._chain.last_block

    def _outside(self, block: int, amount: int) -> None:
        if block < self._chain.first_block:
            self._tallies.earlier = self._tallies.earlier.plus(amount)
        else:
            self._tallies.later = self._tallies.later.plus(amount)

    def _fault(self, fault: Fault, entry: Entry, **facts: object) -> None:
        state = entry.state.value if entry.state is not None else "absent"
        known: dict[str, object] = {"state": state}
        if entry.reserved is not None:
            known |= {"payer": entry.reserved.payer, "amount": entry.reserved.amount}
        sentence = fault.value.format(**{**known, **facts})
        self._found.append(Discrepancy(fault, sentence, entry.job_id))


def _place(transfer: Transfer) -> tuple[int, int]:
    return transfer.block, transfer.index


def _is_whole(settlement: Settlement) -> bool:
    return (
        settlement.state is SettlementState.SETTLED
        and settlement.transaction is not None
        and settlement.block is not None
    )


def _shown(settlement: Settlement) -> str:
    if settlement.state is SettlementState.SETTLED:
        return "settled without transaction or block"
    return settlement.state.value


def _fits(state: JobState, refund: RefundEntry) -> bool:
    """Whether a refund may be as it is while the job is in a state that has one."""
    if state is JobState.FAILED:
        return refund.state == "due"
    if state is JobState.REFUNDING:
        return refund.state == "pending" and refund.transaction is not None
    whole = refund.transaction is not None and refund.block is not None
    return refund.state == "settled" and whole


def _shown_refund(refund: RefundEntry) -> str:
    if refund.state == "settled":
        return "settled without transaction or block"
    return "pending without a transaction" if refund.state == "pending" else refund.state
