"""What was bought before, in receipts: the claim that a buyer signed, and the call that it took.

The transaction in which the call was taken is the settlement's.
"""

import json
from collections.abc import Mapping

from inferproof.errors import PaymentRejected, Reason, ReceiptRejected
from inferproof.protocol.authorization import check_asset_and_payee
from inferproof.protocol.claims import PaymentClaims
from inferproof.protocol.encoding import Json, canonical_json
from inferproof.protocol.fields import Fields
from inferproof.protocol.passes import (
    MAX_TIME,
    check_pass_signature,
    consumption_of,
    pass_job_id,
    takes_call,
)
from inferproof.protocol.payment_part import Authorized, Included, PartForm
from inferproof.protocol.quote import read_asset
from inferproof.types.access import Consumption, PassClaim
from inferproof.types.digest import ZERO_DIGEST, Address, Digest
from inferproof.types.money import Asset
from inferproof.types.payment import Payment
from inferproof.types.receipt import Receipt

PASS_METHOD = "pass"  # noqa: S105 - no password
_FORM = PartForm(
    "Pass",
    (
        ("access", "address"),
        ("model", "bytes32"),
        ("right", "bytes32"),
        ("validBefore", "uint64"),
    ),
)


def pass_payment(claim: PassClaim) -> Payment:
    """The claim as it is kept and stated: a payment of nothing, by a call of the right.

    What the claim shares with its order, request digest and salt, stands there.
    """
    taken = consumption_of(claim)
    terms: dict[str, Json] = {
        "method": PASS_METHOD,
        "access": claim.access.hex,
        "model": claim.model.hex,
        "right": claim.right.hex,
        "validBefore": claim.valid_before,
    }
    return Payment(
        method=PASS_METHOD,
        asset=claim.asset,
        payer=claim.buyer,
        payee=claim.gateway,
        amount=taken.amount,
        nonce=taken.nonce,
        terms=canonical_json(terms),
        signature=claim.signature,
        ends=claim.valid_before,
    )


def pass_claim_of(payment: Payment, request: Digest, salt: Digest | None) -> PassClaim:
    """The claim that a record of this method keeps.

    Raises: RequestRejected FIELD_MALFORMED for what this method did not write, or without a salt:
    every claim has one.
    """
    fields = Fields(json.loads(payment.terms), PASS_METHOD)
    claim = _read_claim(
        fields, payment.asset, payment.payer, payment.payee, request, salt, payment.signature
    )
    fields.end()
    return claim


def consumption_of_payment(payment: Payment) -> Consumption:
    """What settles a record of this method. Raises: as `pass_claim_of`."""
    claim = pass_claim_of(payment, ZERO_DIGEST, ZERO_DIGEST)
    return consumption_of(claim, payment.nonce)


def _read_claim(
    fields: Fields,
    asset: Asset,
    buyer: Address,
    gateway: Address,
    request: Digest,
    salt: Digest | None,
    signature: bytes,
) -> PassClaim:
    if salt is None or fields.text("method") != PASS_METHOD:
        raise fields.malformed("method")
    return PassClaim(
        asset=asset,
        access=fields.address("access"),
        buyer=buyer,
        gateway=gateway,
        model=fields.digest("model"),
        right=fields.digest("right"),
        request=request,
        salt=salt,
        valid_before=fields.integer("validBefore", most=MAX_TIME),
        signature=signature,
    )


class PassPart:
    """A PaymentPart (see protocol.payment_part)."""

    method = PASS_METHOD
    form = _FORM

    def receipt_part(self, payment: Payment) -> Mapping[str, object]:
        terms = json.loads(payment.terms)
        return {
            "access": Address.from_hex(terms["access"]),
            "model": Digest.from_hex(terms["model"]),
            "right": Digest.from_hex(terms["right"]),
            "validBefore": terms["validBefore"],
        }

    def recognises(self, fields: Fields) -> bool:
        return fields.rest().get("method") == PASS_METHOD

    def read_receipt_part(self, fields: Fields, request: Digest, salt: Digest | None) -> Payment:
        asset = fields.nested("asset", read_asset)
        buyer, gateway = fields.address("payer"), fields.address("payee")
        if fields.amount("amount") != 0:  # it was paid when the right was bought
            raise fields.malformed("amount")
        signature = fields.hex_bytes("signature", length=65)
        claim = _read_claim(fields, asset, buyer, gateway, request, salt, signature)
        fields.end()
        return pass_payment(claim)

    def job_id(self, payment: Payment, request: Digest, salt: Digest | None) -> Digest:
        return pass_job_id(pass_claim_of(payment, request, salt))

    def claims(self, payment: Payment, request: Digest, salt: Digest | None) -> PaymentClaims:
        part = self.receipt_part(payment)
        return PaymentClaims(
            authorized="the buyer's signature over a call of what it bought, for this request, is "
            "in the receipt",
            request="the buyer signed this request's digest in its claim to the call",
            settled=f"a call of the right {part['right']} was taken at {part['access']} ",
        )

    def verify_receipt_part(self, receipt: Receipt) -> Authorized:
        """Raises: PaymentRejected PAYMENT_ASSET, PAYMENT_PAYEE, PASS_SIGNATURE,
        SIGNATURE_MALFORMED; ReceiptRejected RECEIPT_PASS."""
        payment, model = receipt.payment, receipt.statement.model_commitment
        claim = pass_claim_of(payment, receipt.request_digest, receipt.nonce_salt)
        check_asset_and_payee(payment.asset, payment.payee, receipt.quote)
        if claim.model != model:
            raise ReceiptRejected(Reason.RECEIPT_PASS, got=model, expected=claim.model)
        check_pass_signature(claim)
        how = f"payer {claim.buyer}, by the right {claim.right} at {claim.access}"
        return Authorized(how, latest=claim.valid_before - 1)

    def verify_on_chain(self, receipt: Receipt, found: Included) -> str:
        """Soundness: the contract is the one that the buyer named. One transaction could be stated
        in the receipts of several calls of the same buyer, right and version."""
        claim = pass_claim_of(receipt.payment, receipt.request_digest, receipt.nonce_salt)
        if not (found.succeeded and takes_call(found.logs, consumption_of(claim))):
            raise PaymentRejected(
                Reason.PASS_NOT_TAKEN,
                tx=found.tx,
                right=claim.right,
                buyer=claim.buyer,
                access=claim.access,
            )
        return f", which takes a call of the right {claim.right} at {claim.access}"
