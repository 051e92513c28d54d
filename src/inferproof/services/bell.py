"""A bell between services of one process: it shortens waiting and carries no information.

Whoever waits also looks again after a time, so that a lost ring, or one in another process,
only costs that time.
"""

import asyncio
from collections import defaultdict
from collections.abc import Hashable


class Bell:
    """Wakes those who wait for a topic."""

    def __init__(self) -> None:
        self._waiting: defaultdict[Hashable, set[asyncio.Future[None]]] = defaultdict(set)

    def ring(self, topic: Hashable) -> None:
        """Wakes all who wait for the topic now."""
        for waiter in self._waiting.pop(topic, set()):
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self, topic: Hashable, timeout_s: float) -> None:
        """Returns when the topic is rung or the time is over."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiting[topic].add(waiter)
        try:
            await asyncio.wait({waiter}, timeout=timeout_s)
        finally:
            waiter.cancel()
            waiting = self._waiting.get(topic)
            if waiting is not None:
                waiting.discard(waiter)
                if not waiting:
                    del self._waiting[topic]
