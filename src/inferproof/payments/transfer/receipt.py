"""Earlier transfers in receipts: the claim that a payer signed, and the transfer it spent."""

import json
from collections.abc import Mapping

from inferproof.errors import PaymentRejected, Reason, ReceiptRejected
from inferproof.protocol.authorization import check_asset_and_payee
from inferproof.protocol.claims import PaymentClaims
from inferproof.protocol.encoding import Json, canonical_json
from inferproof.protocol.fields import Fields
from inferproof.protocol.payment_part import Authorized, Included, PartForm
from inferproof.protocol.quote import read_asset
from inferproof.protocol.transfer import (
    ANY_LOG,
    check_claim_signature,
    check_transfer_amount,
    claim_job_id,
    require_transfer,
    transfer_nonce,
)
from inferproof.types.digest import Digest
from inferproof.types.payment import (
    Payment,
    SettlementState,
    TransferClaim,
    TransferPayment,
)
from inferproof.types.receipt import Receipt

TRANSFER_METHOD = "transfer"
_FORM = PartForm(
    "Transfer",
    (
        ("transaction", "bytes32"),
        ("logIndex", "uint64"),
        ("logNamed", "bool"),
    ),
)
"""`logNamed` says whether the payer named the log, or left the choice to the gateway."""


def transfer_payment(payment: TransferPayment) -> Payment:
    """The transfer and its claim as they are kept and stated.

    What the claim shares with its order, request digest and salt, stands there.
    """
    claim = payment.claim
    terms: dict[str, Json] = {
        "transaction": claim.transaction.hex,
        "logIndex": payment.log_index,
        "logNamed": claim.log_index is not None,
    }
    return Payment(
        method=TRANSFER_METHOD,
        asset=claim.asset,
        payer=claim.payer,
        payee=claim.payee,
        amount=payment.amount,
        nonce=payment.nonce,
        terms=canonical_json(terms),
        signature=claim.signature,
    )


def transfer_of(payment: Payment, request: Digest, salt: Digest | None) -> TransferPayment:
    """The transfer and its claim that a record of this method keeps.

    Raises: RequestRejected FIELD_MALFORMED for what this method did not write, or without a salt:
    every claim has one.
    """
    terms = Fields(json.loads(payment.terms), TRANSFER_METHOD)
    if salt is None:
        raise terms.malformed("transaction")
    log_index = terms.integer("logIndex", most=ANY_LOG - 1)
    claim = TransferClaim(
        asset=payment.asset,
        payer=payment.payer,
        payee=payment.payee,
        transaction=terms.digest("transaction"),
        log_index=log_index if terms.take("logNamed", bool) else None,
        request=request,
        salt=salt,
        signature=payment.signature,
    )
    terms.end()
    return TransferPayment(claim, payment.amount, log_index, payment.nonce)


def claim_of(payment: Payment, request: Digest, salt: Digest | None) -> TransferClaim:
    """The claim in a record of this method. Raises: as `transfer_of`."""
    return transfer_of(payment, request, salt).claim


class TransferPart:
    """A PaymentPart (see protocol.payment_part)."""

    method = TRANSFER_METHOD
    form = _FORM

    def receipt_part(self, payment: Payment) -> Mapping[str, object]:
        terms = json.loads(payment.terms)
        return {
            "transaction": Digest.from_hex(terms["transaction"]),
            "logIndex": terms["logIndex"],
            "logNamed": terms["logNamed"],
        }

    def recognises(self, fields: Fields) -> bool:
        return fields.has("transaction") and not fields.has("method")

    def read_receipt_part(self, fields: Fields, request: Digest, salt: Digest | None) -> Payment:
        if salt is None:  # every claim has one
            raise fields.malformed("transaction")
        log_index = fields.integer("logIndex", most=ANY_LOG - 1)
        claim = TransferClaim(
            asset=fields.nested("asset", read_asset),
            payer=fields.address("payer"),
            payee=fields.address("payee"),
            transaction=fields.digest("transaction"),
            log_index=log_index if fields.take("logNamed", bool) else None,
            request=request,
            salt=salt,
            signature=fields.hex_bytes("signature", length=65),
        )
        amount = fields.amount("amount")
        fields.end()
        nonce = transfer_nonce(claim.transaction, log_index)
        return transfer_payment(TransferPayment(claim, amount, log_index, nonce))

    def job_id(self, payment: Payment, request: Digest, salt: Digest | None) -> Digest:
        return claim_job_id(claim_of(payment, request, salt))

    def claims(self, payment: Payment, request: Digest, salt: Digest | None) -> PaymentClaims:
        return PaymentClaims(
            authorized="the payer's signature over an earlier transfer and this request is in the "
            "receipt",
            request="the payer signed this request's digest in its claim to the transfer",
            settled="by an earlier transfer ",
        )

    def verify_receipt_part(self, receipt: Receipt) -> Authorized:
        payment = _transfer(receipt)
        claim, settlement = payment.claim, receipt.settlement
        check_asset_and_payee(payment.asset, payment.payee, receipt.quote)
        check_transfer_amount(payment, receipt.quote)
        check_claim_signature(claim)
        if (
            settlement.state is not SettlementState.SETTLED
            or settlement.transaction != claim.transaction
        ):
            raise ReceiptRejected(
                Reason.RECEIPT_TRANSFER,
                expected=claim.transaction,
                state=settlement.state.value,
                got=settlement.transaction,
            )
        where = f"log {payment.log_index} of {claim.transaction}"
        return Authorized(f"payer {claim.payer}, by the transfer in {where}")

    def verify_on_chain(self, receipt: Receipt, found: Included) -> str:
        if not found.succeeded:
            raise PaymentRejected(Reason.TX_FAILED, tx=found.tx, block=found.block)
        payment = _transfer(receipt)
        require_transfer(found.logs, payment)
        return f", by the transfer in its log {payment.log_index}"


def _transfer(receipt: Receipt) -> TransferPayment:
    return transfer_of(receipt.payment, receipt.request_digest, receipt.nonce_salt)
