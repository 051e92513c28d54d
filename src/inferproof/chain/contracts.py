"""The contracts that come with the package: ABI, bytecode, and where both come from."""

import json
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import Any

from inferproof.chain.abi import encode_arguments
from inferproof.chain.rpc import Rpc
from inferproof.chain.transactions import (
    WAIT_S,
    require_success,
    sign_tx,
    suggest_fees,
    wait_receipt,
)
from inferproof.errors import Misconfigured, Reason, Unavailable
from inferproof.protocol.encoding import keccak256
from inferproof.protocol.signature import SigningKey
from inferproof.types.digest import Address

FORMAT = "inferproof/contract/1"
DEVNET_TOKEN = "DevnetUSD"  # noqa: S105 - the name of a contract
BATCH_SETTLER = "BatchSettler"
TOKEN_STATE_READER = "TokenStateReader"  # noqa: S105 - as above
EZKL_VERIFIER = "Halo2VerifierReusable"
OPENINGS = "Openings"
PRIVATE_PROOFS = "PrivateProofs"
MODEL_REGISTRY = "ModelRegistry"
MARKET = "Market"
REPUTATION = "Reputation"
ESCROW = "Escrow"
VERIFIER_ROUTER = "VerifierRouter"
PRIVATE_PROOFS_ADAPTER = "PrivateProofsAdapter"
EZKL_ADAPTER = "EzklAdapter"
PAYOUTS = "Payouts"
DEPLOY_GAS = 6_000_000
"""Above what our largest contract takes (4.7 million) and far below every block's limit."""


@dataclass(frozen=True)
class ContractArtifact:
    """One contract as its compiler left it. `deployed` is its code on chain before immutables
    are filled in, which are at these places, each with its length; `provenance` names sources,
    compiler and settings."""

    name: str
    abi: list[dict[str, Any]] = field(repr=False)
    bytecode: bytes = field(repr=False)
    deployed: bytes = field(repr=False)
    provenance: dict[str, Any] = field(repr=False)
    immutables: tuple[tuple[int, int], ...] = field(default=(), repr=False)

    @cached_property
    def bytecode_hex(self) -> str:
        """The bytecode as a node wants it."""
        return "0x" + self.bytecode.hex()

    def is_code(self, code: bytes) -> bool:
        """Whether this is the contract's code on chain, whatever its immutables are."""
        blank = bytearray(code)
        for at, length in self.immutables:
            blank[at : at + length] = bytes(length)
        return bytes(blank) == self.deployed

    def constructor_types(self) -> list[str]:
        """The types of the constructor's arguments."""
        for entry in self.abi:
            if entry["type"] == "constructor":
                return [argument["type"] for argument in entry["inputs"]]
        return []


@lru_cache(maxsize=16)
def load_artifact(name: str) -> ContractArtifact:
    """The shipped contract with this name.

    Raises: Misconfigured CONTRACT_ARTIFACT_MALFORMED when the installed file is missing or
    damaged.
    """
    path = files("inferproof.chain") / "artifacts" / f"{name}.json"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        raise Misconfigured(
            Reason.CONTRACT_ARTIFACT_MALFORMED, name=name, why="the file is missing"
        ) from None
    return parse_artifact(name, text)


def parse_artifact(name: str, text: str) -> ContractArtifact:
    """The contract in the text of an artifact file.

    Raises: Misconfigured CONTRACT_ARTIFACT_MALFORMED.
    """

    def damaged(why: str) -> Misconfigured:
        return Misconfigured(Reason.CONTRACT_ARTIFACT_MALFORMED, name=name, why=why)

    try:
        document = json.loads(text)
        if document["format"] != FORMAT or document["name"] != name:
            raise damaged("it is another kind of file")
        artifact = ContractArtifact(
            name=name,
            abi=list(document["abi"]),
            bytecode=bytes.fromhex(document["bytecode"].removeprefix("0x")),
            deployed=bytes.fromhex(document["deployed"].removeprefix("0x")),
            immutables=tuple((int(at), int(length)) for at, length in document["immutables"]),
            provenance=dict(document["provenance"]),
        )
        digest = document["keccak256"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged("it is not whole") from error
    if "0x" + keccak256(artifact.bytecode + artifact.deployed).hex() != digest:
        raise damaged("its bytecode has another digest")
    return artifact


async def deploy(
    rpc: Rpc,
    artifact: ContractArtifact,
    key: SigningKey,
    *arguments: object,
    timeout_s: float = WAIT_S,
) -> Address:
    """The address of a newly deployed contract.

    Raises: Rejection TX_REVERTED; Unavailable TX_REFUSED, TX_NOT_MINED, CHAIN_UNREACHABLE.
    """
    nonce = await rpc.nonce(key.address)
    signed = sign_tx(
        key,
        chain_id=await rpc.chain_id(),
        nonce=nonce,
        fees=await suggest_fees(rpc),
        gas=DEPLOY_GAS,
        to=None,
        data=artifact.bytecode + encode_arguments(artifact.constructor_types(), arguments),
    )
    await rpc.send_raw(signed.raw)
    require_success(await wait_receipt(rpc, signed.tx, timeout_s=timeout_s))
    address = contract_address(key.address, nonce)
    if not await rpc.code(address):
        raise Unavailable(Reason.CHAIN_NO_CONTRACT, address=address, chain_id=await rpc.chain_id())
    return address


def contract_address(sender: Address, nonce: int) -> Address:
    """The address of the contract that a sender deploys with its transaction of this number.

    Source: yellow paper, section 7: the last 20 bytes of keccak256(rlp([sender, nonce])).
    """
    number = nonce.to_bytes((nonce.bit_length() + 7) // 8, "big")
    if not (len(number) == 1 and number[0] < 0x80):
        number = bytes([0x80 + len(number)]) + number
    body = b"\x94" + sender.raw + number
    return Address(keccak256(bytes([0xC0 + len(body)]) + body)[-20:])
