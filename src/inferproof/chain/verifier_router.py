"""The router of verifiers: one contract that others ask about proofs of every proof system.

A model's registered terms name a verifier by a selector and a key by a digest. What is asked is a
`Claim`, with a proof in the encoding of the adapter behind the selector (specs/registry.md).

Soundness: a router says what its owner has put behind a selector; whoever relies on one reads that
with `verifier`. A claim is the caller's own: nothing of it may come from who brings the proof.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from inferproof.chain.abi import calldata, decode_values, encode_arguments, revert_reason
from inferproof.chain.answers import ChainReceipt
from inferproof.chain.contracts import (
    EZKL_ADAPTER,
    PRIVATE_PROOFS_ADAPTER,
    VERIFIER_ROUTER,
    deploy,
    load_artifact,
)
from inferproof.chain.private_proofs import LINK_TYPES
from inferproof.chain.rpc import CallReverted, Rpc
from inferproof.chain.transactions import transact
from inferproof.chain.verifier import VerifyingKeyArtifact
from inferproof.errors import Conflict, Misconfigured, NotFound, ProofRejected, Reason, Rejection
from inferproof.protocol.encoding import keccak256
from inferproof.protocol.signature import SigningKey
from inferproof.second_verifier.program.calls import Call
from inferproof.types.digest import Address, Digest
from inferproof.types.verifier import Claim, ContractAssurance, Verifier

_CLAIM = "(bytes32,bytes32,bytes32,bytes[])"
_VERIFY_TYPES = ("bytes4", _CLAIM, "bytes")
VERIFY = f"verify({','.join(_VERIFY_TYPES)})"
ADD = "add(bytes4,address,uint64,bytes32,uint8,string)"
RETIRE = "retire(bytes4)"
VERIFIER_OF = "verifierOf(bytes4)"
OWNER = "owner()"
_VERIFIER = "(address,uint64,uint8,bool,bytes32,string)"
_PRIVATE_PROOF = ("bytes32[8]", "bytes[]", "bytes", "bytes", LINK_TYPES, "bytes")
_EZKL_PROOF = ("bytes32[]", "bytes[]", "uint256[]", "bytes")

_UNKNOWN = keccak256(b"UnknownVerifier(bytes4)")[:4]
_RETIRED = keccak256(b"VerifierIsRetired(bytes4)")[:4]
_REVERTED = keccak256(b"VerifierReverted(bytes4,bytes)")[:4]
MOST_GAS = 50_000_000
"""What nodes let a call take that is no transaction (geth's default)."""


# -- keys and proofs as adapters take them -----------------------------------------------------


def private_key_digest(programs: Sequence[bytes], heads: Sequence[bytes]) -> Digest:
    """What the adapter of private proofs knows a key by.

    `programs` are the digests of all its programs by their places, `heads` what stands before the
    values of each output. Source: specs/registry.md, section 4.
    """
    heads_digest = keccak256(encode_arguments(["bytes[]"], [list(heads)]))
    return Digest(keccak256(b"".join(programs) + heads_digest))


def private_proof(programs: Sequence[bytes], heads: Sequence[bytes], call: Call) -> bytes:
    """A private proof as its adapter takes it. Links that are kept may be without bytes."""
    links = [(link.program, link.commitment, link.given, link.opening) for link in call.links]
    return encode_arguments(
        _PRIVATE_PROOF,
        [list(programs), list(heads), call.epoch, call.numbers, links, call.proof],
    )


def ezkl_key_digest(vka: Digest, inputs: int, heads: Sequence[bytes]) -> Digest:
    """What the adapter of ezkl proofs knows a key by.

    `vka` is the artifact's digest, `inputs` how many numbers the inputs are, `heads` what stands
    before the values of each output. Source: specs/registry.md, section 4.
    """
    heads_digest = keccak256(encode_arguments(["bytes[]"], [list(heads)]))
    return Digest(keccak256(vka.raw + inputs.to_bytes(32, "big") + heads_digest))


def ezkl_proof(
    vka: VerifyingKeyArtifact, heads: Sequence[bytes], numbers: Sequence[int], proof: bytes
) -> bytes:
    """An ezkl proof as its adapter takes it; `numbers` are the public values of its inputs."""
    return encode_arguments(_EZKL_PROOF, [list(vka.words), list(heads), list(numbers), proof])


def without_kept_links(call: Call, kept: Sequence[bytes]) -> Call:
    """The same call, where links that lead to these commitments are without their bytes."""
    links = [
        replace(link, given=b"", opening=b"") if link.commitment in kept else link
        for link in call.links
    ]
    return replace(call, links=links)


# -- the contracts -----------------------------------------------------------------------------


async def deploy_router(rpc: Rpc, key: SigningKey, owner: Address) -> Address:
    """A newly deployed router, which belongs to `owner`. Raises: as `deploy`."""
    return await deploy(rpc, load_artifact(VERIFIER_ROUTER), key, owner)


async def deploy_private_adapter(rpc: Rpc, key: SigningKey, proofs: Address) -> Address:
    """A newly deployed adapter of the contract that checks private proofs. Raises: as `deploy`."""
    return await deploy(rpc, load_artifact(PRIVATE_PROOFS_ADAPTER), key, proofs)


async def deploy_ezkl_adapter(rpc: Rpc, key: SigningKey, verifier: Address) -> Address:
    """A newly deployed adapter of ezkl's verifier. Raises: as `deploy`."""
    return await deploy(rpc, load_artifact(EZKL_ADAPTER), key, verifier)


async def check_router(rpc: Rpc, router: Address) -> None:
    """Returns when the code at the address is the contract that this package ships.

    Raises: NotFound CHAIN_NO_CONTRACT; Misconfigured ROUTER_CODE_UNKNOWN; Unavailable.
    """
    code = await rpc.code(router)
    if not code:
        raise NotFound(Reason.CHAIN_NO_CONTRACT, address=router, chain_id=await rpc.chain_id())
    if not load_artifact(VERIFIER_ROUTER).is_code(code):
        raise Misconfigured(Reason.ROUTER_CODE_UNKNOWN, address=router, contract=VERIFIER_ROUTER)


async def open_router(rpc: Rpc, address: Address) -> "VerifierRouter":
    """The router at an address. Raises: as `check_router`."""
    await check_router(rpc, address)
    return VerifierRouter(rpc, address)


class VerifierRouter:
    """One router through one node. Its code is looked at by `open_router`."""

    def __init__(self, rpc: Rpc, address: Address) -> None:
        self._rpc = rpc
        self.address = address

    async def verifier(self, selector: bytes) -> Verifier:
        """What stands behind a selector, or stood there until it was retired.

        Raises: NotFound VERIFIER_UNKNOWN; Misconfigured CHAIN_BAD_ANSWER; Unavailable.
        """
        try:
            ((adapter, cap, assurance, retired, specification, system),) = await self._ask(
                VERIFIER_OF, [_VERIFIER], "a verifier", selector
            )
        except CallReverted as error:
            raise self._named(error, selector) from error
        return Verifier(
            selector,
            Address.from_hex(adapter),
            cap,
            Digest(specification),
            ContractAssurance(assurance),
            system,
            retired,
        )

    async def owner(self) -> Address:
        """Who adds and retires verifiers. Raises: as `verifier`, but for NotFound."""
        (found,) = await self._ask(OWNER, ["address"], "an owner")
        return Address.from_hex(found)

    async def add(self, verifier: Verifier, key: SigningKey) -> ChainReceipt | None:
        """Puts a verifier behind its selector; None where it stands there already, as this says.

        Raises: Conflict VERIFIER_TAKEN; Rejection ROUTER_OWNER_OTHER; as `transact`, of what is out
        of the contract's bounds.
        """
        try:
            found = await self.verifier(verifier.selector)
        except NotFound:
            pass
        else:
            if found == verifier:
                return None
            raise Conflict(
                Reason.VERIFIER_TAKEN,
                router=self.address,
                selector="0x" + verifier.selector.hex(),
                adapter=found.adapter,
            )
        await self._check_owner(key.address)
        data = calldata(
            ADD,
            verifier.selector,
            verifier.adapter,
            verifier.gas_cap,
            verifier.specification,
            int(verifier.assurance),
            verifier.system,
        )
        return await transact(self._rpc, key, to=self.address, data=data, what=ADD)

    async def retire(self, selector: bytes, key: SigningKey) -> ChainReceipt:
        """Ends a verifier, for ever. Raises: NotFound VERIFIER_UNKNOWN, VERIFIER_RETIRED; Rejection
        ROUTER_OWNER_OTHER; as `transact`."""
        if (await self.verifier(selector)).retired:
            raise NotFound(
                Reason.VERIFIER_RETIRED, router=self.address, selector="0x" + selector.hex()
            )
        await self._check_owner(key.address)
        return await transact(
            self._rpc, key, to=self.address, data=calldata(RETIRE, selector), what=RETIRE
        )

    async def verify(self, selector: bytes, claim: Claim, proof: bytes) -> int:
        """The gas that the same check takes as a transaction, once the router has let the proof
        pass without one. A transaction has to carry the verifier's whole cap beside it.

        Raises: NotFound VERIFIER_UNKNOWN, VERIFIER_RETIRED; ProofRejected PROOF_REFUSED_BY_ROUTER;
        Unavailable.
        """
        data = verify_data(selector, claim, proof)
        try:
            await self._rpc.call(self.address, data, what=VERIFY, gas=MOST_GAS)
            return await self._rpc.estimate_gas(self.address, data, what=VERIFY)
        except CallReverted as error:
            raise self._named(error, selector) from error

    # -- inside

    def _named(self, error: CallReverted, selector: bytes) -> NotFound | ProofRejected:
        """What a revert of the router says."""
        named, facts = error.data[:4], {"router": self.address, "selector": "0x" + selector.hex()}
        if named == _UNKNOWN:
            return NotFound(Reason.VERIFIER_UNKNOWN, **facts)
        if named == _RETIRED:
            return NotFound(Reason.VERIFIER_RETIRED, **facts)
        why = revert_reason(error.data)
        if named == _REVERTED:
            values = decode_values(["bytes4", "bytes"], error.data[4:])
            if values is not None:
                why = f"the verifier says {revert_reason(values[1])}"
        return ProofRejected(Reason.PROOF_REFUSED_BY_ROUTER, router=self.address, why=why)

    async def _check_owner(self, sender: Address) -> None:
        owner = await self.owner()
        if owner != sender:
            raise Rejection(
                Reason.ROUTER_OWNER_OTHER, router=self.address, owner=owner, sender=sender
            )

    async def _ask(
        self, signature: str, types: Sequence[str], expected: str, *arguments: object
    ) -> tuple[Any, ...]:
        answer = await self._rpc.call(self.address, calldata(signature, *arguments), what=signature)
        values = decode_values(types, answer)
        if values is None:
            raise Misconfigured(
                Reason.CHAIN_BAD_ANSWER,
                address=self.address,
                call=signature,
                got=len(answer),
                expected=expected,
            )
        return values


def verify_data(selector: bytes, claim: Claim, proof: bytes) -> bytes:
    """The data of a call that has a router verify a proof."""
    told = (claim.statement.raw, claim.verifying_key.raw, claim.inputs.raw, list(claim.outputs))
    return keccak256(VERIFY.encode())[:4] + encode_arguments(_VERIFY_TYPES, (selector, told, proof))
