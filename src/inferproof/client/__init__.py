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
