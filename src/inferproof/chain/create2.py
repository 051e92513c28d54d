"""Deploying to an address that is known before: the same on every chain.

A contract's address follows from its bytecode and its constructor's arguments, whoever pays for it.
So what lies at that address is what was deployed, and doing it again changes nothing.

Source: EIP-1014; github.com/Arachnid/deterministic-deployment-proxy, whose deployer most chains
have and every anvil begins with.
"""

from dataclasses import dataclass, field

from inferproof.chain.abi import encode_arguments
from inferproof.chain.contracts import ContractArtifact
from inferproof.chain.rpc import Rpc
from inferproof.chain.transactions import transact
from inferproof.errors import NotFound, Reason, Rejection
from inferproof.protocol.encoding import keccak256
from inferproof.protocol.signature import SigningKey
from inferproof.types.digest import Address, Digest

DEPLOYER = Address.from_hex("0x4e59b44847b379578588920cA78FbF26c0B4956C")
DEPLOYER_CODE = bytes.fromhex(
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe0"
    "3601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3"
)
SALT = keccak256(b"inferproof/contracts/1")
"""The same for all our contracts. Another one would give all of them other addresses."""
_WHAT = "deploying {name}"


@dataclass(frozen=True, slots=True)
class Planned:
    """A contract, and where it will be. `arguments` are the constructor's, in ABI form."""

    artifact: ContractArtifact
    arguments: bytes = field(repr=False)
    address: Address

    @property
    def name(self) -> str:
        return self.artifact.name

    @property
    def data(self) -> bytes:
        """What the deployer is given: the salt, and what makes the contract."""
        return SALT + self.artifact.bytecode + self.arguments


def planned(artifact: ContractArtifact, *arguments: object) -> Planned:
    """The contract with these arguments of its constructor."""
    encoded = encode_arguments(artifact.constructor_types(), arguments)
    return Planned(artifact, encoded, address_of(DEPLOYER, SALT, artifact.bytecode + encoded))


def address_of(deployer: Address, salt: bytes, creation: bytes) -> Address:
    """Where a deployer's contract of this creation code is. Source: EIP-1014."""
    return Address(keccak256(b"\xff" + deployer.raw + salt + keccak256(creation))[-20:])


async def check_deployer(rpc: Rpc) -> None:
    """Returns when the chain has the deployer. Raises: NotFound DEPLOYER_MISSING; Unavailable."""
    if await rpc.code(DEPLOYER) != DEPLOYER_CODE:
        raise NotFound(Reason.DEPLOYER_MISSING, address=DEPLOYER, chain_id=await rpc.chain_id())


async def is_there(rpc: Rpc, contract: Planned) -> Digest | None:
    """keccak256 of the contract's code on the chain; None where it is not deployed.

    Soundness: no other code can lie at the address, but on a chain that does not follow EIP-1014:
    `is_code` of the artifact tells.
    """
    code = await rpc.code(contract.address)
    return Digest(keccak256(code)) if code else None


async def gas_of(rpc: Rpc, contract: Planned, sender: Address) -> int:
    """What deploying would take now; 0 where the contract is there.

    Raises: CallReverted CHAIN_CALL_REVERTED; Unavailable.
    """
    if await is_there(rpc, contract):
        return 0
    what = _WHAT.format(name=contract.name)
    return await rpc.estimate_gas(DEPLOYER, contract.data, what=what, sender=sender)


async def deploy_planned(rpc: Rpc, contract: Planned, key: SigningKey) -> int:
    """The gas that was taken, 0 where the contract was there or somebody else was faster.

    Raises: as `transact`; NotFound CHAIN_NO_CONTRACT where the chain shows none afterwards.
    """
    if await is_there(rpc, contract):
        return 0
    what, gas = _WHAT.format(name=contract.name), 0
    try:
        done = await transact(rpc, key, to=DEPLOYER, data=contract.data, what=what)
        gas = done.gas_used
    except Rejection:  # somebody else may have been faster
        if not await is_there(rpc, contract):
            raise
    if not await is_there(rpc, contract):
        raise NotFound(
            Reason.CHAIN_NO_CONTRACT, address=contract.address, chain_id=await rpc.chain_id()
        )
    return gas
