"""Joins proof systems and the chain for the command line: what a contract is asked."""

from inferproof.chain.private_proofs import PrivateCheck
from inferproof.chain.receipts import ContractCheck
from inferproof.chain.verifier import EzklCheck, VerifyingKeyArtifact
from inferproof.errors import NotFound, Reason
from inferproof.protocol.encoding import keccak256
from inferproof.protocol.proof_file import ProofFile
from inferproof.protocol.registration import NO_VERIFIER, verifier_selector
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.proving.ezkl.evm import evm_proof, evm_vka
from inferproof.proving.pool import WorkerPool
from inferproof.proving.sumcheck.contract import contract_call, contract_programs
from inferproof.types.digest import Digest
from inferproof.types.proof import Visibility
from inferproof.types.registry import CommitmentKind, ContractKey


def contract_check(bundle: VerifierBundle, file: ProofFile) -> ContractCheck | None:
    """What has a contract check a proof; None for systems of whose proofs no contract checks any.

    Raises: as `evm_vka` and `evm_proof`, or as `contract_call`.
    """
    system = bundle.parts.proof_system
    if system == "sumcheck":
        return PrivateCheck(contract_call(bundle, file))
    if system != "ezkl":
        return None
    proof, instances = evm_proof(bundle, file)
    return EzklCheck(proof, instances, verifying_key_artifact(bundle))


def verifying_key_artifact(bundle: VerifierBundle) -> VerifyingKeyArtifact:
    """The model's verifying key in the contract's form. Raises: as `evm_vka`."""
    pool = WorkerPool()
    try:
        return VerifyingKeyArtifact.from_ezkl_file(evm_vka(bundle, pool))
    finally:
        pool.close()


def contract_key(bundle: VerifierBundle) -> ContractKey:
    """The model's verifying key as its contract verifier knows it: of `sumcheck` the Keccak-256 of
    its programs' digests, those of proofs first; of `ezkl` the digest of the key's artifact. Where
    no contract checks its proofs, that in the model's parts.

    Raises: as `evm_vka` and `contract_programs`, but for NO_PROGRAM.
    Soundness: it follows from the bundle, so whoever trusts the bundle trusts it.
    """
    parts = bundle.parts
    selector = verifier_selector(parts.proof_system, parts.proof_system_version)
    if parts.proof_system == "ezkl":
        return ContractKey(selector, verifying_key_artifact(bundle).digest)
    if parts.proof_system == "sumcheck":
        try:
            programs = contract_programs(bundle.verifying_key).every
        except NotFound as error:
            if error.reason is not Reason.NO_PROGRAM:
                raise
        else:
            digests = b"".join(keccak256(program) for program in programs)
            return ContractKey(selector, Digest(keccak256(digests)))
    return ContractKey(NO_VERIFIER, parts.verifying_key)


def input_kinds(bundle: VerifierBundle) -> CommitmentKind:
    """The kinds of input commitments in statements about the model."""
    if bundle.parts.visibility is Visibility.HASHED:
        return CommitmentKind.HASHED
    if bundle.parts.proof_system == "sumcheck":  # private, where the buyer asks for it
        return CommitmentKind.DISCLOSED | CommitmentKind.PRIVATE
    return CommitmentKind.DISCLOSED
