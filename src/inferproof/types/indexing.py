"""What is kept of contracts' events, and how far: logs, blocks, and which blocks were read."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from inferproof.types.digest import Address, Digest

Span = tuple[int, int]
"""Blocks from the first to the last, both included."""

NO_BLOCK = -1
"""The block before the first one of a chain."""


@dataclass(frozen=True, slots=True, order=True)
class Source:
    """A contract whose events are kept, from this block on. `name` is that of its ABI."""

    name: str
    address: Address
    first_block: int


@dataclass(frozen=True, slots=True)
class SourceSet:
    """The contracts of one chain that are read together, in one order, each address once."""

    chain_id: int
    sources: tuple[Source, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "sources", tuple(sorted(self.sources)))
        if not self.sources or len(self.addresses) != len(self.sources):
            raise ValueError("a set has a source, and an address once")

    @property
    def addresses(self) -> frozenset[Address]:
        return frozenset(source.address for source in self.sources)

    @property
    def first_block(self) -> int:
        """The first block that any of them is read from."""
        return min(source.first_block for source in self.sources)

    def wants(self, log: "ChainLog") -> bool:
        """Whether the log's contract is read from a block that is not later."""
        return any(
            source.address == log.address and source.first_block <= log.block
            for source in self.sources
        )


@dataclass(frozen=True, slots=True)
class Header:
    """What a block's header says. Units: `time` in Unix seconds. `bloom` is the filter of its
    logs, which is not kept; empty where it is not known."""

    number: int
    hash: Digest
    parent: Digest
    time: int
    bloom: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ChainLog:
    """One event as the chain holds it. `index` is its place among the events of its block;
    `time` is its block's, in Unix seconds."""

    block: int
    index: int
    block_hash: Digest
    tx: Digest
    address: Address
    topics: tuple[Digest, ...]
    data: bytes = field(repr=False)
    time: int = 0

    @property
    def place(self) -> tuple[int, int]:
        """Where it lies in the order of the chain."""
        return self.block, self.index


@dataclass(frozen=True, slots=True)
class Coverage:
    """The blocks that were read, as spans in order with a gap between each two."""

    spans: tuple[Span, ...] = ()

    @property
    def first(self) -> int | None:
        return self.spans[0][0] if self.spans else None

    @property
    def last(self) -> int | None:
        return self.spans[-1][1] if self.spans else None

    def add(self, first: int, last: int) -> "Coverage":
        """With these blocks too."""
        apart = [(a, b) for a, b in self.spans if b < first - 1 or a > last + 1]
        met = [span for span in self.spans if span not in apart]
        joined = (min([first, *(a for a, _ in met)]), max([last, *(b for _, b in met)]))
        return Coverage(tuple(sorted([*apart, joined])))

    def cut(self, last: int) -> "Coverage":
        """Without the blocks after `last`."""
        return Coverage(tuple((a, min(b, last)) for a, b in self.spans if a <= last))

    def gaps(self, first: int, last: int) -> Iterator[Span]:
        """The blocks of `first` to `last` that were not read, in order."""
        for start, end in self.spans:
            if start > first:
                yield first, min(start - 1, last)
            first = max(first, end + 1)
            if first > last:
                return
        yield first, last


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a set was read. `version` counts the changes, so that none is made twice or on top of
    another's; `kept` are headers of blocks that were read, the newest ones, in order; `head` is the
    newest block that the chain had, and rows up to the block `confirmed` are not provisional."""

    version: int = 0
    covered: Coverage = Coverage()
    kept: tuple[Header, ...] = ()
    head: int = NO_BLOCK
    confirmed: int = NO_BLOCK

    @property
    def tip(self) -> Header | None:
        """The newest block whose header is kept: the last that was read."""
        return self.kept[-1] if self.kept else None

    def complete_to(self, first: int) -> int:
        """The newest block up to which each was read from `first` on; the one before where none
        was."""
        spans = self.covered.spans
        return spans[0][1] if spans and spans[0][0] <= first else first - 1


@dataclass(frozen=True, slots=True)
class Change:
    """What is done to a set at once: rows of the blocks `dropped` go, `logs` come, and the cursor
    moves. Those of the blocks `span` that were there before are replaced by `logs`."""

    before: Cursor
    after: Cursor
    dropped: int | None = None
    """Rows of blocks after this one go."""
    span: Span | None = None
    logs: tuple[ChainLog, ...] = ()
