"""The rules of reading contracts' events: what is read next, what a chain that changed takes back.

A set of contracts is read in spans of blocks. After each the cursor says which blocks were read,
and keeps the headers of the newest: they tell when the chain replaced a block that was read, and
down to which. See docs/adr/0056-the-indexer-keeps-logs-as-they-are.md.

    head       the newest block of the chain
    window     the last `keep` blocks up to the head: each one's header is asked, and linked
    confirmed  head - depth + 1: rows of later blocks are provisional
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from inferproof.errors import Conflict, Reason, RequestRejected, Unavailable
from inferproof.protocol.encoding import keccak256, tagged_digest
from inferproof.types.digest import Address, Digest
from inferproof.types.indexing import (
    NO_BLOCK,
    ChainLog,
    Change,
    Cursor,
    Header,
    SourceSet,
    Span,
)

SET_TAG = "inferproof/event-sources/1"
BLOOM_BYTES = 256

MAX_SPANS = 200
"""Spans that a cursor holds. Each refused block that is left for later makes one more."""


@dataclass(frozen=True, slots=True)
class IndexTerms:
    """Units: blocks. `depth` is how deep a block must be for its rows not to be provisional, its
    own included; `keep` how many headers are kept, and so how much of a chain may be replaced;
    `span` how many blocks are asked for at once. `batch` is about how many rows one commit takes.
    """

    depth: int = 12
    keep: int = 256
    span: int = 2000
    batch: int = 2000

    def __post_init__(self) -> None:
        if not (0 < self.depth <= self.keep and self.span > 0 and self.batch > 0):
            raise ValueError("depth is at least one and at most keep, the others are positive")

    def confirmed(self, head: int) -> int:
        """The newest block that is deep enough under this head."""
        return max(NO_BLOCK, head - self.depth + 1)


def set_digest(sources: SourceSet) -> Digest:
    """What tells a set of contracts from others: chain, names, addresses, first blocks."""
    parts = [str(sources.chain_id).encode()]
    for source in sources.sources:
        parts += [source.name.encode(), source.address.raw, str(source.first_block).encode()]
    return tagged_digest(SET_TAG, *parts)


def next_span(
    cursor: Cursor, first: int, head: int, span: int, refused: frozenset[int]
) -> Span | None:
    """The next blocks to read, at most `span` of them: the first gap that is none of the `refused`
    blocks. None where nothing is left to read for now."""
    if head < first:
        return None
    passed_over = len(cursor.covered.spans) < MAX_SPANS
    for start, end in cursor.covered.gaps(first, head):
        while start <= end and start in refused:
            if not passed_over:
                return None
            start += 1
        if start > end:
            continue
        last = min(end, start + span - 1)
        last = min([last, *(block - 1 for block in refused if start < block <= last)])
        return start, last
    return None


def wanted_headers(
    cursor: Cursor, span: Span, logs: Iterable[ChainLog], head: int, terms: IndexTerms
) -> list[int]:
    """The blocks of the span whose headers are asked: those with logs, the last one, the first
    where it follows one that is kept, and all within the window."""
    first, last = span
    wanted = {last, *(log.block for log in logs)}
    wanted.update(range(max(first, head - terms.keep + 1), last + 1))
    if any(kept.number == first - 1 for kept in cursor.kept):
        wanted.add(first)
    return sorted(wanted)


def check_links(cursor: Cursor, headers: Mapping[int, Header], logs: Iterable[ChainLog]) -> None:
    """Returns when these blocks and those that are kept may be of one chain, and the logs theirs.

    Raises: Unavailable INDEX_CHAIN_MOVED: they are read again.
    """
    known = {kept.number: kept for kept in cursor.kept} | dict(headers)
    for number, header in headers.items():
        above, below = known.get(number + 1), known.get(number - 1)
        if (above is not None and above.parent != header.hash) or (
            below is not None and header.parent != below.hash
        ):
            raise moved(number)
    for log in logs:
        if headers[log.block].hash != log.block_hash:
            raise moved(log.block)


def moved(block: int) -> Unavailable:
    """What says that the chain changed at this block while it was read."""
    return Unavailable(Reason.INDEX_CHAIN_MOVED, block=block)


def left_out(
    headers: Iterable[Header], logs: Iterable[ChainLog], addresses: Iterable[Address]
) -> list[Header]:
    """The blocks whose filter says that one of the addresses may have a log in them, of which there
    is none: a node that lags behind answers so. Of a hundred, one or less is a false alarm."""
    asked = [(address, _bits(address)) for address in addresses]
    found = {(log.block, log.address) for log in logs}
    return [
        header
        for header in headers
        if len(header.bloom) == BLOOM_BYTES
        and any(
            (header.number, address) not in found and _has(header.bloom, bits)
            for address, bits in asked
        )
    ]


def _bits(address: Address) -> tuple[int, int, int]:
    """The three bits of an address in a filter of 2,048. Source: yellow paper, section 4.3.1."""
    digest = keccak256(address.raw)
    first, second, third = (int.from_bytes(digest[at : at + 2], "big") & 2047 for at in (0, 2, 4))
    return first, second, third


def _has(bloom: bytes, bits: tuple[int, int, int]) -> bool:
    number = int.from_bytes(bloom, "big")
    return all(number >> bit & 1 for bit in bits)


def pieces(
    span: Span, logs: Sequence[ChainLog], batch: int
) -> Iterator[tuple[Span, list[ChainLog]]]:
    """The span in parts that end with a whole block, and have about `batch` logs or fewer each.

    `logs` are in the chain's order. A part that is not the last one ends with a block that has one.
    """
    first, last = span
    part: list[ChainLog] = []
    for at, log in enumerate(logs):
        part.append(log)
        ends = at + 1 < len(logs) and logs[at + 1].block != log.block
        if ends and len(part) >= batch:
            yield (first, log.block), part
            first, part = log.block + 1, []
    yield (first, last), part


def advanced(
    cursor: Cursor,
    span: Span,
    logs: Iterable[ChainLog],
    headers: Mapping[int, Header],
    head: int,
    terms: IndexTerms,
) -> Change:
    """The change by which a span was read: `logs` are all of it that are wanted."""
    first, last = span
    new = {n: header for n, header in headers.items() if first <= n <= last}
    kept = {header.number: header for header in cursor.kept} | new
    after = Cursor(
        cursor.version + 1,
        cursor.covered.add(first, last),
        tuple(kept[number] for number in sorted(kept)[-terms.keep :]),
        head,
        terms.confirmed(head),
    )
    timed = tuple(replace(log, time=headers[log.block].time) for log in logs)
    return Change(cursor, after, span=span, logs=timed)


def seen(cursor: Cursor, head: int, terms: IndexTerms) -> Change | None:
    """The change by which a new head confirms what was read; None where nothing changes."""
    if cursor.head == head and cursor.confirmed == terms.confirmed(head):
        return None
    after = replace(cursor, version=cursor.version + 1, head=head, confirmed=terms.confirmed(head))
    return Change(cursor, after)


def taken_back(
    cursor: Cursor, canonical: Mapping[int, Digest], head: int, terms: IndexTerms
) -> Change:
    """The change that rolls a set back to the newest block that is kept and still of the chain.

    `canonical` are the hashes of the kept blocks as the chain has them now, without those that it
    does not have. Where all that was ever read is among the kept blocks, and none of them is left,
    it begins anew by itself.
    Raises: Conflict INDEX_REORG_TOO_DEEP; Unavailable INDEX_NODE_BEHIND.
    """
    oldest, first = cursor.kept[0].number, cursor.covered.first
    still = [kept for kept in cursor.kept if canonical.get(kept.number) == kept.hash]
    if still:
        to = still[-1].number
    elif first is None or oldest <= first:
        to = oldest - 1
    elif head < oldest:
        raise Unavailable(Reason.INDEX_NODE_BEHIND, head=head, oldest=oldest)
    else:
        raise Conflict(Reason.INDEX_REORG_TOO_DEEP, oldest=oldest, head=head)
    after = Cursor(
        cursor.version + 1,
        cursor.covered.cut(to),
        tuple(kept for kept in cursor.kept if kept.number <= to),
        head,
        terms.confirmed(head),
    )
    return Change(cursor, after, dropped=to)


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a history: after this event. `mark` is the beginning of its block's hash, by which
    it is noticed that the block was replaced.

    Encoding: block-index-mark, the first two in decimal, the last 16 hex digits.
    """

    block: int
    index: int
    mark: str

    @classmethod
    def of(cls, log: ChainLog) -> "Place":
        """The place after the event."""
        return cls(log.block, log.index, log.block_hash.raw[:8].hex())

    @classmethod
    def parse(cls, text: str) -> "Place":
        """The inverse of `str`. Raises: RequestRejected EVENTS_CURSOR_MALFORMED."""
        block, _, rest = text.partition("-")
        index, _, mark = rest.partition("-")
        if all(n.isascii() and n.isdigit() and len(n) <= 15 for n in (block, index)):
            place = cls(int(block), int(index), mark)
            if len(mark) == 16 and set(mark) <= set("0123456789abcdef") and str(place) == text:
                return place
        raise RequestRejected(Reason.EVENTS_CURSOR_MALFORMED, got=text[:60])

    def __str__(self) -> str:
        return f"{self.block}-{self.index}-{self.mark}"
