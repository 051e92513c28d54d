"""Closing that is not left half-done."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """What the work returns, once it has ended. A caller that is cancelled meanwhile waits for it
    all the same, and is cancelled then: what a driver was told to close, it closes."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not task.cancelled():
            task.exception()  # it was seen; the cancellation goes first
        raise cancelled
    return task.result()
