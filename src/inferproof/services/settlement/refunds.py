"""Refunds that the chain holds and the database does not know of.

A database that was restored from a backup, or taken over from a replica that lagged, owes what was
given back since. So before a refund is signed the chain is asked whether it was made: each carries
the mark of its job, and so does the return of a call that was bought. What may still be made, since
the node knows transactions of this key that the outbox does not, is waited for: a refund might be
among them.

Soundness: a transaction of this key that neither this database nor this node has heard of, with a
number beyond the next, could still refund a second time once it turns up.
"""

from collections.abc import Sequence

from inferproof.protocol.commitments import refund_mark
from inferproof.services.settlement.parts import Parts, about, log
from inferproof.storage.ports.outbox import OutboxItem, Payable
from inferproof.types.chain import RefundTerms, Sight
from inferproof.types.digest import Digest

DEPTH = 64
"""How far below the last look the next one begins: blocks may have been replaced."""


class RefundsMade:
    """Asks the chain before each refund, and again at each block while one waits for tokens."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._waits = False
        self._seen: Digest | None = None
        self._looked: dict[Digest, int] = {}

    async def left(
        self, due: Sequence[Payable], items: Sequence[OutboxItem], sight: Sight
    ) -> list[Payable]:
        """Those of the refunds that were not made; those that were are recorded once they are
        deep enough. Raises: Unavailable."""
        if not due or self._must_wait(items, sight):
            return []
        parts = self._parts
        wanted = {
            refund_mark(refund.job_id): RefundTerms(
                refund.payment.payer, refund.payment.amount, parts.taken(refund.payment)
            )
            for refund in due
        }
        looked = {r.job_id: self._looked[r.job_id] for r in due if r.job_id in self._looked}
        if sight.digest == self._seen and len(looked) == len(due):
            return list(due)
        first = min(max(r.first_block, looked.get(r.job_id, 0) - DEPTH) for r in due)
        made = await parts.chain.refunds_made(wanted, first)
        self._seen, self._looked = sight.digest, {}
        left = []
        for refund in due:
            found = made.get(refund_mark(refund.job_id))
            if found is None:
                self._looked[refund.job_id] = sight.head
                left.append(refund)
            elif sight.head - found.block + 1 >= parts.chain.confirmations:
                await parts.settlements.refunded(
                    refund.job_id,
                    found.tx,
                    found.block,
                    now=parts.clock(),
                    block_hash=found.block_hash,
                    found=True,
                )
                log.warning("was refunded in %s before", found.tx, extra=about(refund.job_id))
                parts.metrics.refund("found")
                parts.event_bus.publish(refund.job_id)
        return left

    def _must_wait(self, items: Sequence[OutboxItem], sight: Sight) -> bool:
        """While the node knows numbers of this key that the outbox does not."""
        ours = {item.nonce for item in items}
        unknown = [n for n in range(sight.spent, sight.pending) if n not in ours]
        if unknown and not self._waits:
            log.warning("refunds wait for number %d, which is none of this database", unknown[0])
        self._waits = bool(unknown)
        return self._waits
