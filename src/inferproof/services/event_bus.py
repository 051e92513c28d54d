"""An event bus between services of one process: it shortens waiting and carries no information.

Whoever waits also looks again after a time, so that a lost event, or one of another process, only
costs that time.
"""

import asyncio
from collections import defaultdict

from inferproof.types.digest import Digest

SETTLE = "settle"
"""There is something for the settler: a reserved or a failed job."""
WORK = "work"
"""There is something for a worker: a queued job."""

Topic = str | Digest
"""A service, by its name, or whoever waits for the job with this id."""


class EventBus:
    """Wakes those who wait for a topic. An event for a service that is busy is kept for it."""

    def __init__(self) -> None:
        self._waiting: defaultdict[Topic, set[asyncio.Future[None]]] = defaultdict(set)
        self._kept: set[Topic] = set()

    def publish(self, topic: Topic) -> None:
        """Wakes all who wait for the topic now."""
        waiting = self._waiting.pop(topic, set())
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)
        if not waiting and isinstance(topic, str):
            self._kept.add(topic)

    async def wait(self, topic: Topic, timeout_s: float) -> None:
        """Returns when something is published on the topic, was while nobody waited, or the time is
        over."""
        if topic in self._kept:
            self._kept.discard(topic)
            return
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
