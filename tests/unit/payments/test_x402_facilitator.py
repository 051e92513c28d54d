"""The self-hosted facilitator, and the public resource-server SDK that uses it."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest
from x402.http import FacilitatorConfig, HTTPFacilitatorClient
from x402.mechanisms.evm.exact import ExactEvmServerScheme
from x402.schemas import PaymentPayload, PaymentRequirements
from x402.server import x402ResourceServer
from x402_parts import ASSET, NOW, PAYEE, PAYER, SALT, read, signed, the_challenge

from inferproof.errors import PaymentRejected, Reason, RequestRejected, Unavailable
from inferproof.payments.x402 import payment_payload
from inferproof.payments.x402.facilitator import Facilitator
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Address, Digest
from inferproof.types.payment import Authorization, Settlement, SettlementState

SETTLED = Settlement(SettlementState.SETTLED, Digest(b"\x0a" * 32), 7)


@dataclass
class CannedChain:
    """A chain that answers what it was told to."""

    outcome: Settlement | PaymentRejected | Unavailable = SETTLED
    precheck_fails: PaymentRejected | None = None
    settled: list[Authorization] = field(default_factory=list)

    async def precheck(self, authorization: Authorization) -> None:
        if self.precheck_fails is not None:
            raise self.precheck_fails

    async def settle(self, authorization: Authorization) -> Settlement:
        self.settled.append(authorization)
        if isinstance(self.outcome, Settlement):
            return self.outcome
        raise self.outcome


def facilitator(chain: CannedChain, payees: frozenset[Address] | None = None) -> Facilitator:
    return Facilitator([ASSET], payees, Address(b"\x0b" * 20), chain, lambda: NOW)


def request(authorization: Authorization | None = None, **terms: Any) -> dict[str, Any]:
    """A verify or settle request for a payment; `terms` change what the server asks for."""
    challenge = the_challenge()
    paid = authorization or signed()
    value: Any = payment_payload(read(challenge), paid, SALT)
    value["accepted"]["amount"] = str(paid.amount)
    value["accepted"]["payTo"] = paid.payee.hex
    return {
        "x402Version": 2,
        "paymentPayload": json.loads(json.dumps(value)),
        "paymentRequirements": challenge["accepts"][0] | terms,
    }


async def test_a_good_payment_verifies_and_settles() -> None:
    chain = CannedChain()
    served = facilitator(chain, frozenset({PAYEE}))
    assert await served.verify(request()) == {"isValid": True, "payer": PAYER.address.hex}
    assert not chain.settled, "verifying sends nothing"
    got = await served.settle(request())
    assert (got["success"], got["transaction"]) == (True, "0x" + "0a" * 32)
    assert chain.settled == [signed()]


WRONG: list[tuple[Callable[[], dict[str, Any]], str]] = [
    (lambda: request(amount="250001"), "invalid_exact_evm_payload_authorization_value_mismatch"),
    (lambda: request(payTo="0x" + "01" * 20), "invalid_exact_evm_payload_recipient_mismatch"),
    (lambda: request(network="eip155:1"), "PAYMENT_ASSET"),
    (
        lambda: request(replace(signed(), amount=250_000, signature=bytes(64) + b"\x1b")),
        "invalid_exact_evm_payload_signature",
    ),
    (
        lambda: request(replace(signed(valid_before=NOW + 299), valid_before=NOW + 300)),
        "invalid_exact_evm_payload_signature",
    ),
    (
        lambda: request(signed(valid_before=NOW + 6)),
        "invalid_exact_evm_payload_authorization_valid_before",
    ),
    (
        lambda: request(signed(valid_after=NOW)),
        "invalid_exact_evm_payload_authorization_valid_after",
    ),
    (lambda: {**request(), "paymentPayload": {"x402Version": 1}}, "invalid_x402_version"),
]


@pytest.mark.parametrize(("make", "code"), WRONG)
async def test_a_bad_payment_neither_verifies_nor_settles(
    make: Callable[[], dict[str, Any]], code: str
) -> None:
    chain = CannedChain()
    verified = await facilitator(chain).verify(make())
    assert (verified["isValid"], verified["invalidReason"]) == (False, code)
    settled = await facilitator(chain).settle(make())
    assert (settled["success"], settled["errorReason"]) == (False, code)
    assert not chain.settled


async def test_it_pays_gas_only_for_its_own_payees() -> None:
    chain = CannedChain()
    served = facilitator(chain, frozenset({Address(b"\x01" * 20)}))
    got = await served.settle(request())
    assert got["errorReason"] == "invalid_exact_evm_payload_recipient_mismatch"
    assert not chain.settled


async def test_the_chains_word_counts() -> None:
    spent = PaymentRejected(Reason.PAYMENT_NONCE_USED, nonce=signed().nonce)
    got = await facilitator(CannedChain(precheck_fails=spent)).verify(request())
    assert got["invalidReason"] == "invalid_exact_evm_nonce_already_used"
    got = await facilitator(CannedChain(outcome=spent)).settle(request())
    assert (got["success"], got["payer"]) == (False, PAYER.address.hex)


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (SettlementState.PENDING, "settlement_pending"),
        (SettlementState.UNCERTAIN, "settlement_pending"),
        (SettlementState.FAILED, "transaction_failed"),
    ],
)
async def test_what_is_not_settled_is_no_success(state: SettlementState, code: str) -> None:
    got = await facilitator(CannedChain(outcome=Settlement(state))).settle(request())
    assert (got["success"], got["errorReason"], got["transaction"]) == (False, code, "")


async def test_a_chain_that_does_not_answer_is_not_a_refusal() -> None:
    down = Unavailable(Reason.CHAIN_UNREACHABLE, url="http://127.0.0.1:1", why="refused")
    with pytest.raises(Unavailable):
        await facilitator(CannedChain(outcome=down)).settle(request())


async def test_what_is_no_request_is_refused() -> None:
    served = facilitator(CannedChain())
    with rejects(
        Reason.FACILITATOR_REQUEST,
        "the facilitator request cannot be read: paymentPayload is not a JSON object",
        kind=RequestRejected,
    ):
        await served.verify({})
    with rejects(
        Reason.FACILITATOR_REQUEST,
        "the facilitator request cannot be read: it is not a JSON object",
    ):
        await served.settle([])
    with rejects(
        Reason.FACILITATOR_REQUEST,
        "the facilitator request cannot be read: field amount of the paymentRequirements is "
        "malformed",
    ):
        await served.verify(request(amount=1))


def test_the_public_server_sdk_uses_it_over_http() -> None:
    chain = CannedChain()
    served = facilitator(chain)

    def answer(call: httpx.Request) -> httpx.Response:
        body = json.loads(call.content)
        handle = {"/facilitator/verify": served.verify, "/facilitator/settle": served.settle}
        return httpx.Response(200, json=asyncio.run(handle[call.url.path](body)))

    class Local(HTTPFacilitatorClient):
        """The SDK's client, with `supported` answered in process: it opens a socket itself."""

        def get_supported(self) -> Any:
            from x402.schemas import SupportedResponse

            return SupportedResponse.model_validate(served.supported())

    async def run() -> None:
        async def transport(call: httpx.Request) -> httpx.Response:
            return await asyncio.to_thread(answer, call)

        async with httpx.AsyncClient(transport=httpx.MockTransport(transport)) as http:
            config = FacilitatorConfig(url="http://gateway/facilitator", http_client=http)
            server = x402ResourceServer(Local(config))
            server.register("eip155:31337", ExactEvmServerScheme())
            server.initialize()
            good = request()
            payload = PaymentPayload.model_validate(good["paymentPayload"])
            terms = PaymentRequirements.model_validate(good["paymentRequirements"])
            verified = await server.verify_payment(payload, terms)
            assert verified.is_valid
            settled = await server.settle_payment(payload, terms)
            assert settled.success
            assert settled.transaction == "0x" + "0a" * 32

    asyncio.run(run())
    assert len(chain.settled) == 1
