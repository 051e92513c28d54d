"""The buyers of bench.burst: they pay all at once, and note when each has its answer.

Reads one JSON object on standard input, prints one:

    in    {"url", "keys", "model", "values"}
    out   {"answered_s": [...], "jobs": [id], "errors": [code], "wall_s"}

Each key buys one call. Offers are asked for and payments are signed before the first is sent.
Receipts are fetched and verified once all have their answers, which is not timed: it would hold
up those who still wait in this process. Units: seconds, from the sending of the payment.
"""

import asyncio
import json
import secrets
import sys
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import aiohttp

from inferproof.client.answer import Answer
from inferproof.client.client import body_of
from inferproof.client.flow import Buyer, infer_flow
from inferproof.client.ledger import Ledger
from inferproof.client.limits import Limits
from inferproof.client.steps import Call, Event, Lost, Pause, Reply
from inferproof.client.tools import installed_tools
from inferproof.errors import InferproofError
from inferproof.protocol.signature import SigningKey
from inferproof.testing.toy_proofs import ACKNOWLEDGEMENT, ToySystem
from inferproof.types.proof import Assurance
from inferproof.verify.policy import Policy
from inferproof.verify.proof import ProofChecker
from inferproof.verify.receipt import Tools

MAX_PRICE = "0.25"
PAYMENT = "payment-signature"
RECEIPTS = "/v1/receipts/"

Flow = Generator[Any, Event, Answer]


@dataclass(slots=True)
class Purchase:
    """One call, up to the step that comes next."""

    flow: Flow
    step: Call
    answered_s: float = 0.0


class Till:
    """Sends what flows ask for to one gateway."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self._url = url

    async def bring(self, flow: Flow, event: Event, stop: str) -> Call:
        """The first call that pays, or that asks for this path; it is not sent."""
        while True:
            step = flow.send(event)
            if isinstance(step, Pause):
                await asyncio.sleep(step.seconds)
                event = None
            elif stop in step.headers or step.path.startswith(stop):
                return step
            else:
                event = await self.send(step)

    async def send(self, call: Call) -> Event:
        try:
            async with self._http.request(
                call.method,
                self._url + call.path,
                data=call.body or None,
                headers=dict(call.headers),
            ) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return Lost(f"{type(error).__name__}: {error}"[:200])
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Reply(answer.status, headers, body)

    async def pay(self, purchase: Purchase) -> None:
        """Sends the payment, and returns when the gateway says that the answer is there."""
        began = time.perf_counter()
        event = await self.send(purchase.step)
        purchase.step = await self.bring(purchase.flow, event, RECEIPTS)
        purchase.answered_s = time.perf_counter() - began

    async def verify(self, purchase: Purchase) -> Answer:
        """The verified answer. Raises: InferproofError where it does not verify."""
        event = await self.send(purchase.step)
        try:
            while True:
                step = purchase.flow.send(event)
                assert isinstance(step, Pause)
                await asyncio.sleep(step.seconds)
                event = await self.send(purchase.flow.send(None))
        except StopIteration as done:
            answer: Answer = done.value
            return answer


async def buy(order: dict[str, Any]) -> dict[str, Any]:
    """What standard output is given for what standard input asked."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=120.0)
    ) as http:
        till, tools, errors = Till(http, order["url"]), _tools(), []

        async def prepared(number: int, key: str) -> Purchase:
            value = order["values"][number % len(order["values"])]
            flow = infer_flow(_buyer(key, tools), order["model"], body_of(value), MAX_PRICE, None)
            return Purchase(flow, await till.bring(flow, None, PAYMENT))

        purchases = [await prepared(n, key) for n, key in enumerate(order["keys"])]
        began = time.perf_counter()
        ended = await asyncio.gather(*map(till.pay, purchases), return_exceptions=True)
        wall_s = time.perf_counter() - began
        jobs = []
        for purchase, error in zip(purchases, ended, strict=True):
            try:
                if error is not None:
                    raise error
                jobs.append((await till.verify(purchase)).job_id.hex)
            except InferproofError as refused:
                errors.append(refused.code)
    answered = [purchase.answered_s for purchase in purchases if purchase.answered_s]
    return {"answered_s": answered, "jobs": jobs, "errors": errors, "wall_s": wall_s}


def _buyer(key: str, tools: Tools) -> Buyer:
    return Buyer(
        signer=SigningKey.from_hex(key),
        limits=Limits(),
        policy=Policy(minimum_assurance=Assurance.COMMITMENT),
        tools=tools,
        ledger=Ledger(),
        clock=time.time,
        salts=lambda: secrets.token_bytes(32),
    )


def _tools() -> Tools:
    """The installed tools, and the toy proof system beside them."""
    installed, toy = installed_tools(), ToySystem(ACKNOWLEDGEMENT)

    def checker(system: str) -> ProofChecker:
        return toy if system == toy.name else installed.checker(system)

    return Tools(checker, installed.preprocess, installed.payments)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(buy(json.load(sys.stdin)))))
