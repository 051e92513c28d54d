"""Parts that the x402 tests share: an asset, keys, a quote and a signed payment."""

from dataclasses import replace
from typing import Any

from inferproof.payments.header import encode_header
from inferproof.payments.x402 import Challenge, Resource, challenge, read_challenge
from inferproof.payments.x402.wire import requirements
from inferproof.protocol.authorization import authorization_digest
from inferproof.protocol.commitments import bound_nonce, request_digest
from inferproof.protocol.quote import quote_digest
from inferproof.protocol.signature import SigningKey
from inferproof.types.digest import Address, Digest
from inferproof.types.money import Asset, Money, Network
from inferproof.types.payment import Authorization, Quote
from inferproof.types.proof import Assurance, ToldProof

NOW = 1_767_225_600
PAYER = SigningKey(b"\x11" * 32)
GATEWAY = SigningKey(b"\x22" * 32)
PAYEE = Address(b"\x33" * 20)
ASSET = Asset(Network.evm(31337), Address(b"\x44" * 20), "USDC", 6, "Devnet USD", "1")
SALT = b"\x55" * 32
PATH = "/v1/models/fraud/infer"
BODY = b'{"input":1}'
REQUEST = request_digest("POST", PATH, BODY)
RESOURCE = Resource("http://127.0.0.1:9100" + PATH, "Fraud detection, proved")

QUOTE = Quote(
    model_id="fraud",
    model_commitment=Digest(b"\x66" * 32),
    proof_system="toy",
    provider=Address(b"\x77" * 20),
    price=Money(250_000, ASSET),
    payee=PAYEE,
    request_digest=REQUEST,
    prove_ms=900,
    peak_bytes=10**8,
    proof_bytes=3100,
    verify_gas=500_000,
    issued_at=NOW - 10,
    expires_at=NOW + 290,
)
QUOTE_SIGNATURE = GATEWAY.sign(quote_digest(QUOTE))
PROOF = ToldProof(Assurance.ZK_PRIVATE, private_inputs=True)


def the_challenge(**changes: Any) -> dict[str, Any]:
    """A PaymentRequired object."""
    return (
        challenge(
            QUOTE,
            QUOTE_SIGNATURE,
            RESOURCE,
            request=REQUEST,
            accepts=[requirements(QUOTE, 300)],
            offers={},
            proof=PROOF,
        )
        | changes
    )


def read(value: Any) -> Challenge:
    """The challenge, through its header and back."""
    return read_challenge(encode_header(value))


def signed(**changes: Any) -> Authorization:
    """An authorization by PAYER that pays QUOTE, with fields changed before it is signed."""
    unsigned = Authorization(
        asset=ASSET,
        payer=PAYER.address,
        payee=PAYEE,
        amount=250_000,
        valid_after=0,
        valid_before=NOW + 300,
        nonce=bound_nonce(REQUEST, SALT),
        signature=b"",
    )
    unsigned = replace(unsigned, **changes)
    return replace(unsigned, signature=PAYER.sign(authorization_digest(unsigned)))
