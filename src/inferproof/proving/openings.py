"""What counts how often a key is opened, as a proof system asks it: the port, and a count that
lasts as long as its process.

The rules are in protocol.opening_budget; durable stores are behind storage.ports.opening_budgets,
and `app.openings` makes this port of them. Calls block until what they change is durable.
"""

from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Protocol

from inferproof.protocol.opening_budget import Budget, Opening, Use
from inferproof.types.digest import Digest


class Openings(Protocol):
    """The count of the openings of one compiled model's key, and of the epochs that hang on it.

    Soundness of hiding: a slot is durably taken before it is given, and given once. Whoever fails
    after that has lost it.
    """

    def register(self, key: Digest, size: int, *, reserved: int = 1) -> None:
        """Begins to count. Only for a key or an epoch that the caller made just now.

        Raises: Conflict OPENINGS_COUNTED; Unavailable.
        """
        ...

    def take(self, key: Digest, use: Use = Use.PROOF, *, seen: int | None = None) -> Opening:
        """One slot, that no other caller ever had or will have. `seen` is the most that the caller
        knows to be taken, who holds an epoch in memory; with None the compiled model's own mark
        says so, and is brought up.

        Raises: Conflict OPENINGS_SPENT, OPENINGS_GIVEN, ROTATION_SPENT, OPENINGS_UNKNOWN,
        OPENINGS_COPIED, OPENINGS_OLDER, OPENINGS_DAMAGED; Unavailable.
        """
        ...

    def forget(self, key: Digest) -> None:
        """Lets go of the count of an epoch that ended. Raises: Conflict OPENINGS_KEPT."""
        ...

    def budget(self, key: Digest) -> Budget:
        """What is known of the key's openings. Nothing is taken."""
        ...


OpeningsAt = Callable[[Path], Openings]
"""What counts for the compiled model in this folder."""


class PassingOpenings:
    """Openings in memory, for keys that end with this process: those of trials and audits."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: dict[Digest, Budget] = {}

    def register(self, key: Digest, size: int, *, reserved: int = 1) -> None:
        """See Openings."""
        with self._lock:
            budget = self._budget(key)
            self._known[key] = budget.with_range(budget.register(size, reserved).after)

    def take(self, key: Digest, use: Use = Use.PROOF, *, seen: int | None = None) -> Opening:
        """See Openings."""
        with self._lock:
            budget = self._budget(key)
            change = budget.take(use, seen or 0)
            self._known[key] = budget.with_range(change.after)
            return change.gives

    def forget(self, key: Digest) -> None:
        """See Openings."""
        with self._lock:
            self._budget(key).check_forgotten()
            self._known.pop(key, None)

    def budget(self, key: Digest) -> Budget:
        """See Openings."""
        with self._lock:
            return self._budget(key)

    def _budget(self, key: Digest) -> Budget:
        return self._known.get(key) or Budget(key, key)
