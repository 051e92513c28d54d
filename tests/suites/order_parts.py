"""Orders of the sample payer in an escrow, signed."""

from dataclasses import replace
from typing import Any

from inferproof.payments.escrow import SignedOrder
from inferproof.protocol.encoding import keccak256
from inferproof.protocol.signature import SigningKey
from inferproof.testing.samples import ASSET, ORDERED_AT, PAYER
from inferproof.types.digest import Address, Digest
from inferproof.types.escrow import Order
from inferproof.types.verifier import ContractAssurance

ESCROW = Address(b"\xe5" * 20)
INPUT_SALT = Digest(keccak256(b"inferproof sample order's salt"))


def sample_order(**changes: Any) -> Order:
    """An order that is open to any server, made at ORDERED_AT."""
    order = Order(
        buyer=PAYER.address,
        token=ASSET.address,
        price=250_000,
        bond=100_000,
        model=Digest(b"\x11" * 32),
        input_commitment=Digest(b"\x12" * 32),
        inputs=Digest(b"\x13" * 32),
        assurance=ContractAssurance.ANY,
        accept_by=ORDERED_AT + 600,
        input_by=ORDERED_AT + 900,
        deliver_by=ORDERED_AT + 3_600,
        rescue_by=ORDERED_AT + 7_200,
        salt=Digest(b"\x14" * 32),
    )
    return replace(order, **changes)


def signed_order(
    order: Order | None = None, escrow: Address = ESCROW, signer: SigningKey = PAYER
) -> SignedOrder:
    """The order with its buyer's signature over its id."""
    unsigned = SignedOrder(ASSET, escrow, order or sample_order(), b"")
    return replace(unsigned, signature=signer.sign(unsigned.id))
