"""Calls that were bought on a real chain before, at a real gateway over HTTP."""

import asyncio
import json
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from live_parts import MODEL, Installed, settings_for
from test_followed_registry_e2e import Owner
from typer.testing import CliRunner

from inferproof.app.gateway import build
from inferproof.app.publishing import install_model
from inferproof.app.reconciliation import open_books
from inferproof.chain.abi import calldata
from inferproof.chain.access import Access, open_access
from inferproof.chain.receipts import chain_steps
from inferproof.chain.rpc import Rpc
from inferproof.chain.transactions import transact
from inferproof.cli.main import app
from inferproof.client import Client
from inferproof.errors import Misconfigured, NotFound, PaymentRejected, Reason
from inferproof.inference.request import request_tensors
from inferproof.payments.parts import payment_parts
from inferproof.payments.passes import PASS_HEADER, pass_header
from inferproof.payments.x402 import read_challenge
from inferproof.protocol.passes import pass_claim_digest
from inferproof.protocol.signature import SigningKey
from inferproof.testing.devnet import Devnet, DevnetInfo, dev_key
from inferproof.testing.live import LiveGateway
from inferproof.testing.rejections import rejects
from inferproof.testing.toy_proofs import ToySystem
from inferproof.types.access import PassClaim, PlanKind, PlanTerms
from inferproof.types.digest import Digest
from inferproof.types.proof import Assurance
from inferproof.types.reconciliation import BooksReport
from inferproof.verify.policy import Policy
from inferproof.verify.receipt import Tools, VerifiedReceipt, verify_receipt

T = TypeVar("T")
INFER = f"/v1/models/{MODEL}/infer"
BODY = b'{"input": [[1.0, 2.0, 3.0]]}'
JSON = {"content-type": "application/json"}
COST, DAY = 2_000_000, 86_400
OPEN = Policy(minimum_assurance=Assurance.COMMITMENT)


@dataclass
class Market:
    """A chain on which the model is registered, and a gateway that takes calls of its passes."""

    owner: Owner
    live: LiveGateway
    tools: Tools

    @property
    def info(self) -> DevnetInfo:
        return self.owner.info

    @property
    def buyer(self) -> SigningKey:
        return self.info.accounts.buyer

    def ask(self, work: Callable[[Rpc, Access], Awaitable[T]]) -> T:
        async def asked() -> T:
            async with Rpc(self.info.rpc_url) as rpc:
                return await work(rpc, await open_access(rpc, self.info.access))

        return asyncio.run(asked())

    def buy(self, kind: PlanKind = PlanKind.PACK, **terms: int) -> Digest:
        """The right of a pass or a pack that the buyer has bought now."""
        sold = PlanTerms(kind, self.info.token.address, **terms)

        async def work(_: Rpc, access: Access) -> Digest:
            made = await access.make_plan(self.owner.commitment, sold, COST, self.owner.key)
            return (await access.buy(made.plan.name, self.buyer)).purchase.right

        return self.ask(work)

    def used(self, right: Digest) -> int:
        return self.ask(lambda _, access: access.purchase(right)).used

    def pass_time(self, seconds: int) -> None:
        async def work(rpc: Rpc, _: Access) -> None:
            await rpc.request("evm_setNextBlockTimestamp", (await rpc.head()).timestamp + seconds)
            await rpc.request("evm_mine")

        self.ask(work)

    def claim(
        self, right: Digest, key: SigningKey | None = None, signer: Any = None, **changes: Any
    ) -> dict[str, str]:
        """The headers of a call by this right."""
        asked = httpx.post(f"{self.live.url}{INFER}", content=BODY, headers=JSON)
        challenge, key = read_challenge(asked.headers["PAYMENT-REQUIRED"]), key or self.buyer
        unsigned = PassClaim(
            asset=challenge.quote.price.asset,
            access=self.info.access,
            buyer=key.address,
            gateway=challenge.quote.payee,
            model=challenge.quote.model_commitment,
            right=right,
            request=challenge.request,
            salt=Digest(secrets.token_bytes(32)),
            valid_before=int(time.time()) + 300,
            signature=b"",
        )
        unsigned = replace(unsigned, **changes)
        claim = replace(unsigned, signature=(signer or key).sign(pass_claim_digest(unsigned)))
        header = pass_header(claim, challenge.quote, challenge.quote_signature)
        return {**JSON, PASS_HEADER: header}

    def send(self, headers: dict[str, str], body: bytes = BODY) -> httpx.Response:
        return httpx.post(f"{self.live.url}{INFER}", content=body, headers=headers, timeout=60)

    def refused(self, headers: dict[str, str], status: int, code: str) -> str:
        response = self.send(headers)
        error = response.json()["error"]
        assert (response.status_code, error["code"]) == (status, code), response.text
        return str(error["message"])

    def verified(self, job: str) -> VerifiedReceipt:
        found = httpx.get(f"{self.live.url}/v1/receipts/{job}?attach=true")
        return verify_receipt(found.content, OPEN, self.tools)

    def on_chain(self, verified: VerifiedReceipt) -> list[tuple[str, str]]:
        async def steps() -> list[tuple[str, str]]:
            asked = chain_steps(
                self.info.rpc_url, verified, None, lambda *_: None, self.tools.payments
            )
            return [step async for step in asked]

        return asyncio.run(steps())


@pytest.fixture(scope="module")
def market(
    tiny: Installed, toy: dict[str, ToySystem], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Market]:
    with Devnet(behind_s=DAY) as chain:
        owner = Owner(chain.info, tiny.commitment)
        owner.register()
        settings = settings_for(chain.info, tmp_path_factory.mktemp("gateway"))
        provider = chain.info.accounts.provider
        asyncio.run(
            install_model(settings, tiny.card, tiny.compiled, key=provider, more_systems=toy)
        )
        tools = Tools(toy.__getitem__, request_tensors, payment_parts())
        with LiveGateway(settings, more_systems=toy) as live:
            yield Market(owner, live, tools)


def test_a_pass_is_bought_used_and_shown(market: Market) -> None:
    """Within the block that sold it; nothing is paid for the call."""
    right = market.buy(calls=2)
    answered = market.send(market.claim(right))
    assert answered.status_code == 200, answered.text
    job = answered.json()
    assert (job["payment"]["kind"], job["payment"]["right"]) == ("pass", right.hex)
    assert market.used(right) == 1
    verified = market.verified(job["job_id"])
    receipt = verified.file.receipt
    assert receipt.payment.amount == 0
    step = verified.steps[4]
    assert step.detail == (
        f"payer {market.buyer.address}, by the right {right} at {market.info.access}"
    )
    settled = next(c.reason for c in verified.claims if c.name == "payment-settled")
    assert settled == (
        f"a call of the right {right} was taken at {market.info.access} in transaction "
        f"{receipt.settlement.transaction}; the chain can confirm it"
    )
    assert market.on_chain(verified)[1] == (
        "payment is settled",
        f"0 devUSDC in block {receipt.settlement.block}, transaction "
        f"{receipt.settlement.transaction}, which takes a call of the right {right} at "
        f"{market.info.access}",
    )


def test_the_books_hold_the_calls_against_the_contract(market: Market) -> None:
    right = market.buy(calls=2)
    assert market.send(market.claim(right)).status_code == 200

    async def check() -> BooksReport:
        async with open_books(market.live.settings) as books:
            return await books.check()

    report = asyncio.run(check())
    assert report.balanced, report.discrepancies
    assert report.calls >= 1
    assert (report.settled.count, report.other_calls) == (0, 0)


def test_a_transaction_that_took_another_call_does_not_show_it(market: Market) -> None:
    first, second = market.buy(calls=2), market.buy(calls=3)
    jobs = [market.send(market.claim(right)).json()["job_id"] for right in (first, second)]
    own, other = (market.verified(job) for job in jobs)
    settlement = other.file.receipt.settlement
    forged = replace(own.file.receipt, settlement=settlement)
    with rejects(
        Reason.PASS_NOT_TAKEN,
        f"transaction {settlement.transaction} takes no call of the right {first} for "
        f"{market.buyer.address} at {market.info.access}",
        kind=PaymentRejected,
    ):
        market.on_chain(replace(own, file=replace(own.file, receipt=forged)))


def test_a_header_is_one_call(market: Market) -> None:
    right = market.buy(calls=5)
    headers = market.claim(right)
    jobs = {market.send(headers).json()["job_id"] for _ in range(2)}
    assert (len(jobs), market.used(right)) == (1, 1)
    other = b'{"input": [[3.0, 2.0, 1.0]]}'
    again = market.send(headers, other)
    assert (again.status_code, again.json()["error"]["code"]) == (402, "PASS_OTHER_REQUEST")
    assert market.used(right) == 1


def test_what_was_given_back_is_refused(market: Market) -> None:
    right = market.buy(calls=2, refund_window=3600)
    other = market.buy(calls=2, refund_window=3600)
    market.ask(lambda _, access: access.refund(right, market.buyer))
    assert market.refused(market.claim(right), 402, "PASS_NOT_FOUND") == (
        f"nobody has the right {right}: it was not bought, or it was given back"
    )
    assert market.send(market.claim(other)).status_code == 200


def test_what_is_over_is_refused(market: Market) -> None:
    right = market.buy(PlanKind.PASS, span=600)
    assert market.send(market.claim(right)).status_code == 200
    until = market.ask(lambda _, access: access.purchase(right)).until
    market.pass_time(601)
    assert market.refused(market.claim(right), 402, "PASS_OVER") == (
        f"the right {right} ended at {until}, in Unix seconds"
    )


def test_what_is_used_up_is_refused(market: Market) -> None:
    right = market.buy(calls=1)
    assert market.send(market.claim(right)).status_code == 200
    assert market.refused(market.claim(right), 402, "PASS_USED_UP") == (
        f"all 1 calls of the right {right} are used"
    )


def test_what_is_anothers_is_refused(market: Market) -> None:
    """Whoever signs: the right is the buyer's, and the signature has to be."""
    right, thief = market.buy(calls=2), dev_key(6)
    assert market.refused(market.claim(right, thief), 402, "PASS_NOT_HELD") == (
        f"the right {right} is not {thief.address}'s"
    )
    forged = market.claim(right, market.buyer, thief)
    assert market.refused(forged, 402, "PASS_SIGNATURE") == (
        f"the claim to a call is not signed by its buyer {market.buyer.address}"
    )
    assert market.used(right) == 0


def test_a_free_plan_and_other_contracts_are_refused(market: Market) -> None:
    free = PlanTerms(PlanKind.FREE, span=DAY, calls=3)

    async def offered(_: Rpc, access: Access) -> Digest:
        return (
            await access.make_plan(market.owner.commitment, free, 0, market.owner.key)
        ).plan.name

    name = market.ask(offered)
    assert market.refused(market.claim(name), 402, "PASS_KIND") == (
        f"the right {name} is a plan of kind free; a gateway takes calls of what was bought: of a "
        "pass, a pack or a subscription"
    )
    right, elsewhere = market.buy(calls=2), market.info.market
    assert market.refused(market.claim(right, access=elsewhere), 402, "PASS_CONTRACT") == (
        f"the claim is to a right of the contract at {elsewhere}, this gateway takes calls at "
        f"{market.info.access}"
    )


def test_a_subscription_is_honoured_while_it_is_paid(market: Market) -> None:
    terms = PlanTerms(PlanKind.SUBSCRIPTION, market.info.token.address, span=900, calls=2)

    async def subscribe(_: Rpc, access: Access) -> tuple[Digest, int]:
        made = await access.make_plan(market.owner.commitment, terms, COST, market.owner.key)
        own, _gas = await access.subscribe(made.plan.name, market.buyer, renewals=0)
        return made.plan.name, own.paid_until

    name, until = market.ask(subscribe)
    assert market.refused(market.claim(name, dev_key(6)), 402, "PASS_NOT_HELD")
    assert market.send(market.claim(name)).status_code == 200
    market.pass_time(901)
    assert market.refused(market.claim(name), 402, "PASS_OVER") == (
        f"the right {name} ended at {until}, in Unix seconds"
    )


def test_a_job_that_fails_gives_its_call_back(
    market: Market, toy: dict[str, ToySystem], monkeypatch: pytest.MonkeyPatch
) -> None:
    right = market.buy(calls=1)

    def fail(*_: object, **__: object) -> None:
        raise PaymentRejected(Reason.PAYMENT_SALT_ZERO)  # any that is not tried again

    monkeypatch.setattr(toy["toy"], "execute", fail)
    headers = market.claim(right) | {"prefer": "respond-async"}
    job = market.send(headers).json()["job_id"]
    end = time.monotonic() + 60
    while (state := httpx.get(f"{market.live.url}/v1/jobs/{job}").json()["state"]) != "refunded":
        assert time.monotonic() < end, state
        time.sleep(0.1)
    assert market.used(right) == 0
    monkeypatch.undo()
    assert market.send(market.claim(right)).status_code == 200
    assert market.used(right) == 1


def test_the_client_pays_with_it(market: Market) -> None:
    right = market.buy(calls=3)
    with Client(market.live.url, key=market.buyer, policy=OPEN, tools=market.tools) as client:
        answer = client.infer(MODEL, [[1.0, 2.0, 3.0]], max_price="0", right=right)
        assert (answer.verified, answer.receipt_file.receipt.payment.amount) == (True, 0)
        assert client.open_jobs == ()
    assert market.used(right) == 1


def test_the_command_pays_with_it(market: Market, tmp_path: Path) -> None:
    key = tmp_path / "buyer.key"
    key.write_text(market.buyer.secret().hex())
    key.chmod(0o600)

    def call(*more: str) -> dict[str, Any]:
        result = CliRunner().invoke(
            app,
            [
                *("call", market.live.url, MODEL, "--input", "[[1.0, 2.0, 3.0]]"),
                *("--key-file", str(key), "--json", "--minimum-assurance", "commitment"),
                *("--receipt", str(tmp_path / "receipt.json"), "--state", str(tmp_path / "state")),
                *more,
            ],
        )
        found: dict[str, Any] = json.loads(result.stdout)
        return found

    right = market.buy(calls=3)
    # Tools for the toy system are in no release: the command goes as far as the policy.
    assert call("--pass", right.hex)["reason"] == "SYSTEM_UNKNOWN"
    assert call("--pass", right.hex, "--transfer", right.hex)["reason"] == "PAYMENT_TWICE"
    assert call()["reason"] in ("SYSTEM_UNKNOWN", "PRICE_ABOVE_MAX")


# -- settings -----------------------------------------------------------------------------------


async def test_a_contract_that_is_none_of_ours_stops_the_start(
    market: Market, tmp_path: Path
) -> None:
    wrong = settings_for(market.info, tmp_path, access_address=market.info.market.hex)
    with pytest.raises(Misconfigured) as caught:
        async with build(wrong):
            raise AssertionError("it started")
    assert caught.value.reason is Reason.ACCESS_CODE_UNKNOWN
    nothing = settings_for(market.info, tmp_path, access_address="0x" + "11" * 20)
    with pytest.raises(NotFound) as missing:
        async with build(nothing):
            raise AssertionError("it started")
    assert missing.value.reason is Reason.CHAIN_NO_CONTRACT


def test_without_the_setting_none_is_taken(
    market: Market, tiny: Installed, toy: dict[str, ToySystem], tmp_path: Path
) -> None:
    settings = settings_for(market.info, tmp_path, access_address=None)
    provider = market.info.accounts.provider
    asyncio.run(install_model(settings, tiny.card, tiny.compiled, key=provider, more_systems=toy))
    right = market.buy(calls=3)
    with LiveGateway(settings, more_systems=toy) as live:
        closed = replace(market, live=live)
        assert closed.refused(closed.claim(right), 402, "PASSES_CLOSED") == (
            "this gateway takes no calls that were bought before; sign an authorization"
        )
        with (
            Client(live.url, key=market.buyer, policy=OPEN, tools=market.tools) as client,
            pytest.raises(PaymentRejected) as caught,
        ):
            client.infer(MODEL, [[1.0, 2.0, 3.0]], max_price="0", right=right)
        assert caught.value.reason is Reason.PASSES_CLOSED
    assert market.used(right) == 0


def test_a_gateway_that_lost_its_leave_says_so(market: Market) -> None:
    """And takes calls again once it has it."""
    right, gateway = market.buy(calls=3), market.info.accounts.gateway.address

    def allow(allowed: bool) -> None:
        market.ask(
            lambda rpc, access: transact(
                rpc,
                market.info.accounts.owner,
                to=access.address,
                data=calldata("setConsumer(address,bool)", gateway, allowed),
                what="setConsumer",
            )
        )

    allow(False)
    assert market.refused(market.claim(right), 503, "NOT_A_CONSUMER")
    allow(True)
    assert market.send(market.claim(right)).status_code == 200
