"""Payment by an earlier transfer: the claim that its payer signs, and which transfers it spends.

    Transfer(payer, payee, amount)   an event of the token, in a transaction that is final
    TransferClaim                    signed by `payer`: this transfer is for this one request

The claim names network, token, payee and request, so that it is worth nothing to a stranger who
sees the transaction, and for nothing but the request that the payer signed.

Soundness: an event that directly follows the use of an authorization belongs to that
authorization, and is never claimed; settlements count no other events (`protocol.settlement`).
So no transfer pays twice, once as a settlement and once by a claim. Source: specs/transfer.md.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from inferproof.errors import PaymentRejected, Reason, RequestRejected
from inferproof.protocol.commitments import job_id
from inferproof.protocol.eip712 import INFERPROOF_DOMAIN, Struct, digest, hash_struct
from inferproof.protocol.encoding import keccak256, tagged_digest
from inferproof.protocol.signature import recover
from inferproof.types.digest import Address, Digest
from inferproof.types.event import Log
from inferproof.types.money import Asset, format_units
from inferproof.types.payment import Quote, TransferClaim, TransferPayment

TRANSFER_TAG = "inferproof/transfer/1"
TRANSFER_EVENT = Digest(keccak256(b"Transfer(address,address,uint256)"))
AUTHORIZATION_USED_EVENT = Digest(keccak256(b"AuthorizationUsed(address,bytes32)"))
ANY_LOG = 2**64 - 1
"""Stands in the signed struct for "any log of the transaction"; none has this index."""

TRANSFER_CLAIM = Struct(
    "TransferClaim",
    {
        "network": "string",
        "token": "address",
        "payer": "address",
        "payee": "address",
        "transaction": "bytes32",
        "logIndex": "uint64",
        "requestDigest": "bytes32",
        "salt": "bytes32",
    },
)


def claim_value(claim: TransferClaim) -> dict[str, object]:
    """The claim's fields under the names of its struct."""
    return {
        "network": claim.asset.network.caip2,
        "token": claim.asset.address,
        "payer": claim.payer,
        "payee": claim.payee,
        "transaction": claim.transaction,
        "logIndex": ANY_LOG if claim.log_index is None else claim.log_index,
        "requestDigest": claim.request,
        "salt": claim.salt,
    }


def claim_digest(claim: TransferClaim) -> Digest:
    """The digest that the payer signs; it is the claim's id."""
    return digest(INFERPROOF_DOMAIN, hash_struct(TRANSFER_CLAIM, claim_value(claim)))


def claim_job_id(claim: TransferClaim) -> Digest:
    """The job that the claim buys: with the claim's digest where an authorization has its nonce.

    The same claim is the same job, whichever transfer it came to spend.
    """
    asset = claim.asset
    return job_id(
        asset.network, asset.address, claim.payer, claim_digest(claim), claim.request, claim.salt
    )


def transfer_nonce(transaction: Digest, log_index: int) -> Digest:
    """What makes a transfer single-use, beside network, token and payer."""
    return tagged_digest(TRANSFER_TAG, transaction.raw, log_index.to_bytes(8, "big"))


def check_claim_signature(claim: TransferClaim) -> None:
    """Returns when the payer's own key signed the claim.

    Raises: PaymentRejected CLAIM_SIGNATURE, SIGNATURE_MALFORMED. Contract wallets (EIP-1271) are
    not supported.
    """
    try:
        signer = recover(claim_digest(claim), claim.signature)
    except RequestRejected as error:
        raise PaymentRejected(error.reason) from None
    if signer != claim.payer:
        raise PaymentRejected(Reason.CLAIM_SIGNATURE, payer=claim.payer)


def check_claim_request(claim: TransferClaim, request: Digest) -> None:
    """Returns when the claim is for this request. Raises: PaymentRejected CLAIM_OTHER_REQUEST."""
    if claim.request != request:
        raise PaymentRejected(Reason.CLAIM_OTHER_REQUEST, got=claim.request, expected=request)


@dataclass(frozen=True, slots=True)
class Transfer:
    """One transfer of the token in a transaction. Units: `amount` in atomic units."""

    log_index: int
    payer: Address
    payee: Address
    amount: int


def transfers_in(logs: Sequence[Log], token: Address) -> Iterator[Transfer]:
    """The token's transfers among a transaction's logs that nobody's authorization made.

    Left out are other contracts' events, those of another form, and transfers to oneself, which
    move nothing. Behind a proxy the proxy's address is the token's.
    """
    for index, log in enumerate(logs):
        if log.address != token or len(log.topics) != 3 or len(log.data) != 32:
            continue
        event, payer, payee = log.topics
        if event != TRANSFER_EVENT or payer == payee or any(payer.raw[:12] + payee.raw[:12]):
            continue
        before = logs[index - 1] if index else None
        if (
            before is not None
            and before.address == token
            and before.topics[:2] == (AUTHORIZATION_USED_EVENT, payer)
        ):
            continue
        yield Transfer(
            index,
            Address(payer.raw[12:]),
            Address(payee.raw[12:]),
            int.from_bytes(log.data, "big"),
        )


def fitting_transfers(
    logs: Sequence[Log], claim: TransferClaim, price: int
) -> tuple[TransferPayment, ...]:
    """The transfers that the claim may spend and that cover the price, in the order of their logs.

    There is at least one. Amounts are not added up: one transfer pays for one request. The logs
    are those of the claim's transaction. Units: `price` in atomic units.
    Raises: PaymentRejected NO_TRANSFER_EVENT, WRONG_RECIPIENT, INSUFFICIENT_AMOUNT.
    """
    asset = claim.asset
    own = [
        transfer
        for transfer in transfers_in(logs, asset.address)
        if transfer.payer == claim.payer and claim.log_index in (None, transfer.log_index)
    ]
    if not own:
        raise PaymentRejected(
            Reason.NO_TRANSFER_EVENT,
            tx=claim.transaction,
            where="any log" if claim.log_index is None else f"log {claim.log_index}",
            token=asset.address,
            payer=claim.payer,
        )
    to_payee = [transfer for transfer in own if transfer.payee == claim.payee]
    if not to_payee:
        raise PaymentRejected(
            Reason.WRONG_RECIPIENT, tx=claim.transaction, got=own[0].payee, expected=claim.payee
        )
    enough = [transfer for transfer in to_payee if transfer.amount >= price]
    if not enough:
        raise insufficient(asset, max(t.amount for t in to_payee), price)
    return tuple(spent(claim, transfer) for transfer in enough)


def spent(claim: TransferClaim, transfer: Transfer) -> TransferPayment:
    """The payment that a claim makes of a transfer."""
    nonce = transfer_nonce(claim.transaction, transfer.log_index)
    return TransferPayment(claim, transfer.amount, transfer.log_index, nonce)


def check_transfer_amount(payment: TransferPayment, quote: Quote) -> None:
    """Returns when the transfer covers the price.

    More than the price is accepted: the money has moved already, and the whole of it is what a
    refund gives back. Raises: PaymentRejected INSUFFICIENT_AMOUNT.
    """
    if payment.amount < quote.price.amount:
        raise insufficient(payment.asset, payment.amount, quote.price.amount)


def require_transfer(logs: Sequence[Log], payment: TransferPayment) -> None:
    """Returns when the transaction's logs hold exactly the payment's transfer, where it says.

    Raises: PaymentRejected TRANSFER_NOT_ON_CHAIN.
    """
    stated = Transfer(payment.log_index, payment.payer, payment.payee, payment.amount)
    if stated not in transfers_in(logs, payment.asset.address):
        raise PaymentRejected(
            Reason.TRANSFER_NOT_ON_CHAIN,
            log=payment.log_index,
            tx=payment.claim.transaction,
            value=payment.amount,
            payer=payment.payer,
            payee=payment.payee,
        )


def insufficient(asset: Asset, got: int, price: int) -> PaymentRejected:
    """The rejection of a transfer that is smaller than the price."""
    return PaymentRejected(
        Reason.INSUFFICIENT_AMOUNT,
        got=format_units(got, asset.decimals),
        expected=format_units(price, asset.decimals),
        symbol=asset.symbol,
    )
