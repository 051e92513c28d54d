"""What a chain says of a transaction: the events that it emitted, and how deep it lies."""

from dataclasses import dataclass

from inferproof.types.digest import Address, Digest


@dataclass(frozen=True, slots=True)
class Log:
    """One event that a contract emitted."""

    address: Address
    topics: tuple[Digest, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class MinedTransaction:
    """A transaction in a block of the chain that the node holds for the true one.

    `depth` is how many blocks deep it lies, its own counted; `succeeded` is false for a revert.
    Units: `time` is its block's, in Unix seconds. `logs` are in their order.
    """

    tx: Digest
    succeeded: bool
    block: int
    time: int
    depth: int
    logs: tuple[Log, ...]
