"""What a statement says, as JSON and as rows of a CSV file. Amounts are decimal text in atomic
units."""

import csv
import io
from collections.abc import Iterable
from typing import Any

from inferproof.protocol.revenue import SENTENCES, csv_cell
from inferproof.types.revenue import Balance, Payout, StatementLine

COLUMNS = (
    *("order", "job_id", "created_at", "model", "method", "state", "price"),
    *("fee", "developer", "developer_share", "platform_share", "received_in"),
    *("paid", "reason", "why", "payout", "transaction", "block"),
)


def line_json(line: StatementLine) -> dict[str, Any]:
    """One order of a statement."""
    facts, shares, unpaid = line.facts, line.shares, line.unpaid
    entry, payout = facts.entry, facts.payout
    transaction = None if payout is None else payout.transaction
    return {
        "order": facts.number,
        "job_id": facts.job_id.hex,
        "created_at": facts.created_at,
        "model": facts.model,
        "method": facts.method,
        "state": facts.state.value,
        "price": str(facts.price),
        "fee": str(facts.fee),
        "developer": None if entry is None else entry.developer.hex,
        "developer_share": str(shares.developer),
        "platform_share": str(shares.platform),
        "received_in": None if line.received_in is None else line.received_in.value,
        "paid": str(0 if unpaid is not None else shares.developer),
        "reason": None if unpaid is None else unpaid.value,
        "why": None if unpaid is None else SENTENCES[unpaid],
        "payout": None if payout is None else payout.number,
        "transaction": None if transaction is None else transaction.hex,
        "block": None if payout is None else payout.block,
    }


def balance_json(balance: Balance) -> dict[str, Any]:
    """What is due to one developer and in no payout."""
    return {
        "developer": balance.developer.hex,
        "amount": str(balance.amount),
        "orders": balance.orders,
    }


def payout_json(payout: Payout) -> dict[str, Any]:
    """One payout, and whom it pays."""
    return {
        "number": payout.number,
        "state": payout.state.value,
        "created_at": payout.created_at,
        "payer": payout.payer.hex,
        "contract": payout.contract.hex,
        "amount": str(payout.total),
        "attempts": payout.attempts,
        "transaction": None if payout.transaction is None else payout.transaction.hex,
        "block": payout.block,
        "items": [
            {
                "developer": item.developer.hex,
                "amount": str(item.amount),
                "credited": item.position in payout.credited,
            }
            for item in payout.items
        ],
    }


def csv_text(lines: Iterable[StatementLine]) -> str:
    """The lines with a head, as RFC 4180 has them; no cell begins as a formula does."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for line in lines:
        values = line_json(line)
        writer.writerow([csv_cell(values[name]) for name in COLUMNS])
    return text.getvalue()
