"""Sends what one payment's flow asks for, in the way of its order's kind."""

import asyncio
import json
import secrets
import time
from collections.abc import Generator
from dataclasses import replace
from typing import Any

import aiohttp

from bench.soak.journal import Bought, End, Journal, Paid
from bench.soak.plan import Kind
from inferproof.client.answer import Answer
from inferproof.client.ledger import PaidCall
from inferproof.client.steps import Call, Event, Lost, Pause, Reply
from inferproof.errors import Reason
from inferproof.payments.header import decode_header, encode_header
from inferproof.payments.transfer import TRANSFER_HEADER, transfer_header
from inferproof.payments.transfer.buyer import SignedClaim
from inferproof.payments.x402.buyer import SignedAuthorization
from inferproof.protocol.cancellation import cancellation_digest
from inferproof.protocol.commitments import request_digest
from inferproof.protocol.signature import Signer
from inferproof.protocol.transfer import claim_digest, claim_job_id
from inferproof.types.digest import Digest
from inferproof.types.job import JobState
from inferproof.types.payment import TransferClaim

SENT_AT_ONCE = 3
PAYMENTS = frozenset({"payment-signature", TRANSFER_HEADER.lower()})
OVER = {JobState.REFUNDED.value: End.REFUNDED, JobState.VOID.value: End.VOID}
POLL_S = 20
REFUND_S = 2.0
"""How often a refund is asked for: a failed job has ended, and a poll of it is not held."""
OTHER_BODY = b'{"input":[[1.0,2.0,3.0]]}'
ALREADY_USED = Reason.PAYMENT_ALREADY_USED.code
TRIES = 200
"""How often the last word on a payment is asked for, whoever is killed meanwhile."""
TRY_AGAIN_S = 0.2


class GoneBuyerError(Exception):
    """The buyer goes on with what it wrote down: it has forgotten all else, or its other claim to
    the same transfer won."""


class Driver:
    """Sends what one payment's flow asks for, in the way of its order's kind."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
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
        while True:
            # What a receipt with its proof takes to verify would hold up all other buyers.
            step, answer = await asyncio.to_thread(_advance, flow, event)
            if answer is not None:
                return answer
            assert step is not None
            if isinstance(step, Pause):
                await asyncio.sleep(step.seconds)
                event = None
            elif not PAYMENTS.isdisjoint(step.headers):
                event = await self._pay(flow, step)
            else:
                event = await self._send(step)

    async def _pay(self, flow: Generator[Any, Event, Answer], call: Call) -> Event:
        if self._began is None and (signed := self._journal.signed) is not None:
            self._bought.payments.append(paid_for(signed))
            self._began = time.monotonic()
        call = Call(call.method, call.path, call.body, {**call.headers, "prefer": "respond-async"})
        if self._tricks is Kind.TWINS:
            self._tricks = Kind.PLAIN
            events = await asyncio.gather(*(self._send(call) for _ in range(SENT_AT_ONCE)))
            for event in events:
                self._accepted(event)
            answers = [e for e in events if isinstance(e, Reply) and e.status < 400]
            return answers[0] if answers else events[0]
        if self._tricks is Kind.TRANSFER_RACED:
            self._tricks = Kind.PLAIN
            event = await self._race(call)
            self._accepted(event)
            return event
        event = await self._send(call)
        if not self._accepted(event):
            return event
        tricks, self._tricks = self._tricks, Kind.PLAIN
        if tricks is Kind.REPLAYED:
            await self._conflicts(Call(call.method, call.path, OTHER_BODY, call.headers))
        elif tricks is Kind.TRANSFER_TWICE:
            await self._conflicts(self._other_claim(call))
        elif tricks is Kind.CANCELLED:
            await self._cancel()
        elif tricks is Kind.FORGOTTEN:
            flow.close()
            raise GoneBuyerError
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

    async def _conflicts(self, call: Call) -> None:
        """Another use of what this payment used up: always a conflict."""
        reply = await self._last_word(call)
        if reply is None or reply.status != 409:
            got = "never answered" if reply is None else f"answered with {reply.status}"
            self.wrong(f"a replay was {got}")

    async def _last_word(self, call: Call) -> Reply | None:
        """What the gateway says to a call for good, whoever is killed meanwhile."""
        for _ in range(TRIES):
            event = await self._send(call)
            if isinstance(event, Reply) and event.status < 500 and event.status != 429:
                return event
            await asyncio.sleep(TRY_AGAIN_S)
        return None

    # -- claims to a transfer -----------------------------------------------------------------

    def _other_claim(self, call: Call) -> Call:
        """The transfer, claimed for another request at the present price."""
        claim = self._again(request_digest(call.method, call.path, OTHER_BODY))
        assert self._journal.signed is not None
        quoted = self._journal.signed
        other = replace(paid_for(quoted), job=claim_job_id(claim), end=End.REFUSED)
        other.accepted_s, other.why = None, ALREADY_USED
        self._bought.payments.insert(-1, other)
        value = decode_header(transfer_header(claim, quoted.quote, quoted.quote_signature))
        for name in ("quote", "quoteSignature"):  # they are for the first request
            del value[name]
        headers = {**call.headers, TRANSFER_HEADER.lower(): encode_header(value)}
        return Call(call.method, call.path, OTHER_BODY, headers)

    def _again(self, request: Digest) -> TransferClaim:
        """Another claim to the transfer that was claimed."""
        assert self._journal.signed is not None
        signed = self._journal.signed.payment
        assert isinstance(signed, SignedClaim)
        other = replace(signed.claim, request=request, salt=Digest(secrets.token_bytes(32)))
        return replace(other, signature=self._signer.sign(claim_digest(other)))

    async def _race(self, call: Call) -> Event:
        """What becomes of two claims to one transfer that are sent at once: this call's, and one
        of another salt, which is another job.

        Raises: GoneBuyerError where the other one won; the journal then has it.
        """
        own = self._journal.signed
        assert own is not None
        claim = self._again(own.request)
        header = transfer_header(claim, own.quote, own.quote_signature)
        rival = replace(own, payment=SignedClaim(header, claim))
        self._journal.record(rival, lambda _spent: None)
        replies = await asyncio.gather(
            self._last_word(call),
            self._last_word(
                replace(call, headers={**call.headers, TRANSFER_HEADER.lower(): header})
            ),
        )
        won = [reply is not None and reply.status < 400 for reply in replies]
        lost = [reply is not None and _code(reply) == ALREADY_USED for reply in replies]
        if won == lost or sum(won) != 1 or sum(lost) != 1:
            told = ", ".join("nothing" if r is None else f"{r.status} {_code(r)}" for r in replies)
            self.wrong(f"two claims to one transfer were answered with {told}")
        other = paid_for(rival)
        if not won[1]:
            other.end, other.why = End.REFUSED, ALREADY_USED
            self._bought.payments.insert(-1, other)
            self._journal.signed = own
            return replies[0] or Lost("nobody answered")
        self.paid.end, self.paid.why, self.paid.over_s = End.REFUSED, ALREADY_USED, self._since()
        self._bought.payments.append(other)
        other.accepted_s = self._since()
        raise GoneBuyerError

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
            await asyncio.sleep(REFUND_S)

    async def _send(self, call: Call) -> Event:
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


def _advance(
    flow: Generator[Any, Event, Answer], event: Event
) -> tuple[Call | Pause, None] | tuple[None, Answer]:
    try:
        return flow.send(event), None
    except StopIteration as done:
        return None, done.value


def paid_for(call: PaidCall) -> Paid:
    """The payment of a signed call, as the verdict counts it."""
    payment, price = call.payment, call.quote.price.amount
    if isinstance(payment, SignedClaim):
        spent = payment.claim.transaction
        return Paid(call.job_id, payment.payer, None, price, transfer=spent)
    assert isinstance(payment, SignedAuthorization)
    paid = payment.authorization
    return Paid(call.job_id, paid.payer, paid.nonce, paid.amount)


def _code(reply: Reply) -> str:
    """The code of a refusal; empty for an answer."""
    return "" if reply.status < 400 else str(json.loads(reply.body)["error"]["code"])
