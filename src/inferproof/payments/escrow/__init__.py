"""Payment by an order in an escrow: the money waits on the chain for the proof. Source:
specs/escrow.md.

    buyer                        escrow                          gateway, which is a server
      │ request(order), the price  │                                  │
      │───────────────────────────►│                                  │
      │ the paid request, Inferproof-Order: order, salt, signature    │
      │──────────────────────────────────────────────────────────────►│ is it open, is it worth it?
      │                            │ accept(order), the bond          │
      │                            │◄─────────────────────────────────│ infers, proves
      │                            │ deliver(order, outputs, proof)   │
      │                            │◄─────────────────────────────────│
      │                200 with the answer                            │
      │◄──────────────────────────────────────────────────────────────│
"""

from inferproof.payments.escrow.wire import (
    ORDER_HEADER,
    IncomingOrder,
    SignedOrder,
    order_header,
    order_offer,
    parse_order,
)

__all__ = [
    "ORDER_HEADER",
    "IncomingOrder",
    "SignedOrder",
    "order_header",
    "order_offer",
    "parse_order",
]
