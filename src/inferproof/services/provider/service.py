"""Follows the orders of an escrow by its events, and says of each whether this server takes it.

An order is accepted when its input comes in with it, by the gateway's door, and by that door's own
rules: what is said here of an order is what the door would say. So there is one set of rules, and
nothing is accepted whose input is not here.

Events are read in ranges from a block on, and the newest ones again each time, as far as a chain
may take blocks back; what an order is now, the escrow's own record of it says.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from inferproof.errors import InferproofError, NotFound, Reason, Unavailable
from inferproof.observability.faults import loggable
from inferproof.payments.escrow.method import EscrowMethod
from inferproof.payments.escrow.wire import IncomingOrder, SignedOrder
from inferproof.protocol.escrow import server_share
from inferproof.services.base import Clock, failure_of
from inferproof.services.models.catalog import Catalog, RegisteredModel
from inferproof.services.orders.base import GatewaySettings
from inferproof.services.orders.exposure_limits import NoExposure
from inferproof.services.orders.intake import make_quote
from inferproof.services.orders.ordered_input import CheckKey
from inferproof.services.provider.base import OrderFeed, Standing, Verdict
from inferproof.storage.ports.jobs import Jobs
from inferproof.storage.ports.models import ModelStatus, ModelStore
from inferproof.types.digest import ZERO_DIGEST, Address, Digest
from inferproof.types.escrow import OpenOrder, OrderStatus

log = logging.getLogger("inferproof.provider")

_UNSIGNED = bytes(65)


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """Units: seconds, blocks.

    `poll_s` is how often the chain is looked at; `lookback` how far before the newest block it is
    begun with, `overlap` how many blocks are read again; `longest_backoff_s` the longest pause
    while the chain does not answer.
    """

    escrow: Address
    server: Address
    poll_s: float = 2.0
    lookback: int = 50_000
    overlap: int = 12
    longest_backoff_s: float = 60.0


class Provider:
    """What one server says of the orders of one escrow."""

    def __init__(
        self,
        *,
        feed: OrderFeed,
        method: EscrowMethod,
        models: ModelStore,
        catalog: Catalog,
        check_key: CheckKey,
        jobs: Jobs,
        waiting: Callable[[], Awaitable[int]],
        terms: GatewaySettings,
        settings: ProviderSettings,
        clock: Clock,
    ) -> None:
        self._feed = feed
        self._method = method
        self._models = models
        self._catalog = catalog
        self._check_key = check_key
        self._jobs = jobs
        self._waiting = waiting
        self._terms = terms
        self._settings = settings
        self._clock = clock
        self._next: int | None = None
        self._open: dict[Digest, OpenOrder] = {}
        self._told: Mapping[Digest, tuple[Standing, str | None]] = {}

    async def run(self) -> None:
        """Follows until it is cancelled, and logs what changes."""
        backoff = self._settings.poll_s
        while True:
            try:
                self._tell(await self.look())
                backoff = self._settings.poll_s
            except InferproofError as error:
                log.warning("cannot look at orders: %s", loggable(error))
                backoff = min(2 * backoff, self._settings.longest_backoff_s)
            except Exception:  # the edge of a service that must not end with one bad order
                log.exception("a fault of ours")
            await asyncio.sleep(backoff)

    async def look(self) -> list[Verdict]:
        """A verdict on each order that is not over, in the order in which they were made.

        Raises: Unavailable.
        """
        settings, head = self._settings, await self._feed.head()
        first = max(0, head - settings.lookback) if self._next is None else self._next
        for order in await self._feed.requested(first, head):
            self._open[order.id] = order
        self._next = max(0, head + 1 - settings.overlap)
        verdicts = []
        for order in list(self._open.values()):
            verdict = await self._verdict(order)
            if verdict is not None:
                verdicts.append(verdict)
            elif order.block < self._next:  # so deep that no reorganisation makes it anew
                del self._open[order.id]
        return verdicts

    async def _verdict(self, order: OpenOrder) -> Verdict | None:
        """None for an order that is over."""
        slot, now, terms = await self._feed.slot(order.id), self._clock(), order.order
        if slot.status is OrderStatus.NONE or slot.status.is_over or now > terms.rescue_by:
            return None
        job = await self._jobs.find(order.id)
        late = now > terms.deliver_by
        earns = server_share(terms.price, order.fee_bps)
        if late and slot.given and slot.server != self._settings.server:
            earns += terms.bond * slot.bond_factor // 2
        standing, name, why = Standing.SERVABLE, None, None
        if slot.server == self._settings.server:
            standing = Standing.OWN
        elif slot.status is OrderStatus.ACCEPTED and not late:
            standing = Standing.TAKEN
        else:
            name, why = await self._why_not(order, now)
            standing = Standing.SERVABLE if why is None else Standing.REFUSED
        told = None if why is None else failure_of(why)
        return Verdict(order, standing, name, earns, job is not None, told)

    async def _why_not(
        self, order: OpenOrder, now: int
    ) -> tuple[str | None, InferproofError | None]:
        """The model's name here, and why the door would not take the order."""
        try:
            model = await self._model(order.order.model)
        except NotFound as error:
            return None, error
        name = model.record.name
        try:
            await self._ask_door(order, model, now)
        except InferproofError as error:
            return name, error
        return name, None

    async def _ask_door(self, order: OpenOrder, model: RegisteredModel, now: int) -> None:
        waiting, limit = await self._waiting(), self._terms.queue_limit
        if waiting >= limit:
            raise Unavailable(Reason.QUEUE_FULL, depth=waiting, limit=limit)
        await self._check_key(model.submission.bundle)
        signed = SignedOrder(self._terms.asset, self._settings.escrow, order.order, _UNSIGNED)
        presented = self._method.present(IncomingOrder(signed, ZERO_DIGEST))
        quote = make_quote(model.record, self._terms, ZERO_DIGEST, now)
        self._method.check(presented, quote, now)
        await self._method.reserve(presented, quote, now, NoExposure())

    async def _model(self, commitment: Digest) -> RegisteredModel:
        """An active version with this commitment. Raises: NotFound MODEL_UNKNOWN."""
        for record in await self._models.of_commitment(commitment):
            if record.status is ModelStatus.ACTIVE:
                return self._catalog.read(record)
        raise NotFound(Reason.MODEL_UNKNOWN, model=commitment)

    def _tell(self, verdicts: Sequence[Verdict]) -> None:
        told = {}
        for verdict in verdicts:
            code = None if verdict.why is None else verdict.why.code
            told[verdict.order.id] = (verdict.standing, code)
            if self._told.get(verdict.order.id) == (verdict.standing, code):
                continue
            about = {"job": verdict.order.id}
            if verdict.why is not None:
                log.info("not served: %s", verdict.why.message, extra=about)
            elif verdict.standing is Standing.SERVABLE and not verdict.has_input:
                log.info("served once its input comes, for %d units", verdict.earns, extra=about)
            else:
                log.info("%s, for %d units", verdict.standing, verdict.earns, extra=about)
        self._told = told
