"""Fixtures for the chain: a connection, signed authorizations, real ezkl proofs."""

import asyncio
import json
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from chain_samples import Authorize, EzklSample

from inferproof.chain.rpc import Rpc
from inferproof.chain.token import TokenChain
from inferproof.protocol.authorization import authorization_digest
from inferproof.protocol.signature import SigningKey
from inferproof.testing.devnet import Devnet, DevnetInfo
from inferproof.types.digest import Digest
from inferproof.types.money import Asset
from inferproof.types.payment import Authorization


@pytest.fixture
async def rpc(devnet: DevnetInfo) -> AsyncIterator[Rpc]:
    async with Rpc(devnet.rpc_url) as connection:
        yield connection


@pytest.fixture
def token(rpc: Rpc, devnet: DevnetInfo) -> TokenChain:
    return TokenChain(rpc, devnet.token)


@pytest.fixture
def authorize(devnet: DevnetInfo) -> Authorize:
    """Makes an authorization from buyer to provider, signed last; any field can be another."""

    def make(
        asset: Asset | None = None, signer: SigningKey | None = None, **fields: object
    ) -> Authorization:
        unsigned = Authorization(
            asset=asset or devnet.token,
            payer=devnet.accounts.buyer.address,
            payee=devnet.accounts.provider.address,
            amount=250_000,
            valid_after=0,
            valid_before=2**40,
            nonce=Digest(secrets.token_bytes(32)),
            signature=b"",
        )
        unsigned = replace(unsigned, **fields)
        key = signer or devnet.accounts.buyer
        return replace(unsigned, signature=key.sign(authorization_digest(unsigned)))

    return make


@pytest.fixture(scope="session")
def ezkl_samples(tmp_path_factory: pytest.TempPathFactory) -> list[EzklSample]:
    """Proofs of two different circuits."""
    folder = tmp_path_factory.mktemp("ezkl")
    script = Path(__file__).with_name("make_ezkl_proofs.py")
    subprocess.run([sys.executable, str(script), str(folder)], check=True, capture_output=True)
    return [
        EzklSample(
            bytes.fromhex(made["proof"]),
            [int(value, 16) for value in made["instances"]],
            bytes.fromhex(made["vka"]),
            bytes.fromhex(made["calldata"]),
        )
        for made in json.loads((folder / "proofs.json").read_text())
    ]


@pytest.fixture(scope="session")
def registry_chain() -> Iterator[DevnetInfo]:
    """A chain on which each block is 61 seconds later than the one before, so that a seal is old
    enough in the next one."""
    with Devnet() as running:

        async def hurry() -> None:
            async with Rpc(running.info.rpc_url) as rpc:
                await rpc.request("anvil_setBlockTimestampInterval", 61)

        asyncio.run(hurry())
        yield running.info
