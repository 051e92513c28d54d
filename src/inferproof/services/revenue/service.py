"""Entering what orders bring, telling of it, and planning payouts.

The ledger follows from the order book: an order that was answered, whose payment is so deep that
the chain does not take it back, has one entry, made of its price and of what its model's card says.
An escrow pays by the block of the delivery, the price less the market's fee; bonds are nobody's
revenue.
Entering is done whenever the ledger is asked for anything, and does nothing where nothing is new.
Payouts are only planned here; the settler makes them (services/settlement/payouts.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from inferproof.errors import Conflict, Misconfigured, Reason
from inferproof.protocol.revenue import split, why_unpaid
from inferproof.services.base import Clock
from inferproof.services.models.catalog import Catalog
from inferproof.services.settlement.base import PayoutChain
from inferproof.storage.ports.revenue import PayoutTerms, Period, Revenue, Settled
from inferproof.types.digest import Address
from inferproof.types.money import Asset
from inferproof.types.revenue import Balance, Entry, Payout, StatementLine, Unpaid

AT_A_TIME = 500


@dataclass(frozen=True, slots=True)
class RevenueSettings:
    """Units: `least` in atomic units: who has less due is paid later. `size` is how many developers
    one transaction pays at most. `platform` is the gateway's own address."""

    asset: Asset
    platform: Address
    least: int
    size: int


@dataclass(frozen=True, slots=True)
class Planned:
    """Payouts that were made of balances, or would be, and the balances that are left out, each
    with its reason. `funds` is what the account has that they are made of; what it lacks, they wait
    for."""

    payouts: Sequence[Payout]
    left: Sequence[tuple[Balance, Unpaid]]
    funds: int | None = None

    @property
    def lacking(self) -> int:
        """What the account lacks for these payouts."""
        if self.funds is None:
            return 0
        return max(0, sum(payout.total for payout in self.payouts) - self.funds)


class RevenueService:
    """The ledger of one gateway in one asset."""

    def __init__(
        self, *, revenue: Revenue, catalog: Catalog, settings: RevenueSettings, clock: Clock
    ) -> None:
        self._revenue = revenue
        self._catalog = catalog
        self._settings = settings
        self._clock = clock

    @property
    def asset(self) -> Asset:
        return self._settings.asset

    async def enter(self) -> int:
        """Enters all that earned something and was not entered; how much that was.

        Raises: NotFound MODEL_UNKNOWN; Unavailable.
        """
        entered = 0
        while found := await self._revenue.to_enter(self.asset, limit=AT_A_TIME):
            entries = [await self._entry(order) for order in found]
            entered += await self._revenue.enter(entries, now=self._clock())
        return entered

    async def _entry(self, order: Settled) -> Entry:
        model = await self._catalog.described(order.model_id, order.model_version)
        card = model.submission.card.revenue
        return Entry(
            order.job_id,
            card.pay_to or model.submission.provider,
            split(order.price, card.developer_bps),
        )

    async def balances(self) -> Sequence[Balance]:
        """What is due to each developer and in no payout. Raises: as `enter`."""
        await self.enter()
        return await self._revenue.balances(self.asset)

    async def lines(
        self, period: Period, *, after: int = 0, limit: int = AT_A_TIME
    ) -> Sequence[StatementLine]:
        """The next orders of a statement, each with what it brought, or why it brought nothing.

        Raises: as `enter`.
        """
        small = {b.developer for b in await self.balances() if b.amount < self._settings.least}
        facts = await self._revenue.facts(self.asset, period, after=after, limit=limit)
        platform = self._settings.platform
        return [StatementLine(each, why_unpaid(each, platform, small)) for each in facts]

    async def payouts(self, *, after: int = 0, limit: int = AT_A_TIME) -> Sequence[Payout]:
        """The next payouts after this number."""
        return await self._revenue.payouts(self.asset, after=after, limit=limit)

    async def plan(self, chain: PayoutChain | None, head: int, *, dry: bool) -> Planned:
        """Payouts of all that is due, for the settler to make; nothing is stored where it is `dry`.

        1  there is a contract to make them
        2  it has paid nothing under their numbers, which a database that was restored would reuse

        Raises: Misconfigured PAYOUTS_NOT_SET; Conflict PAYOUT_ELSEWHERE, PAYOUT_NUMBER_TAKEN; as
        `enter`.
        """
        settings = self._settings
        balances = await self.balances()
        left, due = [], []
        for balance in balances:
            if balance.developer == settings.platform:
                left.append((balance, Unpaid.OWN))
            elif balance.amount < settings.least:
                left.append((balance, Unpaid.SMALL))
            else:
                due.append(balance)
        # 1
        if chain is None:
            raise Misconfigured(Reason.PAYOUTS_NOT_SET, name="INFERPROOF_PAYOUTS_ADDRESS")
        first = await self._revenue.next_number()
        # 2
        for number in range(first, first + -(-len(due) // settings.size)):
            if await chain.is_used(number):
                raise Conflict(
                    Reason.PAYOUT_ELSEWHERE,
                    contract=chain.contract,
                    number=number,
                    payer=chain.payer,
                )
        terms = PayoutTerms(chain.payer, chain.contract, settings.least, settings.size, head)
        made = await self._revenue.plan(self.asset, terms, first=first, now=self._clock(), dry=dry)
        return Planned(made, left)
