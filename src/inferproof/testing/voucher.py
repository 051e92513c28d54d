"""A payment method that no release ships: a voucher. All of its three sides are in this file.

Its holder paid an issuer before, by a transaction that the voucher names, and got the issuer's
signature over a number. It spends the voucher on one request by its own signature, once.

    Voucher     issuer's signature: number, holder, payee, amount, transaction and its block
    spent by    holder's signature: that voucher, the request's digest, a salt

It shows that payment methods are a seam: tests take orders with it and nothing else was changed.
Real vouchers would want the issuer's promise to be looked up; here its signature is enough.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from inferproof.errors import Conflict, InferproofError, PaymentRejected, Reason, ReceiptRejected
from inferproof.payments.header import decode_header, encode_header
from inferproof.payments.method import PayerExposure, Presented, Reservable
from inferproof.payments.x402 import Challenge
from inferproof.protocol.authorization import check_asset_and_payee
from inferproof.protocol.claims import PaymentClaims
from inferproof.protocol.commitments import job_id
from inferproof.protocol.encoding import Json, canonical_json, tagged_digest
from inferproof.protocol.fields import Fields
from inferproof.protocol.payment_part import Authorized, Included, PartForm
from inferproof.protocol.quote import asset_json, read_asset
from inferproof.protocol.signature import Signer, SigningKey, recover
from inferproof.protocol.transfer import Transfer, transfers_in
from inferproof.types.digest import ZERO_DIGEST, Address, Digest
from inferproof.types.escrow import Settleable
from inferproof.types.money import Asset, Money, format_units
from inferproof.types.payment import Payment, Quote, SettlementState
from inferproof.types.receipt import Receipt

METHOD = "voucher"
HEADER = "Test-Voucher"
TAG = "inferproof/test/voucher/1"
SPEND_TAG = "inferproof/test/voucher-spent/1"


@dataclass(frozen=True, slots=True)
class Voucher:
    """What an issuer sold. Units: `amount` in atomic units of the asset."""

    number: int
    asset: Asset
    holder: Address
    payee: Address
    amount: int
    transaction: Digest
    block: int
    issued: bytes = field(default=b"", repr=False)

    @property
    def digest(self) -> Digest:
        """What the issuer signs."""
        terms = replace(self, issued=b"")
        return tagged_digest(TAG, canonical_json(_voucher_json(terms)))

    @property
    def nonce(self) -> Digest:
        """What makes it single-use, whoever holds it."""
        return tagged_digest(TAG, self.payee.raw, self.number.to_bytes(32, "big"))

    def spent_on(self, request: Digest, salt: Digest) -> Digest:
        """What the holder signs to spend it."""
        return tagged_digest(SPEND_TAG, self.digest.raw, request.raw, salt.raw)


@dataclass(frozen=True, slots=True)
class Spent:
    """A voucher as it is spent on a request: what a PAYMENT of this method signs."""

    voucher: Voucher
    salt: Digest
    signature: bytes = field(repr=False)

    @property
    def payment(self) -> Payment:
        voucher = self.voucher
        terms: dict[str, Json] = {
            "method": METHOD,
            "number": str(voucher.number),
            "transaction": voucher.transaction.hex,
            "block": voucher.block,
            "issued": "0x" + voucher.issued.hex(),
        }
        return Payment(
            method=METHOD,
            asset=voucher.asset,
            payer=voucher.holder,
            payee=voucher.payee,
            amount=voucher.amount,
            nonce=voucher.nonce,
            terms=canonical_json(terms),
            signature=self.signature,
        )


def issue(voucher: Voucher, issuer: SigningKey) -> Voucher:
    """The voucher with its issuer's signature."""
    return replace(voucher, issued=issuer.sign(voucher.digest))


# -- receipts ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class VoucherPart:
    """A PaymentPart (see protocol.payment_part) for the vouchers of one issuer."""

    issuer: Address

    @property
    def method(self) -> str:
        return METHOD

    @property
    def form(self) -> PartForm:
        return PartForm(
            "Voucher",
            (
                ("number", "uint256"),
                ("transaction", "bytes32"),
                ("block", "uint64"),
                ("issued", "bytes"),
            ),
        )

    def receipt_part(self, payment: Payment) -> Mapping[str, object]:
        voucher = voucher_of(payment)
        return {
            "number": voucher.number,
            "transaction": voucher.transaction,
            "block": voucher.block,
            "issued": voucher.issued,
        }

    def recognises(self, fields: Fields) -> bool:
        return fields.rest().get("method") == METHOD

    def read_receipt_part(self, fields: Fields, request: Digest, salt: Digest | None) -> Payment:  # noqa: ARG002
        if salt is None:
            raise fields.malformed("method")
        fields.text("method")
        voucher = Voucher(
            asset=fields.nested("asset", read_asset),
            holder=fields.address("payer"),
            payee=fields.address("payee"),
            amount=fields.amount("amount"),
            **_read_terms(fields),
        )
        signature = fields.hex_bytes("signature", length=65)
        fields.end()
        return Spent(voucher, salt, signature).payment

    def job_id(self, payment: Payment, request: Digest, salt: Digest | None) -> Digest:
        asset = payment.asset
        return job_id(asset.network, asset.address, payment.payer, payment.nonce, request, salt)

    def claims(self, payment: Payment, request: Digest, salt: Digest | None) -> PaymentClaims:  # noqa: ARG002
        return PaymentClaims(
            authorized="the holder's signature over a voucher and this request is in the receipt",
            request="the holder signed this request's digest to spend its voucher",
            settled="by what was paid for a voucher ",
        )

    def verify_receipt_part(self, receipt: Receipt) -> Authorized:
        voucher, settlement = voucher_of(receipt.payment), receipt.settlement
        check_price(voucher, receipt.quote)
        salt = receipt.nonce_salt or ZERO_DIGEST
        self.check_signatures(
            Spent(voucher, salt, receipt.payment.signature), receipt.request_digest
        )
        paid = (settlement.state, settlement.transaction, settlement.block)
        if paid != (SettlementState.SETTLED, voucher.transaction, voucher.block):
            raise ReceiptRejected(
                Reason.RECEIPT_TRANSFER,
                expected=voucher.transaction,
                state=settlement.state.value,
                got=settlement.transaction,
            )
        return Authorized(f"payer {voucher.holder}, by voucher {voucher.number}")

    def verify_on_chain(self, receipt: Receipt, found: Included) -> str:
        voucher = voucher_of(receipt.payment)
        moved = (voucher.holder, voucher.payee, voucher.amount)
        for transfer in transfers_in(found.logs, voucher.asset.address):
            if found.succeeded and transfer == Transfer(transfer.log_index, *moved):
                return f", for voucher {voucher.number}"
        raise PaymentRejected(Reason.TX_FAILED, tx=found.tx, block=found.block)

    def check_signatures(self, spent: Spent, request: Digest) -> None:
        """Returns when the issuer sold the voucher and its holder spends it on this request.

        Raises: PaymentRejected PAYMENT_SIGNATURE, SIGNATURE_MALFORMED.
        """
        voucher = spent.voucher
        for signer, digest, signature in (
            (self.issuer, voucher.digest, voucher.issued),
            (voucher.holder, voucher.spent_on(request, spent.salt), spent.signature),
        ):
            try:
                found = recover(digest, signature)
            except InferproofError as error:
                raise PaymentRejected(error.reason) from None
            if found != signer:
                raise PaymentRejected(Reason.PAYMENT_SIGNATURE, payer=signer)


# -- gateways ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class VoucherMethod(VoucherPart):
    """A PaymentMethod (see payments.method)."""

    asset: Asset

    @property
    def header(self) -> str:
        return HEADER

    @property
    def takes_key(self) -> bool:
        return False

    def challenge(self, quote: Quote) -> dict[str, Json] | None:  # noqa: ARG002
        return None

    def offer(self) -> dict[str, Json]:
        return {METHOD: {"header": HEADER, "issuer": self.issuer.hex}}

    def read(self, headers: Mapping[str, str]) -> Presented[Spent] | None:
        header = headers.get(HEADER.lower())
        if header is None:
            return None
        spent = read_spent(header, self.asset)
        return Presented(
            method=METHOD,
            payer=spent.voucher.holder,
            signed=spent,
            payment=spent.payment,
            salt=spent.salt,
            draws=False,
        )

    def check_signed(self, presented: Presented[Spent], request: Digest) -> None:
        self.check_signatures(presented.signed, request)

    def check_bound(self, presented: Presented[Spent], request: Digest) -> None:
        """What the holder signed names the request."""

    def check(self, presented: Presented[Spent], quote: Quote, now: int) -> None:  # noqa: ARG002
        check_price(presented.signed.voucher, quote)

    async def reserve(
        self,
        presented: Presented[Spent],
        quote: Quote,  # noqa: ARG002
        now: int,  # noqa: ARG002
        exposure: PayerExposure,  # noqa: ARG002
    ) -> Sequence[Reservable]:
        voucher = presented.signed.voucher
        return [Reservable(presented.signed.payment, voucher.block, voucher.transaction)]

    def used(self, presented: Presented[Spent]) -> Conflict:
        tx = presented.signed.voucher.transaction
        return Conflict(Reason.PAYMENT_ALREADY_USED, where="a voucher", tx=tx)

    def settle(self, payment: Payment) -> Settleable | None:  # noqa: ARG002
        return None

    def view(self, payment: Payment) -> dict[str, Json]:
        number = voucher_of(payment).number
        return {"kind": METHOD, "nonce": payment.nonce.hex, "voucher": str(number)}


# -- buyers -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SignedVoucher:
    """A SignedPayment (see payments.buyer)."""

    spent: Spent

    @property
    def method(self) -> str:
        return METHOD

    @property
    def header_name(self) -> str:
        return HEADER

    @property
    def header(self) -> str:
        value = _voucher_json(self.spent.voucher)
        return encode_header(
            {
                **value,
                "salt": self.spent.salt.hex,
                "signature": "0x" + self.spent.signature.hex(),
            }
        )

    @property
    def payer(self) -> Address:
        return self.spent.voucher.holder

    @property
    def salt(self) -> Digest | None:
        return self.spent.salt

    @property
    def ends(self) -> int | None:
        return None

    def costs(self, quote: Quote) -> Money:
        return quote.price

    def job_id(self, request: Digest) -> Digest:
        return VoucherPart(self.payer).job_id(self.spent.payment, request, self.salt)

    def is_stated_by(self, payment: Payment) -> bool:
        return payment == self.spent.payment


@dataclass(frozen=True, slots=True)
class PayByVoucher:
    """A BuyerMethod (see payments.buyer)."""

    voucher: Voucher

    @property
    def takes_key(self) -> bool:
        return False

    def costs(self, quote: Quote) -> Money:
        return quote.price

    def require_offered(self, challenge: Challenge) -> None:
        info: Any = challenge.extensions["inferproof"]
        if METHOD not in info["info"]:
            raise PaymentRejected(Reason.PAYMENT_SCHEME, got="a voucher")

    def sign(self, challenge: Challenge, signer: Signer, salt: Digest, now: int) -> SignedVoucher:  # noqa: ARG002
        signature = signer.sign(self.voucher.spent_on(challenge.request, salt))
        return SignedVoucher(Spent(self.voucher, salt, signature))


# -- forms ------------------------------------------------------------------------------------


def check_price(voucher: Voucher, quote: Quote) -> None:
    """Returns when the voucher is worth exactly the price, in its asset, to its payee.

    Raises: PaymentRejected PAYMENT_ASSET, PAYMENT_PAYEE, PAYMENT_AMOUNT.
    """
    check_asset_and_payee(voucher.asset, voucher.payee, quote)
    if voucher.amount != quote.price.amount:
        decimals = voucher.asset.decimals
        raise PaymentRejected(
            Reason.PAYMENT_AMOUNT,
            got=format_units(voucher.amount, decimals),
            expected=format_units(quote.price.amount, decimals),
            symbol=voucher.asset.symbol,
        )


def voucher_of(payment: Payment) -> Voucher:
    """The voucher in a payment of this method."""
    terms = Fields(json.loads(payment.terms), METHOD)
    terms.text("method")
    read = _read_terms(terms)
    terms.end()
    return Voucher(
        asset=payment.asset,
        holder=payment.payer,
        payee=payment.payee,
        amount=payment.amount,
        **read,
    )


def read_spent(header: str, asset: Asset) -> Spent:
    """The voucher that a header spends. Raises: PaymentRejected PAYMENT_HEADER_MALFORMED."""
    try:
        fields = Fields(decode_header(header), METHOD)
        if fields.nested("asset", read_asset) != asset:
            raise fields.malformed("asset")
        voucher = Voucher(
            asset=asset,
            holder=fields.address("holder"),
            payee=fields.address("payee"),
            amount=fields.amount("amount"),
            **_read_terms(fields),
        )
        return Spent(voucher, fields.digest("salt"), fields.hex_bytes("signature", length=65))
    except InferproofError as error:
        raise PaymentRejected(Reason.PAYMENT_HEADER_MALFORMED, problem=error.message) from None
    except ValueError as error:
        raise PaymentRejected(Reason.PAYMENT_HEADER_MALFORMED, problem=str(error)) from None


def _read_terms(fields: Fields) -> dict[str, Any]:
    return {
        "number": fields.amount("number"),
        "transaction": fields.digest("transaction"),
        "block": fields.integer("block"),
        "issued": fields.hex_bytes("issued", length=65),
    }


def _voucher_json(voucher: Voucher) -> dict[str, Json]:
    return {
        "number": str(voucher.number),
        "asset": asset_json(voucher.asset),
        "holder": voucher.holder.hex,
        "payee": voucher.payee.hex,
        "amount": str(voucher.amount),
        "transaction": voucher.transaction.hex,
        "block": voucher.block,
        "issued": "0x" + voucher.issued.hex(),
    }
