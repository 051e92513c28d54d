"""What a registry says of many versions, in few requests, after a block that is deep enough."""

import secrets
from collections.abc import AsyncIterator

import pytest

from inferproof.chain import rpc as rpc_module
from inferproof.chain.listings import RegistryListings
from inferproof.chain.model_registry import ModelRegistry, Registered, open_registry
from inferproof.chain.rpc import Rpc
from inferproof.errors import Misconfigured, Reason, Unavailable
from inferproof.protocol.signature import SigningKey
from inferproof.testing.devnet import DevnetInfo
from inferproof.testing.rejections import rejects
from inferproof.types.digest import ZERO_DIGEST, Address, Digest
from inferproof.types.registry import (
    CommitmentKind,
    ContractKey,
    Listing,
    Registration,
    Terms,
    TokenPrice,
)

NOBODY = Address(b"\x77" * 20)
KINDS = CommitmentKind.DISCLOSED
TERMS = Terms(ContractKey(bytes(4), Digest(b"\x11" * 32)), KINDS, KINDS, ZERO_DIGEST, "", b"")


async def registration(
    registry: ModelRegistry, key: SigningKey, chain: DevnetInfo, model: Digest | None = None
) -> Registration:
    commitment = Digest(secrets.token_bytes(32))
    price = TokenPrice(chain.token.address, 250_000)
    deadline = await registry.deadline()
    return Registration(commitment, model or commitment, key.address, deadline, TERMS, (price,))


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
async def listed(
    registry: ModelRegistry, provider: SigningKey, registry_chain: DevnetInfo
) -> list[Registered]:
    """A model of two versions."""
    first = await registry.register(
        await registration(registry, provider, registry_chain), provider
    )
    model = first.version.model
    more = await registration(registry, provider, registry_chain, model)
    return [first, await registry.register(more, provider)]


def listings(rpc: Rpc, chain: DevnetInfo, confirmations: int = 1) -> RegistryListings:
    token = chain.token.address
    return RegistryListings(rpc, chain.model_registry, token, confirmations=confirmations)


async def test_what_an_owner_changes_is_read_and_what_is_unknown_left_out(
    rpc: Rpc,
    registry: ModelRegistry,
    provider: SigningKey,
    registry_chain: DevnetInfo,
    listed: list[Registered],
) -> None:
    first, second = (each.version.commitment for each in listed)
    token, asked = registry_chain.token.address, listings(rpc, registry_chain)
    nothing = Digest(secrets.token_bytes(32))
    offered = Listing(provider.address, active=True, price=TokenPrice(token, 250_000))
    block, found = await asked.ask([first, nothing, second, first])
    assert found == {first: offered, second: offered}
    assert block == (await rpc.head()).number
    await registry.set_active(first, False, provider)
    await registry.set_prices(second, [TokenPrice(token, 2**128 - 1)], provider)
    _, found = await asked.ask([first, second])
    assert found[first] == Listing(provider.address, False, offered.price)
    assert found[second].price.amount == 2**128 - 1
    buyer = registry_chain.accounts.buyer
    await registry.set_prices(second, [TokenPrice(token, None)], provider)
    await registry.transfer(first, buyer.address, provider)
    await registry.accept(first, buyer)
    _, found = await asked.ask([first, second])
    assert found[second] == Listing(buyer.address, True, TokenPrice(token, None))
    assert found[first].owner == buyer.address
    assert (await asked.ask([]))[1] == {}


async def test_a_block_that_is_not_deep_enough_is_not_asked(
    rpc: Rpc,
    registry: ModelRegistry,
    provider: SigningKey,
    registry_chain: DevnetInfo,
    listed: list[Registered],
) -> None:
    commitment, token = listed[0].version.commitment, registry_chain.token.address
    deep = listings(rpc, registry_chain, confirmations=3)
    await rpc.request("anvil_mine", "0x3")
    await registry.set_prices(commitment, [TokenPrice(token, 1)], provider)
    head = (await rpc.head()).number
    block, found = await deep.ask([commitment])
    assert (block, found[commitment].price.amount) == (head - 2, 250_000)
    await rpc.request("anvil_mine", "0x1")
    assert (await deep.ask([commitment]))[1][commitment].price.amount == 250_000
    await rpc.request("anvil_mine", "0x1")
    assert (await deep.ask([commitment]))[1][commitment].price.amount == 1


async def test_hundreds_of_versions_take_few_requests(
    rpc: Rpc,
    registry_chain: DevnetInfo,
    listed: list[Registered],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[int] = []
    post = rpc_module.Rpc._post

    async def counted(self: Rpc, body: bytes) -> bytes:
        sent.append(body.count(b'"eth_call"'))
        return await post(self, body)

    monkeypatch.setattr(rpc_module.Rpc, "_post", counted)
    known = [each.version.commitment for each in listed]
    wanted = known + [Digest(secrets.token_bytes(32)) for _ in range(298)]
    _, found = await listings(rpc, registry_chain).ask(wanted)
    assert set(found) == set(known)
    # 600 calls by hundreds, and the one model's owner; the head is asked for beside.
    assert sorted(sent) == [1, *[100] * 6]


async def test_what_is_no_registry_or_no_node_is_told(rpc: Rpc, registry_chain: DevnetInfo) -> None:
    nowhere = RegistryListings(rpc, NOBODY, registry_chain.token.address)
    with rejects(
        Reason.CHAIN_BAD_ANSWER,
        f"the contract at {NOBODY} answers versionOf(bytes32) with 0 bytes, not a version",
        kind=Misconfigured,
    ):
        await nowhere.ask([Digest(bytes(32))])
    async with Rpc("http://127.0.0.1:1") as gone:
        lost = RegistryListings(gone, NOBODY, registry_chain.token.address)
        with pytest.raises(Unavailable):
            await lost.ask([])
