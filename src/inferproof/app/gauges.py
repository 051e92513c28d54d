"""Brings the gauges of /metrics up to date: of the order book when they are asked for, of the
account on the chain by a task of its own, since a chain may take seconds to answer."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping

from inferproof.errors import InferproofError
from inferproof.observability.faults import loggable
from inferproof.observability.metrics import Metrics
from inferproof.services.base import Clock
from inferproof.storage.ports.ledger import Figures

log = logging.getLogger("inferproof.app")

FRESH_S = 1.0
"""However often they are asked for, the database is asked once in this time."""
ACCOUNT_S = 15.0


class Gauges:
    """Asks and shows. `balances` gives the account's coin in wei and its tokens in atomic units,
    `openings` how many are left of the keys of active models that have a budget."""

    def __init__(
        self,
        metrics: Metrics,
        figures: Callable[[], Awaitable[Figures]],
        balances: Callable[[], Awaitable[tuple[int, int]]],
        openings: Callable[[], Awaitable[Mapping[str, int]]],
        clock: Clock,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        metrics.watch()
        self._metrics = metrics
        self._figures = figures
        self._balances = balances
        self._openings = openings
        self._clock = clock
        self._timer = timer
        self._asking = asyncio.Lock()
        self._asked_at = float("-inf")

    async def refresh(self) -> None:
        """Shows the figures of the order book, at most a second old. While the database is away
        the last ones stay, and their time with them."""
        async with self._asking:
            if self._timer() - self._asked_at < FRESH_S:
                return
            try:
                self._metrics.orders(await self._figures(), self._clock())
                self._metrics.openings(await self._openings())
            except InferproofError as error:
                log.warning("the figures cannot be read: %s", loggable(error))
            self._asked_at = self._timer()

    async def watch(self) -> None:
        """Shows what the account holds, until it is cancelled."""
        while True:
            try:
                self._metrics.account(*await self._balances(), self._clock())
            except InferproofError as error:
                log.warning("the account cannot be read: %s", loggable(error))
            except Exception:  # the edge of this task
                log.exception("a fault of ours")
            await asyncio.sleep(ACCOUNT_S)
