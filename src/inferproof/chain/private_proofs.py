"""Private proofs on chain: one contract that checks proofs of every model of the profile `evm`.

What it runs for a model is a *program*, made of the model's key and named by the digest of its
bytes, which are stored once, by anyone (specs/programs.md).

Soundness: the contract vouches for a proof under the programs it is told, and anyone may store any.
Whoever calls must therefore make the programs of a key it trusts, and take none that came with the
proof. `Call` is made so.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from inferproof.chain.abi import calldata, encode_arguments, words
from inferproof.chain.contracts import OPENINGS, PRIVATE_PROOFS, deploy, load_artifact
from inferproof.chain.rpc import CallReverted, Rpc
from inferproof.chain.transactions import transact
from inferproof.errors import Misconfigured, NotFound, ProofRejected, Reason
from inferproof.protocol.encoding import keccak256
from inferproof.protocol.signature import SigningKey
from inferproof.second_verifier.program.calls import Call, next_chain
from inferproof.types.digest import Address, Digest

ADD = "add(bytes)"
HAS = "has(bytes32)"
LINKED = "linked(bytes32,bytes32)"
FOLLOWER = "OPENINGS()"
LINK_TYPES = "(bytes32,bytes32,bytes,bytes)[]"
_CHECK_TYPES = ("bytes32", "bytes32", LINK_TYPES, "bytes", "bytes")
CHECK = f"checkWithLinks({','.join(_CHECK_TYPES)})"
MOST_GAS = 50_000_000
"""What nodes let a call take that is no transaction (geth's default). One link from a key of the
usual size takes about 8 million: behind more than three rotations some must be kept before."""


@dataclass(frozen=True, slots=True)
class Contracts:
    """The two that check private proofs. Users name `proofs` alone."""

    openings: Address
    proofs: Address


@dataclass(frozen=True, slots=True)
class Stored:
    """A program that the contract holds. `gas` is what storing it took, 0 where it was there."""

    digest: Digest
    size: int
    gas: int


async def deploy_contracts(rpc: Rpc, key: SigningKey) -> Contracts:
    """Both, newly deployed. Raises: as `deploy`."""
    openings = await deploy(rpc, load_artifact(OPENINGS), key)
    return Contracts(openings, await deploy(rpc, load_artifact(PRIVATE_PROOFS), key, openings))


async def check_contract(rpc: Rpc, proofs: Address) -> None:
    """Returns when the code at the address is the contract that this package ships, and so is that
    of the one which it asks.

    Raises: NotFound CHAIN_NO_CONTRACT; Misconfigured VERIFIER_CODE_UNKNOWN; Unavailable.
    """
    await _check_code(rpc, proofs, PRIVATE_PROOFS)
    (openings,) = words(await rpc.call(proofs, calldata(FOLLOWER), what=FOLLOWER))
    await _check_code(rpc, Address(openings[12:]), OPENINGS)


async def _check_code(rpc: Rpc, address: Address, name: str) -> None:
    code = await rpc.code(address)
    if not code:
        raise NotFound(Reason.CHAIN_NO_CONTRACT, address=address, chain_id=await rpc.chain_id())
    if not load_artifact(name).is_code(code):
        raise Misconfigured(Reason.VERIFIER_CODE_UNKNOWN, verifier=address, contract=name)


async def has_program(rpc: Rpc, proofs: Address, digest: Digest) -> bool:
    """Whether the contract holds the program of this digest. Raises: as `Rpc.call`."""
    return any(await rpc.call(proofs, calldata(HAS, digest), what=HAS))


async def store_programs(
    rpc: Rpc, proofs: Address, programs: Sequence[bytes], key: SigningKey
) -> list[Stored]:
    """Stores the programs that the contract does not hold yet, each by a transaction.

    Raises: as `check_contract` and `transact`; NotFound PROGRAM_NOT_STORED when the chain does not
    show one afterwards.
    """
    await check_contract(rpc, proofs)
    found: list[Stored] = []
    for program in programs:
        digest, gas = Digest(keccak256(program)), 0
        if not await has_program(rpc, proofs, digest):
            done = await transact(rpc, key, to=proofs, data=calldata(ADD, program), what=ADD)
            gas = done.gas_used
        await _require(rpc, proofs, digest)
        found.append(Stored(digest, len(program), gas))
    return found


async def _require(rpc: Rpc, proofs: Address, digest: Digest) -> None:
    if not await has_program(rpc, proofs, digest):
        raise NotFound(Reason.PROGRAM_NOT_STORED, contract=proofs, digest=digest)


@dataclass(frozen=True, slots=True)
class PrivateCheck:
    """Has the contract check a proof and its links: a receipts' ContractCheck."""

    call: Call

    async def ask(self, rpc: Rpc, contract: Address) -> int:
        """The gas of the same check as a transaction, once the contract has accepted the proof
        without one.

        1  the code at the address is the contract we ship
        2  it holds the programs of the key
        3  it accepts the links and the proof

        Raises: as `check_contract`; NotFound PROGRAM_NOT_STORED; ProofRejected
        PROOF_REFUSED_ON_CHAIN; Unavailable.
        """
        call = self.call
        # 1
        await check_contract(rpc, contract)
        # 2
        for program in dict.fromkeys([call.program, *(link.program for link in call.links)]):
            await _require(rpc, contract, Digest(program))
        # 3
        data = await self.data(rpc, contract)
        try:
            await rpc.call(contract, data, what=CHECK, gas=MOST_GAS)
            return await rpc.estimate_gas(contract, data, what=CHECK)
        except CallReverted as error:
            raise ProofRejected(Reason.PROOF_REFUSED_ON_CHAIN, verifier=contract) from error

    async def data(self, rpc: Rpc, contract: Address) -> bytes:
        """The data of the call, also as a transaction: then the contract keeps the links.
        Raises: as `Rpc.call`."""
        call, links, chain = self.call, [], b""
        for link in call.links:
            chain = next_chain(chain, link.program)
            asked = calldata(LINKED, Digest(chain), Digest(link.commitment))
            kept = any(await rpc.call(contract, asked, what=LINKED))
            # What is kept is not looked at again, so that its bytes need not be sent.
            rest = (b"", b"") if kept else (link.given, link.opening)
            links.append((link.program, link.commitment, *rest))
        return keccak256(CHECK.encode())[:4] + encode_arguments(
            _CHECK_TYPES, (call.program, chain, links, call.given, call.proof)
        )
