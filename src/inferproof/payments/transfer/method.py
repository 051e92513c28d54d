"""The gateway's side of earlier transfers: what must hold before a transfer is spent.

A claim that names no log takes the first fitting transfer that nobody used.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from inferproof.errors import Conflict, PaymentRejected, Reason, Unavailable
from inferproof.payments.method import PayerExposure, Presented, Reservable
from inferproof.payments.transfer.receipt import TRANSFER_METHOD, TransferPart, transfer_payment
from inferproof.payments.transfer.wire import (
    TRANSFER_HEADER,
    IncomingTransfer,
    parse_transfer,
    transfer_offer,
)
from inferproof.protocol.authorization import check_asset_and_payee
from inferproof.protocol.encoding import Json
from inferproof.protocol.transfer import (
    check_claim_request,
    check_claim_signature,
    claim_job_id,
    fitting_transfers,
)
from inferproof.types.digest import Digest
from inferproof.types.event import MinedTransaction
from inferproof.types.money import Asset
from inferproof.types.payment import Authorization, Payment, Quote, TransferClaim


class TransferChain(Protocol):
    """What spending a transfer asks of a chain."""

    async def transaction(self, tx: Digest) -> MinedTransaction | None:
        """The transaction as it lies in the chain, however deep; None while no block holds it.

        Raises: Unavailable when the chain cannot be asked, or changes meanwhile.
        """
        ...


@dataclass(frozen=True, slots=True)
class TransferTerms:
    """What is asked of a transfer that was made before it pays. Units: `max_age_s` seconds since
    its block; `confirmations` blocks, its own counted."""

    confirmations: int = 3
    max_age_s: int = 86_400


def present(incoming: IncomingTransfer) -> Presented[TransferClaim]:
    """The claim of a header as all methods' payments are presented: which transfer it spends, the
    chain says."""
    claim = incoming.claim
    return Presented(
        method=TRANSFER_METHOD,
        payer=claim.payer,
        signed=claim,
        job_id=claim_job_id(claim),
        salt=claim.salt,
        quote=incoming.quote,
        draws=False,
    )


class TransferMethod(TransferPart):
    """A PaymentMethod (see payments.method). Without `terms` a gateway takes no such payment."""

    header = TRANSFER_HEADER
    takes_key = False

    def __init__(self, asset: Asset, chain: TransferChain, terms: TransferTerms | None) -> None:
        self._asset = asset
        self._chain = chain
        self._terms = terms

    def challenge(self, quote: Quote) -> dict[str, Json] | None:
        return None

    def offer(self) -> dict[str, Json]:
        terms = self._terms
        if terms is None:
            return {}
        return {"transfer": transfer_offer(terms.confirmations, terms.max_age_s)}

    def read(self, headers: Mapping[str, str]) -> Presented[TransferClaim] | None:
        """Raises: PaymentRejected as `parse_transfer`, and TRANSFERS_CLOSED."""
        header = headers.get(self.header.lower())
        if header is None:
            return None
        incoming = parse_transfer(header, [self._asset])
        if self._terms is None:
            raise PaymentRejected(Reason.TRANSFERS_CLOSED)
        return present(incoming)

    def check_signed(self, presented: Presented[TransferClaim], request: Digest) -> None:
        """Raises: PaymentRejected CLAIM_OTHER_REQUEST, CLAIM_SIGNATURE, SIGNATURE_MALFORMED."""
        check_claim_request(presented.signed, request)
        check_claim_signature(presented.signed)

    def check_bound(self, presented: Presented[TransferClaim], request: Digest) -> None:
        """What was signed names the request."""

    def check(self, presented: Presented[TransferClaim], quote: Quote, now: int) -> None:
        """Raises: PaymentRejected PAYMENT_ASSET, PAYMENT_PAYEE."""
        check_asset_and_payee(presented.signed.asset, presented.signed.payee, quote)

    async def reserve(
        self, presented: Presented[TransferClaim], quote: Quote, now: int, exposure: PayerExposure
    ) -> Sequence[Reservable]:
        """The transfers that fit: of the payer, to the payee, at least the price, in a transaction
        that succeeded, lies deep enough, and is not too old.

        Raises: PaymentRejected TRANSFERS_CLOSED, TX_NOT_FOUND, TX_FAILED, TRANSFER_TOO_OLD,
        NO_TRANSFER_EVENT, WRONG_RECIPIENT, INSUFFICIENT_AMOUNT; Unavailable VERIFICATION_ERROR,
        INSUFFICIENT_CONFIRMATIONS.
        """
        claim = presented.signed
        found = await self._transaction(claim, now)
        fitting = fitting_transfers(found.logs, claim, quote.price.amount)
        return [
            Reservable(transfer_payment(each), found.block, claim.transaction) for each in fitting
        ]

    async def _transaction(self, claim: TransferClaim, now: int) -> MinedTransaction:
        terms, tx = self._terms, claim.transaction
        if terms is None:
            raise PaymentRejected(Reason.TRANSFERS_CLOSED)
        try:
            found = await self._chain.transaction(tx)
        except Unavailable as error:
            raise Unavailable(Reason.VERIFICATION_ERROR, tx=tx, why=error.message) from error
        if found is None:
            raise PaymentRejected(Reason.TX_NOT_FOUND, network=claim.asset.network, tx=tx)
        if not found.succeeded:
            raise PaymentRejected(Reason.TX_FAILED, tx=tx, block=found.block)
        if found.depth < terms.confirmations:
            raise Unavailable(
                Reason.INSUFFICIENT_CONFIRMATIONS,
                tx=tx,
                got=found.depth,
                needed=terms.confirmations,
            )
        if found.time + terms.max_age_s < now:
            raise PaymentRejected(
                Reason.TRANSFER_TOO_OLD, at=found.time, now=now, longest=terms.max_age_s
            )
        return found

    def used(self, presented: Presented[TransferClaim]) -> Conflict:
        claim = presented.signed
        where = "any log" if claim.log_index is None else f"log {claim.log_index}"
        return Conflict(Reason.PAYMENT_ALREADY_USED, where=where, tx=claim.transaction)

    def settle(self, payment: Payment) -> Authorization | None:
        return None

    def view(self, payment: Payment) -> dict[str, Json]:
        terms = json.loads(payment.terms)
        return {
            "kind": "transfer",
            "nonce": payment.nonce.hex,
            "transaction": terms["transaction"],
            "log_index": terms["logIndex"],
        }
