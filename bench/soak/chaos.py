"""Disasters, each at its place in the plan; what is dead is started again at once."""

import asyncio
from collections import Counter
from collections.abc import Callable

from bench.measure import say
from bench.soak.plan import Disaster, Plan
from bench.soak.world import World

AWAY_S = 4.0
"""How long the node is away: longer than the settler's patience, shorter than an order's."""


class Chaos:
    """Brings the disasters of a plan on a world."""

    def __init__(self, world: World, plan: Plan, over: Callable[[], int]) -> None:
        self._world = world
        self._plan = plan
        self._over = over
        self.happened: Counter[Disaster] = Counter()
        self._processes = asyncio.Lock()

    async def run(self) -> None:
        """Returns after the last of them."""
        for event in self._plan.events:
            while self._over() < event.after:  # noqa: ASYNC110 - nobody tells of each order
                await asyncio.sleep(0.05)
            async with self._processes:
                say(f"{self._over()} orders are over: {event.disaster}")
                await self._bring(event.disaster)
            self.happened[event.disaster] += 1

    async def keep_alive(self) -> None:
        """Starts again whatever has died, until it is cancelled. Raises: RuntimeError where a
        process does not start although nothing hinders it."""
        while True:
            async with self._processes:
                await asyncio.to_thread(self._world.deployment.revive)
            await asyncio.sleep(0.1)

    def _next_of_gateway(self) -> str:
        """One of the processes that take requests or settle, each in its turn."""
        deployment = self._world.deployment
        names = [role for role in deployment.roles if role not in deployment.workers]
        return names[self.happened[Disaster.KILL_GATEWAY] % len(names)]

    async def _bring(self, disaster: Disaster) -> None:
        world, deployment = self._world, self._world.deployment
        match disaster:
            case Disaster.KILL_GATEWAY:
                await asyncio.to_thread(deployment.kill, self._next_of_gateway())
            case Disaster.KILL_WORKER:
                await asyncio.to_thread(deployment.kill, deployment.workers[0])
            case Disaster.KILL_ALL:
                await asyncio.to_thread(deployment.kill, *deployment.roles)
            case Disaster.NODE_SILENT:
                await world.silence_node(AWAY_S)
            case Disaster.NODE_GONE:
                await world.lose_node(AWAY_S)
            case Disaster.REORG:
                await world.reorganise()
