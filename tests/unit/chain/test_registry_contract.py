"""The registry of models on a chain, and everybody who wants what is not theirs."""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from inferproof.chain import model_registry
from inferproof.chain.abi import calldata, decode_values, event_topic, revert_reason
from inferproof.chain.contracts import MODEL_REGISTRY, load_artifact
from inferproof.chain.model_registry import (
    REGISTER,
    SEAL,
    ModelRegistry,
    deploy_registry,
    open_registry,
)
from inferproof.chain.rpc import CallReverted, Rpc
from inferproof.chain.transactions import transact
from inferproof.errors import (
    Conflict,
    Misconfigured,
    NotFound,
    Reason,
    Rejection,
    RequestRejected,
    Unavailable,
)
from inferproof.protocol.encoding import keccak256
from inferproof.protocol.registration import raw_content_id, registration_digest
from inferproof.protocol.signature import SigningKey
from inferproof.testing.devnet import DevnetInfo
from inferproof.testing.rejections import rejects
from inferproof.types.digest import ZERO_ADDRESS, ZERO_DIGEST, Address, Digest
from inferproof.types.registry import (
    CommitmentKind,
    ContractKey,
    Ownership,
    RegisteredVersion,
    Registration,
    Terms,
    TokenPrice,
)

TERMS = Terms(
    ContractKey(b"\x0a\x0b\x0c\x0d", Digest(b"\x11" * 32)),
    CommitmentKind.DISCLOSED | CommitmentKind.PRIVATE,
    CommitmentKind.DISCLOSED,
    Digest(hashlib.sha256(b"the card").digest()),
    "ipfs://bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy",
    raw_content_id(b"the bundle"),
)
NOBODY = Address(b"\x77" * 20)


def new() -> Digest:
    return Digest(secrets.token_bytes(32))


@pytest.fixture
async def rpc(registry_chain: DevnetInfo) -> AsyncIterator[Rpc]:
    async with Rpc(registry_chain.rpc_url) as connection:
        yield connection


@pytest.fixture
async def registry(rpc: Rpc, registry_chain: DevnetInfo) -> ModelRegistry:
    return await open_registry(rpc, registry_chain.model_registry)


@pytest.fixture
def provider(registry_chain: DevnetInfo) -> SigningKey:
    return registry_chain.accounts.provider


@pytest.fixture
def thief(registry_chain: DevnetInfo) -> SigningKey:
    return registry_chain.accounts.buyer


async def registration(
    registry: ModelRegistry, key: SigningKey, chain: DevnetInfo, model: Digest | None = None
) -> Registration:
    commitment = new()
    return Registration(
        commitment,
        commitment if model is None else model,
        key.address,
        await registry.deadline(),
        TERMS,
        (TokenPrice(chain.token.address, 250_000),),
    )


async def test_a_model_and_a_version_of_it_are_registered(
    registry: ModelRegistry, provider: SigningKey, registry_chain: DevnetInfo
) -> None:
    made = await registration(registry, provider, registry_chain)
    done = await registry.register(made, provider)
    version = RegisteredVersion(made.commitment, made.commitment, 1, True, TERMS)
    assert done.version == version == await registry.version(made.commitment)
    assert 40_000 < done.seal_gas < 55_000
    assert 150_000 < done.gas <= 220_000
    assert await registry.ownership(made.model) == Ownership(provider.address, None, 1)
    price = await registry.price(made.commitment, registry_chain.token.address)
    assert price == TokenPrice(registry_chain.token.address, 250_000)
    assert await registry.price(made.commitment, NOBODY) == TokenPrice(NOBODY, None)
    more = await registration(registry, provider, registry_chain, made.commitment)
    more = replace(more, prices=(), terms=replace(TERMS, metadata=ZERO_DIGEST, metadata_uri=""))
    second = (await registry.register(more, provider)).version
    assert (second.model, second.number, second.terms) == (made.commitment, 2, more.terms)
    assert (await registry.ownership(made.model)).versions == 2


async def test_registering_again_sends_nothing(
    rpc: Rpc, registry: ModelRegistry, provider: SigningKey, registry_chain: DevnetInfo
) -> None:
    made = await registration(registry, provider, registry_chain)
    first = await registry.register(made, provider)
    sent = await rpc.nonce(provider.address)
    again = await registry.register(made, provider)
    assert (again.version, again.seal_gas, again.gas) == (first.version, 0, 0)
    assert await rpc.nonce(provider.address) == sent


async def test_it_goes_on_from_a_seal_that_was_made(
    rpc: Rpc, registry: ModelRegistry, provider: SigningKey, registry_chain: DevnetInfo
) -> None:
    made = await registration(registry, provider, registry_chain)
    digest = registration_digest(made, registry_chain.chain_id, registry.address)
    await transact(rpc, provider, to=registry.address, data=calldata(SEAL, digest), what=SEAL)
    done = await registry.register(made, provider)
    assert done.seal_gas == 0
    assert done.gas > 0


def test_a_registration_of_a_day_has_one_deadline() -> None:
    class Clock:
        def __init__(self, now: int) -> None:
            self.timestamp = now

        async def head(self) -> "Clock":
            return self

    def at(now: int) -> int:
        return asyncio.run(ModelRegistry(Clock(now), NOBODY).deadline())  # type: ignore[arg-type]

    day = 20_000 * 86_400
    assert at(day) == at(day + 86_399) == day + 2 * 86_400 - 1
    assert at(day + 86_400) == day + 3 * 86_400 - 1


async def test_a_seal_that_is_too_young_is_waited_for(
    rpc: Rpc, provider: SigningKey, registry_chain: DevnetInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_registry, "POLL_S", 0.05)
    registry = await open_registry(rpc, registry_chain.model_registry)
    made = await registration(registry, provider, registry_chain)
    await rpc.request("anvil_setBlockTimestampInterval", 1)
    try:
        with rejects(
            Reason.REGISTRATION_WAITS,
            "the registration is sealed, but 0.2 seconds later the chain's clock does not show the "
            "60 that it takes; run the same again today, which goes on from there",
            kind=Unavailable,
        ):
            await registry.register(made, provider, wait_s=0.2)
        waiting = asyncio.create_task(registry.register(made, provider))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        await rpc.request("anvil_setBlockTimestampInterval", 61)
        assert (await waiting).version.number == 1
    finally:
        await rpc.request("anvil_setBlockTimestampInterval", 61)


# -- thieves -----------------------------------------------------------------------------------


async def test_who_comes_second_has_nothing(
    registry: ModelRegistry, provider: SigningKey, thief: SigningKey, registry_chain: DevnetInfo
) -> None:
    made = await registration(registry, provider, registry_chain)
    await registry.register(made, provider)
    for stolen in (
        replace(made, owner=thief.address),
        replace(made, terms=replace(TERMS, metadata_uri="https://thief.example/card")),
    ):
        with rejects(
            Reason.COMMITMENT_TAKEN,
            f"the commitment {made.commitment} is registered already, under the model "
            f"{made.model} of {provider.address}; compile again for another commitment",
            kind=Conflict,
        ):
            await registry.register(stolen, thief)
    with pytest.raises(Conflict):
        await registry.register(replace(made, terms=replace(TERMS, metadata_uri="x")), provider)


async def test_what_a_thief_sends_of_the_owners_is_the_owners(
    rpc: Rpc,
    registry: ModelRegistry,
    provider: SigningKey,
    thief: SigningKey,
    registry_chain: DevnetInfo,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = await registration(registry, provider, registry_chain)
    own = ModelRegistry._send

    async def copied(self: ModelRegistry, key: SigningKey, data: bytes, what: str) -> object:
        if what != SEAL:  # seen before it was in a block, and sent first
            await own(self, thief, data, what)
        return await own(self, key, data, what)

    monkeypatch.setattr(ModelRegistry, "_send", copied)
    done = await registry.register(made, provider)
    assert done.gas == 0
    assert (await registry.ownership(made.model)).owner == provider.address


async def test_who_is_overtaken_is_told_by_whom(
    registry: ModelRegistry,
    provider: SigningKey,
    thief: SigningKey,
    registry_chain: DevnetInfo,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = await registration(registry, provider, registry_chain)
    own = ModelRegistry._send

    async def overtaken(self: ModelRegistry, key: SigningKey, data: bytes, what: str) -> object:
        if key is provider and what != SEAL:  # the thief knew it before, and sealed in time
            await self.register(replace(made, owner=thief.address), thief)
        return await own(self, key, data, what)

    monkeypatch.setattr(ModelRegistry, "_send", overtaken)
    with pytest.raises(Conflict) as caught:
        await registry.register(made, provider)
    assert caught.value.reason is Reason.COMMITMENT_TAKEN
    assert str(thief.address) in caught.value.message


async def test_a_signature_is_for_one_contract(
    rpc: Rpc, registry: ModelRegistry, provider: SigningKey, registry_chain: DevnetInfo
) -> None:
    """The forge tests have other chains, other fields and other signers."""
    made = await registration(registry, provider, registry_chain)
    another = ModelRegistry(rpc, await deploy_registry(rpc, provider))
    here = registration_digest(made, registry_chain.chain_id, registry.address)
    there = registration_digest(made, registry_chain.chain_id, another.address)
    assert here != there
    await transact(rpc, provider, to=another.address, data=calldata(SEAL, there), what=SEAL)

    class Replayed:
        address = provider.address

        def sign(self, _: Digest) -> bytes:
            return provider.sign(here)

        def secret(self) -> bytes:
            return provider.secret()

    with pytest.raises(CallReverted) as caught:
        await another.register(made, Replayed())  # type: ignore[arg-type]
    assert f"BadRegistrationSignature({provider.address})" in caught.value.message
    assert (await another.register(made, provider)).version.number == 1


async def test_only_the_owner_adds_versions_and_changes_them(
    registry: ModelRegistry, provider: SigningKey, thief: SigningKey, registry_chain: DevnetInfo
) -> None:
    made = await registration(registry, provider, registry_chain)
    await registry.register(made, provider)
    foreign = await registration(registry, thief, registry_chain, made.model)
    price = TokenPrice(registry_chain.token.address, 0)
    for attempt in (
        registry.register(foreign, thief),
        registry.set_prices(made.commitment, [price], thief),
        registry.set_active(made.commitment, False, thief),
        registry.transfer(made.model, thief.address, thief),
    ):
        with rejects(
            Reason.MODEL_OWNER_OTHER,
            f"the model {made.model} belongs to {provider.address}, not to {thief.address}; use "
            "the key of its owner",
            kind=Rejection,
        ):
            await attempt
    await registry.set_prices(made.commitment, [price], provider)
    assert await registry.price(made.commitment, price.token) == price
    await registry.set_prices(made.commitment, [replace(price, amount=None)], provider)
    assert (await registry.price(made.commitment, price.token)).amount is None
    await registry.set_active(made.commitment, False, provider)
    assert not (await registry.version(made.commitment)).active


async def test_a_model_moves_when_it_is_accepted(
    registry: ModelRegistry, provider: SigningKey, thief: SigningKey, registry_chain: DevnetInfo
) -> None:
    made = await registration(registry, provider, registry_chain)
    await registry.register(made, provider)
    taker = registry_chain.accounts.gateway
    await registry.transfer(made.model, taker.address, provider)
    assert await registry.ownership(made.model) == Ownership(provider.address, taker.address, 1)
    with rejects(
        Reason.MODEL_NOT_OFFERED,
        f"the model {made.model} is not offered to {thief.address}; its owner offers it with "
        "inferproof registry transfer",
        kind=Rejection,
    ):
        await registry.accept(made.model, thief)
    await registry.accept(made.model, taker)
    assert await registry.ownership(made.model) == Ownership(taker.address, None, 1)
    await registry.transfer(made.model, provider.address, taker)
    await registry.transfer(made.model, ZERO_ADDRESS, taker)
    with pytest.raises(Rejection):
        await registry.accept(made.model, provider)


# -- what is not there, and what is too much ---------------------------------------------------


async def test_what_is_not_registered_is_told(
    registry: ModelRegistry, provider: SigningKey, registry_chain: DevnetInfo
) -> None:
    nothing = new()
    with rejects(
        Reason.VERSION_NOT_REGISTERED,
        f"the registry at {registry.address} has no version {nothing}; register it first",
        kind=NotFound,
    ):
        await registry.version(nothing)
    made = await registration(registry, provider, registry_chain, nothing)
    for attempt in (registry.ownership(nothing), registry.register(made, provider)):
        with rejects(
            Reason.MODEL_NOT_REGISTERED,
            f"the registry at {registry.address} has no model {nothing}; a model is named by the "
            "commitment of its first version",
            kind=NotFound,
        ):
            await attempt


async def test_what_is_no_token_is_told_before_anything_is_sent(
    rpc: Rpc, registry: ModelRegistry, provider: SigningKey, registry_chain: DevnetInfo
) -> None:
    made = await registration(registry, provider, registry_chain)
    sent = await rpc.nonce(provider.address)
    for price, refused in ((TokenPrice(NOBODY, 1), True), (TokenPrice(NOBODY, None), False)):
        changed = replace(made, prices=(price,))
        if refused:
            with pytest.raises(NotFound) as caught:
                await registry.register(changed, provider)
            assert caught.value.reason is Reason.CHAIN_NO_CONTRACT
            assert await rpc.nonce(provider.address) == sent
        else:
            await registry.register(changed, provider)


async def test_what_is_beyond_the_bounds_is_told_before_anything_is_sent(
    registry: ModelRegistry, provider: SigningKey, registry_chain: DevnetInfo
) -> None:
    made = await registration(registry, provider, registry_chain)
    token = TokenPrice(registry_chain.token.address, 1)
    for changed, what in (
        (replace(made, prices=(token,) * 9), "list of prices of a registration has 9 tokens"),
        (
            replace(made, terms=replace(TERMS, metadata_uri="é" * 129)),
            "URI of the metadata of a registration has 258 bytes",
        ),
        (
            replace(made, terms=replace(TERMS, content_id=bytes(65))),
            "content id of a registration has 65 bytes",
        ),
    ):
        with pytest.raises(RequestRejected) as caught:
            await registry.register(changed, provider)
        assert caught.value.message.startswith(f"the {what}, the limit is ")
    with rejects(
        Reason.REGISTRATION_TOO_LONG,
        "the list of prices of a registration has 9 tokens, the limit is 8",
        kind=RequestRejected,
    ):
        await registry.set_prices(made.commitment, [token] * 9, provider)
    for terms in (replace(TERMS, metadata_uri=""), replace(TERMS, metadata=ZERO_DIGEST)):
        with rejects(
            Reason.REGISTRATION_METADATA,
            "metadata are named by their file and their URI; name both or neither",
            kind=RequestRejected,
        ):
            await registry.register(replace(made, terms=terms), provider)
    longest = replace(TERMS, metadata_uri="x" * 256, content_id=bytes(64))
    whole = replace(made, prices=(token,) * 8, terms=longest)
    assert (await registry.register(whole, provider)).version.terms == longest


async def test_another_contract_is_no_registry(rpc: Rpc, registry_chain: DevnetInfo) -> None:
    token = registry_chain.token.address
    with rejects(
        Reason.REGISTRY_CODE_UNKNOWN,
        f"the code at {token} is not the ModelRegistry that this version ships; name the registry "
        "of this chain, or deploy one with inferproof chain deploy",
        kind=Misconfigured,
    ):
        await open_registry(rpc, token)
    with pytest.raises(NotFound) as caught:
        await open_registry(rpc, NOBODY)
    assert caught.value.reason is Reason.CHAIN_NO_CONTRACT


async def test_an_answer_of_another_form_is_told(rpc: Rpc, registry_chain: DevnetInfo) -> None:
    await rpc.request("anvil_setCode", NOBODY.hex, "0x60035ff3")  # three zeros, whatever is asked
    with rejects(
        Reason.CHAIN_BAD_ANSWER,
        f"the contract at {NOBODY} answers versionOf(bytes32) with 3 bytes, not a version",
        kind=Misconfigured,
    ):
        await ModelRegistry(rpc, NOBODY).version(new())
    await rpc.request("anvil_setCode", NOBODY.hex, "0x")


# -- names -------------------------------------------------------------------------------------


def _canonical(argument: dict[str, object]) -> str:
    kind = str(argument["type"])
    if not kind.startswith("tuple"):
        return kind
    inner = ",".join(map(_canonical, argument["components"]))  # type: ignore[call-overload]
    return f"({inner}){kind.removeprefix('tuple')}"


def test_calls_and_errors_are_those_of_the_contract() -> None:
    abi = load_artifact(MODEL_REGISTRY).abi
    known = {
        f"{entry['name']}({','.join(map(_canonical, entry['inputs']))})"
        for entry in abi
        if "name" in entry
    }
    used = {
        getattr(model_registry, name)
        for name in ("SEAL", "REGISTER", "SET_PRICES", "SET_ACTIVE", "TRANSFER", "ACCEPT")
    } | {
        getattr(model_registry, name)
        for name in ("VERSION_OF", "OWNERSHIP", "PRICE_OF", "SEALED_AT", "SEAL_AGE")
    }
    assert used <= known
    assert REGISTER.startswith("register((bytes32,")
    imported = {"InvalidShortString", "StringTooLong", "Create2EmptyBytecode", "FailedDeployment"}
    errors = {e["name"] for e in abi if e["type"] == "error"} - imported - {"InsufficientBalance"}
    for name in errors:
        (signature,) = (each for each in known if each.startswith(f"{name}("))
        count = len([part for part in signature.partition("(")[2][:-1].split(",") if part])
        told = revert_reason(keccak256(signature.encode())[:4] + bytes(32 * count))
        assert told.startswith(f"{name}("), name


async def test_a_registration_is_told_by_its_event(
    rpc: Rpc, registry: ModelRegistry, provider: SigningKey, registry_chain: DevnetInfo
) -> None:
    made = await registration(registry, provider, registry_chain)
    await registry.register(made, provider)
    topic = event_topic("VersionRegistered(bytes32,bytes32,address,uint256)")
    head = (await rpc.head()).number
    logs = await rpc.logs(
        registry.address, [topic, made.model], first_block=head - 3, last_block=head
    )
    (log,) = (placed.log for placed in logs)
    assert log.topics[1:] == (made.model, made.commitment, Digest(bytes(12) + provider.address.raw))
    assert decode_values(["uint256"], log.data) == (1,)
    assert decode_values(["string"], b"\xff" * 40) is None
