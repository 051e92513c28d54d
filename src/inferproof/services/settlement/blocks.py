"""Watching the blocks that money was seen in, until they are too deep to be taken back.

Each block names the one before it, so while the newest watched block is still the chain's, all
before it are: one question for each new block.
"""

from inferproof.services.settlement.parts import Parts, about, log
from inferproof.storage.ports.outbox import BlockRef
from inferproof.types.chain import Sight
from inferproof.types.digest import Digest


class Blocks:
    """Finds out that the chain took blocks back, and undoes what rests on them."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._seen: Digest | None = None
        self._behind_since: int | None = None

    async def follow(self, sight: Sight) -> None:
        """Looks, when there is a new block. Raises: Unavailable."""
        if sight.digest == self._seen and self._behind_since is None:
            return
        watched = await self._parts.outbox.watched(self._parts.chain.asset.network)
        # A node that lags does not know the newest of them yet: that takes nothing back.
        there = [block for block in watched if block.number <= sight.head]
        first = await self._first_taken_back(there)
        if first is None:
            first = self._missing_for_long([b for b in watched if b.number > sight.head])
        if first is not None:
            await self._take_back(first)
        elif watched and watched[-1].number <= sight.head - self._parts.settings.reorg_depth:
            below = sight.head - self._parts.settings.reorg_depth + 1
            await self._parts.outbox.unwatch(self._parts.chain.asset.network, below=below)
        self._seen = sight.digest

    async def _first_taken_back(self, watched: list[BlockRef]) -> int | None:
        """The lowest block that is not the chain's any more. `watched` begins with the newest."""
        if not watched:
            return None
        (newest,) = await self._parts.chain.block_digests([watched[0].number])
        if newest == watched[0].digest:
            return None
        found = await self._parts.chain.block_digests([block.number for block in watched])
        gone = [b.number for b, digest in zip(watched, found, strict=True) if digest != b.digest]
        return min(gone) if gone else None

    def _missing_for_long(self, above: list[BlockRef]) -> int | None:
        """The lowest of the blocks above the chain's newest, once they are missing for long."""
        now = self._parts.clock()
        if not above:
            self._behind_since = None
            return None
        if self._behind_since is None:
            self._behind_since = now
        if now < self._behind_since + self._parts.settings.lost_after_s:
            return None
        return above[-1].number

    async def _take_back(self, first: int) -> None:
        parts = self._parts
        taken = await parts.settlements.take_back(
            parts.chain.asset.network, first=first, now=parts.clock()
        )
        self._behind_since = None
        log.error(
            "the chain took back block %d and those after it, with %d settlements and %d refunds",
            first,
            len(taken.settlements),
            len(taken.refunds),
        )
        for job_id in taken.settlements:
            parts.metrics.payment("taken_back")
            log.warning("its settlement was taken back by the chain", extra=about(job_id))
        for job_id in taken.refunds:
            parts.metrics.refund("taken_back")
            log.warning("its refund was taken back by the chain", extra=about(job_id))
