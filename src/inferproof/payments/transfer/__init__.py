"""Payment by an earlier transfer: the claim on the wire. Source: specs/transfer.md.

    buyer                                 chain                 gateway
      │ transfer(payee, amount)             │                      │
      │────────────────────────────────────►│                      │
      │ request, Inferproof-Transfer: the signed claim             │
      │───────────────────────────────────────────────────────────►│ parse_transfer()
      │                                     │◄─────────────────────│ is it there, deep, unused?
      │                      200 with the answer                   │
      │◄───────────────────────────────────────────────────────────│

A 402 challenge of a gateway that takes such payments says so: see `transfer_offer`.
"""

from inferproof.payments.transfer.wire import (
    TRANSFER_HEADER,
    IncomingTransfer,
    parse_transfer,
    transfer_header,
    transfer_offer,
)

__all__ = [
    "TRANSFER_HEADER",
    "IncomingTransfer",
    "parse_transfer",
    "transfer_header",
    "transfer_offer",
]
