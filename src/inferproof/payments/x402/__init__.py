"""x402 version 2, scheme `exact` on EVM networks: the wire, and a self-hosted facilitator.

    buyer                          gateway
      │ request                       │
      │──────────────────────────────►│
      │      402 PAYMENT-REQUIRED     │  challenge(): offers, signed quote, request digest
      │◄──────────────────────────────│
      │ same request                  │
      │ PAYMENT-SIGNATURE             │  parse_payment(): one authorization, or a rejection
      │──────────────────────────────►│
      │      200 PAYMENT-RESPONSE     │  settle_response()
      │◄──────────────────────────────│

The wire is read and written here without the x402 SDK, so that a buyer needs only the base
install, and gateway and buyer read headers by one reader (payments/header.py); the tests hold it
against the SDK.
"""

from inferproof.payments.header import encode_header
from inferproof.payments.x402.challenge import (
    Challenge,
    Discovery,
    Resource,
    challenge,
    header_part,
    read_challenge,
)
from inferproof.payments.x402.payment import (
    IncomingPayment,
    parse_payment,
    payment_header,
    payment_payload,
    settle_response,
)
from inferproof.payments.x402.wire import (
    PAYMENT_REQUIRED,
    PAYMENT_RESPONSE,
    PAYMENT_SIGNATURE,
)

__all__ = [
    "PAYMENT_REQUIRED",
    "PAYMENT_RESPONSE",
    "PAYMENT_SIGNATURE",
    "Challenge",
    "Discovery",
    "IncomingPayment",
    "Resource",
    "challenge",
    "encode_header",
    "header_part",
    "parse_payment",
    "payment_header",
    "payment_payload",
    "read_challenge",
    "settle_response",
]
