"""Joins proof systems and the chain: how contracts know a model's key, and take a proof of it."""

from collections.abc import Sequence

from inferproof.chain.verifier import VerifyingKeyArtifact
from inferproof.chain.verifier_router import (
    ezkl_key_digest,
    ezkl_proof,
    private_key_digest,
    private_proof,
    without_kept_links,
)
from inferproof.errors import NotFound, Reason
from inferproof.protocol.encoding import encode_fixed_tensor, keccak256
from inferproof.protocol.proof_file import ProofFile
from inferproof.protocol.registration import NO_VERIFIER, verifier_selector
from inferproof.protocol.statement import statement_digest
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.proving.ezkl.evm import evm_heads, evm_proof, evm_vka
from inferproof.proving.pool import WorkerPool
from inferproof.proving.sumcheck.contract import (
    contract_call,
    contract_heads,
    contract_programs,
)
from inferproof.types.digest import Digest
from inferproof.types.proof import Visibility
from inferproof.types.registry import ContractKey
from inferproof.types.verifier import Claim


def verifying_key_artifact(bundle: VerifierBundle) -> VerifyingKeyArtifact:
    """The model's verifying key in the form of ezkl's contract. Raises: as `evm_vka`."""
    pool = WorkerPool()
    try:
        return VerifyingKeyArtifact.from_ezkl_file(evm_vka(bundle, pool))
    finally:
        pool.close()


def contract_key(bundle: VerifierBundle) -> ContractKey:
    """The model's verifying key as its contract verifier knows it: with names, shapes and scales of
    its outputs (specs/registry.md, section 4). Where no contract checks its proofs, that in the
    model's parts.

    Raises: as `evm_vka` and `evm_heads`; as `contract_programs` and `contract_heads`, but for
    NO_PROGRAM.
    Soundness: it follows from the bundle, so whoever trusts the bundle trusts it.
    """
    parts = bundle.parts
    selector = verifier_selector(parts.proof_system, parts.proof_system_version)
    # Hashed inputs are salted by the prover: nobody could say before which they will be.
    if parts.proof_system == "ezkl" and parts.visibility is Visibility.PUBLIC:
        return ContractKey(selector, _ezkl_key(bundle, verifying_key_artifact(bundle)))
    if parts.proof_system == "sumcheck":
        try:
            return ContractKey(selector, _private_key(bundle))
        except NotFound as error:
            if error.reason is not Reason.NO_PROGRAM:
                raise
    return ContractKey(NO_VERIFIER, parts.verifying_key)


def router_proof(
    bundle: VerifierBundle, file: ProofFile, *, kept: Sequence[bytes] = ()
) -> tuple[Claim, bytes]:
    """The claim of a proof file, and the proof as the adapter behind the model's selector takes it.

    `kept` are commitments whose links the contract keeps; they are told without their bytes.
    Raises: NotFound NO_PROGRAM, NO_CONTRACT_FOR_SYSTEM; as `contract_call`, or as `evm_vka` and
    `evm_proof`.
    Soundness: of a file that verify_proof has accepted for the bundle. A contract makes the claim
    itself.
    """
    if bundle.parts.proof_system == "sumcheck":
        call = without_kept_links(contract_call(bundle, file), kept)
        digests = contract_programs(bundle.verifying_key).digests
        told = private_proof(digests, contract_heads(bundle), call)
        return _claim(file, _private_key(bundle), call.numbers), told
    if bundle.parts.proof_system != "ezkl" or bundle.parts.visibility is not Visibility.PUBLIC:
        raise NotFound(Reason.NO_CONTRACT_FOR_SYSTEM, system=bundle.parts.proof_system)
    proof, instances = evm_proof(bundle, file)
    numbers = instances[: _inputs(bundle)]
    vka = verifying_key_artifact(bundle)
    told = ezkl_proof(vka, evm_heads(bundle), numbers, proof)
    words = b"".join(number.to_bytes(32, "big") for number in numbers)
    return _claim(file, _ezkl_key(bundle, vka), words), told


def _claim(file: ProofFile, key: Digest, numbers: bytes) -> Claim:
    outputs = tuple(encode_fixed_tensor(output) for output in file.outputs)
    return Claim(statement_digest(file.statement), key, Digest(keccak256(numbers)), outputs)


def _private_key(bundle: VerifierBundle) -> Digest:
    digests = contract_programs(bundle.verifying_key).digests
    return private_key_digest(digests, contract_heads(bundle))


def _ezkl_key(bundle: VerifierBundle, vka: VerifyingKeyArtifact) -> Digest:
    return ezkl_key_digest(vka.digest, _inputs(bundle), evm_heads(bundle))


def _inputs(bundle: VerifierBundle) -> int:
    return sum(spec.size for spec in bundle.inputs)
