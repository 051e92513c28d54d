"""The tables. Migrations repeat them; a test holds the two together.

| table | one row for |
|---|---|
| models | a version of a model |
| followed_registries | a registry on a chain by which models are sold, and when it was asked |
| provider_scores | what a market on a chain says of who has models, by which lists are ranked |
| payment_reservations | a payment, which is thereby single-use |
| jobs | a paid request, in the same transaction as its reservation |
| webhook_deliveries | a webhook, stored with the step that it tells, before it is sent |
| job_events | a step in a job's life, in the same transaction as the step |
| settlements, refunds | what the chain did with a job's money |
| outbox | a number of a sender, and what its transaction is for |
| outbox_raws | a signed transaction with that number, stored before it is sent |
| outbox_jobs | a job whose money the transaction moves |
| watched_blocks | a block that money was believed to be in, until it is deep |
| checkpoints | a step of an unfinished job that need not be done again |
| answers | the result of a finished job |
| verifications | a verification made here |
| api_keys | a key that a caller is known and limited by |
| opening_stores | a key whose openings this database counts, with a secret that no backup holds |
| opening_ranges | a range of a key's openings that some store counts |
| revenue | what a settled order brings developer and platform; see docs/guide/revenue.md |
| payouts | payments to developers that are made together |
| payout_items | one of them |
| event_sets | a set of contracts of one chain whose events are read, and how far they were |
| event_blocks | a block that was read, while its header is kept |
| chain_events | an event of a contract, as the chain holds it |
| chain_event_keys | an indexed argument of an event, by which the event is found |
| order_deliveries | the delivery on a chain that an order in an escrow is paid for |

A payment is kept alike whatever its method: its key (network, token, payer, nonce), payee, amount
and signature, the name of its method, and in `terms` the canonical JSON that only the method reads.
It has a second at which it `ends`, unless its money was moved before the order, by the transaction
`tx`: then its settlement is recorded with it.

Digests and addresses are kept as their text, so that an operator can query them. Amounts of a
payment are decimal text: no SQL number is exact over all of uint256 everywhere.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from inferproof.storage.sql.columns import AddressText, DigestText, Uint256Text, Words
from inferproof.storage.sql.constructs import IN_ITS_INDEX, having
from inferproof.types.digest import Digest

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


NUMBER = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts up only a column whose type is exactly INTEGER."""


def _number() -> Column[int]:
    return Column("number", NUMBER, primary_key=True, autoincrement=True)


def _job(**options: Any) -> Column[Digest]:
    return Column("job_id", DigestText, ForeignKey("jobs.job_id"), nullable=False, **options)


def _job_number(**options: Any) -> Column[int]:
    """The job by its number: rows of jobs that came together are neighbours, in a table and in
    its indexes, and few pages hold them. An id is a digest: each is somewhere else."""
    return Column("job", NUMBER, ForeignKey("jobs.number"), nullable=False, **options)


models = Table(
    "models",
    metadata,
    _number(),
    Column("id", String(64), nullable=False),
    Column("version", String(64), nullable=False),
    Column("commitment", DigestText, nullable=False, index=True),
    Column("provider", AddressText, nullable=False),
    Column("proof_system", String(64), nullable=False),
    Column("title", String(100), nullable=False),
    Column("category", String(64), nullable=False),
    Column("input_type", String(16), nullable=False),
    Column("output_type", String(16), nullable=False),
    Column("price", BigInteger, nullable=False),
    Column("status", String(16), nullable=False),
    Column("document", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("bundle_blob", DigestText, nullable=False),
    Column("estimate", Text),
    Column("calls", BigInteger, nullable=False),
    Column("done", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("prove_ms_total", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    # Last, as a migration adds it. Null where no registry is followed.
    Column("listed_price", BigInteger),
    UniqueConstraint("id", "version"),
)

followed_registries = Table(
    "followed_registries",
    metadata,
    Column("network", String(32), primary_key=True),
    Column("registry", AddressText, primary_key=True),
    Column("token", AddressText, primary_key=True),
    Column("block", BigInteger, nullable=False),
    Column("heard_at", BigInteger, nullable=False),
)

provider_scores = Table(
    "provider_scores",
    metadata,
    Column("provider", AddressText, primary_key=True),
    Column("score", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    _number(),
    Column("job_id", DigestText, nullable=False, unique=True),
    Column("state", String(16), nullable=False),
    Column("model_id", String(64), nullable=False),
    Column("model_version", String(64), nullable=False),
    Column("model_commitment", DigestText, nullable=False),
    Column("method", String(16), nullable=False),
    Column("path", String(2048), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("request_digest", DigestText, nullable=False),
    Column("quote", Text, nullable=False),
    Column("quote_signature", LargeBinary, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("nonce_salt", DigestText),
    Column("first_block", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("lease_until", BigInteger),
    Column("deadline", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("failure_code", String(64)),
    Column("failure_message", Words),
    Column("failure_facts", Text),
    Column("webhook", String(2048)),
    Column("turn", BigInteger, nullable=False, server_default=text("0")),
    Column("api_key", String(16)),
    # Last, as a migration adds it. Of a request with a private input.
    Column("request_salt", LargeBinary),
    # Of an order in an escrow, whose money is earned by a delivery.
    Column("deliver_by", BigInteger),
    Index(None, "state", "turn", "number"),
)

job_events = Table(
    "job_events",
    metadata,
    _job_number(primary_key=True, autoincrement=False),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("transition", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("at", BigInteger, nullable=False),
    # A row is little more than its key.
    **IN_ITS_INDEX,
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    _number(),
    _job(),
    Column("seq", Integer, nullable=False),
    Column("job_state", String(16), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("url", String(2048), nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", BigInteger, nullable=False),
    Column("tried_at", BigInteger),
    Column("problem", Words),
    UniqueConstraint("job_id", "seq"),
    Index(None, "state", "next_at"),
)

payment_reservations = Table(
    "payment_reservations",
    metadata,
    Column("network", String(32), primary_key=True),
    Column("token", AddressText, primary_key=True),
    Column("payer", AddressText, primary_key=True),
    Column("nonce", DigestText, primary_key=True),
    Column("job_id", DigestText, nullable=False, unique=True),
    Column("request_digest", DigestText, nullable=False),
    Column("payment_id", String(128)),
    Column("payee", AddressText, nullable=False),
    Column("amount", Uint256Text, nullable=False),
    Column("ends", Uint256Text),
    Column("signature", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("tx", DigestText),
    Column("method", String(32), nullable=False),
    Column("terms", Text, nullable=False),
    Index(
        "uq_payment_reservations_payer_payment_id",
        *("payer", "payment_id"),
        unique=True,
        **having("payment_id"),
    ),
)

settlements = Table(
    "settlements",
    metadata,
    _job_number(primary_key=True, autoincrement=False),
    Column("state", String(16), nullable=False),
    Column("tx", DigestText),
    Column("block", BigInteger),
    Column("updated_at", BigInteger, nullable=False),
    Column("step", String(16)),
    Column("doubted_at", BigInteger),
    Index(None, "block", **having("block")),
    Index(None, "step", **having("step")),
)

refunds = Table(
    "refunds",
    metadata,
    _job(primary_key=True),
    Column("state", String(16), nullable=False),
    Column("tx", DigestText),
    Column("block", BigInteger),
    Column("updated_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("retry_at", BigInteger, nullable=False, server_default="0"),
    Index(None, "block", **having("block")),
)

outbox = Table(
    "outbox",
    metadata,
    _number(),
    Column("kind", String(16), nullable=False),
    Column("network", String(32), nullable=False),
    Column("sender", AddressText, nullable=False),
    Column("nonce", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("nonce_spent_at", BigInteger),
    Column("included_tx", DigestText),
    Column("block", BigInteger, index=True),
    Index(None, "network", "sender", "state", "nonce"),
)


def _outbox(**options: Any) -> Column[int]:
    return Column("outbox", NUMBER, ForeignKey("outbox.number"), nullable=False, **options)


outbox_raws = Table(
    "outbox_raws",
    metadata,
    _number(),
    _outbox(index=True),
    Column("tx", DigestText, nullable=False, unique=True),
    Column("raw", LargeBinary, nullable=False),
    Column("fee_cap", Uint256Text, nullable=False),
    Column("fee_tip", Uint256Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("sent_at", BigInteger),
)

outbox_jobs = Table(
    "outbox_jobs",
    metadata,
    _outbox(primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    _job_number(index=True),
    **IN_ITS_INDEX,
)

watched_blocks = Table(
    "watched_blocks",
    metadata,
    Column("network", String(32), primary_key=True),
    Column("block", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", DigestText, nullable=False),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    _job(primary_key=True),
    Column("step", String(16), primary_key=True),
    Column("fence", BigInteger, nullable=False),
    Column("blob", DigestText),
    Column("value", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
)

answers = Table(
    "answers",
    metadata,
    _job(primary_key=True),
    Column("outputs", Text, nullable=False),
    Column("proof_digest", DigestText, nullable=False, index=True),
    Column("proof_blob", DigestText, nullable=False),
    Column("verifier_blob", DigestText, nullable=False),
    Column("receipt", LargeBinary, nullable=False),
    Column("timings", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    # Last, as a migration adds them. Answers of before have neither.
    Column("proof_size", BigInteger),
    Column("out_of_range", BigInteger),
)

verifications = Table(
    "verifications",
    metadata,
    _number(),
    Column("subject", DigestText, nullable=False, index=True),
    Column("kind", String(32), nullable=False),
    Column("verified", Boolean, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("job_id", DigestText, index=True),
    Column("assurance", String(32)),
    Column("reason", String(64)),
    Column("message", Words),
    Column("steps", Text, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("digest", DigestText, nullable=False),
    Column("label", Words, nullable=False),
    Column("factor", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
)

opening_stores = Table(
    "opening_stores",
    metadata,
    Column("key", DigestText, primary_key=True),
    Column("secret", DigestText, nullable=False),
)

opening_ranges = Table(
    "opening_ranges",
    metadata,
    Column("key", DigestText, primary_key=True),
    Column("first", BigInteger, primary_key=True, autoincrement=False),
    Column("store", DigestText, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False),
    Column("taken", BigInteger, nullable=False),
    Column("delegated", BigInteger, nullable=False),
)

payouts = Table(
    "payouts",
    metadata,
    # Not counted up by the database: the contract pays a number once, whichever copy has it.
    Column("number", NUMBER, primary_key=True, autoincrement=False),
    Column("network", String(32), nullable=False),
    Column("token", AddressText, nullable=False),
    Column("payer", AddressText, nullable=False),
    Column("contract", AddressText, nullable=False),
    Column("first_block", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("retry_at", BigInteger, nullable=False),
    Column("outbox", NUMBER, ForeignKey("outbox.number"), index=True),
    Column("found_tx", DigestText),
    Column("found_block", BigInteger),
)

payout_items = Table(
    "payout_items",
    metadata,
    Column(
        "payout",
        NUMBER,
        ForeignKey("payouts.number"),
        nullable=False,
        primary_key=True,
        autoincrement=False,
    ),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("developer", AddressText, nullable=False),
    Column("amount", Uint256Text, nullable=False),
    Column("credited", Boolean, nullable=False),
)

revenue = Table(
    "revenue",
    metadata,
    _job_number(primary_key=True, autoincrement=False),
    Column("developer", AddressText, nullable=False),
    Column("developer_share", Uint256Text, nullable=False),
    Column("platform_share", Uint256Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("payout", NUMBER, ForeignKey("payouts.number"), index=True),
)

event_sets = Table(
    "event_sets",
    metadata,
    _number(),
    Column("chain_id", BigInteger, nullable=False),
    Column("digest", DigestText, nullable=False, unique=True),
    Column("sources", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("covered", Text, nullable=False),
    Column("head", BigInteger, nullable=False),
    Column("confirmed", BigInteger, nullable=False),
)


def _event_set() -> Column[int]:
    return Column(
        "event_set",
        NUMBER,
        ForeignKey("event_sets.number"),
        primary_key=True,
        autoincrement=False,
    )


event_blocks = Table(
    "event_blocks",
    metadata,
    _event_set(),
    Column("block", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", DigestText, nullable=False),
    Column("parent", DigestText, nullable=False),
    Column("time", BigInteger, nullable=False),
)

chain_events = Table(
    "chain_events",
    metadata,
    _event_set(),
    Column("block", BigInteger, primary_key=True, autoincrement=False),
    Column("log_index", BigInteger, primary_key=True, autoincrement=False),
    Column("block_hash", DigestText, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("tx", DigestText, nullable=False),
    Column("address", AddressText, nullable=False),
    Column("topic", DigestText),
    Column("topics", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("provisional", Boolean, nullable=False),
    Index(None, "event_set", "address", "block", "log_index"),
    Index(None, "event_set", "topic", "block", "log_index"),
)

chain_event_keys = Table(
    "chain_event_keys",
    metadata,
    _event_set(),
    Column("key", DigestText, primary_key=True),
    Column("block", BigInteger, primary_key=True, autoincrement=False),
    Column("log_index", BigInteger, primary_key=True, autoincrement=False),
    Index(None, "event_set", "block"),
    **IN_ITS_INDEX,
)

order_deliveries = Table(
    "order_deliveries",
    metadata,
    _job_number(primary_key=True, autoincrement=False),
    Column("deliver_by", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("outbox", NUMBER, ForeignKey("outbox.number"), index=True),
    Column("tx", DigestText),
    Column("block", BigInteger),
    Column("attempts", Integer, nullable=False),
    Column("retry_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("failure_code", String(64)),
    Column("failure_message", Words),
    Column("failure_facts", Text),
    Index(None, "state", "deliver_by"),
)
