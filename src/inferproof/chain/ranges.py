"""Asking a node for events in ranges of blocks that it takes."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from inferproof.errors import Reason, Unavailable

T = TypeVar("T")

SPAN_BLOCKS = 2_000
"""Public nodes take ranges of 1,000 to 10,000 blocks."""


async def in_ranges(
    ask: Callable[[int, int], Awaitable[Sequence[T]]],
    first: int,
    last: int,
    *,
    span: int = SPAN_BLOCKS,
) -> list[T]:
    """What `ask` finds in these blocks, both ends included, in order.

    A node that refuses a range, because it is too long or holds too many events, is asked for its
    halves. Raises: as `ask`, also Unavailable CHAIN_RPC_ERROR for a single block.
    """
    found: list[T] = []
    todo = [(start, min(start + span - 1, last)) for start in range(first, last + 1, span)]
    todo.reverse()
    while todo:
        start, end = todo.pop()
        try:
            found += await ask(start, end)
        except Unavailable as error:
            if error.reason is not Reason.CHAIN_RPC_ERROR or start == end:
                raise
            middle = (start + end) // 2
            todo += [(middle + 1, end), (start, middle)]
    return found
