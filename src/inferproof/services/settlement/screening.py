"""What can still move funds, asked of the chain right before a settlement is signed.

Between the acceptance of a payment and its settlement its payer may have spent the money, so that
each of its authorizations would fail on chain at the gateway's cost. So balance, nonce and code of
all payers that wait are read in one request, in the round that signs.

| what the chain says | then |
|---|---|
| the nonce is used up | REFUSED: if a transfer of exactly these funds is found, it is settled |
| the balance does not cover it, after the payer's payments before it | REFUSED |
| the payer's account has code | tried first; REFUSED when it fails, else sent alone |
| the authorization is over on the chain's own clock, and was never sent | void |
| it is over, and was sent before | REFUSED |
| otherwise | sent, together with others |

An order in an escrow is accepted alone, once a trial says that it would be; its price is locked, so
nothing is asked of its buyer. Where it is not open any more, it is REFUSED too. A call that was
bought is taken alone, in the same way; nothing on the chain says that it was taken but our own
transaction, which is looked for first: a database that was restored has forgotten it.

A REFUSED payment is not sent any more, and is looked at until it is over: whoever has seen it may
still settle it, and then it pays for its job.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from inferproof.errors import PaymentRejected, Reason, Unavailable
from inferproof.services.settlement.outcomes import Outcomes
from inferproof.services.settlement.parts import Parts, about, log
from inferproof.storage.ports.outbox import Payable, SettlementStep
from inferproof.types.access import Consumption
from inferproof.types.chain import Sight
from inferproof.types.digest import Address, Digest
from inferproof.types.escrow import Acceptance
from inferproof.types.payment import PayerState


@dataclass(frozen=True, slots=True)
class Screened:
    """Payments that would settle now, by whether they may share a transaction."""

    shared: Sequence[Payable]
    alone: Sequence[Payable]


class Screening:
    """Sorts the payments that wait for a place in a transaction."""

    def __init__(self, parts: Parts, outcomes: Outcomes) -> None:
        self._parts = parts
        self._outcomes = outcomes

    async def screen(self, waiting: Sequence[Payable], sight: Sight) -> Screened:
        """Those of the payments that would settle now. Raises: Unavailable."""
        # After `sight` was taken: asked first whether it is used, it may be used before it ends.
        states = await self._parts.chain.payer_states(
            [self._parts.order(p.payment) for p in waiting]
        )
        left: dict[Address, int] = {}
        shared, alone, refused = list[Payable](), list[Payable](), list[Digest]()
        for payable, state in zip(waiting, states, strict=True):
            payment, order = payable.payment, self._parts.order(payable.payment)
            unsent = payable.step is None and not state.used
            # A call that was bought may have been taken by what this database has forgotten.
            if self._is_over(payable, sight) and unsent and not isinstance(order, Consumption):
                ends = order.valid_before
                why = PaymentRejected(Reason.SETTLEMENT_EXPIRED, valid_before=ends)
                await self._outcomes.void(payable, why)
                continue
            locked = isinstance(order, Acceptance | Consumption)
            funds = state.balance if locked else left.setdefault(payment.payer, state.balance)
            if not await self._would_settle(payable, state, funds, sight):
                refused.append(payable.job_id)
                continue
            if not locked:
                left[payment.payer] = funds - payment.amount
            is_alone = state.has_code or payable.step is SettlementStep.ALONE
            (alone if is_alone else shared).append(payable)
        if refused:
            await self._parts.settlements.refuse(refused, now=self._parts.clock())
            for job_id in refused:
                log.warning("its settlement is not sent: it would fail", extra=about(job_id))
        return Screened(shared, alone)

    def _is_over(self, payable: Payable, sight: Sight) -> bool:
        # Where only our clock says that one is over, it is sent: the chain will decide.
        return self._parts.clock() >= self._parts.order(payable.payment).valid_before <= sight.time

    async def _would_settle(
        self, payable: Payable, state: PayerState, funds: int, sight: Sight
    ) -> bool:
        payment = payable.payment
        order = self._parts.order(payment)
        if isinstance(order, Consumption) and await self._is_taken(order, payable):
            return False
        if state.used or self._is_over(payable, sight) or funds < payment.amount:
            return False
        if state.has_code:
            try:
                await self._parts.chain.check_settles(order)
            except PaymentRejected:
                return False
        return True

    async def _is_taken(self, order: Consumption, payable: Payable) -> bool:
        """Whether the call was taken before, in a block of any depth."""
        try:
            return await self._parts.chain.settled_by(order, payable.first_block) is not None
        except Unavailable as error:
            if error.reason is not Reason.TX_NOT_CONFIRMED:
                raise
            return True
