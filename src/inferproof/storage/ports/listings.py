"""What is sold by a registry on a chain: prices, what it withdrew, and when it was asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from inferproof.storage.ports.models import ModelStatus
from inferproof.types.digest import Address, Digest
from inferproof.types.registry import Followed, Heard


@dataclass(frozen=True, slots=True)
class SoldModel:
    """A version that is active or withdrawn. Units: `listed_price` atomic; None before the
    registry gave one."""

    name: str
    commitment: Digest
    provider: Address
    status: ModelStatus
    listed_price: int | None


@dataclass(frozen=True, slots=True)
class ListingChange:
    """What becomes of a version. `before` is the status that this was decided by."""

    name: str
    before: ModelStatus
    status: ModelStatus
    listed_price: int | None


class ListingStore(Protocol):
    """The part of the registry of models that follows one on a chain.

    Every method may raise Unavailable STORAGE_UNAVAILABLE or STORAGE_FULL.
    """

    async def sold(self) -> Sequence[SoldModel]:
        """All versions that are active or withdrawn, in the order in which they were added."""
        ...

    async def heard(self, followed: Followed) -> Heard | None:
        """When the registry was asked last, None for never."""
        ...

    async def record(
        self, followed: Followed, heard: Heard, changes: Sequence[ListingChange]
    ) -> Sequence[str]:
        """The names of the versions that changed, in one transaction with when it was asked.

        A version whose status is not `before` any more stays as it is: somebody else decided since.
        """
        ...

    async def forget(self, *, now: int) -> int:
        """How many versions cost what their cards say again, as no registry is followed."""
        ...
