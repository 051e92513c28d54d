"""Client and AsyncClient: the two drivers of the flow, over httpx."""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Generator, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypedDict, TypeVar, Unpack

import httpx

from inferproof.client import flow as flows
from inferproof.client import orders
from inferproof.client.answer import Answer, Offer
from inferproof.client.events import Event as JobEvent
from inferproof.client.events import Watch
from inferproof.client.flow import Buyer, Extras
from inferproof.client.ledger import Ledger, PaidCall
from inferproof.client.limits import Limits
from inferproof.client.orders import OrderChain, OrderTerms
from inferproof.client.steps import Call, Event, Lost, Pause, Reply, Step
from inferproof.client.tools import installed_tools
from inferproof.errors import InputRejected, Reason, RequestRejected
from inferproof.payments.buyer import BuyerMethod
from inferproof.payments.escrow.wire import SignedOrder
from inferproof.payments.passes.buyer import BoughtRight
from inferproof.payments.transfer.buyer import MadeTransfer
from inferproof.protocol.signature import Signer
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.types.digest import Address, Digest
from inferproof.types.job import JobState
from inferproof.types.money import Money
from inferproof.types.payment import Authorization
from inferproof.types.tensor import Tensors
from inferproof.verify.policy import Policy
from inferproof.verify.receipt import Tools

T = TypeVar("T")

MAX_REPLY_BYTES = 256 * 2**20
"""More than the largest receipt file with its attachments that a model here can give."""
MAX_REPLY_S = 300.0
"""A body of that size comes in this time at one megabyte a second; one that drips is given up."""
TIMEOUT = httpx.Timeout(10.0, read=60.0)
"""Reading takes longest: the gateway holds a request for half a minute while it proves."""
STREAM_TIMEOUT = httpx.Timeout(10.0, read=45.0)
"""A stream says something every fifteen seconds; after three times that it is lost."""

ORDER_TERMS = OrderTerms()

_GONE = (httpx.TransportError, httpx.DecodingError)


class Options(TypedDict, total=False):
    """Options of both clients; each is explained in `Client`."""

    limits: Limits
    policy: Policy
    tools: Tools
    verify: bool
    dry_run: bool
    state: Path
    attempts: int
    patience_s: float


class _Shared:
    """What both clients are made of."""

    def __init__(self, base_url: str, key: Signer, options: Options) -> None:
        self._origin = httpx.URL(base_url)
        tools = options.get("tools") or installed_tools()
        self._buyer = Buyer(
            signer=key,
            limits=options.get("limits", Limits()),
            policy=options.get("policy", Policy()),
            tools=tools if options.get("verify", True) else None,
            ledger=Ledger(options.get("state")),
            clock=time.time,
            salts=lambda: secrets.token_bytes(32),
            prefix=self._origin.raw_path.decode("ascii").rstrip("/"),
            dry_run=options.get("dry_run", False),
            attempts=options.get("attempts", 6),
            patience_s=options.get("patience_s", 900.0),
        )

    @property
    def open_jobs(self) -> tuple[Digest, ...]:
        """Jobs that were paid for and have no answer yet; `resume` asks for them."""
        return self._buyer.ledger.open_jobs()

    def _order_of(self, job: Digest) -> tuple[SignedOrder, Authorization]:
        signed = orders.order_in(self._buyer.ledger.call(job))
        given = orders.authorize(signed.escrow, signed.order, signed.asset, self._buyer.signer)
        return signed, given

    def open_call(self, job: Digest) -> PaidCall:
        """A call that was paid for and has no answer yet. Raises: NotFound CALL_UNKNOWN."""
        return self._buyer.ledger.call(job)

    def _preprocess(self, bundle: VerifierBundle, body: bytes) -> Tensors:
        tools = self._buyer.tools or installed_tools()
        return tools.preprocess(bundle.preprocessing, body)

    def _watch(self, job: Digest, after: int) -> Watch:
        buyer = self._buyer
        return Watch(job, buyer.prefix, after=after, attempts=buyer.attempts)

    def _url(self, call: Call) -> httpx.URL:
        return self._origin.copy_with(raw_path=call.path.encode("ascii"))


class Client(_Shared):
    """Buys proved predictions from one gateway.

    `key` signs payments. `limits` are what it may spend; `policy` is what a receipt must have
    to be accepted. `tools` verify (see `verify.receipt.Tools`); without them those of the
    installed proof systems are taken, and a system that is not installed is a MissingPart
    error. `verify=False` skips verification, and answers say so. `dry_run` goes as far as the
    limits and then raises PolicyRejected DRY_RUN. `state` is a directory that keeps spending
    and open calls beyond this process. A request is sent at most `attempts` times, with growing
    pauses. Units: `patience_s` seconds to wait for an answer.
    """

    def __init__(
        self,
        base_url: str,
        *,
        key: Signer,
        transport: httpx.BaseTransport | None = None,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(base_url, key, options)
        self._http = httpx.Client(transport=transport, timeout=TIMEOUT)

    def offer(self, model: str, value: Any, *, private_input: bool = False) -> Offer:
        """The gateway's signed offer for a request, which costs nothing.

        Raises: what the gateway refuses the request with; RequestRejected CHALLENGE_*;
        Unavailable GATEWAY_LOST, GATEWAY_ANSWER.
        """
        flow = flows.offer_flow(self._buyer, model, body_of(value), private_input=private_input)
        return self._drive(flow)

    def infer(
        self,
        model: str,
        value: Any,
        *,
        max_price: str | Money,
        payment_id: str | None = None,
        transfer: MadeTransfer | None = None,
        right: Digest | BoughtRight | None = None,
        webhook: str | None = None,
        idempotency_key: str | None = None,
        private_input: bool = False,
    ) -> Answer:
        """The proven answer to an input, for at most `max_price`.

        `value` is the raw input, or bytes that are the whole request body. `max_price` is
        money, or a decimal string in the asset that is asked for.
        With `transfer`, a transfer that was made before pays instead of an authorization; its
        whole amount is given for this call, and the price counts as spent. With `right`, a call of
        a pass, a pack or a subscription that was bought on the chain before pays; nothing is spent,
        and a `max_price` of "0" is enough. A BoughtRight names its contract too.
        `webhook` is an https address that the gateway tells, signed, when the job is over; see
        `verify_webhook`. A call with the `idempotency_key` of an earlier one with the same
        request, 16 to 128 letters, digits, - and _, has the answer of that one, verified as its
        own, and is not charged; what it signed counts as spent all the same. `payment_id` is the
        same name inside of the payment, for gateways that know no such header.
        With `private_input` the proof shows nothing of the input, and its opening, which the
        gateway gives to this payer alone, is compared with it. Such a call is salted, so that an
        `idempotency_key` finds no earlier one: `resume` is the way to its answer.
        Raises: PolicyRejected PRICE_ABOVE_MAX, BUDGET_EXCEEDED, PAYEE_NOT_ALLOWED,
        ASSET_NOT_ALLOWED, DRY_RUN before anything is signed; what the gateway refuses it
        with; Unavailable ANSWER_PENDING when the payment is out and the answer is not here;
        JOB_NO_ANSWER when there will be none; ReceiptRejected, ProofRejected, MissingPart
        when the answer does not verify, or is about another input (PROOF_OTHER_INPUT).
        """
        extras = Extras(payment_id, webhook, idempotency_key, private_input)
        return self._drive(
            flows.infer_flow(
                self._buyer, model, body_of(value), max_price, extras, _method(transfer, right)
            )
        )

    def request(
        self,
        model: str,
        value: Any,
        *,
        max_price: str | Money,
        escrow: Address,
        chain: OrderChain,
        terms: OrderTerms = ORDER_TERMS,
    ) -> Answer:
        """The proven answer to an input, paid by an order in an escrow: its money waits in a
        contract that checks the proof before it pays, and comes back where none comes.

        `escrow` is the contract that the buyer trusts with it, on a chain that `chain` makes the
        order on, see `app.ordering.BuyerChain`. The order is written down before its
        money is locked: `resume` goes on from there, and `inferproof request` can take it back.
        Raises: PaymentRejected ESCROWS_CLOSED; as `infer`; Rejection ORDER_REFUSED.
        """
        flow = orders.prepare_order(
            self._buyer,
            model,
            body_of(value),
            max_price,
            escrow,
            terms,
            chain,
            self._preprocess,
        )
        prepared = self._drive(flow)
        chain.place(prepared.made.escrow, prepared.made.order, prepared.authorization)
        return self._drive(flows.paid_flow(self._buyer, prepared.call, prepared.gateway))

    def resume_request(self, job: Digest, chain: OrderChain) -> Answer:
        """The answer of a job whose order this client wrote down; makes the order where that was
        not done. Raises: NotFound CALL_UNKNOWN; RequestRejected CALL_WITHOUT_ORDER; as `request`.
        """
        signed, authorization = self._order_of(job)
        chain.place(signed.escrow, signed.order, authorization)
        return self.resume(job)

    def rescue(self, job: Digest) -> Answer:
        """The answer of a job whose order another server was late with, from this client's gateway.

        Raises: NotFound CALL_UNKNOWN; RequestRejected CALL_WITHOUT_ORDER; PaymentRejected
        ESCROWS_CLOSED, ORDER_ESCROW, ORDER_TAKEN while the other's time is not over; as `infer`.
        """
        return self._drive(orders.rescue_flow(self._buyer, self._buyer.ledger.call(job)))

    def resume(self, job: Digest) -> Answer:
        """The answer of a job that this client paid for; sends the same payment, never another.

        Raises: NotFound CALL_UNKNOWN; otherwise as `infer`.
        """
        return self._drive(flows.resume_flow(self._buyer, job))

    def events(self, job: Digest, *, after: int = 0) -> Iterator[JobEvent]:
        """The steps of a job as they are made, from the one after number `after` on, until it
        is over. Streamed where the gateway streams, else polled; each comes once.

        Raises: NotFound JOB_UNKNOWN; Unavailable ANSWER_PENDING after too many failures in a
        row, GATEWAY_ANSWER.
        """
        watch = self._watch(job, after)
        while not watch.over:
            try:
                if watch.polls:
                    reply = self._send(watch.poll())
                    if isinstance(reply, Reply):
                        yield from watch.polled(reply)
                    else:
                        watch.lost("no answer")
                else:
                    yield from self._stream(watch)
            except _GONE as error:
                watch.lost(type(error).__name__)
            if not watch.over:
                time.sleep(watch.pause_s)

    def wait(self, job: Digest) -> JobState:
        """The final state of a job, once it is there. Raises: as `events`."""
        state = JobState.RESERVED
        for event in self.events(job):
            state = event.state
        return state

    def _stream(self, watch: Watch) -> Iterator[JobEvent]:
        call = watch.stream()
        with self._http.stream(
            call.method, self._url(call), headers=dict(call.headers), timeout=STREAM_TIMEOUT
        ) as response:
            if watch.opened(response.status_code, response.headers.get("content-type", "")):
                for chunk in response.iter_bytes():
                    yield from watch.feed(chunk)
                    if watch.over:
                        return
            elif not watch.over:
                watch.refused(_reply(response, _limited(response.iter_bytes())))

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _drive(self, flow: Generator[Step, Event, T]) -> T:
        event: Event = None
        while True:
            try:
                step = flow.send(event)
            except StopIteration as done:
                result: T = done.value
                return result
            if isinstance(step, Pause):
                time.sleep(step.seconds)
                event = None
            else:
                event = self._send(step)

    def _send(self, call: Call) -> Event:
        try:
            with self._http.stream(
                call.method, self._url(call), content=call.body, headers=dict(call.headers)
            ) as response:
                return _reply(response, _limited(response.iter_bytes()))
        except _GONE as error:
            return Lost(f"{type(error).__name__}: {error}"[:500])


class AsyncClient(_Shared):
    """The same as `Client`, to be awaited."""

    def __init__(
        self,
        base_url: str,
        *,
        key: Signer,
        transport: httpx.AsyncBaseTransport | None = None,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(base_url, key, options)
        self._http = httpx.AsyncClient(transport=transport, timeout=TIMEOUT)

    async def offer(self, model: str, value: Any, *, private_input: bool = False) -> Offer:
        """As `Client.offer`."""
        flow = flows.offer_flow(self._buyer, model, body_of(value), private_input=private_input)
        return await self._drive(flow)

    async def infer(
        self,
        model: str,
        value: Any,
        *,
        max_price: str | Money,
        payment_id: str | None = None,
        transfer: MadeTransfer | None = None,
        right: Digest | BoughtRight | None = None,
        webhook: str | None = None,
        idempotency_key: str | None = None,
        private_input: bool = False,
    ) -> Answer:
        """As `Client.infer`."""
        extras = Extras(payment_id, webhook, idempotency_key, private_input)
        return await self._drive(
            flows.infer_flow(
                self._buyer, model, body_of(value), max_price, extras, _method(transfer, right)
            )
        )

    async def request(
        self,
        model: str,
        value: Any,
        *,
        max_price: str | Money,
        escrow: Address,
        chain: OrderChain,
        terms: OrderTerms = ORDER_TERMS,
    ) -> Answer:
        """As `Client.request`; the chain is asked in threads."""
        flow = orders.prepare_order(
            self._buyer, model, body_of(value), max_price, escrow, terms, chain, self._preprocess
        )
        prepared = await self._drive(flow)
        made = prepared.made
        await asyncio.to_thread(chain.place, made.escrow, made.order, prepared.authorization)
        return await self._drive(flows.paid_flow(self._buyer, prepared.call, prepared.gateway))

    async def resume_request(self, job: Digest, chain: OrderChain) -> Answer:
        """As `Client.resume_request`; the chain is asked in a thread."""
        signed, authorization = self._order_of(job)
        await asyncio.to_thread(chain.place, signed.escrow, signed.order, authorization)
        return await self.resume(job)

    async def rescue(self, job: Digest) -> Answer:
        """As `Client.rescue`."""
        return await self._drive(orders.rescue_flow(self._buyer, self._buyer.ledger.call(job)))

    async def resume(self, job: Digest) -> Answer:
        """As `Client.resume`."""
        return await self._drive(flows.resume_flow(self._buyer, job))

    async def events(self, job: Digest, *, after: int = 0) -> AsyncIterator[JobEvent]:
        """As `Client.events`."""
        watch = self._watch(job, after)
        while not watch.over:
            try:
                if watch.polls:
                    reply = await self._send(watch.poll())
                    if isinstance(reply, Reply):
                        for event in watch.polled(reply):
                            yield event
                    else:
                        watch.lost("no answer")
                else:
                    async for event in self._stream(watch):
                        yield event
            except _GONE as error:
                watch.lost(type(error).__name__)
            if not watch.over:
                await asyncio.sleep(watch.pause_s)

    async def wait(self, job: Digest) -> JobState:
        """As `Client.wait`."""
        state = JobState.RESERVED
        async for event in self.events(job):
            state = event.state
        return state

    async def _stream(self, watch: Watch) -> AsyncIterator[JobEvent]:
        call = watch.stream()
        async with self._http.stream(
            call.method, self._url(call), headers=dict(call.headers), timeout=STREAM_TIMEOUT
        ) as response:
            if watch.opened(response.status_code, response.headers.get("content-type", "")):
                async for chunk in response.aiter_bytes():
                    for event in watch.feed(chunk):
                        yield event
                    if watch.over:
                        return
            elif not watch.over:
                chunks = [chunk async for chunk in _limited_async(response.aiter_bytes())]
                watch.refused(_reply(response, iter(chunks)))

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _drive(self, flow: Generator[Step, Event, T]) -> T:
        event: Event = None
        while True:
            # Verifying a proof computes for a while; the loop must go on meanwhile.
            done, value = await asyncio.to_thread(_advance, flow, event)
            if done:
                result: T = value
                return result
            if isinstance(value, Pause):
                await asyncio.sleep(value.seconds)
                event = None
            else:
                event = await self._send(value)

    async def _send(self, call: Call) -> Event:
        try:
            async with self._http.stream(
                call.method, self._url(call), content=call.body, headers=dict(call.headers)
            ) as response:
                chunks = [chunk async for chunk in _limited_async(response.aiter_bytes())]
                return _reply(response, iter(chunks))
        except _GONE as error:
            return Lost(f"{type(error).__name__}: {error}"[:500])


def body_of(value: Any) -> bytes:
    """The request body for a raw input: compact JSON, or bytes as they are.

    Raises: InputRejected INPUT_NOT_FINITE, INPUT_NOT_JSON, INPUT_NOT_TEXT.
    """
    if isinstance(value, bytes):
        return value
    try:
        text = json.dumps(
            {"input": value}, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )
        return text.encode()
    except TypeError as error:
        raise InputRejected(Reason.INPUT_NOT_JSON, why=str(error)[:200]) from None
    except UnicodeEncodeError:
        raise InputRejected(Reason.INPUT_NOT_TEXT, path="the input") from None
    except ValueError:  # also for a value that contains itself, which is as endless
        raise InputRejected(Reason.INPUT_NOT_FINITE, name="value") from None


def _advance(flow: Generator[Step, Event, Any], event: Event) -> tuple[bool, Any]:
    # StopIteration cannot cross a future, so that the end is told in the value.
    try:
        return False, flow.send(event)
    except StopIteration as done:
        return True, done.value


def _reply(response: httpx.Response, chunks: Iterable[bytes]) -> Reply:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Reply(response.status_code, headers, b"".join(chunks))


def _method(
    transfer: MadeTransfer | None, right: Digest | BoughtRight | None
) -> BuyerMethod | None:
    """What pays in place of an authorization. Raises: RequestRejected PAYMENT_TWICE."""
    if transfer is not None and right is not None:
        raise RequestRejected(Reason.PAYMENT_TWICE)
    return BoughtRight(right) if isinstance(right, Digest) else right or transfer


class _Meter:
    """Counts what a reply has taken. Raises: httpx.DecodingError beyond the limits."""

    def __init__(self) -> None:
        self._bytes = 0
        self._end = time.monotonic() + MAX_REPLY_S

    def count(self, chunk: bytes) -> bytes:
        self._bytes += len(chunk)
        if self._bytes > MAX_REPLY_BYTES:
            raise httpx.DecodingError(f"the response is larger than {MAX_REPLY_BYTES} bytes")
        if time.monotonic() > self._end:
            raise httpx.DecodingError(f"the response takes longer than {MAX_REPLY_S:g} seconds")
        return chunk


def _limited(chunks: Iterator[bytes]) -> Iterator[bytes]:
    meter = _Meter()
    for chunk in chunks:
        yield meter.count(chunk)


async def _limited_async(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    meter = _Meter()
    async for chunk in chunks:
        yield meter.count(chunk)
