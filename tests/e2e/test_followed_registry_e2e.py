"""A gateway that follows a registry of models on a real chain."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from live_parts import ADMIN_TOKEN, MODEL, Installed, settings_for
from test_gateway_e2e import BODY, INFER, JSON, signed

from inferproof.app.gateway import build
from inferproof.app.publishing import install_model
from inferproof.chain.model_registry import ModelRegistry, open_registry
from inferproof.chain.rpc import Rpc
from inferproof.errors import InferproofError, Misconfigured, NotFound, Reason
from inferproof.payments.x402 import Challenge, encode_header, payment_payload, read_challenge
from inferproof.protocol.signature import SigningKey
from inferproof.settings import Settings
from inferproof.testing.devnet import Devnet, DevnetInfo
from inferproof.testing.live import LiveGateway
from inferproof.testing.rejections import rejects
from inferproof.testing.toy_proofs import ToySystem
from inferproof.types.digest import ZERO_DIGEST, Digest
from inferproof.types.registry import CommitmentKind, ContractKey, Registration, Terms, TokenPrice

T = TypeVar("T")

POLL_S = 0.2
WITHIN_S = 30.0
CARD_PRICE, LISTED = 250_000, 300_000
ADMIN = {"authorization": f"Bearer {ADMIN_TOKEN}"}
KINDS = CommitmentKind.DISCLOSED
TERMS = Terms(ContractKey(bytes(4), Digest(b"\x11" * 32)), KINDS, KINDS, ZERO_DIGEST, "", b"")


class Owner:
    """The chain, and who owns the model on it."""

    def __init__(self, info: DevnetInfo, commitment: Digest) -> None:
        self.info = info
        self.commitment = commitment
        self.key = info.accounts.provider

    def ask(self, work: Callable[[Rpc, ModelRegistry], Awaitable[T]]) -> T:
        async def asked() -> T:
            async with Rpc(self.info.rpc_url) as rpc:
                return await work(rpc, await open_registry(rpc, self.info.model_registry))

        return asyncio.run(asked())

    def register(self) -> None:
        """Registers the model; the chain's clock is two minutes ahead from then on."""

        async def work(rpc: Rpc, registry: ModelRegistry) -> None:
            await rpc.request("anvil_setBlockTimestampInterval", 61)
            price = TokenPrice(self.info.token.address, LISTED)
            deadline = await registry.deadline()
            made = Registration(
                self.commitment, self.commitment, self.key.address, deadline, TERMS, (price,)
            )
            await registry.register(made, self.key)
            await rpc.request("anvil_removeBlockTimestampInterval")

        self.ask(work)

    def set_price(self, amount: int | None) -> None:
        prices = [TokenPrice(self.info.token.address, amount)]
        self.ask(lambda _, registry: registry.set_prices(self.commitment, prices, self.key))

    def set_active(self, active: bool) -> None:
        self.ask(lambda _, registry: registry.set_active(self.commitment, active, self.key))

    def hand_on(self, giver: SigningKey, taker: SigningKey) -> None:
        async def work(_: Rpc, registry: ModelRegistry) -> None:
            await registry.transfer(self.commitment, taker.address, giver)
            await registry.accept(self.commitment, taker)

        self.ask(work)


@pytest.fixture(scope="module")
def owner(tiny: Installed) -> Iterator[Owner]:
    with Devnet() as chain:
        yield Owner(chain.info, tiny.commitment)


@pytest.fixture(scope="module")
def settings(owner: Owner, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return settings_for(
        owner.info,
        tmp_path_factory.mktemp("gateway"),
        model_registry_address=owner.info.model_registry.hex,
        model_registry_poll_s=POLL_S,
    )


@pytest.fixture(scope="module")
def live(
    owner: Owner, settings: Settings, tiny: Installed, toy: dict[str, ToySystem]
) -> Iterator[LiveGateway]:
    """A gateway that sells the model, which was refused before it was registered."""
    install = (settings, tiny.card, tiny.compiled)
    with rejects(
        Reason.VERSION_NOT_REGISTERED,
        f"the registry at {owner.info.model_registry} has no version {owner.commitment}; register "
        "it first",
        kind=NotFound,
    ):
        asyncio.run(install_model(*install, key=owner.key, more_systems=toy))
    owner.register()
    (view,) = asyncio.run(install_model(*install, key=owner.key, more_systems=toy))
    assert view.price.amount == LISTED
    with LiveGateway(settings, more_systems=toy) as live:
        yield live


@pytest.fixture
def http(live: LiveGateway) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=live.url, timeout=120) as client:
        yield client


def until(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < end, f"still not so: {what}"
        time.sleep(0.05)


def challenge(http: httpx.Client) -> Challenge:
    response = http.post(INFER, content=BODY, headers=JSON)
    assert response.status_code == 402, response.text
    return read_challenge(response.headers["PAYMENT-REQUIRED"])


def pay(http: httpx.Client, offered: Challenge, buyer: SigningKey) -> httpx.Response:
    authorization, salt = signed(offered, buyer)
    header = encode_header(payment_payload(offered, authorization, salt))
    return http.post(INFER, content=BODY, headers={**JSON, "PAYMENT-SIGNATURE": header})


def refusal(http: httpx.Client) -> tuple[int, str]:
    response = http.post(INFER, content=BODY, headers=JSON)
    return response.status_code, response.json().get("error", {}).get("message", "")


WITHDRAWN = (409, f"model {MODEL}@1.0.0 is withdrawn; it takes no calls")


def test_it_is_sold_at_the_contracts_price_wherever_a_price_is_shown(
    http: httpx.Client, owner: Owner
) -> None:
    offered = challenge(http)
    assert offered.quote.price.amount == LISTED
    assert offered.accepted["amount"] == str(LISTED)
    assert http.get(f"/v1/models/{MODEL}").json()["price"]["amount"] == str(LISTED)
    service = http.get("/.well-known/ai-service.json").json()
    assert [each["price"]["amount"] for each in service["models"]] == [str(LISTED)]
    assert service["model_registry"] == {
        "network": "eip155:31337",
        "address": owner.info.model_registry.hex,
    }
    (item,) = http.get("/discovery/resources").json()["items"]
    assert [each["amount"] for each in item["accepts"]] == [str(LISTED)]
    listed = http.get("/v1/models", params={"max_price": "0.29"}).json()
    assert listed["models"] == []
    job = pay(http, offered, owner.info.accounts.buyer).json()
    assert (job["state"], job["payment"]["amount"]["amount"]) == ("done", str(LISTED)), job


def test_it_is_ready_and_says_what_it_heard(http: httpx.Client, owner: Owner) -> None:
    checks = http.get("/ready").json()["checks"]
    assert checks["follower"]["detail"] == "runs"
    told = f"registry {owner.info.model_registry} on eip155:31337 was asked after block "
    assert checks["registry"]["detail"].startswith(told)


def test_a_new_price_is_quoted_soon_and_a_signed_quote_holds(
    http: httpx.Client, owner: Owner
) -> None:
    old = challenge(http)
    owner.set_price(LISTED + 1)
    until(lambda: challenge(http).quote.price.amount == LISTED + 1, "the new price")
    job = pay(http, old, owner.info.accounts.buyer).json()
    assert (job["state"], job["payment"]["amount"]["amount"]) == ("done", str(LISTED)), job
    owner.set_price(LISTED)
    until(lambda: challenge(http).quote.price.amount == LISTED, "the old price")


def test_what_its_owner_switches_off_is_sold_no_more_until_it_is_on_again(
    http: httpx.Client, owner: Owner
) -> None:
    owner.set_active(False)
    until(lambda: refusal(http) == WITHDRAWN, "withdrawn")
    assert http.get(f"/v1/models/{MODEL}").json()["status"] == "withdrawn"
    listed = http.get("/v1/models", params={"status": "withdrawn"}).json()
    assert [each["name"] for each in listed["models"]] == [f"{MODEL}@1.0.0"]
    approved = http.post(f"/v1/models/{MODEL}@1.0.0/approve", headers=ADMIN)
    assert (approved.status_code, approved.json()["error"]["code"]) == (409, "VERSION_INACTIVE")
    owner.set_active(True)
    until(lambda: refusal(http)[0] == 402, "sold again")


def test_without_a_price_in_the_token_it_is_not_sold(http: httpx.Client, owner: Owner) -> None:
    owner.set_price(None)
    until(lambda: refusal(http) == WITHDRAWN, "withdrawn")
    owner.set_price(LISTED)
    until(lambda: refusal(http)[0] == 402, "sold again")


def test_a_model_that_was_handed_on_is_sold_for_its_old_provider_no_more(
    http: httpx.Client, owner: Owner
) -> None:
    provider, buyer = owner.key, owner.info.accounts.buyer
    owner.hand_on(provider, buyer)
    until(lambda: refusal(http) == WITHDRAWN, "withdrawn")
    owner.hand_on(buyer, provider)
    until(lambda: refusal(http)[0] == 402, "sold again")


def test_the_operators_suspension_outlasts_what_the_owner_says(
    http: httpx.Client, owner: Owner
) -> None:
    name = f"/v1/models/{MODEL}@1.0.0"
    assert http.post(f"{name}/suspend", headers=ADMIN).json()["status"] == "suspended"
    owner.set_active(False)
    owner.set_active(True)
    time.sleep(3 * POLL_S)
    assert http.get(name).json()["status"] == "suspended"
    assert http.post(f"{name}/approve", headers=ADMIN).json()["status"] == "active"


def test_an_address_that_holds_no_registry_is_refused_at_the_start(
    owner: Owner, tmp_path: Path
) -> None:
    def start(address: Any) -> None:
        other = settings_for(owner.info, tmp_path, model_registry_address=address.hex)

        async def run() -> None:
            async with build(other):
                raise AssertionError("it started")

        asyncio.run(run())

    for address, reason, kind in (
        (owner.info.token.address, Reason.REGISTRY_CODE_UNKNOWN, Misconfigured),
        (owner.key.address, Reason.CHAIN_NO_CONTRACT, NotFound),
    ):
        with pytest.raises(InferproofError) as refused:
            start(address)
        assert isinstance(refused.value, kind)
        assert refused.value.reason is reason


def test_a_gateway_that_follows_no_more_sells_at_the_cards_price(
    live: LiveGateway, owner: Owner, tiny: Installed, toy: dict[str, ToySystem], tmp_path: Path
) -> None:
    followed = settings_for(
        owner.info, tmp_path, model_registry_address=owner.info.model_registry.hex
    )
    asyncio.run(install_model(followed, tiny.card, tiny.compiled, key=owner.key, more_systems=toy))
    alone = settings_for(owner.info, tmp_path)
    with (
        LiveGateway(alone, more_systems=toy) as again,
        httpx.Client(base_url=again.url, timeout=120) as client,
    ):
        assert challenge(client).quote.price.amount == CARD_PRICE
        assert "model_registry" not in client.get("/.well-known/ai-service.json").json()
