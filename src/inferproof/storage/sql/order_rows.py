"""An order as one row of values, which is what a new one makes in four tables.

Orders come by the thousand a second. What is common to all of them stands in the statement, and
what is common to the quotes of one model is encoded once.
"""

import json
from functools import lru_cache
from typing import Any

from inferproof.protocol.lifecycle import RESERVE
from inferproof.protocol.quote import quote_json
from inferproof.storage.ports.jobs import Order
from inferproof.storage.sql.new_rows import FromRow, NewRows, Place
from inferproof.storage.sql.tables import job_events, jobs, payment_reservations, settlements
from inferproof.types.digest import ZERO_DIGEST, Address, Digest
from inferproof.types.job import JobState
from inferproof.types.money import Money
from inferproof.types.payment import Quote, SettlementState

_PAYMENT = (
    *("network", "token", "payer", "nonce", "job_id", "request_digest", "payment_id", "payee"),
    *("amount", "method", "terms", "signature", "created_at"),
)
_JOB = (
    *("model_id", "model_version", "model_commitment", "method", "path", "body", "quote"),
    *("quote_signature", "salt", "nonce_salt", "first_block", "webhook", "deadline", "turn"),
    "api_key",
)


def _given(*names: str) -> dict[str, str]:
    return {name: FromRow(name) for name in names}


_RESERVED = f"'{JobState.RESERVED.value}'"
ORDERS = NewRows(
    (*_PAYMENT, *_JOB),
    (
        Place(payment_reservations, _given(*_PAYMENT)),
        Place(
            jobs,
            {
                **_given("job_id", "request_digest", "created_at", *_JOB),
                "updated_at": FromRow("created_at"),
                "state": _RESERVED,
                "attempts": "0",
                "fence": "0",
            },
        ),
    ),
    follow=(
        Place(
            settlements,
            {
                "job": "number",
                "updated_at": "created_at",
                "state": f"'{SettlementState.PENDING.value}'",
            },
        ),
        Place(
            job_events,
            {
                "job": "number",
                "at": "created_at",
                "seq": "1",
                "transition": f"'{RESERVE}'",
                "state": "state",
            },
        ),
    ),
    key="job_id",
    in_order_of=("network", "token", "payer", "nonce"),
)
"""New orders, in the tables that have a row for each."""
_ZERO = ZERO_DIGEST.raw.hex()
JOB_ID = ORDERS.names.index("job_id")


def order_row(order: Order, turn: int) -> tuple[Any, ...]:
    """The values of an order whose payment is still to be settled, by `ORDERS.names`."""
    payment, request, salt = order.payment, order.request, order.nonce_salt
    return (
        payment.asset.network.caip2,
        _address(payment.asset.address),
        _address(payment.payer),
        "0x" + payment.nonce.raw.hex(),
        "0x" + order.job_id.raw.hex(),
        "0x" + order.request_digest.raw.hex(),
        order.payment_id,
        _address(payment.payee),
        str(payment.amount),
        payment.method,
        payment.terms.decode("ascii"),
        payment.signature,
        order.created_at,
        order.model_id,
        order.model_version,
        "0x" + order.model_commitment.raw.hex(),
        request.method,
        request.path,
        request.body,
        quote_text(order.quote),
        order.quote_signature,
        order.salt,
        None if salt is None else "0x" + salt.raw.hex(),
        order.first_block,
        order.webhook,
        order.deadline,
        turn,
        order.api_key,
    )


def _address(address: Address) -> str:
    return "0x" + address.raw.hex()


def quote_text(quote: Quote) -> str:
    """The quote as it is kept: its JSON without spaces, by name."""
    start, middle, between, end = _common(
        quote.model_id,
        quote.model_commitment,
        quote.proof_system,
        quote.provider,
        quote.price,
        quote.payee,
        (quote.prove_ms, quote.peak_bytes, quote.proof_bytes, quote.verify_gas),
    )
    request = quote.request_digest.raw.hex()
    return f"{start}{quote.expires_at}{middle}{quote.issued_at}{between}{request}{end}"


@lru_cache(maxsize=256)
def _common(
    model_id: str,
    commitment: Digest,
    proof_system: str,
    provider: Address,
    price: Money,
    payee: Address,
    costs: tuple[int, int, int, int],
) -> tuple[str, str, str, str]:
    """What stands around the two times and the request in the quotes of one model."""
    quote = Quote(
        model_id, commitment, proof_system, provider, price, payee, ZERO_DIGEST, *costs, 0, 0
    )
    rest, parts = plain_quote_text(quote), []
    # A name with its quotation marks stands nowhere in a value: there they are escaped.
    for name, value in (
        ('"expiresAt":', "0"),
        ('"issuedAt":', "0"),
        ('"requestDigest":"0x', _ZERO),
    ):
        before, _, rest = rest.partition(name + value)
        parts.append(before + name)
    return parts[0], parts[1], parts[2], rest


def plain_quote_text(quote: Quote) -> str:
    """The same, made of the quote alone."""
    return json.dumps(quote_json(quote), sort_keys=True, separators=(",", ":"))
