"""Scores of many servers, from a reputation on a real chain."""

from market_contracts import deploy_escrow

from inferproof.chain.abi import calldata
from inferproof.chain.rpc import Rpc
from inferproof.chain.scores import ReputationScores
from inferproof.chain.transactions import transact
from inferproof.errors import Misconfigured, Reason
from inferproof.protocol.encoding import keccak256
from inferproof.testing.devnet import DevnetInfo
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Address, Digest

GOOD, BAD, NEW = (Address(bytes([number]) * 20) for number in (0x61, 0x62, 0x63))
VALID, MISSED = 0, 2


async def test_who_delivers_has_the_better_score(rpc: Rpc, devnet: DevnetInfo) -> None:
    owner, token = devnet.accounts.owner, devnet.token.address
    contracts = await deploy_escrow(rpc, devnet, b"\x0a\x0b\x0c\x0d", devnet.private_proofs)

    async def send(to: Address, signature: str, *arguments: object) -> None:
        data = calldata(signature, *arguments)
        await transact(rpc, owner, to=to, data=data, what=signature)

    recorder = Digest(keccak256(b"inferproof recorder"))
    await send(contracts.market, "grantRole(bytes32,address)", recorder, owner.address)
    for server, outcome in ((GOOD, VALID), (BAD, VALID), (BAD, MISSED)):
        record = "record(address,uint8,address,uint128)"
        await send(contracts.reputation, record, server, outcome, token, 100_000_000)
    asked = ReputationScores(rpc, contracts.reputation)
    found = await asked.ask([BAD, GOOD, NEW])
    assert found[GOOD] > found[BAD] > found[NEW] == 0
    assert 4_990 <= found[GOOD] <= 5_000, "100 dollars are half of the best score"
    assert await asked.ask([]) == {}


async def test_what_is_no_reputation_says_so(rpc: Rpc, devnet: DevnetInfo) -> None:
    nobody = Address(b"\x77" * 20)
    with rejects(
        Reason.CHAIN_BAD_ANSWER,
        f"the contract at {nobody} answers score(address) with 0 bytes, not a score",
        kind=Misconfigured,
    ):
        await ReputationScores(rpc, nobody).ask([GOOD])
