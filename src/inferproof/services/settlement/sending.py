"""Getting stored transactions into the chain: sent, sent again, replaced, gaps before them filled.

A transaction of ours waits for all with lower numbers, so one that is stuck holds up all others.

| what is seen | then |
|---|---|
| not sent, or not for a while | the same bytes are sent |
| sent, and the node awaits its number: it was dropped | soon the same bytes, and those after it |
| nothing enters the chain for a while, blocks pass | the next number is signed again, fees higher |
| its fees are below the chain's least, or the node refuses it for that | the same |
| fees at the operator's limit | sent again as it is, and told of |
| a number that nothing waits for is missing before ours | filled by a transfer of nothing |

A node takes a transaction in place of another with its number when cap and tip are higher by a
tenth; we raise by an eighth.
"""

from collections.abc import Mapping, Sequence

from inferproof.errors import Conflict, Reason, Unavailable
from inferproof.services.settlement.parts import Faults, Parts, log, together
from inferproof.storage.ports.outbox import OutboxItem, StoredRaw
from inferproof.types.chain import Fees, Sight
from inferproof.types.digest import Digest

DROPPED_TOGETHER = 16
"""How many numbers from one on that a node dropped are sent again with it: whatever made it drop
one may have made it drop those after it, and it does not say which it has."""


def raised(old: StoredRaw, now: Fees, limit: int) -> Fees | None:
    """Fees that replace the old ones, at least those of now; None where the limit forbids it."""
    cap = min(max(now.cap, _higher(old.fee_cap)), limit)
    tip = min(max(now.tip, _higher(old.fee_tip)), cap)
    enough = cap * 10 >= old.fee_cap * 11 and tip * 10 >= old.fee_tip * 11
    return Fees(cap, tip) if enough and cap > old.fee_cap and tip > old.fee_tip else None


def _higher(fee: int) -> int:
    return fee + fee // 8 + 1


class Sending:
    """Sends what is open in the outbox."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._refused: dict[int, str] = {}
        self._raised_at: dict[int, int] = {}
        self._progress = (-1, 0, 0)
        self._gap: tuple[int, int] | None = None
        self._at_limit: set[int] = set()

    async def send(
        self,
        items: Sequence[OutboxItem],
        raws: Mapping[Digest, bytes],
        sight: Sight,
        faults: Faults,
    ) -> bool:
        """True when anything was sent: what was never sent, or not lately."""
        now = self._parts.clock()
        due = self._due(items, sight, now)
        taken = await together([self._submit(item, raws) for item in due], faults)
        sent = [tx for tx in taken if tx is not None]
        if sent:
            await self._parts.outbox.note_sent(sent, now=now)
        return bool(due)

    def _due(self, items: Sequence[OutboxItem], sight: Sight, now: int) -> list[OutboxItem]:
        settings = self._parts.settings
        awaited = next((item for item in items if item.nonce == sight.pending), None)
        was = None if awaited is None else awaited.newest.sent_at
        dropped = was is not None and now >= was + settings.dropped_s

        def is_due(item: OutboxItem) -> bool:
            if item.newest.sent_at is None:
                return True
            beside = dropped and sight.pending <= item.nonce < sight.pending + DROPPED_TOGETHER
            return now >= item.newest.sent_at + (
                settings.dropped_s if beside else settings.resend_s
            )

        return [item for item in items if is_due(item)]

    async def _submit(self, item: OutboxItem, raws: Mapping[Digest, bytes]) -> Digest | None:
        tx = item.newest.tx
        raw = raws.get(tx) or await self._parts.outbox.raw(tx)
        try:
            await self._parts.chain.submit(raw)
        except Conflict as error:
            if error.reason is not Reason.TX_NONCE_USED:
                raise
            return tx  # the chain will say by what
        except Unavailable as error:
            if error.reason is Reason.TX_REFUSED and item.id not in self._refused:
                log.warning("number %d: %s", item.nonce, error.message)
            if error.reason is Reason.TX_REFUSED:
                self._refused[item.id] = error.message
            raise
        self._refused.pop(item.id, None)
        return tx

    async def unstick(self, items: Sequence[OutboxItem], sight: Sight, faults: Faults) -> None:
        """Raises fees and fills gaps. `items` are those in no block, by their numbers."""
        self._forget({item.id for item in items})
        if not items:
            self._progress, self._gap = (-1, 0, 0), None
            return
        now = self._parts.clock()
        if self._progress[0] != sight.spent:
            self._progress = (sight.spent, now, sight.head)
        if items[0].nonce > sight.spent:
            await self._fill_gap(sight, faults)
            return
        self._gap = None
        stuck = [item for item in items if self._is_stuck(item, sight, first=item is items[0])]
        for item in stuck:
            await self._raise_fees(item, sight, faults)

    def _is_stuck(self, item: OutboxItem, sight: Sight, *, first: bool) -> bool:
        settings, now = self._parts.settings, self._parts.clock()
        short = item.newest.fee_cap < sight.base_fee
        if short and item.id in self._refused:
            return True
        _, since, head = self._progress
        since = max(since, item.created_at, self._raised_at.get(item.id, 0))
        waited = now >= since + settings.raise_s and sight.head >= head + settings.raise_blocks
        return waited and (first or short)

    async def _raise_fees(self, item: OutboxItem, sight: Sight, faults: Faults) -> None:
        parts, now = self._parts, self._parts.clock()
        fees = raised(item.newest, sight.fees, parts.settings.max_fee)
        self._raised_at[item.id] = now
        if fees is None:
            if item.id not in self._at_limit:
                log.error(
                    "number %d is in no block, and its fees are at the limit of %d wei",
                    item.nonce,
                    parts.settings.max_fee,
                )
            self._at_limit.add(item.id)
            return
        signed = await parts.chain.sign_again(await parts.outbox.raw(item.newest.tx), fees)
        item = await parts.outbox.replace(item, parts.stored(signed, fees), now=now)
        log.warning("number %d is stuck; its fees are raised to %d wei", item.nonce, fees.cap)
        await self.send([item], {signed.tx: signed.raw}, sight, faults)

    async def _fill_gap(self, sight: Sight, faults: Faults) -> None:
        """Takes the next number, where no transaction of ours has it and the node knows none."""
        parts, now = self._parts, self._parts.clock()
        if sight.pending != sight.spent:
            self._gap = None
            return
        if self._gap is None or self._gap[0] != sight.spent:
            self._gap = (sight.spent, now)
        if now < self._gap[1] + parts.settings.gap_s:
            return
        fees = parts.fees(sight.fees)
        signed = await parts.chain.sign_filler(sight.spent, fees)
        item = await parts.outbox.fill(parts.stored(signed, fees), now=now)
        log.warning("number %d is missing and later ones wait for it: filled", item.nonce)
        self._gap = None
        await self.send([item], {signed.tx: signed.raw}, sight, faults)

    def _forget(self, known: set[int]) -> None:
        self._refused = {key: why for key, why in self._refused.items() if key in known}
        self._raised_at = {key: at for key, at in self._raised_at.items() if key in known}
        self._at_limit &= known
