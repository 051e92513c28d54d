"""Buyers in a process of their own: paid calls to a gateway, and what each took.

Reads one JSON object on standard input, prints one:

    in    {"url", "key", "model", "values", "concurrency", "warm_up", "calls", "limit_s"}
    out   {"calls": [{"total_s", "offer_s", "paid_s", "fetch_s", "stages"}], "errors": [code],
           "wall_s"}

A buyer begins its next call when the last one ended (a closed loop). Every answer is verified.
Units: seconds, from the first byte sent to the verified answer.
"""

import asyncio
import contextvars
import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import httpx

from inferproof.client import AsyncClient
from inferproof.client.tools import installed_tools
from inferproof.errors import InferproofError
from inferproof.protocol.signature import SigningKey
from inferproof.testing.toy_proofs import ACKNOWLEDGEMENT, ToySystem
from inferproof.types.proof import Assurance
from inferproof.verify.policy import Policy
from inferproof.verify.proof import ProofChecker
from inferproof.verify.receipt import Tools

MAX_PRICE = "0.25"
PAYMENT = "PAYMENT-SIGNATURE"

_spent: contextvars.ContextVar[dict[str, float]] = contextvars.ContextVar("spent")


class Stopwatch(httpx.AsyncBaseTransport):
    """Adds up, for the call under way in this task, how long its requests took by kind."""

    def __init__(self) -> None:
        self._inner = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        kind = "fetch_s"
        if request.method == "POST":
            kind = "paid_s" if PAYMENT in request.headers else "offer_s"
        began = time.perf_counter()
        response = await self._inner.handle_async_request(request)
        spent = _spent.get()
        spent[kind] = spent.get(kind, 0.0) + time.perf_counter() - began
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


async def buy(order: dict[str, Any]) -> dict[str, Any]:
    """What standard output is given for what standard input asked."""
    async with AsyncClient(
        order["url"],
        key=SigningKey.from_hex(order["key"]),
        transport=Stopwatch(),
        policy=Policy(minimum_assurance=Assurance.COMMITMENT),
        tools=_tools(),
    ) as client:
        values = [order["values"][i % len(order["values"])] for i in range(order["calls"])]
        await _all(client, order["model"], iter(values[: order["warm_up"]]), 1, order["limit_s"])
        began = time.perf_counter()
        calls, errors = await _all(
            client, order["model"], iter(values), order["concurrency"], order["limit_s"]
        )
        return {"calls": calls, "errors": errors, "wall_s": time.perf_counter() - began}


async def _all(
    client: AsyncClient, model: str, values: Iterator[Any], concurrency: int, limit_s: float
) -> tuple[list[dict[str, Any]], list[str]]:
    """Finished calls and the codes of failed ones. No call begins after `limit_s`."""
    calls: list[dict[str, Any]] = []
    errors: list[str] = []
    deadline = time.monotonic() + limit_s

    async def buyer() -> None:
        for value in values:
            if time.monotonic() > deadline:
                return
            try:
                calls.append(await _call(client, model, value))
            except InferproofError as error:
                errors.append(error.code)

    await asyncio.gather(*(buyer() for _ in range(concurrency)))
    return calls, errors


async def _call(client: AsyncClient, model: str, value: Any) -> dict[str, Any]:
    spent: dict[str, float] = {}
    _spent.set(spent)
    began = time.perf_counter()
    answer = await client.infer(model, value, max_price=MAX_PRICE)
    total = time.perf_counter() - began
    return {"total_s": total, "fetch_s": 0.0, **spent, "stages": answer.timings}


def _tools() -> Tools:
    """The installed tools, and the toy proof system beside them."""
    installed = installed_tools()
    toy = ToySystem(ACKNOWLEDGEMENT)

    def checker(system: str) -> ProofChecker:
        return toy if system == toy.name else installed.checker(system)

    return Tools(checker, installed.preprocess, installed.payments)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(buy(json.load(sys.stdin)))))
