"""Proof systems by name, and what checks the proofs that strangers bring."""

import shlex
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack

from inferproof.app.isolated import IsolatedPreprocess
from inferproof.app.stores import Watch, unwatched
from inferproof.proving.base import ProofSystem
from inferproof.proving.costs import FILE as COSTS
from inferproof.proving.external import ExternalSystem
from inferproof.proving.isolated import IsolatedCheckers
from inferproof.proving.pool import WorkerPool
from inferproof.proving.registry import get_system
from inferproof.services.base import Systems
from inferproof.settings import Settings
from inferproof.verify.proof import ProofChecker
from inferproof.verify.receipt import Preprocess


def open_systems(
    settings: Settings,
    stack: AsyncExitStack,
    more: Mapping[str, ProofSystem],
    watch: Watch = unwatched,
) -> Systems:
    """Proof systems by name, each built once; all share one pool of worker processes."""
    pool = WorkerPool(max(1, settings.workers))
    stack.callback(pool.close)
    known = dict(more)
    for command in settings.external_provers:
        system = ExternalSystem(shlex.split(command))
        known[system.name] = system
    watched: dict[str, ProofSystem] = {}

    def find(name: str) -> ProofSystem:
        if name not in watched:
            system = (
                known[name] if name in known else get_system(name, pool, settings.data_dir / COSTS)
            )
            watched[name] = watch("system", system)
        return watched[name]

    return find


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
