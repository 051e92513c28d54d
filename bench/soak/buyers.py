"""Buyers: our own client's flow, with a driver that sends twice, replays, forgets and cancels.

A buyer asks until it has an answer that it verified, or its refund, or the gateway's last word
that no money moved. Where a payment was never accepted, it signs another one.
"""

import asyncio
import json
import random
import secrets
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bench.soak.journal import Bought, End, Journal, Paid
from bench.soak.plan import Kind
from inferproof.client import flow as flows
from inferproof.client.answer import Answer
from inferproof.client.flow import Buyer
from inferproof.client.limits import Limits, Signer
from inferproof.client.steps import Call, Event, Lost, Pause, Reply
from inferproof.client.tools import installed_tools
from inferproof.errors import InferproofError, Reason, Unavailable
from inferproof.protocol.cancellation import cancellation_digest
from inferproof.protocol.signature import SigningKey
from inferproof.testing.kill_server import FAULTY, REFUSED
from inferproof.testing.toy_proofs import ACKNOWLEDGEMENT, ToySystem
from inferproof.types.job import JobState
from inferproof.types.payment import Authorization
from inferproof.types.proof import Assurance
from inferproof.verify.policy import Policy
from inferproof.verify.proof import ProofChecker
from inferproof.verify.receipt import Tools

MAX_PRICE = "1"
SENT_AT_ONCE = 3
PAYMENT = "payment-signature"
OVER = {JobState.REFUNDED.value: End.REFUNDED, JobState.VOID.value: End.VOID}
POLL_S = 20


@dataclass(frozen=True, slots=True)
class Goods:
    """What is sold: the model of the toy proof system, the one that ezkl proves, and inputs for
    the latter."""

    toy: str
    proven: str
    inputs: tuple[Any, ...]


class Crowd:
    """All buyers of one gateway, whose address does not change."""

    def __init__(
        self, url: str, goods: Goods, folder: Path, payers: Sequence[SigningKey], seed: int
    ) -> None:
        self._url = url
        self._goods = goods
        self._folder = folder
        self._payers = payers
        self._seed = seed
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(10.0, read=40.0),
            limits=httpx.Limits(max_connections=1000, max_keepalive_connections=200),
        )
        self._tools = _tools()

    async def close(self) -> None:
        await self._http.aclose()

    async def buy(self, bought: Bought) -> None:
        """Brings the order to its end."""
        while not bought.over:
            try:
                await self._try(bought)
            except Unavailable:  # the gateway was away before anything was signed
                await asyncio.sleep(0.5)

    def _buyer(self, number: int, journal: Journal) -> Buyer:
        return Buyer(
            signer=self._payers[number % len(self._payers)],
            limits=Limits(),
            policy=Policy(minimum_assurance=Assurance.COMMITMENT),
            tools=self._tools,
            ledger=journal,
            clock=time.time,
            salts=lambda: secrets.token_bytes(32),
            attempts=20,
            patience_s=600,
            backoff_s=0.1,
        )

    def _order(self, bought: Bought) -> tuple[str, bytes]:
        if bought.kind is Kind.PROVEN:
            value = self._goods.inputs[bought.number % len(self._goods.inputs)]
            return self._goods.proven, json.dumps({"input": value}).encode()
        draw = random.Random(f"{self._seed} {bought.number}")  # noqa: S311
        mood = {Kind.REFUSED: REFUSED, Kind.FAULTY: FAULTY}.get(bought.kind)
        first = round(draw.uniform(-80, 80), 3) if mood is None else mood
        numbers = [[first, round(draw.uniform(-80, 80), 3), float(bought.number % 80)]]
        return self._goods.toy, json.dumps({"input": numbers}).encode()

    async def _try(self, bought: Bought) -> None:
        """One payment, to its end. Raises: Unavailable before anything was signed."""
        model, body = self._order(bought)
        journal = Journal(self._folder)
        buyer = self._buyer(bought.number, journal)
        driver = _Driver(self._http, self._url, bought, journal, buyer.signer)
        flow: Generator[Any, Event, Answer] = flows.infer_flow(buyer, model, body, MAX_PRICE, None)
        while True:
            try:
                answer = await driver.drive(flow)
                driver.over(End.ANSWERED)
                _check_same(bought, answer)
                return
            except _GoneBuyerError:
                flow = flows.resume_flow(buyer, driver.paid.job)
            except InferproofError as error:
                if journal.signed is None:
                    raise
                end = await self._end_of(driver, error)
                if end is not None:
                    driver.over(end, error.code)
                    return
                flow = flows.resume_flow(buyer, driver.paid.job)

    async def _end_of(self, driver: "_Driver", error: InferproofError) -> End | None:
        """How the payment ended for good, or None where the buyer must ask again."""
        if error.reason is Reason.ANSWER_PENDING:
            return None
        if error.reason is Reason.JOB_NO_ANSWER:
            return await driver.refund()
        if isinstance(error, Unavailable):
            await asyncio.sleep(0.5)
            return None
        if driver.paid.accepted_s is not None:
            driver.wrong(f"{error.code} after it was accepted: {error.message}")
        return End.REFUSED


class _GoneBuyerError(Exception):
    """The buyer has forgotten all but what it wrote down."""


class _Driver:
    """Sends what one payment's flow asks for, in the way of its order's kind."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        url: str,
        bought: Bought,
        journal: Journal,
        signer: Signer,
    ) -> None:
        self._http = http
        self._url = url
        self._bought = bought
        self._journal = journal
        self._signer = signer
        self._began: float | None = None
        self._tricks = bought.kind

    @property
    def paid(self) -> Paid:
        return self._bought.payments[-1]

    def over(self, end: End, why: str = "") -> None:
        paid = self.paid
        if paid.end is not None:
            self.wrong(f"it ended twice: {paid.end}, then {end}")
        paid.end, paid.why, paid.over_s = end, why, self._since()

    def wrong(self, what: str) -> None:
        self._bought.wrongs.append(what)

    def _since(self) -> float:
        return time.monotonic() - (self._began or time.monotonic())

    async def drive(self, flow: Generator[Any, Event, Answer]) -> Answer:
        event: Event = None
        # What a receipt of ezkl takes to verify would hold up all other buyers.
        threaded = self._bought.kind is Kind.PROVEN
        while True:
            step, answer = (
                await asyncio.to_thread(_advance, flow, event)
                if threaded
                else _advance(flow, event)
            )
            if answer is not None:
                return answer
            assert step is not None
            if isinstance(step, Pause):
                await asyncio.sleep(step.seconds)
                event = None
            elif PAYMENT in step.headers:
                event = await self._pay(flow, step)
            else:
                event = await self._send(step)

    async def _pay(self, flow: Generator[Any, Event, Answer], call: Call) -> Event:
        if self._began is None and (signed := self._journal.signed) is not None:
            paid = signed.payment
            assert isinstance(paid, Authorization)
            self._bought.payments.append(Paid(signed.job_id, paid.payer, paid.nonce, paid.amount))
            self._began = time.monotonic()
        call = Call(call.method, call.path, call.body, {**call.headers, "prefer": "respond-async"})
        if self._tricks is Kind.TWINS:
            self._tricks = Kind.PLAIN
            events = await asyncio.gather(*(self._send(call) for _ in range(SENT_AT_ONCE)))
            for event in events:
                self._accepted(event)
            answers = [e for e in events if isinstance(e, Reply) and e.status < 400]
            return answers[0] if answers else events[0]
        event = await self._send(call)
        if not self._accepted(event):
            return event
        tricks, self._tricks = self._tricks, Kind.PLAIN
        if tricks is Kind.REPLAYED:
            await self._replay(call)
        elif tricks is Kind.CANCELLED:
            await self._cancel()
        elif tricks is Kind.FORGOTTEN:
            flow.close()
            raise _GoneBuyerError
        return event

    def _accepted(self, event: Event) -> bool:
        if not isinstance(event, Reply) or event.status >= 400:
            return False
        told = json.loads(event.body)
        if told.get("job_id") != self.paid.job.hex:
            self.wrong(f"the same payment is job {told.get('job_id')} as well")
        if self.paid.accepted_s is None:
            self.paid.accepted_s = self._since()
        return True

    async def _replay(self, call: Call) -> None:
        """The same payment for another request: always a conflict, whoever is killed meanwhile."""
        other = Call(call.method, call.path, b'{"input":[[1.0,2.0,3.0]]}', call.headers)
        for _ in range(100):
            event = await self._send(other)
            if isinstance(event, Reply) and event.status < 500 and event.status != 429:
                if event.status != 409:
                    self.wrong(f"a replay was answered with {event.status}")
                return
            await asyncio.sleep(0.2)
        self.wrong("a replay was never answered")

    async def _cancel(self) -> None:
        before = int(time.time()) + 600
        signature = self._signer.sign(cancellation_digest(self.paid.job, before))
        body = json.dumps({"before": before, "signature": "0x" + signature.hex()}).encode()
        path = f"/v1/jobs/{self.paid.job.hex}/cancel"
        # 409 where it is done or being computed already. Lost or away: then it is not cancelled.
        await self._send(Call("POST", path, body, {"content-type": "application/json"}))

    async def refund(self) -> End:
        """Waits until the refund is there, or it is clear that no money moved."""
        call = Call("GET", f"/v1/jobs/{self.paid.job.hex}?wait={POLL_S}")
        while True:
            event = await self._send(call)
            if isinstance(event, Reply) and event.status == 200:
                state = json.loads(event.body).get("state")
                if state == JobState.DONE.value:
                    self.wrong("a job without an answer is done")
                if state in OVER:
                    return OVER[state]
            await asyncio.sleep(0.5)

    async def _send(self, call: Call) -> Event:
        try:
            answer = await self._http.request(
                call.method, self._url + call.path, content=call.body, headers=dict(call.headers)
            )
        except (httpx.TransportError, httpx.DecodingError) as error:
            return Lost(f"{type(error).__name__}: {error}"[:200])
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Reply(answer.status_code, headers, answer.content)


def _advance(
    flow: Generator[Any, Event, Answer], event: Event
) -> tuple[Call | Pause, None] | tuple[None, Answer]:
    try:
        return flow.send(event), None
    except StopIteration as done:
        return None, done.value


def _check_same(bought: Bought, answer: Answer) -> None:
    if answer.job_id != bought.payments[-1].job:
        bought.wrongs.append(f"the answer is job {answer.job_id}'s")


def _tools() -> Tools:
    """The installed tools, and the toy proof system beside them."""
    installed, toy = installed_tools(), ToySystem(ACKNOWLEDGEMENT)

    def checker(system: str) -> ProofChecker:
        return toy if system == toy.name else installed.checker(system)

    return Tools(checker, installed.preprocess)
