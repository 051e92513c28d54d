"""Joins proof systems and the chain for the command line: what a contract is asked."""

from inferproof.app.router_proofs import contract_key, verifying_key_artifact
from inferproof.chain.private_proofs import PrivateCheck
from inferproof.chain.receipts import ContractCheck
from inferproof.chain.verifier import EzklCheck
from inferproof.protocol.proof_file import ProofFile
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.proving.ezkl.evm import evm_proof
from inferproof.proving.sumcheck.contract import contract_call
from inferproof.types.proof import Visibility
from inferproof.types.registry import CommitmentKind

__all__ = ["contract_check", "contract_key", "input_kinds"]


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


def input_kinds(bundle: VerifierBundle) -> CommitmentKind:
    """The kinds of input commitments in statements about the model."""
    if bundle.parts.visibility is Visibility.HASHED:
        return CommitmentKind.HASHED
    if bundle.parts.proof_system == "sumcheck":  # private, where the buyer asks for it
        return CommitmentKind.DISCLOSED | CommitmentKind.PRIVATE
    return CommitmentKind.DISCLOSED
