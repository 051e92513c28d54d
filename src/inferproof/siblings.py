"""What the processes of one gateway ask each other, over Unix sockets in a folder of their own.

    ["metrics"]          its metrics, see exposition
    ["check", "settler"] one line, or the failure, of what it runs

One question a connection, a line of JSON each way. Nobody but this user can open the folder.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inferproof.api.context import ReadyCheck
from inferproof.api.metrics import Metrics
from inferproof.errors import InferproofError, Reason, Unavailable
from inferproof.exposition import merged, snapshot

ANSWER_S = 2.0
LONGEST = 16 * 2**20
BEHIND = "behind"


@dataclass(frozen=True, slots=True)
class Siblings:
    """One process among those in the folder: itself, and the names of all that take requests."""

    folder: Path
    name: str
    fronts: Sequence[str]

    @asynccontextmanager
    async def answering(
        self,
        metrics: Metrics,
        checks: Mapping[str, ReadyCheck],
        refresh: Callable[[], Awaitable[None]] | None = None,
    ) -> AsyncIterator[None]:
        """Answers the others while the block runs. `refresh` brings the metrics up to date."""

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                question = json.loads(await reader.readline())
                if question[0] == "metrics" and refresh is not None:
                    await refresh()
                writer.write(json.dumps(await _answer(question, metrics, checks)).encode() + b"\n")
                await writer.drain()
            finally:
                writer.close()

        server = await asyncio.start_unix_server(answer, self.folder / self.name)
        try:
            yield
        finally:
            server.close()

    async def exposition(self, metrics: Metrics) -> bytes:
        """The metrics of all processes, `metrics` being this one's.

        Raises: Unavailable SERVICE_ENDED, SERVICE_STALLED: without one of them, sums would fall.
        """
        others = [name for name in (BEHIND, *self.fronts) if name != self.name]
        found = await asyncio.gather(*(self._ask(name, ["metrics"]) for name in others))
        return merged(found[0], [snapshot(metrics), *found[1:]])

    async def check(self, name: str) -> str:
        """What the process behind says of what it runs. Raises: Unavailable SERVICE_…"""
        told = await self._ask(BEHIND, ["check", name])
        if "reason" in told:
            raise Unavailable(Reason[told["reason"]], **told["facts"])
        return str(told["detail"])

    async def _ask(self, name: str, question: Sequence[str]) -> Any:
        try:
            async with asyncio.timeout(ANSWER_S):
                reader, writer = await asyncio.open_unix_connection(
                    self.folder / name, limit=LONGEST
                )
                try:
                    writer.write(json.dumps(question).encode() + b"\n")
                    return json.loads(await reader.readline())
                finally:
                    writer.close()
        except TimeoutError:
            raise Unavailable(
                Reason.SERVICE_STALLED, service=f"process {name}", seconds=round(ANSWER_S)
            ) from None
        except (OSError, ValueError):  # gone, or gone in the middle of its answer
            raise Unavailable(Reason.SERVICE_ENDED, service=f"process {name}") from None


async def _answer(
    question: Sequence[str], metrics: Metrics, checks: Mapping[str, ReadyCheck]
) -> dict[str, Any]:
    if question[0] == "metrics":
        return snapshot(metrics)
    try:
        return {"detail": await checks[question[1]]()}
    except InferproofError as error:
        return {"reason": error.code, "facts": error.facts}
