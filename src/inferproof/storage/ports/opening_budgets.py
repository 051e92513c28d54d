"""How many openings of each key are left, counted in one place for all who open it.

See protocol/opening_budget.
"""

from typing import Protocol

from inferproof.protocol.opening_budget import Budget, Opening, Slice, Use
from inferproof.types.digest import Digest


class OpeningBudgets(Protocol):
    """The budgets that one store counts. Any number of processes may share it.

    Whatever is given out was durably taken before. A call that fails, or whose caller dies, may
    have taken a slot that nobody has: it is spent. Every method raises Conflict OPENINGS_DAMAGED
    where what is kept cannot be read.

    Soundness of hiding: a snapshot of the whole store that is brought back later counts again what
    was taken in between, and nothing here can tell.
    """

    async def store(self, key: Digest) -> Digest:
        """The identity under which this store counts the key, which slices for it name. A copy of
        the store has another, and so has a store that lost its count."""
        ...

    async def register(self, key: Digest, size: int, *, reserved: int = 1) -> None:
        """Begins to count. Only for a key that the caller made just now, by its own randomness.

        Raises: Conflict OPENINGS_COUNTED.
        """
        ...

    async def take(self, key: Digest, use: Use = Use.PROOF, *, seen: int = 0) -> Opening:
        """One slot, that no other caller ever had or will have. `seen` is the most that anybody
        knows to be taken from this store: a store that counts less was brought back.

        Raises: Conflict OPENINGS_SPENT, OPENINGS_GIVEN, ROTATION_SPENT, OPENINGS_UNKNOWN,
        OPENINGS_COPIED, OPENINGS_OLDER.
        """
        ...

    async def delegate(
        self, key: Digest, taker: Digest, count: int | None, *, seen: int = 0
    ) -> Slice:
        """The next `count` slots in a row, for the store `taker` alone; None gives away all of one
        range, with what is reserved for rotation. Raises: as `take`."""
        ...

    async def accept(self, slots: Slice) -> None:
        """Counts the slice here from now on.

        Raises: RequestRejected SLICE_OTHER_STORE; Conflict SLICE_USED.
        """
        ...

    async def forget(self, key: Digest) -> None:
        """Lets go of the count of an epoch that ended: it is spent from now on. What is not known
        is forgotten already.

        Raises: Conflict OPENINGS_KEPT for a key, which has a slot for rotation.
        """
        ...

    async def budget(self, key: Digest) -> Budget:
        """What is known of the key's openings. Nothing is taken."""
        ...
