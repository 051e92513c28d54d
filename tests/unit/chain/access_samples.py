"""A model on a chain, and plans for it."""

import secrets
from dataclasses import dataclass

from inferproof.chain.access import Access, deploy_access, open_access
from inferproof.chain.model_registry import open_registry
from inferproof.chain.rpc import Rpc
from inferproof.protocol.signature import SigningKey
from inferproof.testing.devnet import DevnetInfo
from inferproof.types.access import PlanKind, PlanTerms
from inferproof.types.digest import ZERO_DIGEST, Digest
from inferproof.types.registry import (
    CommitmentKind,
    ContractKey,
    Registration,
    Terms,
    TokenPrice,
)

PRICE = 250_000
COST = 9_000_000
DAY = 24 * 3600
BLOCK_S = 61
"""Between blocks of the chain on which these tests run."""
_TERMS = Terms(
    ContractKey(bytes(4), Digest(b"\x11" * 32)),
    CommitmentKind.DISCLOSED,
    CommitmentKind.DISCLOSED,
    ZERO_DIGEST,
    "",
    b"",
)


@dataclass(frozen=True, slots=True)
class Stall:
    """A provider's model on a chain, and the contract by which it is sold."""

    rpc: Rpc
    access: Access
    chain: DevnetInfo
    model: Digest

    @property
    def provider(self) -> SigningKey:
        return self.chain.accounts.provider

    @property
    def buyer(self) -> SigningKey:
        return self.chain.accounts.buyer

    async def pass_time(self, seconds: int) -> None:
        await self.rpc.request("anvil_mine", hex(-(-seconds // BLOCK_S)))

    def terms(self, kind: PlanKind, **terms: int) -> PlanTerms:
        return PlanTerms(kind, self.chain.token.address, **terms)

    async def plan(self, kind: PlanKind, **terms: int) -> Digest:
        made = await self.access.make_plan(
            self.model, self.terms(kind, **terms), COST, self.provider
        )
        return made.plan.name


async def register_model(rpc: Rpc, chain: DevnetInfo) -> Digest:
    """The commitment of a new model of the provider's, with a price for a call."""
    registry = await open_registry(rpc, chain.model_registry)
    commitment, provider = Digest(secrets.token_bytes(32)), chain.accounts.provider
    price = TokenPrice(chain.token.address, PRICE)
    made = Registration(
        commitment, commitment, provider.address, await registry.deadline(), _TERMS, (price,)
    )
    await registry.register(made, provider)
    return commitment


async def open_stall(rpc: Rpc, chain: DevnetInfo) -> Stall:
    """A contract of its own, whose owner is the gateway."""
    owner = chain.accounts.gateway
    address = await deploy_access(rpc, chain.model_registry, owner.address, owner)
    return Stall(rpc, await open_access(rpc, address), chain, await register_model(rpc, chain))
