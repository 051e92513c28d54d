"""The reusable ezkl verifier on chain: one contract that checks proofs of every circuit.

A circuit's *verifying-key artifact* (VKA) is a list of 32-byte words. It is registered once,
by anyone, and handed over again with each proof; the contract knows it by its Keccak-256.

Soundness: the contract vouches for a proof under the VKA it is given, and anyone may register
any VKA. Whoever calls must therefore bring a VKA made from a verifying key it trusts, never
one that came with the proof.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from inferproof.chain.abi import calldata, words
from inferproof.chain.contracts import EZKL_VERIFIER, load_artifact
from inferproof.chain.rpc import CallReverted, Rpc
from inferproof.chain.transactions import transact
from inferproof.errors import ArtifactRejected, Misconfigured, NotFound, ProofRejected, Reason
from inferproof.protocol.encoding import keccak256
from inferproof.protocol.signature import SigningKey
from inferproof.types.digest import Address, Digest

FIELD_ORDER = 0x30644E72E131A029B85045B68181585D2833E84879B9709143E1F593F0000001
"""Order of the scalar field of BN254. Public values are below it."""

VERIFY = "verifyProof(bytes,uint256[],bytes32[])"
REGISTER = "registerVka(bytes32[])"

_EVALUATIONS_AT = 3
_ROUNDS_AT = 33
"""Where the contract reads the number of evaluations and the lengths of the rounds: it loads
memory at 0x100 and 0x4c0, and its artifact begins at 0xa0."""

VERIFY_GAS_LIMIT = 30_000_000
"""A failing pairing burns all gas it is given; this is one block of most chains."""


@dataclass(frozen=True)
class VerifyingKeyArtifact:
    """The words of one circuit's key, as the verifier contract reads them."""

    words: tuple[bytes, ...] = field(repr=False)

    def __post_init__(self) -> None:
        if not self.words or any(type(w) is not bytes or len(w) != 32 for w in self.words):
            raise ArtifactRejected(Reason.VKA_MALFORMED)

    @classmethod
    def from_bytes(cls, data: bytes) -> "VerifyingKeyArtifact":
        """The artifact in its byte form: its words one after another.

        Raises: ArtifactRejected VKA_MALFORMED.
        """
        if len(data) % 32:
            raise ArtifactRejected(Reason.VKA_MALFORMED)
        return cls(words(data))

    @classmethod
    def from_ezkl_file(cls, data: bytes) -> "VerifyingKeyArtifact":
        """The artifact in the file that ezkl's `create_evm_vka` writes.

        Encoding: the number of words as 8 little-endian bytes, then the words.
        Raises: ArtifactRejected VKA_MALFORMED.
        """
        if int.from_bytes(data[:8], "little") * 32 != len(data) - 8:
            raise ArtifactRejected(Reason.VKA_MALFORMED)
        return cls.from_bytes(data[8:])

    def to_bytes(self) -> bytes:
        """The words one after another."""
        return b"".join(self.words)

    @cached_property
    def proof_bytes(self) -> int:
        """How long a proof under this key is.

        Adds up what the contract reads: for each challenge round its points, then evaluations
        and two opening points. The contract itself ignores whole words behind these.
        Raises: ArtifactRejected VKA_MALFORMED.
        """
        try:
            at = _ROUNDS_AT
            data = int.from_bytes(self.words[at], "big")
            count, data = data & 0xFF, data >> 8
            points = 0
            for _ in range(count):
                while data:
                    points += data & 0xFFFF
                    data >>= 24  # the length of a round, then its number of challenges
                at += 1
                data = int.from_bytes(self.words[at], "big")
            evaluations = int.from_bytes(self.words[_EVALUATIONS_AT], "big")
        except IndexError:
            raise ArtifactRejected(Reason.VKA_MALFORMED) from None
        return points + 32 * evaluations + 2 * 64

    @cached_property
    def digest(self) -> Digest:
        """What the contract knows the artifact by."""
        return Digest(keccak256(self.to_bytes()))


@dataclass(frozen=True, slots=True)
class VerifiedOnChain:
    """A proof that the verifier contract accepted. Only `verify_on_chain` makes one.

    Units: `gas` is what the same check takes as a transaction of its own.
    """

    verifier: Address
    vka: Digest
    gas: int


async def check_verifier(rpc: Rpc, verifier: Address) -> None:
    """Returns when the code at the address is the verifier that this package ships.

    Raises: NotFound CHAIN_NO_CONTRACT; Misconfigured VERIFIER_CODE_UNKNOWN; Unavailable.
    """
    code = await rpc.code(verifier)
    if not code:
        raise NotFound(Reason.CHAIN_NO_CONTRACT, address=verifier, chain_id=await rpc.chain_id())
    if code != load_artifact(EZKL_VERIFIER).deployed:
        raise Misconfigured(Reason.VERIFIER_CODE_UNKNOWN, verifier=verifier, contract=EZKL_VERIFIER)


async def is_registered(rpc: Rpc, verifier: Address, vka: Digest) -> bool:
    """True when the verifier knows the artifact with this digest.

    Reads the contract's first storage variable, a mapping from digest to bool; it has no
    getter. Meaningful only at an address that passed `check_verifier`.
    """
    return any(await rpc.storage(verifier, Digest(keccak256(vka.raw + bytes(32)))))


async def register_vka(
    rpc: Rpc, verifier: Address, vka: VerifyingKeyArtifact, key: SigningKey
) -> Digest:
    """The digest of the artifact, which the verifier knows from now on; nothing is sent when
    it knew it before.

    Raises: as `check_verifier` and `transact`; NotFound VKA_NOT_REGISTERED when the chain
    does not show the registration afterwards.
    """
    await check_verifier(rpc, verifier)
    if not await is_registered(rpc, verifier, vka.digest):
        data = calldata(REGISTER, list(vka.words))
        await transact(rpc, key, to=verifier, data=data, what=REGISTER)
        if not await is_registered(rpc, verifier, vka.digest):
            raise NotFound(Reason.VKA_NOT_REGISTERED, verifier=verifier, digest=vka.digest)
    return vka.digest


async def verify_on_chain(
    rpc: Rpc,
    verifier: Address,
    *,
    proof: bytes,
    instances: Sequence[int],
    vka: VerifyingKeyArtifact,
) -> VerifiedOnChain:
    """The contract's acceptance of the proof, asked for without a transaction.

    1  the code at the address is the verifier we ship
    2  the proof has the key's length, and every public value is a field element
    3  the artifact is registered
    4  the contract accepts the proof
    5  it says so under the artifact's digest

    Raises: NotFound CHAIN_NO_CONTRACT, VKA_NOT_REGISTERED; Misconfigured
    VERIFIER_CODE_UNKNOWN; ArtifactRejected VKA_MALFORMED; ProofRejected
    PROOF_LENGTH_ON_CHAIN, PROOF_PUBLIC_VALUE_RANGE, PROOF_REFUSED_ON_CHAIN,
    VKA_DIGEST_MISMATCH; Unavailable.
    Soundness: `vka` must come from a trusted verifying key, and the caller compares
    `instances` with its own statement.
    """
    # 1
    await check_verifier(rpc, verifier)
    # 2
    if len(proof) != vka.proof_bytes:
        raise ProofRejected(Reason.PROOF_LENGTH_ON_CHAIN, got=len(proof), expected=vka.proof_bytes)
    for index, value in enumerate(instances):
        if not 0 <= value < FIELD_ORDER:
            raise ProofRejected(Reason.PROOF_PUBLIC_VALUE_RANGE, index=index)
    # 3
    if not await is_registered(rpc, verifier, vka.digest):
        raise NotFound(Reason.VKA_NOT_REGISTERED, verifier=verifier, digest=vka.digest)
    # 4
    data = calldata(VERIFY, proof, list(instances), list(vka.words))
    try:
        answer = await rpc.call(verifier, data, what=VERIFY, gas=VERIFY_GAS_LIMIT)
        # The declared return type is not what the contract returns: its third value has the
        # wrong offset. The first two words are the acceptance and the artifact's digest.
        accepted, used = (*words(answer), b"", b"")[:2]
        if int.from_bytes(accepted, "big") != 1:
            raise ProofRejected(Reason.PROOF_REFUSED_ON_CHAIN, verifier=verifier)
        gas = await rpc.estimate_gas(verifier, data, what=VERIFY)
    except CallReverted as error:
        raise ProofRejected(Reason.PROOF_REFUSED_ON_CHAIN, verifier=verifier) from error
    # 5
    if used != vka.digest.raw:
        raise ProofRejected(Reason.VKA_DIGEST_MISMATCH, got="0x" + used.hex(), expected=vka.digest)
    return VerifiedOnChain(verifier, vka.digest, gas)


@dataclass(frozen=True, slots=True)
class EzklCheck:
    """What the contract is asked: proof bytes, public values, verifying-key artifact. It is a
    receipts' ContractCheck."""

    proof: bytes
    instances: list[int]
    vka: VerifyingKeyArtifact

    async def ask(self, rpc: Rpc, contract: Address) -> int:
        """The gas of the check, once the contract accepted. Raises: as `verify_on_chain`."""
        accepted = await verify_on_chain(
            rpc, contract, proof=self.proof, instances=self.instances, vka=self.vka
        )
        return accepted.gas
