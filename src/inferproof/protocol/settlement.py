"""What settles an authorization: two events in a row, in one transaction that succeeded.

Soundness: that a token says an authorization's state is "used" never means paid: it is so too after
the payer cancelled it. Only the two events do.
"""

from itertools import pairwise

from inferproof.errors import PaymentRejected, Reason
from inferproof.protocol.payment_part import Included
from inferproof.protocol.transfer import AUTHORIZATION_USED_EVENT, TRANSFER_EVENT
from inferproof.types.digest import Address, Digest
from inferproof.types.event import Log
from inferproof.types.payment import Authorization


def moves_funds(transaction: Included, authorization: Authorization) -> bool:
    """True when the transaction used the authorization and made exactly its transfer.

    Soundness: the transfer must be the very next event after the use of the nonce, as both
    OpenZeppelin's token and Circle's emit them. Otherwise a payer could use up two nonces on
    transfers to itself, add one plain transfer, and have it counted for both.
    """
    return transaction.succeeded and any(
        is_settlement(first, second, authorization) for first, second in pairwise(transaction.logs)
    )


def is_settlement(first: Log, second: Log, authorization: Authorization) -> bool:
    """True for two events in a row, of a transaction that succeeded, which settle exactly this
    authorization."""
    token, payer = authorization.asset.address, _topic(authorization.payer)
    return (
        first.address == token
        and first.topics == (AUTHORIZATION_USED_EVENT, payer, authorization.nonce)
        and second.address == token
        and second.topics == (TRANSFER_EVENT, payer, _topic(authorization.payee))
        and second.data == authorization.amount.to_bytes(32, "big")
    )


def require_settlement(transaction: Included, authorization: Authorization) -> None:
    """Returns when the transaction settled exactly this authorization.

    Raises: PaymentRejected SETTLEMENT_NO_TRANSFER.
    """
    if not moves_funds(transaction, authorization):
        raise PaymentRejected(
            Reason.SETTLEMENT_NO_TRANSFER,
            tx=transaction.tx,
            value=authorization.amount,
            payer=authorization.payer,
            payee=authorization.payee,
            nonce=authorization.nonce,
        )


def _topic(address: Address) -> Digest:
    return Digest(bytes(12) + address.raw)
