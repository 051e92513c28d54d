"""The method `exact` in receipts: an EIP-3009 authorization that a settlement carries out.

Its part of a receipt is what the payer signed beside asset, payer, payee and amount. It was the
first method, and names none in its JSON.
"""

import json
from collections.abc import Mapping

from inferproof.protocol.authorization import (
    check_signature,
    check_terms,
    read_authorization,
)
from inferproof.protocol.claims import PaymentClaims
from inferproof.protocol.commitments import bound_nonce, job_id
from inferproof.protocol.encoding import Json, canonical_json
from inferproof.protocol.fields import Fields
from inferproof.protocol.payment_part import Authorized, Included, PartForm
from inferproof.protocol.settlement import require_settlement
from inferproof.types.digest import Digest
from inferproof.types.payment import Authorization, Payment
from inferproof.types.receipt import Receipt

EXACT_METHOD = "exact"
_FORM = PartForm(
    "",
    (
        ("validAfter", "uint256"),
        ("validBefore", "uint256"),
        ("nonce", "bytes32"),
    ),
)


def authorization_payment(authorization: Authorization) -> Payment:
    """The authorization as it is kept and stated."""
    terms: dict[str, Json] = {
        "validAfter": str(authorization.valid_after),
        "validBefore": str(authorization.valid_before),
        "nonce": authorization.nonce.hex,
    }
    return Payment(
        method=EXACT_METHOD,
        asset=authorization.asset,
        payer=authorization.payer,
        payee=authorization.payee,
        amount=authorization.amount,
        nonce=authorization.nonce,
        terms=canonical_json(terms),
        signature=authorization.signature,
        ends=authorization.valid_before,
    )


def authorization_of(payment: Payment) -> Authorization:
    """The authorization that a record of this method keeps.

    Raises: RequestRejected FIELD_MALFORMED for what this method did not write.
    """
    terms = Fields(json.loads(payment.terms), EXACT_METHOD)
    authorization = Authorization(
        asset=payment.asset,
        payer=payment.payer,
        payee=payment.payee,
        amount=payment.amount,
        valid_after=terms.amount("validAfter"),
        valid_before=terms.amount("validBefore"),
        nonce=terms.digest("nonce"),
        signature=payment.signature,
    )
    terms.end()
    return authorization


class ExactPart:
    """A PaymentPart (see protocol.payment_part)."""

    method = EXACT_METHOD
    form = _FORM

    def receipt_part(self, payment: Payment) -> Mapping[str, object]:
        authorization = authorization_of(payment)
        return {
            "validAfter": authorization.valid_after,
            "validBefore": authorization.valid_before,
            "nonce": authorization.nonce,
        }

    def recognises(self, fields: Fields) -> bool:
        return not fields.has("transaction") and not fields.has("method")

    def read_receipt_part(self, fields: Fields, request: Digest, salt: Digest | None) -> Payment:
        return authorization_payment(read_authorization(fields))

    def job_id(self, payment: Payment, request: Digest, salt: Digest | None) -> Digest:
        asset = payment.asset
        return job_id(asset.network, asset.address, payment.payer, payment.nonce, request, salt)

    def claims(self, payment: Payment, request: Digest, salt: Digest | None) -> PaymentClaims:
        bound = salt is not None and bound_nonce(request, salt.raw) == payment.nonce
        return PaymentClaims(
            authorized="the payer's signature over amount, payee and nonce is in the receipt",
            request="the payer signed a nonce that is made of this request's digest"
            if bound
            else None,
        )

    def verify_receipt_part(self, receipt: Receipt) -> Authorized:
        authorization = authorization_of(receipt.payment)
        check_terms(authorization, receipt.quote)
        check_signature(authorization)
        return Authorized(
            f"payer {authorization.payer}",
            earliest=authorization.valid_after + 1,
            latest=authorization.valid_before - 1,
        )

    def verify_on_chain(self, receipt: Receipt, found: Included) -> str:
        require_settlement(found, authorization_of(receipt.payment))
        return ""
