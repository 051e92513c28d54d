"""The clock of every part, and work that runs beside the requests."""

import asyncio
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any

from inferproof.observability.readiness import report_end


def started(
    work: Coroutine[Any, Any, None], name: str, stack: AsyncExitStack
) -> asyncio.Task[None]:
    """The work as a task that is cancelled, and waited for, when the stack closes."""
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(report_end)
    stack.push_async_callback(_stop, task)
    return task


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def clock() -> int:
    """Unix seconds by this machine's clock."""
    return int(time.time())
