"""The openings of keys, counted for a program of this machine or for all that share an order book.

`proving.openings` is what a proof system asks; `storage.ports.opening_budgets` is what counts. A
compiled model keeps a mark of what was taken of its key, whichever store counts it; of an epoch
only the process that holds it knows.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

from inferproof.errors import Reason, Unavailable
from inferproof.protocol.opening_budget import Budget, Level, Opening, Use
from inferproof.proving.base import ComputeBackend, OpeningCounter, ProofSystem
from inferproof.proving.openings import Openings, OpeningsAt
from inferproof.proving.registry import get_system
from inferproof.storage.openings.local import LocalOpeningBudgets
from inferproof.storage.openings.marks import MarkedOpenings
from inferproof.storage.ports.opening_budgets import OpeningBudgets
from inferproof.types.digest import Digest

log = logging.getLogger("inferproof.openings")

T = TypeVar("T")
LIMIT_S = 30.0
"""How long a proof waits for the order book to count an opening."""


class Run(Protocol):
    """Runs a coroutine to its end, from a thread that has no event loop."""

    def __call__(self, work: Coroutine[Any, Any, T], /) -> T: ...


class CompiledOpenings:
    """The Openings of the compiled model in one folder, over a store."""

    def __init__(
        self,
        budgets: OpeningBudgets,
        folder: Path,
        run: Run,
        told: Callable[[Opening], None] = lambda _opening: None,
    ) -> None:
        """`told` hears of each opening of the key that brings its budget to another level."""
        self._budgets = budgets
        self._marked = MarkedOpenings(budgets, folder)
        self._run = run
        self._told = told

    def register(self, key: Digest, size: int, *, reserved: int = 1) -> None:
        """See Openings."""
        self._run(self._budgets.register(key, size, reserved=reserved))

    def take(self, key: Digest, use: Use = Use.PROOF, *, seen: int | None = None) -> Opening:
        """See Openings."""
        if seen is not None:
            return self._run(self._budgets.take(key, use, seen=seen))
        opening = self._run(self._marked.take(key, use))
        if opening.fell_to is not None:
            self._told(opening)
        return opening

    def forget(self, key: Digest) -> None:
        """See Openings."""
        self._run(self._budgets.forget(key))

    def budget(self, key: Digest) -> Budget:
        """See Openings."""
        return self._run(self._budgets.budget(key))


def local_openings(folder: Path) -> Openings:
    """What counts for programs of this machine's user: the records in the user's state folder."""
    return CompiledOpenings(LocalOpeningBudgets(), folder, asyncio.run)


@contextmanager
def local_system(
    name: str, backend: ComputeBackend | None = None, costs: Path | None = None
) -> Iterator[ProofSystem]:
    """The proof system of that name for programs of this machine's user, who compile and prove
    with it; what it began for proofs to come ends with the block. Raises: as `get_system`."""
    system = get_system(name, backend, costs, local_openings)
    try:
        yield system
    finally:
        if isinstance(system, OpeningCounter):
            system.end_epochs()


def shared_openings(
    budgets: OpeningBudgets, loop: asyncio.AbstractEventLoop, limit_s: float = LIMIT_S
) -> OpeningsAt:
    """What counts for the threads that prove beside an event loop: the store that the loop has
    open. What falls low is logged."""

    def run(work: Coroutine[Any, Any, T]) -> T:
        if loop.is_closed():
            work.close()
            raise Unavailable(Reason.STORAGE_UNAVAILABLE, why="it is being closed")
        asked = asyncio.run_coroutine_threadsafe(work, loop)
        try:
            return asked.result(limit_s)
        except TimeoutError:
            asked.cancel()  # what it may have taken by now is lost
            why = f"it took longer than {limit_s:g} s to count an opening"
            raise Unavailable(Reason.STORAGE_UNAVAILABLE, why=why) from None

    return lambda folder: CompiledOpenings(budgets, folder, run, _warn)


def _warn(opening: Opening) -> None:
    if opening.fell_to is Level.LOW:
        log.warning(
            "%d openings of key %s are left, a fifth: make a new key of the same weights by "
            "inferproof provider rotate",
            opening.left,
            opening.key,
        )
    elif opening.fell_to is Level.SPENT:
        log.warning(
            "no opening of key %s is left: its model is proven as long as the epochs of running "
            "processes last; make a new key of the same weights by inferproof provider rotate",
            opening.key,
        )
