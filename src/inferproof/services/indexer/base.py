"""What reading events asks of a chain and of a contract's ABI."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from inferproof.protocol.encoding import Json
from inferproof.types.digest import Address, Digest
from inferproof.types.indexing import ChainLog, Header


class EventChain(Protocol):
    """One chain, read only. Every call has a limit of time.

    Raises: Unavailable CHAIN_UNREACHABLE, CHAIN_RPC_ERROR; INDEX_BAD_ANSWER for an answer that
    contradicts the question.
    """

    async def head(self) -> Header:
        """The newest block."""
        ...

    async def headers(self, numbers: Sequence[int]) -> Mapping[int, Header]:
        """Those of the blocks with these numbers that the chain has."""
        ...

    async def logs(
        self, addresses: Collection[Address], first: int, last: int
    ) -> Sequence[ChainLog]:
        """The contracts' events in these blocks, both ends included, in order, each once.

        Raises: Unavailable INDEX_BLOCK_REFUSED naming the block that is refused alone.
        """
        ...

    async def logs_of(self, addresses: Collection[Address], block: Header) -> Sequence[ChainLog]:
        """The contracts' events in this very block. Raises: as `logs`."""
        ...


class EventDecoder(Protocol):
    """The events of a contract's ABI."""

    @property
    def names(self) -> Sequence[str]: ...

    def topics_of(self, name: str) -> Sequence[Digest]:
        """The first topics of the events with this name."""
        ...

    def decode(
        self, topics: Sequence[Digest], data: bytes
    ) -> tuple[str | None, dict[str, Json] | None]:
        """Name and fields of an event; None for what the ABI does not know."""
        ...
