"""Joins proof systems and the chain for the command line: what a contract is asked."""

from inferproof.chain.receipts import EvmCall
from inferproof.chain.verifier import VerifyingKeyArtifact
from inferproof.protocol.proof_file import ProofFile
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.proving.ezkl.evm import evm_proof, evm_vka
from inferproof.proving.pool import WorkerPool


def evm_call(bundle: VerifierBundle, file: ProofFile) -> EvmCall | None:
    """The call that verifies a proof in the reusable ezkl verifier; None for other systems.

    Raises: as `evm_vka` and `evm_proof`.
    """
    if bundle.parts.proof_system != "ezkl":
        return None
    proof, instances = evm_proof(bundle, file)
    return EvmCall(proof, instances, verifying_key_artifact(bundle))


def verifying_key_artifact(bundle: VerifierBundle) -> VerifyingKeyArtifact:
    """The model's verifying key in the contract's form. Raises: as `evm_vka`."""
    pool = WorkerPool()
    try:
        return VerifyingKeyArtifact.from_ezkl_file(evm_vka(bundle, pool))
    finally:
        pool.close()
