"""Proof systems by name, and what checks the proofs that strangers bring."""

import asyncio
import shlex
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack

from inferproof.app.isolated import IsolatedPreprocess
from inferproof.app.openings import shared_openings
from inferproof.app.stores import Stores, Watch, unwatched
from inferproof.proving.base import OpeningCounter, ProofSystem
from inferproof.proving.costs import FILE as COSTS
from inferproof.proving.external import ExternalSystem
from inferproof.proving.isolated import IsolatedCheckers
from inferproof.proving.pool import WorkerPool, share_of_cores
from inferproof.proving.registry import get_system
from inferproof.proving.sumcheck.library import use_threads
from inferproof.services.base import Systems
from inferproof.settings import Settings
from inferproof.storage.sql.closing import to_the_end
from inferproof.verify.proof import ProofChecker
from inferproof.verify.receipt import Preprocess


def open_systems(
    settings: Settings,
    stores: Stores,
    stack: AsyncExitStack,
    more: Mapping[str, ProofSystem],
    watch: Watch = unwatched,
) -> Systems:
    """Proof systems by name, each built once; all share one pool of worker processes, and the order
    book counts the openings of their keys. Proofs have the threads that the settings say, in this
    process and in those of the pool."""
    together = max(1, settings.workers)
    threads = settings.prove_threads or share_of_cores(together)
    use_threads(threads)
    pool = WorkerPool(together, threads)
    stack.callback(pool.close)
    openings = shared_openings(stores.openings, asyncio.get_running_loop())
    known, built = dict(more), list[ProofSystem]()
    stack.push_async_callback(_end_epochs, built)
    for command in settings.external_provers:
        system = ExternalSystem(shlex.split(command))
        known[system.name] = system
    watched: dict[str, ProofSystem] = {}

    def find(name: str) -> ProofSystem:
        if name not in watched:
            costs = settings.data_dir / COSTS
            system = known[name] if name in known else get_system(name, pool, costs, openings)
            built.append(system)
            watched[name] = watch("system", system)
        return watched[name]

    return find


async def _end_epochs(systems: list[ProofSystem]) -> None:
    """Returns when nothing is under way that the order book counts. It is still open, and its loop
    runs, which a thread waits for."""
    for system in systems:
        if isinstance(system, OpeningCounter):
            await to_the_end(asyncio.to_thread(system.end_epochs))


def open_checkers(systems: Systems, stack: AsyncExitStack) -> Callable[[str], ProofChecker]:
    """What checks the proofs that strangers bring: never in this process where it is native."""
    isolated = IsolatedCheckers()
    stack.callback(isolated.close)

    def find(name: str) -> ProofChecker:
        return isolated.find(name) if name in isolated else systems(name)

    return find


def open_preprocess(stack: AsyncExitStack) -> Preprocess:
    """The pre-processing of what strangers bring, which is not done in this process either."""
    isolated = IsolatedPreprocess()
    stack.callback(isolated.close)
    return isolated
