"""The SDK: buy a prediction, get it proved, check the proof.

    from inferproof.client import Client
    from inferproof.protocol.signature import SigningKey

    with Client("https://gateway.example", key=SigningKey.from_hex(secret)) as client:
        answer = client.infer("fraud-detection", {"amount": 12.5}, max_price="0.25")
        print(answer.label, answer.verified)

`Client` and `AsyncClient` drive one flow (flow.py) that does no I/O itself:

    request ─► 402 ─► limits ─► sign ─► the same request, paid ─► poll ─► receipt ─► verify

What was signed is written down before it is sent, so that losing the connection, or the
process, never means paying twice: `resume` sends the very same header again.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inferproof.client.answer import Answer, Offer
    from inferproof.client.client import AsyncClient, Client
    from inferproof.client.ledger import PaidCall
    from inferproof.client.limits import DEVNET, USDC, Limits
    from inferproof.client.webhook import verify_webhook
    from inferproof.payments.transfer.buyer import MadeTransfer
    from inferproof.protocol.signature import Signer

__all__ = [
    "DEVNET",
    "USDC",
    "Answer",
    "AsyncClient",
    "Client",
    "Limits",
    "MadeTransfer",
    "Offer",
    "PaidCall",
    "Signer",
    "verify_webhook",
]
_HOMES = {
    "Answer": "inferproof.client.answer",
    "Offer": "inferproof.client.answer",
    "AsyncClient": "inferproof.client.client",
    "Client": "inferproof.client.client",
    "PaidCall": "inferproof.client.ledger",
    "DEVNET": "inferproof.client.limits",
    "USDC": "inferproof.client.limits",
    "Limits": "inferproof.client.limits",
    "verify_webhook": "inferproof.client.webhook",
    "MadeTransfer": "inferproof.payments.transfer.buyer",
    "Signer": "inferproof.protocol.signature",
}


def __getattr__(name: str) -> Any:
    """A name of the SDK, its module imported when it is asked for: whoever only verifies with
    `client.tools` needs neither HTTP nor payments."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
