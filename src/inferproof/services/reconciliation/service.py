"""Holding the order book against the chain, while both go on.

    1  where money can have moved: accounts and first block, from the order book
    2  the newest block that is deep enough is the last one
    3  all transfers of the accounts in these blocks, their balances before and after, and the calls
       that they took of what was bought before
    4  all entries of the order book, in pages

In this order: money moved only for entries that were there before it, so no entry can be missed
at 4. What disagrees is looked at again a little later, and believed when it still does.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

from inferproof.errors import InferproofError, Reason
from inferproof.protocol.reconciliation import Books
from inferproof.services.metrics import Metrics
from inferproof.services.reconciliation.base import BookChain
from inferproof.storage.ports.leader_lock import LeaderLock
from inferproof.storage.ports.ledger import Ledger
from inferproof.types.digest import Address
from inferproof.types.reconciliation import Account, BooksReport, ChainBooks

log = logging.getLogger("inferproof.books")


@dataclass(frozen=True, slots=True)
class ReconcilerSettings:
    """Units: seconds. `again_s` is how long after the first look the second one is taken; a
    chain that reorganised and a settler under way are through by then."""

    page: int = 500
    orphans: int = 1000
    again_s: float = 5.0


@dataclass(frozen=True, slots=True)
class _Anchor:
    """The end of the last check that balanced, which the next one goes on from."""

    block: int
    balances: Mapping[Address, int]


class Reconciler:
    """Compares one order book with one token."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        chain: BookChain,
        metrics: Metrics,
        settings: ReconcilerSettings | None = None,
    ) -> None:
        self._ledger = ledger
        self._chain = chain
        self._metrics = metrics
        self._settings = settings or ReconcilerSettings()
        self._anchor: _Anchor | None = None

    async def check(
        self, *, first_block: int | None = None, openings: Mapping[Address, int] | None = None
    ) -> BooksReport:
        """The report on all entries, and on the chain from `first_block` on.

        By default that is the earliest block that an entry names. `openings` are balances
        before it, for a node that does not keep them. Settlements and refunds in earlier blocks
        are counted, and not looked up.
        Raises: Unavailable CHAIN_UNREACHABLE, CHAIN_RPC_ERROR, BOOKS_NO_STATE,
        STORAGE_UNAVAILABLE.
        """
        report = await self._look(first_block, openings or {})
        if not report.balanced:
            await asyncio.sleep(self._settings.again_s)
            before = {found.key for found in report.discrepancies}
            report = await self._look(first_block, openings or {})
            believed = tuple(found for found in report.discrepancies if found.key in before)
            report = replace(report, discrepancies=believed)
        self._metrics.books(len(report.discrepancies))
        return report

    async def run(self, every_s: float, leader: LeaderLock) -> None:
        """While it holds the lock, checks what is new every so many seconds, until cancelled."""
        try:
            while True:
                await asyncio.sleep(every_s)
                await self._check_as_leader(leader)
        finally:
            await leader.release()

    async def _check_as_leader(self, leader: LeaderLock) -> None:
        try:
            if await leader.held():
                await self.check_new()
        except InferproofError as error:
            log.warning("cannot check the books: %s", error.message)
            if error.reason is Reason.BOOKS_NO_STATE:
                await self._start_here()
        except Exception:  # the edge of a service that must not end with one bad day
            log.exception("a fault of ours")

    async def _start_here(self) -> None:
        """From now on, where the node has forgotten how it began."""
        try:
            scope = await self._ledger.scope(self._chain.asset)
            block = await self._chain.last_block()
            held = {a: await self._chain.balance(a, block) for a in scope.accounts}
        except InferproofError as error:
            log.warning("cannot start the books: %s", error.message)
            return
        self._anchor = _Anchor(block, held)
        log.warning("the books are checked from block %d on", block + 1)

    async def check_new(self) -> BooksReport:
        """The report on the blocks since the last one that balanced; on all of them at first."""
        anchor = self._anchor
        if anchor is None:
            report = await self.check()
        else:
            report = await self.check(first_block=anchor.block + 1, openings=anchor.balances)
        for found in report.discrepancies:
            about = {"job": found.job_id} if found.job_id is not None else {}
            log.error("the books disagree: %s: %s", found.code, found.sentence, extra=about)
        if report.balanced and report.last_block >= report.first_block:
            held = {account.address: account.closing for account in report.accounts}
            self._anchor = _Anchor(report.last_block, held)
            log.info("the books balance up to block %d", report.last_block)
        return report

    async def _look(self, first_block: int | None, openings: Mapping[Address, int]) -> BooksReport:
        asset = self._chain.asset
        # 1
        scope = await self._ledger.scope(asset)
        # 2
        last = await self._chain.last_block()
        first = first_block
        if first is None:
            first = last + 1 if scope.first_block is None else min(scope.first_block, last + 1)
        # 3
        transfers = await self._chain.transfers(scope.accounts, first, last)
        accounts = [
            await self._account(address, first, last, openings)
            for address in sorted(scope.accounts)
        ]
        calls = await self._chain.calls(scope.accounts, first, last)
        taken = None if calls is None else tuple(calls)
        books = Books(ChainBooks(first, last, tuple(accounts), tuple(transfers), taken))
        # 4
        after = 0
        while page := await self._ledger.page(asset, after=after, limit=self._settings.page):
            for entry in page:
                books.enter(entry)
            after = page[-1].number
        for entry in await self._ledger.orphans(asset, limit=self._settings.orphans):
            books.enter(entry)
        return books.close(left_out=scope.left_out)

    async def _account(
        self, address: Address, first: int, last: int, openings: Mapping[Address, int]
    ) -> Account:
        opening = openings.get(address)
        if opening is None:
            opening = await self._chain.balance(address, first - 1)
        return Account(address, opening, await self._chain.balance(address, max(last, first - 1)))
