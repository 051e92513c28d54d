"""The receipt as an EIP-712 struct, its JSON, and the receipt file. Source: specs/receipt.md."""

import json
import re
from functools import lru_cache, partial

from inferproof.errors import ReceiptRejected
from inferproof.protocol.documents import decode_document, document_end, encode_document
from inferproof.protocol.eip712 import INFERPROOF_DOMAIN, Struct, digest, hash_struct
from inferproof.protocol.encoding import Json
from inferproof.protocol.fields import Fields, to_base64
from inferproof.protocol.payment_part import PartForm, PaymentPart, PaymentParts
from inferproof.protocol.proof_file import MAX_BYTES as MAX_PROOF_FILE_BYTES
from inferproof.protocol.proof_file import read_statement, statement_json
from inferproof.protocol.quote import (
    ASSET,
    QUOTE,
    asset_json,
    asset_value,
    quote_json,
    quote_value,
    read_quote,
)
from inferproof.protocol.statement import statement_struct, statement_value
from inferproof.protocol.verifier_bundle import MAX_BYTES as MAX_BUNDLE_BYTES
from inferproof.types.digest import ZERO_DIGEST, Digest
from inferproof.types.payment import Payment, Settlement, SettlementState
from inferproof.types.proof import PRIVATE_STATEMENT_VERSION, STATEMENT_VERSION, Assurance
from inferproof.types.receipt import (
    RECEIPT_VERSION,
    Claim,
    ClaimSource,
    ClaimStatus,
    Receipt,
    ReceiptFile,
    Request,
    StageTime,
)

FORMAT = "inferproof/receipt/1"
PRIVATE_FORMAT = "inferproof/receipt/2"
"""Of receipts about private inputs: a request that is attached has a salt."""
MAX_REQUEST_BYTES = 32 * 2**20
MAX_BYTES = 512 * 2**20
"""Base64 of the largest proof file, bundle and request together stays below this."""
_METHOD = re.compile("[A-Z]{1,16}")
_PATH = re.compile(r"/[!-\"$->@-~]*")
"""Printable ASCII without blanks, ? and #."""

SETTLEMENT = Struct(
    "Settlement", {"state": "string", "transaction": "bytes32", "blockNumber": "uint64"}
)
CLAIM = Struct(
    "Claim", {"name": "string", "status": "string", "source": "string", "reason": "string"}
)
STAGE_TIME = Struct("StageTime", {"stage": "string", "microseconds": "uint64"})


@lru_cache(maxsize=64)
def receipt_struct(form: PartForm, *, private_input: bool = False) -> Struct:
    """What a gateway signs for a payment of this form: a type of its own for each method, and for
    private inputs, so that no receipt passes for another's."""
    payment: dict[str, str | Struct | tuple[Struct]] = {
        "asset": ASSET,
        "payer": "address",
        "payee": "address",
        "amount": "uint256",
        **dict(form.fields),
        "signature": "bytes",
    }
    return Struct(
        f"{'Private' if private_input else ''}{form.prefix}Receipt",
        {
            "statement": statement_struct(private_input=private_input),
            "proofDigest": "bytes32",
            "assurance": "string",
            "proven": "string",
            "requestDigest": "bytes32",
            "nonceSalt": "bytes32",
            "quote": QUOTE,
            "quoteSignature": "bytes",
            "payment": Struct(f"{form.prefix}Payment", payment),
            "settlement": SETTLEMENT,
            "claims": (CLAIM,),
            "timings": (STAGE_TIME,),
            "issuedAt": "uint64",
            "gateway": "address",
            "version": "uint16",
        },
    )


def receipt_value(receipt: Receipt, part: PaymentPart) -> dict[str, object]:
    """The receipt's fields under the names of its struct. `part` is the payment's method's."""
    settlement, payment = receipt.settlement, receipt.payment
    return {
        "statement": statement_value(receipt.statement),
        "proofDigest": receipt.proof_digest,
        "assurance": receipt.assurance.value,
        "proven": receipt.proven,
        "requestDigest": receipt.request_digest,
        "nonceSalt": receipt.nonce_salt or ZERO_DIGEST,
        "quote": quote_value(receipt.quote),
        "quoteSignature": receipt.quote_signature,
        "payment": {
            "asset": asset_value(payment.asset),
            "payer": payment.payer,
            "payee": payment.payee,
            "amount": payment.amount,
            **part.receipt_part(payment),
            "signature": payment.signature,
        },
        "settlement": {
            "state": settlement.state.value,
            "transaction": settlement.transaction or ZERO_DIGEST,
            "blockNumber": settlement.block or 0,
        },
        "claims": [
            {"name": c.name, "status": c.status.value, "source": c.source.value, "reason": c.reason}
            for c in receipt.claims
        ],
        "timings": [{"stage": t.stage, "microseconds": t.microseconds} for t in receipt.timings],
        "issuedAt": receipt.issued_at,
        "gateway": receipt.gateway,
        "version": receipt.version,
    }


def receipt_digest(receipt: Receipt, parts: PaymentParts) -> Digest:
    """The digest that the gateway signs; it is the receipt's id.

    `parts` knows the payment's method, as those that it was read or made with do.
    """
    part = parts[receipt.payment.method]
    struct = receipt_struct(part.form, private_input=receipt.statement.private_input)
    return digest(INFERPROOF_DOMAIN, hash_struct(struct, receipt_value(receipt, part)))


def receipt_json(receipt: Receipt) -> dict[str, Json]:
    """The receipt as JSON."""
    settlement = receipt.settlement
    return {
        "statement": statement_json(receipt.statement),
        "proofDigest": receipt.proof_digest.hex,
        "assurance": receipt.assurance.value,
        "proven": receipt.proven,
        "requestDigest": receipt.request_digest.hex,
        "nonceSalt": receipt.nonce_salt.hex if receipt.nonce_salt is not None else None,
        "quote": quote_json(receipt.quote),
        "quoteSignature": "0x" + receipt.quote_signature.hex(),
        "payment": payment_json(receipt.payment),
        "settlement": {
            "state": settlement.state.value,
            "transaction": settlement.transaction.hex if settlement.transaction else None,
            "blockNumber": settlement.block,
        },
        "claims": [
            {"name": c.name, "status": c.status.value, "source": c.source.value, "reason": c.reason}
            for c in receipt.claims
        ],
        "timings": [{"stage": t.stage, "microseconds": t.microseconds} for t in receipt.timings],
        "issuedAt": receipt.issued_at,
        "gateway": receipt.gateway.hex,
        "version": receipt.version,
    }


def read_receipt(fields: Fields, parts: PaymentParts, version: int) -> Receipt:
    """The receipt in decoded JSON, whose payment is of one of these methods, and whose statement of
    this version."""
    request, salt = fields.digest("requestDigest"), _read_nonzero(fields, "nonceSalt")
    receipt = Receipt(
        statement=fields.nested("statement", lambda f: read_statement(f, version)),
        proof_digest=fields.digest("proofDigest"),
        assurance=fields.one_of("assurance", Assurance),
        proven=fields.text("proven", most=4096),
        request_digest=request,
        quote=fields.nested("quote", read_quote),
        quote_signature=fields.hex_bytes("quoteSignature", length=65),
        payment=fields.nested("payment", lambda f: _read_payment(f, parts, request, salt)),
        settlement=fields.nested("settlement", _read_settlement),
        claims=tuple(fields.nested_list("claims", _read_claim, most=64)),
        timings=tuple(fields.nested_list("timings", _read_stage, most=64)),
        issued_at=fields.integer("issuedAt"),
        gateway=fields.address("gateway"),
        nonce_salt=salt,
        version=fields.integer("version", least=RECEIPT_VERSION, most=RECEIPT_VERSION),
    )
    fields.end()
    return receipt


def _read_nonzero(fields: Fields, name: str) -> Digest | None:
    # Zero stands for "none" in the signed struct; as a value it would be a second form of null.
    value = fields.optional(name, fields.digest)
    if value == ZERO_DIGEST:
        raise fields.malformed(name)
    return value


def encode_receipt_file(file: ReceiptFile) -> bytes:
    """The one byte form of a receipt file."""
    private = file.receipt.statement.private_input
    return encode_document(PRIVATE_FORMAT if private else FORMAT, receipt_file_json(file))


def receipt_file_json(file: ReceiptFile) -> dict[str, Json]:
    """The body of a receipt file as JSON."""
    request: Json = None
    if file.request is not None:
        request = {
            "method": file.request.method,
            "path": file.request.path,
            "body": to_base64(file.request.body),
        }
        if file.request.salt is not None:
            request["salt"] = "0x" + file.request.salt.hex()
    return {
        "receipt": receipt_json(file.receipt),
        "signature": "0x" + file.signature.hex(),
        "request": request,
        "proof": to_base64(file.proof) if file.proof is not None else None,
        "verifier": to_base64(file.verifier) if file.verifier is not None else None,
    }


def decode_receipt_file(data: bytes, parts: PaymentParts) -> ReceiptFile:
    """The receipt file that these bytes are, its payment of one of these methods.

    Raises: ReceiptRejected (see `decode_document`). Soundness: nothing is verified yet.
    """

    private = data.endswith(document_end(PRIVATE_FORMAT))

    def read(fields: Fields) -> ReceiptFile:
        return _read_file(fields, parts, private=private)

    format_name = PRIVATE_FORMAT if private else FORMAT
    return decode_document(data, format_name, read, max_bytes=MAX_BYTES, kind=ReceiptRejected)


def payment_json(payment: Payment) -> dict[str, Json]:
    """A payment as JSON: what all have in common, and the method's own part."""
    own: dict[str, Json] = json.loads(payment.terms)
    return {
        "asset": asset_json(payment.asset),
        "payer": payment.payer.hex,
        "payee": payment.payee.hex,
        "amount": str(payment.amount),
        **own,
        "signature": "0x" + payment.signature.hex(),
    }


def _read_payment(
    fields: Fields, parts: PaymentParts, request: Digest, salt: Digest | None
) -> Payment:
    for part in parts.values():
        if part.recognises(fields):
            return part.read_receipt_part(fields, request, salt)
    raise fields.malformed("method")


def _read_settlement(fields: Fields) -> Settlement:
    settlement = Settlement(
        state=fields.one_of("state", SettlementState),
        transaction=_read_nonzero(fields, "transaction"),
        block=fields.optional("blockNumber", lambda name: fields.integer(name, least=1)),
    )
    fields.end()
    settled = settlement.state is SettlementState.SETTLED
    if (settled and settlement.transaction is None) or settled == (settlement.block is None):
        raise fields.malformed("state")
    return settlement


def _read_claim(fields: Fields) -> Claim:
    claim = Claim(
        name=fields.text("name", most=64),
        status=fields.one_of("status", ClaimStatus),
        source=fields.one_of("source", ClaimSource),
        reason=fields.text("reason", most=1024),
    )
    fields.end()
    return claim


def _read_stage(fields: Fields) -> StageTime:
    stage = StageTime(fields.text("stage", most=64), fields.integer("microseconds"))
    fields.end()
    return stage


def _read_request(fields: Fields, *, private: bool) -> Request:
    request = Request(
        fields.text("method", most=16),
        fields.text("path", most=2048),
        fields.base64("body", most=MAX_REQUEST_BYTES),
        fields.hex_bytes("salt", length=32) if private else None,
    )
    fields.end()
    if _METHOD.fullmatch(request.method) is None:
        raise fields.malformed("method")
    if _PATH.fullmatch(request.path) is None:
        raise fields.malformed("path")
    return request


def _read_file(fields: Fields, parts: PaymentParts, *, private: bool) -> ReceiptFile:
    version = PRIVATE_STATEMENT_VERSION if private else STATEMENT_VERSION
    read_own = partial(_read_request, private=private)
    file = ReceiptFile(
        receipt=fields.nested("receipt", lambda f: read_receipt(f, parts, version)),
        signature=fields.hex_bytes("signature", length=65),
        request=fields.optional("request", lambda n: fields.nested(n, read_own)),
        proof=fields.optional("proof", lambda n: fields.base64(n, most=MAX_PROOF_FILE_BYTES)),
        verifier=fields.optional("verifier", lambda n: fields.base64(n, most=MAX_BUNDLE_BYTES)),
    )
    fields.end()
    return file
