"""Joins proof systems and the chain for the command line: what a contract is asked."""

from inferproof.chain.private_proofs import PrivateCheck
from inferproof.chain.receipts import ContractCheck
from inferproof.chain.verifier import EzklCheck, VerifyingKeyArtifact
from inferproof.protocol.proof_file import ProofFile
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.proving.ezkl.evm import evm_proof, evm_vka
from inferproof.proving.pool import WorkerPool
from inferproof.proving.sumcheck.contract import contract_call


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
