"""Buckets in the memory of this process."""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from inferproof.protocol.limits import Charge, Verdict, spend

MOST_BUCKETS = 100_000
"""About 20 MB. Beyond, the bucket that was used least recently is forgotten, which refills it."""

_SWEPT = 2
"""Full buckets forgotten for each new one, so that those of callers who left go away."""


def _micros() -> int:
    return time.monotonic_ns() // 1000


class MemoryLimiter:
    """The RateLimiter of one process."""

    def __init__(self, *, most: int = MOST_BUCKETS, clock: Callable[[], int] = _micros) -> None:
        self._most = most
        self._clock = clock
        self._full_at: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    async def take(self, charges: Sequence[Charge]) -> Sequence[Verdict]:
        verdicts = []
        for charge in charges:
            verdict = self._take(charge)
            verdicts.append(verdict)
            if not verdict.allowed:
                break
        return verdicts

    def _take(self, charge: Charge) -> Verdict:
        bucket, rate, cost = charge
        now, known = self._clock(), self._full_at.get(bucket)
        full_at, verdict = spend(known or 0, now, rate, cost)
        if known is None:
            self._make_room(now)
        else:
            self._full_at.move_to_end(bucket)
        if verdict.allowed:
            self._full_at[bucket] = full_at
        return verdict

    def _make_room(self, now: int) -> None:
        for _ in range(_SWEPT):
            oldest = next(iter(self._full_at), None)
            if oldest is None or self._full_at[oldest] > now:
                break
            del self._full_at[oldest]
        if len(self._full_at) >= self._most:
            self._full_at.popitem(last=False)
