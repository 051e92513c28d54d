"""The shapes that go over the wire, and how the services' values become them.

Field names are snake_case here; signed structs (quote, receipt, authorization) keep the names
of their EIP-712 types. Amounts of money are decimal strings of atomic units, and a second
field says the same for people. Digests and addresses are 0x and lower-case hex.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

HEX32 = "0x" + "ab" * 32
HEX20 = "0x" + "cd" * 20
_NOW = 1_767_225_600

Object = dict[str, Any]


class Wire(BaseModel):
    """Base of all shapes: frozen, and nothing beyond what is declared."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ErrorBody(Wire):
    code: str = Field(description="Stable code; never changes once released.")
    message: str = Field(description="One sentence: what is wrong and how to mend it.")
    facts: Object | None = Field(None, description="The values behind the message.")


class ErrorEnvelope(Wire):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "error": {
                        "code": "MODEL_UNKNOWN",
                        "message": "there is no model fraud@9.0.0",
                        "facts": {"model": "fraud@9.0.0"},
                    }
                }
            ]
        }
    )
    error: ErrorBody


class Health(Wire):
    status: Literal["ok"] = "ok"
    version: str = Field(examples=["0.1.0"])


class Check(Wire):
    ok: bool
    detail: str = Field(examples=["chain eip155:31337 answers, block 42"])


class Readiness(Wire):
    ready: bool
    checks: dict[str, Check]


class Amount(Wire):
    amount: str = Field(description="Atomic units as a decimal string.", examples=["250000"])
    text: str = Field(description="The same for people.", examples=["0.25 USDC"])
    asset: Object = Field(description="Network, token, decimals and EIP-712 domain.")


class Estimate(Wire):
    prove_ms: int
    verify_ms: int
    peak_bytes: int
    key_bytes: int
    proof_bytes: int
    verify_gas: int


class Statistics(Wire):
    calls: int
    done: int
    failed: int
    prove_ms: int = Field(description="Mean over the answers; 0 when there are none.")


class InputInfo(Wire):
    type: str = Field(examples=["text"])
    max_bytes: int
    tensors: dict[str, list[int]] = Field(
        description="Shapes of the graph's inputs, after pre-processing.",
        examples=[{"text": [1, 128]}],
    )
    examples: list[Object] = Field(
        description="Whole bodies of the paid call, as they must be sent.",
        examples=[[{"title": "A rise", "body": {"input": "Ether rallies"}, "label": "positive"}]],
    )


class OutputInfo(Wire):
    type: str = Field(examples=["classification"])
    labels: list[str] = Field(examples=[["negative", "neutral", "positive"]])
    unit: str = Field(examples=["logit"])


class ProofInfo(Wire):
    system: str = Field(examples=["sumcheck"])
    system_version: str = Field(examples=["23.0.5"])
    setup: str = Field(examples=["ceremony"])
    input_visibility: str = Field(examples=["public"])
    private_inputs: bool | None = Field(
        None,
        description="Whether a proof can be about a private input; null where that is not known.",
    )
    assurance: str = Field(examples=["zk-private"])
    proven: str = Field(description="What a proof of this model proves, in one sentence.")


class Links(Wire):
    self: str = Field(examples=["/v1/models/crypto-news-sentiment@1.0.0"])
    infer: str
    verifier: str


class ModelInfo(Wire):
    id: str = Field(examples=["crypto-news-sentiment"])
    version: str = Field(examples=["1.0.0"])
    name: str = Field(examples=["crypto-news-sentiment@1.0.0"])
    status: Literal["pending", "active", "suspended", "withdrawn"]
    title: str
    description: str
    category: str = Field(examples=["sentiment"])
    developer: str
    license: str
    provider: str = Field(examples=[HEX20])
    commitment: str = Field(examples=[HEX32])
    file: Object = Field(
        description="Size of the ONNX file.",
        examples=[{"bytes": 18234}],
    )
    input: InputInfo
    output: OutputInfo
    price: Amount
    payee: str
    revenue: dict[str, int] = Field(examples=[{"developer_bps": 7000, "platform_bps": 3000}])
    proof: ProofInfo
    estimate: Estimate | None = Field(None, description="Present once the model was approved.")
    statistics: Statistics
    created_at: int = Field(examples=[_NOW])
    updated_at: int = Field(examples=[_NOW])
    links: Links


class ModelPage(Wire):
    models: list[ModelInfo]
    limit: int
    offset: int
    next_offset: int | None = Field(None, description="Absent on the last page.")


class QuoteRequest(Wire):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [{"model": "crypto-news-sentiment", "request_digest": HEX32}]
        },
    )
    model: str = Field(min_length=1, max_length=140)
    request_digest: str | None = Field(
        None,
        description="Binds the quote to one request; absent: it holds for any call of the model.",
        pattern="^0x[0-9a-f]{64}$",
    )


class QuoteInfo(Wire):
    id: str = Field(description="EIP-712 digest of the quote.", examples=[HEX32])
    quote: Object = Field(description="The signed struct; see specs/receipt.md.")
    signature: str
    gateway: str = Field(description="Who signed.", examples=[HEX20])
    text: str = Field(examples=["0.25 USDC for crypto-news-sentiment"])
    proof: ProofInfo | None = Field(
        None, description="Of the model's proofs, where a quote was asked for."
    )


class OutputTensor(Wire):
    name: str = Field(examples=["logits"])
    shape: list[int] = Field(examples=[[1, 3]])
    values: list[float] = Field(
        description="Row-major; integers × scale.", examples=[[-1.5, 0.25, 2.0]]
    )
    integers: list[int] = Field(
        description="The proven fixed-point integers.", examples=[[-6, 1, 8]]
    )
    scale: float = Field(examples=[0.25])


class OutputView(Wire):
    tensors: list[OutputTensor]
    label: str | None = Field(None, examples=["positive"])
    scores: dict[str, float] | None = Field(
        None,
        description="Value of each label, in the model's unit, where there are labels.",
        examples=[{"negative": -1.5, "neutral": 0.25, "positive": 2.0}],
    )
    unit: str = Field(examples=["logit"])
    out_of_range: int | None = Field(
        None,
        description="How many values of the input lay beyond the range that the model was "
        "calibrated for, and were cut to it. Absent where the proof system has no such range, "
        "and in answers of before it was counted.",
        examples=[0],
    )


class ProofView(Wire):
    digest: str = Field(examples=[HEX32])
    url: str = Field(examples=[f"/v1/proofs/{HEX32}"])
    bytes: int = Field(examples=[4096])
    assurance: str = Field(examples=["zk-integrity"])
    proven: str


class SettlementView(Wire):
    state: Literal["pending", "settled", "failed", "uncertain"]
    network: str = Field(examples=["eip155:31337"])
    transaction: str | None = Field(None, examples=[HEX32])
    block: int | None = Field(None, examples=[17])


class FailureView(Wire):
    code: str
    message: str
    facts: dict[str, str]


class RefundView(Wire):
    state: Literal["due", "pending", "settled"]
    transaction: str | None = None
    block: int | None = None


class PaymentView(Wire):
    kind: Literal["authorization", "transfer"] = Field(
        description="An authorization that the gateway settles, or a transfer made before."
    )
    payer: str
    payee: str
    amount: Amount
    nonce: str = Field(
        description="What makes the payment single-use: of an authorization its own nonce, of a "
        "transfer a digest of transaction and log index."
    )
    transaction: str | None = Field(None, description="Of a transfer.", examples=[HEX32])
    log_index: int | None = Field(
        None, description="Of a transfer: its place among the logs of its transaction, from 0."
    )


class JobLinks(Wire):
    self: str
    receipt: str
    model: str


class JobInfo(Wire):
    job_id: str = Field(examples=[HEX32])
    state: Literal[
        "reserved",
        "settling",
        "queued",
        "running",
        "done",
        "failed",
        "refunding",
        "refunded",
        "withdrawn",
        "void",
    ]
    model: str = Field(examples=["crypto-news-sentiment@1.0.0"])
    model_commitment: str
    request_digest: str
    payment: PaymentView
    settlement: SettlementView
    quote: QuoteInfo
    created_at: int
    updated_at: int
    deadline: int = Field(description="If it is not done by then, the payment goes back.")
    output: OutputView | None = Field(None, description="Present in state done.")
    proof: ProofView | None = Field(None, description="Present in state done.")
    receipt: Object | None = Field(
        None, description="The receipt file; its canonical JSON is the file's bytes."
    )
    timings: dict[str, float] | None = Field(
        None, description="Seconds by stage.", examples=[{"prove": 0.51, "verify": 0.005}]
    )
    failure: FailureView | None = None
    refund: RefundView | None = None
    links: JobLinks


class Cancellation(Wire):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"before": 1767225900, "signature": f"0x{'1b' * 65}"}]},
    )
    before: int = Field(description="When it ends, in Unix seconds.", ge=0, lt=2**53)
    signature: str = Field(
        description="The payer's 65-byte EIP-712 signature over CancelJob(job, before).",
        pattern="^0x[0-9a-f]{130}$",
    )


class OpeningRequest(Wire):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"before": 1767225900, "signature": f"0x{'1b' * 65}"}]},
    )
    before: int = Field(
        description="When it ends, in Unix seconds: within 15 minutes from now.", ge=0, lt=2**53
    )
    signature: str = Field(
        description="The payer's 65-byte EIP-712 signature over OpenInput(job, before).",
        pattern="^0x[0-9a-f]{130}$",
    )


class StepView(Wire):
    number: int
    name: str
    status: str
    detail: str


class VerificationInfo(Wire):
    id: int
    subject: str = Field(description="SHA-256 of what was given.", examples=[HEX32])
    kind: str = Field(examples=["receipt"])
    verified: bool
    at: int
    steps: list[StepView]
    job_id: str | None = None
    assurance: str | None = None
    reason: str | None = Field(None, description="Present when it was rejected.")
    message: str | None = None
    links: dict[str, str] = Field(examples=[{"self": "/v1/verifications/1"}])


class VerificationList(Wire):
    verifications: list[VerificationInfo]


class RevenueLine(Wire):
    order: int = Field(examples=[17])
    job_id: str = Field(examples=[HEX32])
    created_at: int = Field(examples=[_NOW])
    model: str = Field(examples=["crypto-news-sentiment@1.0.0"])
    method: str = Field(examples=["exact"])
    state: str = Field(examples=["done"])
    price: str = Field(description="Atomic units, as are all amounts here.", examples=["250000"])
    fee: str = Field(
        description="What the market took of the price, where an escrow paid.", examples=["0"]
    )
    developer: str | None = Field(
        None, description="Whom the developer's share is for.", examples=[HEX20]
    )
    developer_share: str = Field(examples=["175000"])
    platform_share: str = Field(examples=["75000"])
    received_in: Literal["account", "escrow"] | None = Field(
        None,
        description="Where the gateway got the money of both shares: in its own account, or in its "
        "balance in the escrow.",
    )
    paid: str = Field(description="What the developer has of it.", examples=["175000"])
    reason: str | None = Field(None, description="Why nothing was paid.", examples=["waits"])
    why: str | None = Field(None, examples=["no payout was made since"])
    payout: int | None = Field(None, examples=[3])
    transaction: str | None = Field(None, examples=[HEX32])
    block: int | None = Field(None, examples=[214])


class RevenueBalance(Wire):
    developer: str = Field(examples=[HEX20])
    amount: str = Field(examples=["1225000"])
    orders: int = Field(examples=[7])


class RevenuePage(Wire):
    network: str = Field(examples=["eip155:31337"])
    token: str = Field(examples=[HEX20])
    lines: list[RevenueLine]
    balances: list[RevenueBalance] = Field(
        description="What is due to each developer and in no payout, of all orders."
    )
    next_after: int | None = Field(None, description="Absent on the last page.")


class PayoutPayment(Wire):
    developer: str = Field(examples=[HEX20])
    amount: str = Field(examples=["1225000"])
    credited: bool = Field(
        description="Whether the token did not pass it on, and it waits in the contract."
    )


class PayoutInfo(Wire):
    number: int = Field(examples=[3])
    state: Literal["due", "sent", "paid"]
    created_at: int = Field(examples=[_NOW])
    payer: str = Field(examples=[HEX20])
    contract: str = Field(examples=[HEX20])
    amount: str = Field(examples=["1225000"])
    attempts: int = Field(description="How many transactions of it failed.", examples=[0])
    transaction: str | None = Field(None, examples=[HEX32])
    block: int | None = Field(None, examples=[214])
    items: list[PayoutPayment]


class PayoutPage(Wire):
    payouts: list[PayoutInfo]
    next_after: int | None = Field(None, description="Absent on the last page.")


class EventInfo(Wire):
    """An event of a contract, as the chain holds it."""

    contract: str = Field(examples=["ModelRegistry"])
    event: str | None = Field(
        description="Null where the contract's ABI has no such event.", examples=["ActiveSet"]
    )
    fields: dict[str, Any] | None = Field(
        description="The arguments by name; whole numbers as decimal text. Null where they are not "
        "those of the event.",
        examples=[{"commitment": HEX32, "active": True}],
    )
    address: str = Field(examples=[HEX20])
    block: int
    block_hash: str = Field(examples=[HEX32])
    time: int = Field(description="Of the block, in Unix seconds.")
    transaction: str = Field(examples=[HEX32])
    log_index: int
    topics: list[str]
    data: str
    provisional: bool = Field(description="Whether the chain may still take the block back.")
    cursor: str = Field(description="What comes after this event.", examples=["1200-3-" + "5f" * 8])


class EventList(Wire):
    """Events in the chain's order."""

    chain_id: int
    head: int = Field(description="Newest block that the chain had; -1 before the first look.")
    confirmed: int = Field(description="Events up to this block are not provisional.")
    complete_to: int = Field(description="Up to this block every event was read.")
    events: list[EventInfo]
    next: str | None = Field(description="Cursor of the next page; null where this is the last.")
