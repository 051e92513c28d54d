"""Payment by what was bought on a chain before: the claim on the wire. Source: specs/access.md.

buyer                           contract of access                gateway, which may consume
  │ buy(plan), the price          │                                 │
  │──────────────────────────────►│                                 │
  │ request, Inferproof-Pass: the signed claim to a call            │
  │────────────────────────────────────────────────────────────────►│ parse_pass()
  │                               │◄────────────────────────────────│ entitled?
  │                               │ consume, before work begins     │
  │                               │◄────────────────────────────────│ infers, proves
  │                       200 with the answer                       │
  │◄────────────────────────────────────────────────────────────────│
  │                               │ restore, where none came        │
"""

from inferproof.payments.passes.wire import (
    PASS_HEADER,
    IncomingPass,
    parse_pass,
    pass_header,
    pass_offer,
)

__all__ = ["PASS_HEADER", "IncomingPass", "parse_pass", "pass_header", "pass_offer"]
