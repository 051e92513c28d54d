"""Waiting for what comes about by itself, for as long as a slow and busy machine may take."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable

LONG_S = 60.0
"""A guard against a test that hangs: what it bounds takes a moment on a quiet machine."""


async def until(
    holds: Callable[[], bool | Awaitable[bool]], what: str, *, within_s: float = LONG_S
) -> None:
    """Returns once it holds. Raises: AssertionError, which says what was waited for."""
    end = time.monotonic() + within_s
    while True:
        found = holds()
        if await found if inspect.isawaitable(found) else found:
            return
        if time.monotonic() > end:
            raise AssertionError(f"after {within_s:g} s still not so: {what}")
        await asyncio.sleep(0.005)
