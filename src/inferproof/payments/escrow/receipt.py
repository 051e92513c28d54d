"""Orders of an escrow in receipts: what the buyer locked its money for, and who took it up.

The order's id is the job's, and what is signed of an order: it is a digest of all its fields, of
the escrow and of the chain.
"""

import json
from collections.abc import Mapping

from inferproof.errors import PaymentRejected, Reason, ReceiptRejected, RequestRejected
from inferproof.payments.escrow.wire import SignedOrder
from inferproof.protocol.authorization import check_asset_and_payee
from inferproof.protocol.claims import PaymentClaims
from inferproof.protocol.encoding import Json, canonical_json
from inferproof.protocol.escrow import acceptor_in, order_json, read_order
from inferproof.protocol.fields import Fields
from inferproof.protocol.payment_part import Authorized, Included, PartForm
from inferproof.protocol.quote import read_asset
from inferproof.protocol.signature import recover
from inferproof.types.digest import Address, Digest
from inferproof.types.money import format_units
from inferproof.types.payment import Payment, Quote
from inferproof.types.receipt import Receipt

ESCROW_METHOD = "escrow"
_FORM = PartForm("Escrow", (("escrow", "address"), ("order", "bytes32")))


def order_payment(signed: SignedOrder, server: Address) -> Payment:
    """The order as a server that takes it up keeps and states it."""
    order = signed.order
    terms: dict[str, Json] = {
        "method": ESCROW_METHOD,
        "escrow": signed.escrow.hex,
        "order": order_json(order),
    }
    return Payment(
        method=ESCROW_METHOD,
        asset=signed.asset,
        payer=order.buyer,
        payee=server,
        amount=order.price,
        nonce=signed.id,
        terms=canonical_json(terms),
        signature=signed.signature,
        ends=order.accept_by + 1,
    )


def order_of_payment(payment: Payment) -> SignedOrder:
    """The order that a record of this method keeps.

    Raises: RequestRejected FIELD_MALFORMED for what this method did not write.
    """
    terms = Fields(json.loads(payment.terms), ESCROW_METHOD)
    signed = _read_terms(terms, payment)
    terms.end()
    return signed


def _read_terms(fields: Fields, payment: Payment) -> SignedOrder:
    if fields.text("method") != ESCROW_METHOD:
        raise fields.malformed("method")
    escrow, order = fields.address("escrow"), read_order(fields.take("order", dict))
    told = (payment.asset.address, payment.payer, payment.amount)
    if told != (order.token, order.buyer, order.price):
        raise fields.malformed("order")
    return SignedOrder(payment.asset, escrow, order, payment.signature)


class EscrowPart:
    """A PaymentPart (see protocol.payment_part)."""

    method = ESCROW_METHOD
    form = _FORM

    def receipt_part(self, payment: Payment) -> Mapping[str, object]:
        return {"escrow": order_of_payment(payment).escrow, "order": payment.nonce}

    def recognises(self, fields: Fields) -> bool:
        return fields.rest().get("method") == ESCROW_METHOD

    def read_receipt_part(self, fields: Fields, request: Digest, salt: Digest | None) -> Payment:
        if salt is not None:  # the salt of an order is that of its input, and the proof shows it
            raise fields.malformed("method")
        common = Payment(
            method=ESCROW_METHOD,
            asset=fields.nested("asset", read_asset),
            payer=fields.address("payer"),
            payee=fields.address("payee"),
            amount=fields.amount("amount"),
            nonce=Digest(bytes(32)),
            terms=b"",
            signature=fields.hex_bytes("signature", length=65),
        )
        signed = _read_terms(fields, common)
        fields.end()
        return order_payment(signed, common.payee)

    def job_id(self, payment: Payment, request: Digest, salt: Digest | None) -> Digest:
        """The order's id. It is on the chain, as the delivery will be, with the input's numbers."""
        return payment.nonce

    def claims(self, payment: Payment, request: Digest, salt: Digest | None) -> PaymentClaims:
        return PaymentClaims(
            authorized="the buyer's signature over an order of this model and input is in the "
            "receipt",
            request="the buyer signed the commitment to the input that is proven, in its order; a "
            "request that verifies gives that input",
            settled="the order was taken up ",
        )

    def verify_receipt_part(self, receipt: Receipt) -> Authorized:
        """Raises: PaymentRejected PAYMENT_ASSET, PAYMENT_PAYEE, ORDER_PRICE, ORDER_SIGNATURE,
        SIGNATURE_MALFORMED, ORDER_SERVER; ReceiptRejected RECEIPT_ORDER."""
        payment, statement = receipt.payment, receipt.statement
        signed = order_of_payment(payment)
        check_asset_and_payee(payment.asset, payment.payee, receipt.quote)
        check_order_price(signed, receipt.quote)
        check_order_signature(signed)
        check_order_server(signed, payment.payee)
        order = signed.order
        # The contract pays who delivers, by this statement and no other.
        wanted = {
            "model": (statement.model_commitment, order.model),
            "input": (statement.input_commitment, order.input_commitment),
            "provider": (statement.provider, payment.payee),
        }
        for what, (got, expected) in wanted.items():
            if got != expected:
                raise ReceiptRejected(
                    Reason.RECEIPT_ORDER, what=what, got=got, order=payment.nonce, expected=expected
                )
        how = f"payer {order.buyer}, by order {payment.nonce} in escrow {signed.escrow}"
        return Authorized(how, latest=order.rescue_by)

    def verify_on_chain(self, receipt: Receipt, found: Included) -> str:
        """By the server that delivers, or, once the time of another is over, by that one."""
        payment = receipt.payment
        signed = order_of_payment(payment)
        logs = found.logs if found.succeeded else ()
        acceptor = acceptor_in(logs, signed.escrow, payment.nonce)
        rescued = receipt.issued_at > signed.order.deliver_by
        if acceptor is None or (acceptor != payment.payee and not rescued):
            raise PaymentRejected(
                Reason.ORDER_NOT_TAKEN,
                tx=found.tx,
                escrow=signed.escrow,
                order=payment.nonce,
                server=payment.payee,
            )
        return f", which accepts order {payment.nonce} for {acceptor}"


def check_order_signature(signed: SignedOrder) -> None:
    """Returns when the buyer's own key signed the order's id.

    Raises: PaymentRejected ORDER_SIGNATURE, SIGNATURE_MALFORMED.
    """
    try:
        signer = recover(signed.id, signed.signature)
    except RequestRejected as error:
        raise PaymentRejected(error.reason) from None
    if signer != signed.order.buyer:
        raise PaymentRejected(Reason.ORDER_SIGNATURE, buyer=signed.order.buyer)


def check_order_price(signed: SignedOrder, quote: Quote) -> None:
    """Returns when the order locks at least the price: more is the server's, as in the contract.

    Raises: PaymentRejected ORDER_PRICE.
    """
    price, asset = quote.price, signed.asset
    if signed.order.price < price.amount:
        raise PaymentRejected(
            Reason.ORDER_PRICE,
            got=format_units(signed.order.price, asset.decimals),
            expected=format_units(price.amount, asset.decimals),
            symbol=asset.symbol,
        )


def check_order_server(signed: SignedOrder, server: Address) -> None:
    """Returns when the order's buyer lets this server accept it.

    Raises: PaymentRejected ORDER_SERVER.
    """
    chosen = signed.order.server
    if any(chosen.raw) and chosen != server:
        raise PaymentRejected(Reason.ORDER_SERVER, chosen=chosen, server=server)
