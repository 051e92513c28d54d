"""One market for the kill suite: a chain, a database, real processes, a buyer, and the books.

The buyer does what any client may: it sends its one signed payment until it is taken, however
often the server dies, and asks for the job until it is over.
"""

import asyncio
import json
import os
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from order_market import Orders, open_orders, order_settings
from sqlalchemy import text

from inferproof.app.openings import local_system
from inferproof.app.publishing import install_model
from inferproof.app.revenue import open_revenue, plan_payouts
from inferproof.chain.abi import calldata
from inferproof.chain.token import settlement_calldata
from inferproof.client.ledger import PRIVATE_INPUT
from inferproof.inference.request import request_tensors
from inferproof.payments.parts import payment_parts
from inferproof.payments.transfer.wire import TRANSFER_HEADER, transfer_header
from inferproof.payments.x402 import Challenge, encode_header, payment_payload, read_challenge
from inferproof.protocol.authorization import asset_domain, authorization_digest
from inferproof.protocol.cancellation import cancellation_digest
from inferproof.protocol.commitments import bound_nonce, job_id, request_digest
from inferproof.protocol.eip712 import Struct, digest, hash_struct
from inferproof.protocol.encoding import keccak256
from inferproof.protocol.revenue import funding_nonce, ledger_digest
from inferproof.protocol.transfer import claim_digest, claim_job_id
from inferproof.proving.pool import WorkerPool
from inferproof.proving.registry import get_system
from inferproof.settings import Settings
from inferproof.storage.sql.engine import Database
from inferproof.testing.boundaries import Boundary
from inferproof.testing.deployment import Deployment, Nursery, environment_of
from inferproof.testing.devnet import Devnet, DevnetInfo
from inferproof.testing.tiny import PRICE, compile_tiny
from inferproof.testing.toy_proofs import ACKNOWLEDGEMENT, ToySystem
from inferproof.types.digest import Address, Digest
from inferproof.types.money import Asset
from inferproof.types.payment import Authorization, TransferClaim
from inferproof.types.proof import Assurance
from inferproof.types.revenue import Payout, PayoutState
from inferproof.verify.policy import Policy
from inferproof.verify.receipt import Tools, verify_receipt

PRIVATE = "tiny-private"
"""The model whose openings are counted, where a market has one."""
JSON = {"content-type": "application/json"}
WEBHOOK = "Inferproof-Webhook"
OVER = frozenset(["done", "refunded", "void"])
BLOCK_S = 0.5
ADMIN_TOKEN = "the operator of this market"

SETTINGS: dict[str, object] = {
    "settle_margin_s": 1,
    "transfer_confirmations": 1,
    "webhook_private": True,
    "lease_s": 2,
    "shutdown_s": 5,
    "payout_least_units": 1,
    "index_confirmations": 2,
    "index_every_s": 0.1,
    "admin_token": ADMIN_TOKEN,
}
END_S = 420.0
"""How long a job may take to its end, with everything alive again."""
WAIT_S = 90.0
"""How long one step of a story may take, on a machine that is slow and full."""

MIGRATING = threading.Lock()
"""alembic keeps its state for all threads of a process."""


@dataclass
class Bought:
    """One paid call of the buyer. `ends` are the states in which it may end."""

    model: str
    body: bytes
    headers: dict[str, str]
    job: Digest
    ends: frozenset[str]
    nonce: Digest | None
    """Of its authorization; None for a job that an earlier transfer pays for."""
    payment: Authorization | None = None
    over_at: int = 0
    """When its authorization is over."""
    state: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


class Receiver:
    """A buyer's own server, which webhooks are sent to. `refuse` of them are answered with 500."""

    def __init__(self) -> None:
        self.told: Counter[str] = Counter()
        self.refuse = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                refused, receiver.refuse = receiver.refuse > 0, max(0, receiver.refuse - 1)
                if not refused:
                    receiver.told[body["job_id"]] += 1
                self.send_response(500 if refused else 204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class KillMarket:
    """A devnet of its own, a model, and a deployment over a database."""

    def __init__(
        self,
        name: str,
        devnet: DevnetInfo,
        deployment: Deployment,
        settings: Settings,
        folder: Path,
    ) -> None:
        """`folder` holds the cards and compiled models that were installed."""
        self.name = name
        self.settings = settings
        self.folder = folder
        self.paid_out: dict[int, Payout] = {}
        """The payouts that stories had made, by their numbers."""
        self.orders: Orders | None = None
        """The orders of an escrow, where its gateway serves them."""
        self.installed = 0
        """How many models a story has installed."""
        self.devnet = devnet
        self.deployment = deployment
        self.bought: list[Bought] = []
        self.kills = 0
        self.receiver = Receiver()
        self._http = httpx.Client(timeout=20)
        self._number = 0
        self._holding = False

    def close(self) -> None:
        self.receiver.close()
        self._http.close()

    # -- the buyer ----------------------------------------------------------------------------

    def buy(
        self,
        mood: float = 1.0,
        *,
        ends: str = "done",
        model: str = "tiny",
        valid_s: int = 1000,
        private_input: bool = False,
    ) -> Bought:
        """A signed payment for a fresh request, not sent yet."""
        request_salt = os.urandom(32) if private_input else None
        asked = {} if request_salt is None else {PRIVATE_INPUT: "0x" + request_salt.hex()}
        body, challenge = self._asked(mood, model, asked)
        buyer, salt = self.devnet.accounts.buyer, os.urandom(32)
        asset = challenge.quote.price.asset
        unsigned = Authorization(
            asset=asset,
            payer=buyer.address,
            payee=challenge.quote.payee,
            amount=challenge.quote.price.amount,
            valid_after=0,
            valid_before=int(time.time()) + valid_s,
            nonce=bound_nonce(challenge.request, salt),
            signature=b"",
        )
        payment = replace(unsigned, signature=buyer.sign(authorization_digest(unsigned)))
        request = request_digest("POST", f"/v1/models/{model}/infer", body, request_salt)
        nonce_salt = Digest(salt)
        job = job_id(
            asset.network, asset.address, payment.payer, payment.nonce, request, nonce_salt
        )
        signed = encode_header(payment_payload(challenge, payment, salt))
        headers = {"PAYMENT-SIGNATURE": signed, **asked}
        wanted = frozenset(ends.split("/"))
        return self._noted(
            Bought(model, body, headers, job, wanted, payment.nonce, payment, payment.valid_before)
        )

    def buy_by_transfer(self) -> Bought:
        """A claim on a transfer that the buyer made before, not sent yet."""
        body, challenge = self._asked(1.0, "tiny")
        buyer, quote = self.devnet.accounts.buyer, challenge.quote
        data = "0xa9059cbb" + _word(quote.payee)[2:] + PRICE.to_bytes(32).hex()
        token = quote.price.asset.address.hex
        sent = {"from": buyer.address.hex, "to": token, "data": data}
        unsigned = TransferClaim(
            asset=quote.price.asset,
            payer=buyer.address,
            payee=quote.payee,
            transaction=Digest.from_hex(self.chain("eth_sendTransaction", sent)),
            log_index=None,
            request=challenge.request,
            salt=Digest(os.urandom(32)),
            signature=b"",
        )
        claim = replace(unsigned, signature=buyer.sign(claim_digest(unsigned)))
        headers = {TRANSFER_HEADER: transfer_header(claim, quote, challenge.quote_signature)}
        done = frozenset(["done"])
        return self._noted(Bought("tiny", body, headers, claim_job_id(claim), done, None))

    def _asked(
        self, mood: float, model: str, headers: Mapping[str, str] | None = None
    ) -> tuple[bytes, Challenge]:
        """A fresh request and what the gateway asks for it."""
        self._number += 1
        body = b'{"input": [[%f, %f, 3.0]]}' % (mood, self._number / 100)
        offers: list[str] = []

        def offered() -> bool:
            url = f"{self.deployment.url}/v1/models/{model}/infer"
            try:
                answer = self._http.post(url, content=body, headers={**JSON, **(headers or {})})
            except httpx.TransportError:
                return False
            offers.append(answer.headers.get("PAYMENT-REQUIRED", answer.text))
            return answer.status_code == 402

        _require(self.until(offered), f"no offer: {offers}")
        return body, read_challenge(offers[-1])

    def forget(self, bought: Bought) -> None:
        """The gateway refused the payment, and nothing of it remains."""
        self.bought.remove(bought)

    def _noted(self, bought: Bought) -> Bought:
        self.bought.append(bought)
        return bought

    def send(self, bought: Bought) -> str:
        """The job's state after sending the payment once; empty where nobody answered."""
        headers = {**JSON, **bought.headers, "Prefer": "respond-async"}
        url = f"{self.deployment.url}/v1/models/{bought.model}/infer"
        return self._told(bought, "POST", url, content=bought.body, headers=headers)

    def ask(self, bought: Bought) -> str:
        """The job's state; empty where nobody answered, or nobody knows the job."""
        return self._told(bought, "GET", f"{self.deployment.url}/v1/jobs/{bought.job.hex}")

    def cancel(self, bought: Bought) -> str:
        """The job's state after its payer cancelled it; empty where nobody answered."""
        before = int(time.time()) + 600
        signature = self.devnet.accounts.buyer.sign(cancellation_digest(bought.job, before))
        url = f"{self.deployment.url}/v1/jobs/{bought.job.hex}/cancel"
        body = {"before": before, "signature": "0x" + signature.hex()}
        return self._told(bought, "POST", url, json=body)

    def _told(self, bought: Bought, method: str, url: str, **more: Any) -> str:
        try:
            answer = self._http.request(method, url, **more)
        except httpx.TransportError:
            return ""
        told = answer.json()
        if "state" in told:
            if told["job_id"] != bought.job.hex:
                raise AssertionError(f"{told['job_id']} instead of {bought.job}")
            bought.state, bought.facts = told["state"], told
            return bought.state
        facts = told.get("error", {}).get("facts", {})
        bought.facts = told
        bought.state = str(facts.get("state", "")) if "job_id" in facts else ""
        return bought.state

    def bring_to_end(self, bought: Bought, *, keep_dead: tuple[str, ...] = ()) -> None:
        """Revives what is dead, but for some, until the job is over. Raises: AssertionError."""
        if not self.until(
            lambda: (self.ask(bought) or self.send(bought)) in OVER, keep_dead=keep_dead
        ):
            raise AssertionError(
                f"{self.name}: job {bought.job} hangs in {bought.state or bought.facts}; "
                f"see {self.deployment.log}"
            )

    def until(
        self,
        holds: Callable[[], bool],
        *,
        keep_dead: tuple[str, ...] = (),
        limit_s: float = END_S,
    ) -> bool:
        """Whether it held in time, while what is dead is revived again and again, and the chain
        makes blocks: settlers look at its clock too."""
        roles = [role for role in self.deployment.roles if role not in keep_dead]
        end, block_at = time.monotonic() + limit_s, time.monotonic() + BLOCK_S
        while time.monotonic() < end:
            self.deployment.revive(*roles)
            if holds():
                return True
            if time.monotonic() > block_at and not self._holding:
                self.chain("evm_mine")
                block_at = time.monotonic() + BLOCK_S
            time.sleep(0.03)
        return False

    def wait_for(self, bought: Bought, *states: str) -> None:
        """Returns when the job is in one of the states, or a process died.

        Raises: AssertionError when neither comes.
        """
        end = time.monotonic() + WAIT_S
        while self.deployment.whole:
            if self.ask(bought) in states:
                return
            problem = f"job {bought.job} is {bought.state or bought.facts}, not {states}"
            _require(time.monotonic() < end, f"{self.name}: {WAIT_S:g} s later {problem}")
            time.sleep(0.03)

    def reach(self, at: Boundary | None) -> None:
        """Returns when a process has died at the boundary that was armed; the others run on, and
        what is dead is revived. Raises: AssertionError when none comes there."""
        if at is not None and not self.until(lambda: self.deployment.fired):
            raise AssertionError(f"{self.name}: {END_S:g} s later nobody has come to {at}")

    def wait_for_death(self, limit_s: float = WAIT_S) -> bool:
        """Whether a process came to the armed boundary in this time."""
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            if self.deployment.fired and not self.deployment.whole:
                return True
            time.sleep(0.01)
        return False

    def arm(self, boundary: Boundary | None) -> None:
        if boundary is None:
            self.deployment.disarm()
        else:
            self.deployment.arm(boundary)

    def proof(self, bought: Bought) -> bytes:
        """The proof file of a job that is done, as anybody may fetch it."""
        path = bought.facts["proof"]["url"]
        answers: list[httpx.Response] = []

        def told() -> bool:
            try:
                answers.append(self._http.get(self.deployment.url + path))
            except httpx.TransportError:
                return False
            return answers[-1].status_code == 200

        _require(self.until(told), f"no proof of {bought.job}: {[a.text for a in answers[-1:]]}")
        return answers[-1].content

    def check_suspended(self, model: str) -> None:
        """Raises: AssertionError where the model is sold, or is not shown as suspended."""
        url = f"{self.deployment.url}/v1/models/{model}"
        shown = self._http.get(url).json().get("status")
        refused = self._http.post(f"{url}/infer", content=b'{"input": [[1, 2, 3]]}', headers=JSON)
        code = refused.json().get("error", {}).get("code")
        told = (shown, refused.status_code, code)
        _require(told == ("suspended", 409, "MODEL_NOT_ACTIVE"), f"{model} is {told}")

    @property
    def models(self) -> Path:
        """The folder of its compiled models."""
        return self.settings.data_dir / "models"

    # -- the chain ----------------------------------------------------------------------------

    def chain(self, method: str, *params: object) -> Any:
        """What the node answers."""
        call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        answer = self._http.post(self.devnet.rpc_url, json=call).json()
        if "error" in answer:
            raise AssertionError(answer["error"])
        return answer["result"]

    @contextmanager
    def held(self) -> Iterator[None]:
        """The chain takes transactions and makes no block."""
        self.chain("evm_setAutomine", False)
        self._holding = True
        try:
            yield
        finally:
            self._holding = False
            self.chain("evm_setAutomine", True)
            self.chain("evm_mine")

    def base_fee(self, wei: int) -> None:
        """What the next block asks for each gas."""
        self.chain("anvil_setNextBlockBaseFeePerGas", hex(wei))

    def spend_number(self) -> str:
        """Another program uses the gateway's key once: its next number is spent."""
        gateway = self.devnet.accounts.gateway.address.hex
        sent = {"from": gateway, "to": gateway, "value": "0x0"}
        return str(self.chain("eth_sendTransaction", sent))

    def settle_elsewhere(self, bought: Bought) -> None:
        """A stranger who has seen the authorization settles it."""
        _require(bought.payment is not None, "it is paid by a transfer")
        assert bought.payment is not None
        self._call_token(settlement_calldata(bought.payment))

    def cancel_on_chain(self, bought: Bought) -> None:
        """The payer uses the authorization up, and no money moves."""
        assert bought.nonce is not None
        buyer = self.devnet.accounts.buyer
        signature = buyer.sign(cancel_digest(self.devnet.token, buyer.address, bought.nonce))
        call = "cancelAuthorization(address,bytes32,uint8,bytes32,bytes32)"
        v = signature[64] + 27 if signature[64] < 2 else signature[64]
        parts = (buyer.address, bought.nonce, v, signature[:32], signature[32:64])
        self._call_token(calldata(call, *parts))

    def _call_token(self, data: bytes) -> None:
        sender, token = self.devnet.accounts.owner.address.hex, self.devnet.token.address.hex
        self.chain("eth_sendTransaction", {"from": sender, "to": token, "data": "0x" + data.hex()})

    def take_back(self, first: int | None = None) -> None:
        """The chain puts empty blocks in the place of those from `first` on, or of its newest."""
        head = int(self.chain("eth_blockNumber"), 16)
        self.chain("anvil_reorg", head - (first or head) + 1, [])

    def settled_in(self, bought: Bought) -> int:
        """The number of the block in which the job's authorization was used."""
        assert bought.nonce is not None
        logs = self._logs("AuthorizationUsed(address,bytes32)")
        (block,) = [log["blockNumber"] for log in logs if log["topics"][2] == bought.nonce.hex]
        return int(block, 16)

    def balance(self, holder: Any) -> int:
        data = "0x70a08231" + holder.raw.rjust(32, b"\0").hex()
        token = self.devnet.token.address.hex
        return int(self.chain("eth_call", {"to": token, "data": data}, "latest"), 16)

    def _logs(self, event: str) -> list[dict[str, Any]]:
        topic = "0x" + keccak256(event.encode()).hex()
        wanted = {
            "fromBlock": "0x0",
            "toBlock": "latest",
            "address": self.devnet.token.address.hex,
            "topics": [topic],
        }
        logs: list[dict[str, Any]] = self.chain("eth_getLogs", wanted)
        return logs

    # -- payouts ------------------------------------------------------------------------------

    def pay_out(self) -> Payout:
        """Plans a payout of all that is due, as the operator does. The gateway makes it."""
        made: list[Payout] = []

        def planned() -> bool:
            with MIGRATING:
                made.extend(asyncio.run(plan_payouts(self.settings, dry=False)).payouts)
            return bool(made)

        _require(self.until(planned), "nothing is to be paid out")
        (payout,) = made
        self.paid_out[payout.number] = payout
        return payout

    def payout(self, number: int) -> Payout:
        """Where the payout stands."""

        async def ask() -> Payout:
            async with open_revenue(self.settings) as revenue:
                return (await revenue.payouts(after=number - 1, limit=1))[0]

        with MIGRATING:
            return asyncio.run(ask())

    def edit(self, statement: str) -> None:
        """Changes rows of the database, as nobody should."""

        async def change() -> None:
            database = await Database.open(self.settings.database)
            try:
                await database.write(lambda connection: connection.execute(text(statement)))
            finally:
                await database.close()

        with MIGRATING:
            asyncio.run(change())

    def _check_payouts(self) -> int:
        """What was paid out, once every payout is found to be made, and made once."""
        paid: Counter[str] = Counter()
        for number, payout in self.paid_out.items():
            made = self.until(lambda n=number: self.payout(n).state is PayoutState.PAID)
            _require(made, f"payout {number} is not made")
            for item in payout.items:
                paid[_word(item.developer)] += item.amount
        moved: Counter[str] = Counter()
        for log in self._logs("Transfer(address,address,uint256)"):
            if log["topics"][1] == _word(self.devnet.payouts):
                moved[log["topics"][2]] += int(log["data"], 16)
        _require(moved == paid, f"paid out on the chain: {moved}, planned: {paid}")
        return sum(paid.values())

    def is_indexed(self) -> bool:
        """Whether the history that the gateway shows of the token is the chain's own."""
        wanted = {"fromBlock": "0x0", "toBlock": "latest", "address": self.devnet.token.address.hex}
        logs = self.chain("eth_getLogs", wanted)
        chain = [(log["blockHash"], int(log["logIndex"], 16)) for log in logs]
        shown: list[tuple[str, int]] = []
        query: dict[str, str] = {"limit": "1000"}
        try:
            while True:
                answer = self._http.get(
                    f"{self.deployment.url}/v1/events",
                    params=query,
                    headers={"Authorization": f"Bearer {ADMIN_TOKEN}"},
                ).raise_for_status()
                page = answer.json()
                shown += [(each["block_hash"], each["log_index"]) for each in page["events"]]
                if page["next"] is None:
                    break
                query["cursor"] = page["next"]
        except httpx.HTTPError:  # it is down, or the chain changed between two pages
            return False
        return bool(chain) and shown == chain

    # -- the books ----------------------------------------------------------------------------

    def check_books(self, funds: int) -> Counter[str]:
        """How many jobs ended how, once every promise was found kept. Raises: AssertionError.

        Each job ended in a state that it may end in; each authorization was used once, or never
        where the job is void; each refunded job has one refund, and there is no other; balances
        agree to the atomic unit; each answer's receipt verifies; no proof that was kept was made
        again.
        """
        used = Counter(log["topics"][2] for log in self._logs("AuthorizationUsed(address,bytes32)"))
        buyer, gateway = self.devnet.accounts.buyer.address, self.devnet.accounts.gateway.address
        ends: Counter[str] = Counter()
        refunds: list[str] = []
        for bought in self.bought:
            self.until(lambda bought=bought: self.ask(bought) != "")
            state = bought.state
            _require(state in bought.ends, f"job {bought.job} ended as {state or bought.facts}")
            ends[state] += 1
            times = used.pop(bought.nonce.hex, 0) if bought.nonce else int(state != "void")
            _require(times == (state != "void"), f"job {bought.job}: {state}, used {times} times")
            if state == "refunded":
                refunds.append(bought.facts["refund"]["transaction"])
            if state == "done":
                self.check_receipt(bought)
            if WEBHOOK in bought.headers:
                told = self.until(lambda job=bought.job.hex: self.receiver.told[job] > 0)
                _require(told, f"nobody told of job {bought.job}")
        out = self._check_payouts()
        for number in self.paid_out:
            ledger = ledger_digest(self.devnet.token, self.devnet.payouts, gateway)
            times = used.pop(funding_nonce(ledger, number).hex, 0)
            _require(times == 1, f"payout {number} was funded {times} times")
        _require(not used, f"authorizations that no job has: {used}")
        _require(len(set(refunds)) == ends["refunded"], "one refund for two jobs")
        paid_back = Counter(
            log["transactionHash"]
            for log in self._logs("Transfer(address,address,uint256)")
            if log["topics"][1:] == [_word(gateway), _word(buyer)]
        )
        _require(paid_back == Counter(refunds), f"refunds on the chain: {paid_back}")
        spent = ends["done"] * PRICE
        _require(self.balance(buyer) == funds - spent, "the buyer's balance is wrong")
        _require(self.balance(gateway) == funds + spent - out, "the gateway's balance is wrong")
        self._check_proofs()
        return ends

    def check_receipt(self, bought: Bought) -> None:
        """Raises: AssertionError, and what `verify_receipt` does."""
        url = self.deployment.url + bought.facts["links"]["receipt"]
        data = self._http.get(url, params={"attach": "true"}).content
        tools = Tools(_checker, request_tensors, payment_parts())
        verified = verify_receipt(data, Policy(minimum_assurance=Assurance.COMMITMENT), tools)
        _require(verified.proof.statement.job_id == bought.job, "a receipt of another job")

    def _check_proofs(self) -> None:
        kept: set[str] = set()
        for passage in self.deployment.trace():
            if passage.boundary == "queue.checkpoint:after" and passage.detail == "KeptProof":
                kept.add(passage.job)
            again = passage.boundary == "execution.prove:before" and passage.job in kept
            _require(not again, f"the kept proof of job {passage.job} was made again")

    def check_taking(self, known: frozenset[str]) -> None:
        """Raises: AssertionError where what only takes requests came to another effect."""
        passed = {
            passage.boundary.partition(":")[0]
            for passage in self.deployment.trace()
            if passage.pid in self.deployment.takers
        }
        _require(passed <= known, f"of processes that take requests: {sorted(passed - known)}")

    def proofs_of(self, bought: Bought) -> int:
        """How often a proof of this job was begun."""
        begun = [p for p in self.deployment.trace() if p.boundary == "execution.prove:before"]
        return sum(p.job == bought.job.hex for p in begun)


@contextmanager
def open_market(
    name: str,
    folder: Path,
    database_url: str | None,
    nursery: Nursery | None,
    *,
    workers: int = 0,
    processes: int = 0,
    ezkl: bool = False,
    private: bool = False,
    orders: bool = False,
    **settings: object,
) -> Iterator[KillMarket]:
    """A market whose processes run. Without a database's address it has a SQLite file.

    With a `private` model the last of several workers has its compiled models from a copy of their
    folder, made before anything was proven. With `orders` it serves those of an escrow.
    """
    with ExitStack() as stack:
        devnet = stack.enter_context(Devnet()).info
        given = devnet.settings(folder / "data") | SETTINGS | settings
        given["index_contracts"] = (f"DevnetUSD={devnet.token.address}@0",)
        if database_url is not None:
            given["database_url"] = database_url
        if orders:
            given |= order_settings(devnet)
        opened = Settings.load(**given)
        models = [("tiny", "toy")] + ([("tiny-real", "ezkl")] if ezkl else [])
        for model, system in [*models, *([(PRIVATE, "sumcheck")] if private else [])]:
            _install(opened, folder / model, model, system, devnet)
        ordered = open_orders(devnet, opened, folder) if orders else None
        clone = {"data_dir": _cloned(opened.data_dir, folder / "clone")} if private else {}
        deployment = Deployment(
            folder / "run",
            environment_of(given),
            workers=workers,
            processes=processes,
            apart={f"worker{workers - 1}": environment_of(clone)} if workers > 1 else {},
            nursery=nursery,
        )
        market = KillMarket(name, devnet, stack.enter_context(deployment), opened, folder)
        stack.callback(market.close)
        if ordered is not None:
            market.orders = Orders(market, ordered)
        yield market


def _install(settings: Settings, folder: Path, name: str, system: str, devnet: DevnetInfo) -> None:
    samples = np.full((4, 1, 3), 3.0, dtype=np.float32)
    if system == "toy":
        compile_tiny(folder, name, ToySystem(ACKNOWLEDGEMENT), samples)
    else:
        with closing(WorkerPool(1)) as pool, local_system(system, pool) as prover:
            compile_tiny(folder, name, prover, samples)
    with MIGRATING:
        asyncio.run(
            install_model(
                settings,
                folder,
                folder / "compiled",
                key=devnet.accounts.provider,
                more_systems={"toy": ToySystem(ACKNOWLEDGEMENT)},
            )
        )


def _cloned(data: Path, clone: Path) -> Path:
    """A data folder with copies of the compiled models, which shares all else."""
    clone.mkdir()
    (data / "blobs").mkdir(exist_ok=True)
    for each in data.iterdir():
        if each.name == "models":
            shutil.copytree(each, clone / each.name)
        else:
            (clone / each.name).symlink_to(each.absolute())
    return clone


def _checker(name: str) -> Any:
    return ToySystem(ACKNOWLEDGEMENT) if name == "toy" else get_system(name)


def cancel_digest(asset: Asset, payer: Address, nonce: Digest) -> Digest:
    """What a payer signs to cancel an authorization (EIP-3009)."""
    struct = Struct("CancelAuthorization", {"authorizer": "address", "nonce": "bytes32"})
    return digest(asset_domain(asset), hash_struct(struct, {"authorizer": payer, "nonce": nonce}))


def _word(address: Any) -> str:
    return "0x" + address.raw.rjust(32, b"\0").hex()


def _require(holds: bool, problem: str) -> None:
    if not holds:
        raise AssertionError(problem)
