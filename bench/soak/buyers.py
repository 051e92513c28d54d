"""Buyers: our own client's flow, with a driver that sends twice, replays, forgets and cancels.

A buyer asks until it has an answer that it verified, or its refund, or the gateway's last word
that no money moved. Where a payment was never accepted, it signs another one.
"""

import asyncio
import json
import random
import secrets
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from bench.soak.driver import Driver, GoneBuyerError
from bench.soak.journal import Bought, End, Journal
from bench.soak.plan import BY_TRANSFER, REFUSED_TRANSFERS, Kind
from bench.soak.transfers import Transfers
from inferproof.client import flow as flows
from inferproof.client.answer import Answer
from inferproof.client.flow import Buyer, MadeTransfer
from inferproof.client.limits import Limits
from inferproof.client.steps import Event
from inferproof.client.tools import installed_tools
from inferproof.errors import InferproofError, Reason, Unavailable
from inferproof.protocol.signature import SigningKey
from inferproof.testing.kill_server import FAULTY, REFUSED
from inferproof.types.proof import Assurance
from inferproof.verify.policy import Policy

MAX_PRICE = "1"
FINAL = 3
"""Confirmations that a transfer needs before it pays."""


@dataclass(frozen=True, slots=True)
class Goods:
    """What is sold: the small model whose prover has moods, and models of the zoo by the kind of
    their orders, each with inputs."""

    moody: str
    zoo: dict[Kind, tuple[str, tuple[Any, ...]]]


class Crowd:
    """All buyers of one gateway. `url` is where the next request goes to."""

    def __init__(
        self,
        url: Callable[[], str],
        goods: Goods,
        folder: Path,
        payers: Sequence[SigningKey],
        transfers: Transfers,
        seed: int,
    ) -> None:
        self._url = url
        self._goods = goods
        self._folder = folder
        self._payers = payers
        self._transfers = transfers
        self._seed = seed
        # Not the SDK's own HTTP library, which takes more time than all else that a buyer does.
        self._http = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=60.0, sock_connect=10.0, sock_read=40.0),
            connector=aiohttp.TCPConnector(limit=0),
        )
        self._tools = installed_tools()

    async def close(self) -> None:
        await self._http.close()

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
        if bought.kind in self._goods.zoo:
            model, inputs = self._goods.zoo[bought.kind]
            value = inputs[bought.number % len(inputs)]
            return model, json.dumps({"input": value}).encode()
        draw = random.Random(f"{self._seed} {bought.number}")  # noqa: S311
        mood = {Kind.REFUSED: REFUSED, Kind.FAULTY: FAULTY}.get(bought.kind)
        if bought.kind in BY_TRANSFER and draw.random() < REFUSED_TRANSFERS:
            mood = REFUSED
        first = round(draw.uniform(-80, 80), 3) if mood is None else mood
        numbers = [[first, round(draw.uniform(-80, 80), 3), float(bought.number % 80)]]
        return self._goods.moody, json.dumps({"input": numbers}).encode()

    async def _try(self, bought: Bought) -> None:
        """One payment, to its end. Raises: Unavailable before anything was signed."""
        model, body = self._order(bought)
        journal = Journal(self._folder)
        buyer = self._buyer(bought.number, journal)
        driver = Driver(self._http, self._url, bought, journal, buyer.signer)
        made = await self._transfer(bought)
        flow: Generator[Any, Event, Answer] = flows.infer_flow(
            buyer, model, body, MAX_PRICE, None, made
        )
        while True:
            try:
                answer = await driver.drive(flow)
                driver.over(End.ANSWERED)
                _check_same(bought, answer)
                return
            except GoneBuyerError:
                flow = flows.resume_flow(buyer, driver.paid.job)
            except InferproofError as error:
                if journal.signed is None:
                    raise
                end = await self._end_of(driver, error)
                if end is not None:
                    driver.over(end, error.code)
                    return
                flow = flows.resume_flow(buyer, driver.paid.job)

    async def _transfer(self, bought: Bought) -> MadeTransfer | None:
        """The transfer that pays for the order, in a block, and for a race as deep as it must be;
        None where an authorization pays."""
        if bought.kind not in BY_TRANSFER:
            return None
        if bought.transfer is None:
            payer = self._payers[bought.number % len(self._payers)]
            bought.transfer = self._transfers.sign(payer)
        depth = FINAL if bought.kind is Kind.TRANSFER_RACED else 1
        await self._transfers.bring(bought.transfer, depth)
        return MadeTransfer(bought.transfer)

    async def _end_of(self, driver: Driver, error: InferproofError) -> End | None:
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


def _check_same(bought: Bought, answer: Answer) -> None:
    if answer.job_id != bought.payments[-1].job:
        bought.wrongs.append(f"the answer is job {answer.job_id}'s")
