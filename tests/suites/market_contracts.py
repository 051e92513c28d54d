"""The market's contracts on a local chain, with one model that a real proof is made of."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from inferproof.app.router_proofs import contract_key
from inferproof.chain.abi import calldata
from inferproof.chain.answers import ChainReceipt
from inferproof.chain.contracts import ESCROW, MARKET, REPUTATION, deploy, load_artifact
from inferproof.chain.escrow import Escrow, open_escrow
from inferproof.chain.model_registry import ModelRegistry
from inferproof.chain.rpc import Rpc
from inferproof.chain.transactions import transact
from inferproof.chain.verifier_router import VerifierRouter, deploy_private_adapter, deploy_router
from inferproof.protocol.encoding import keccak256
from inferproof.protocol.signature import SigningKey
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.testing.devnet import DevnetInfo
from inferproof.types.digest import ZERO_ADDRESS, ZERO_DIGEST, Address, Digest
from inferproof.types.registry import CommitmentKind, Registration, Terms, TokenPrice
from inferproof.types.verifier import ContractAssurance, Verifier

FEE_BPS = 250
CAP = 16_000_000


@dataclass(frozen=True)
class MarketContracts:
    """Where they lie."""

    market: Address
    reputation: Address
    router: Address
    escrow: Address
    registry: Address


async def deploy_market(rpc: Rpc, info: DevnetInfo, selector: bytes) -> MarketContracts:
    """All of them, with the adapter of private proofs behind the selector."""
    adapter = await deploy_private_adapter(rpc, info.accounts.owner, info.private_proofs)
    return await deploy_escrow(rpc, info, selector, adapter)


async def deploy_escrow(
    rpc: Rpc, info: DevnetInfo, selector: bytes, adapter: Address
) -> MarketContracts:
    """All of them, with this verifier behind the selector; the devnet's token is listed, and there
    is a fee."""
    owner = info.accounts.owner
    market = await deploy(rpc, load_artifact(MARKET), owner, owner.address, 0)

    async def call(signature: str, *arguments: object) -> None:
        data = calldata(signature, *arguments)
        await transact(rpc, owner, to=market, data=data, what=signature)

    reputation = await deploy(rpc, load_artifact(REPUTATION), owner, market)
    router = VerifierRouter(rpc, await deploy_router(rpc, owner, owner.address))
    specification = Digest(keccak256(b"specs/private-mode.md"))
    await router.add(
        Verifier(selector, adapter, CAP, specification, ContractAssurance.ZK_PRIVATE, "sumcheck"),
        owner,
    )
    parts = (market, info.model_registry, router.address, reputation, ZERO_ADDRESS)
    escrow = await deploy(rpc, load_artifact(ESCROW), owner, *parts)
    for role, account in (
        ("parameters", owner.address),
        ("admission", owner.address),
        ("recorder", escrow),
    ):
        name = Digest(keccak256(f"inferproof {role}".encode()))
        await call("grantRole(bytes32,address)", name, account)
    await call("setToken(address,bool,uint128)", info.token.address, True, 10**18)
    await call("setFee(uint16)", FEE_BPS)
    return MarketContracts(market, reputation, router.address, escrow, info.model_registry)


async def register_model(
    rpc: Rpc, info: DevnetInfo, bundle: VerifierBundle, price: int, key: SigningKey
) -> None:
    """Registers the version, which takes a minute: its seal has to be so old."""
    registry = ModelRegistry(rpc, info.model_registry)
    disclosed = CommitmentKind.DISCLOSED
    terms = Terms(contract_key(bundle), disclosed, disclosed, ZERO_DIGEST, "", b"")
    registration = Registration(
        bundle.commitment,
        bundle.commitment,
        key.address,
        await registry.deadline(),
        terms,
        (TokenPrice(info.token.address, price),),
    )
    await registry.register(registration, key)


async def admit_server(
    rpc: Rpc, info: DevnetInfo, contracts: MarketContracts, key: SigningKey, bonds: int
) -> None:
    """An authorised server with coin for gas, and so much in the escrow to take bonds of."""
    owner, token = info.accounts.owner, info.token.address
    await rpc.request("anvil_setBalance", key.address.hex, hex(10**20))
    for to, signature, arguments in (
        (contracts.market, "setServer(address,bool)", (key.address, True)),
        (token, "mint(address,uint256)", (key.address, bonds)),
    ):
        data = calldata(signature, *arguments)
        await transact(rpc, owner, to=to, data=data, what=signature)
    await Escrow(rpc, contracts.escrow, info.chain_id).deposit(token, bonds, key)


async def at(rpc: Rpc, second: int) -> None:
    """Returns once chain and wall clock are behind this second."""
    while (await rpc.head()).timestamp <= second or time.time() <= second:
        await asyncio.sleep(0.5)
        await rpc.request("evm_mine")


async def order_request(
    rpc: Rpc, contracts: MarketContracts, order: Any, key: SigningKey
) -> ChainReceipt:
    """The order, made by its buyer, who approves its price first."""
    escrow = await open_escrow(rpc, contracts.escrow)
    approve = calldata("approve(address,uint256)", contracts.escrow, order.price)
    await transact(rpc, key, to=order.token, data=approve, what="approve")
    return await escrow.request(order, key)
