"""The gateway's side of what was bought before: what must hold before a call of it is taken.

The contract is asked in the newest block, so that what was bought is honoured at once. What of that
a chain takes back is no loss: the call is taken by a transaction of the gateway's, and work begins
once that is as deep as settlements must be.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from inferproof.errors import Conflict, NotFound, PaymentRejected, Reason, Unavailable
from inferproof.payments.method import PayerExposure, Presented, Reservable
from inferproof.payments.passes.receipt import (
    PASS_METHOD,
    PassPart,
    consumption_of_payment,
    pass_payment,
)
from inferproof.payments.passes.wire import PASS_HEADER, IncomingPass, parse_pass, pass_offer
from inferproof.protocol.access import is_purchase, plan_of
from inferproof.protocol.authorization import check_asset_and_payee
from inferproof.protocol.encoding import Json
from inferproof.protocol.passes import (
    check_pass_request,
    check_pass_signature,
    check_pass_time,
    check_purchase,
    check_subscription,
)
from inferproof.types.access import (
    Consumption,
    Entitlement,
    PassClaim,
    Plan,
    PlanKind,
    Purchase,
    Subscription,
)
from inferproof.types.digest import Address, Digest
from inferproof.types.money import Asset
from inferproof.types.payment import Payment, Quote

ASK_S = 5.0
"""How long a contract of access is waited for: a node answers in milliseconds, and the buyer waits
for the answer."""


class PassChain(Protocol):
    """What taking a call asks of a contract of access, in its newest block.

    Raises: Unavailable when the chain cannot be asked.
    """

    async def head(self) -> int:
        """The number of the newest block."""
        ...

    async def now(self) -> int:
        """The time of the newest block, in Unix seconds."""
        ...

    async def may_consume(self, who: Address) -> bool:
        """Whether somebody may take calls there."""
        ...

    async def entitlement(
        self, buyer: Address, commitment: Digest, token: Address, right: Digest
    ) -> Entitlement:
        """Whether the buyer may call the version now by this right, and what is to be paid."""
        ...

    async def plan(self, name: Digest) -> Plan:
        """Raises: NotFound PLAN_NOT_FOUND."""
        ...

    async def purchase(self, right: Digest) -> Purchase:
        """A pass or a pack. Raises: NotFound PURCHASE_NOT_FOUND."""
        ...

    async def holds(self, holder: Address, right: Digest) -> bool:
        """Whether a pass or a pack is somebody's now."""
        ...

    async def subscription(self, plan: Digest, subscriber: Address) -> Subscription:
        """All zeros for who never subscribed."""
        ...


@dataclass(frozen=True, slots=True)
class PassTerms:
    """What is asked of a claim. Units: seconds.

    `access` is the contract. A claim holds `margin_s` longer when it is accepted, and `longest_s`
    at most. `ask_s` is how long the contract is waited for.
    """

    access: Address
    margin_s: int = 30
    longest_s: int = 3600
    ask_s: float = ASK_S


class PassMethod(PassPart):
    """A PaymentMethod (see payments.method). Without `terms` a gateway takes no such payments."""

    header = PASS_HEADER
    takes_key = False

    def __init__(self, asset: Asset, chain: PassChain | None, terms: PassTerms | None) -> None:
        self._asset = asset
        self._chain = chain
        self._terms = terms

    def challenge(self, quote: Quote) -> dict[str, Json] | None:
        return None

    def offer(self) -> dict[str, Json]:
        return {} if self._terms is None else {PASS_METHOD: pass_offer(self._terms.access)}

    def read(self, headers: Mapping[str, str]) -> Presented[PassClaim] | None:
        """Raises: PaymentRejected as `parse_pass`, and PASSES_CLOSED."""
        header = headers.get(self.header.lower())
        if header is None:
            return None
        incoming = parse_pass(header, [self._asset])
        self._open_terms()
        return present(incoming)

    def check_signed(self, presented: Presented[PassClaim], request: Digest) -> None:
        """Raises: PaymentRejected PASS_CONTRACT, PASS_OTHER_REQUEST, PASS_SIGNATURE,
        SIGNATURE_MALFORMED."""
        claim, own = presented.signed, self._open_terms().access
        if claim.access != own:
            raise PaymentRejected(Reason.PASS_CONTRACT, got=claim.access, expected=own)
        check_pass_request(claim, request)
        check_pass_signature(claim)

    def check_bound(self, presented: Presented[PassClaim], request: Digest) -> None:
        """What was signed names the request."""

    def check(self, presented: Presented[PassClaim], quote: Quote, now: int) -> None:
        """Whatever the quoted price is: nothing is paid.

        Raises: PaymentRejected PAYMENT_ASSET, PAYMENT_PAYEE, PASS_MODEL, PASS_ENDS, PASS_TOO_LONG.
        """
        claim, terms = presented.signed, self._open_terms()
        check_asset_and_payee(claim.asset, claim.gateway, quote)
        if claim.model != quote.model_commitment:
            raise PaymentRejected(
                Reason.PASS_MODEL, got=claim.model, expected=quote.model_commitment
            )
        check_pass_time(claim, now, margin=terms.margin_s, longest=terms.longest_s)

    async def reserve(
        self, presented: Presented[PassClaim], quote: Quote, now: int, exposure: PayerExposure
    ) -> Sequence[Reservable]:
        """The one call, which the contract entitles to, once its buyer has not too many unsettled
        for what it has settled before: each costs the gateway gas.

        Raises: PaymentRejected PASS_KIND, PASS_NOT_FOUND, PASS_NOT_HELD, PASS_OVER, PASS_USED_UP,
        NOT_ENTITLED; TooMany PAYER_EXPOSURE; Unavailable ACCESS_SILENT, NOT_A_CONSUMER.
        """
        claim, terms, chain = presented.signed, self._open_terms(), self._open_chain()
        if not await exposure.allows():
            await exposure.look()
        await exposure.check()
        try:
            async with asyncio.timeout(terms.ask_s):
                head = await self._entitled(claim, chain)
        except TimeoutError:
            raise Unavailable(
                Reason.ACCESS_SILENT, access=terms.access, seconds=terms.ask_s
            ) from None
        return [Reservable(pass_payment(claim), head)]

    def used(self, presented: Presented[PassClaim]) -> Conflict:
        return Conflict(Reason.PAYMENT_REPLAYED)

    def settle(self, payment: Payment) -> Consumption | None:
        """Also in a process that is not set to honour passes: a call that was promised is taken."""
        return consumption_of_payment(payment)

    def view(self, payment: Payment) -> dict[str, Json]:
        terms = json.loads(payment.terms)
        return {
            "kind": PASS_METHOD,
            "nonce": payment.nonce.hex,
            "access": terms["access"],
            "right": terms["right"],
        }

    # -- inside

    async def _entitled(self, claim: PassClaim, chain: PassChain) -> int:
        """A block before which no call was taken by the claim."""
        head, may, found = await asyncio.gather(
            chain.head(),
            chain.may_consume(claim.gateway),
            chain.entitlement(claim.buyer, claim.model, claim.asset.address, claim.right),
        )
        if not is_purchase(claim.right):
            await _check_kind(claim, chain)
        if not found.entitled or found.price:
            await _say_why(claim, chain)
            raise PaymentRejected(
                Reason.NOT_ENTITLED, buyer=claim.buyer, commitment=claim.model, right=claim.right
            )
        if not may:
            raise Unavailable(Reason.NOT_A_CONSUMER, who=claim.gateway, access=claim.access)
        return head

    def _open_terms(self) -> PassTerms:
        if self._terms is None:
            raise PaymentRejected(Reason.PASSES_CLOSED)
        return self._terms

    def _open_chain(self) -> PassChain:
        if self._chain is None:
            raise PaymentRejected(Reason.PASSES_CLOSED)
        return self._chain


def present(incoming: IncomingPass) -> Presented[PassClaim]:
    """The claim of a header as all methods' payments are presented."""
    claim = incoming.claim
    return Presented(
        method=PASS_METHOD,
        payer=claim.buyer,
        signed=claim,
        payment=pass_payment(claim),
        salt=claim.salt,
        quote=incoming.quote,
    )


async def _check_kind(claim: PassClaim, chain: PassChain) -> None:
    """Returns for a subscription. Calls that cost nothing would cost the gateway all the same, and
    are counted by address, of which anybody has any number."""
    try:
        plan = await chain.plan(claim.right)
    except NotFound:
        raise PaymentRejected(Reason.PASS_NOT_FOUND, right=claim.right) from None
    if plan.terms.kind is not PlanKind.SUBSCRIPTION:
        kind = plan.terms.kind.name.lower()
        raise PaymentRejected(Reason.PASS_KIND, right=claim.right, kind=kind)


async def _say_why(claim: PassClaim, chain: PassChain) -> None:
    """Returns where nothing is wrong with the right itself. Raises: PaymentRejected."""
    right, buyer, now = claim.right, claim.buyer, await chain.now()
    if is_purchase(right):
        try:
            purchase = await chain.purchase(right)
        except NotFound:
            raise PaymentRejected(Reason.PASS_NOT_FOUND, right=right) from None
        check_purchase(purchase, buyer, now, held=await chain.holds(buyer, right))
        return
    plan, own = await chain.plan(plan_of(right)), await chain.subscription(right, buyer)
    check_subscription(right, own, plan.terms.calls, buyer, now)
