"""What a contract is given: the programs of a model's key, and a proof in their form.

Both are made by the second verifier, which decides nothing here: what it makes is checked by the
contract, which runs the programs alone.
"""

from dataclasses import dataclass

from inferproof.errors import NotFound, Reason
from inferproof.protocol.encoding import fixed_tensor_head
from inferproof.protocol.proof_file import ProofFile
from inferproof.protocol.proof_mode import refuse_ended
from inferproof.protocol.statement import statement_digest
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.proving.sumcheck.check import read_facts, settings_fault
from inferproof.proving.sumcheck.quantisation import decode_settings, quantise_inputs
from inferproof.second_verifier.keys import words
from inferproof.second_verifier.program.calls import Call, Programs, call_of, programs_of
from inferproof.second_verifier.reader import Rejected
from inferproof.types.tensor import Tensors

_PROOF_BYTE, _PROGRAM_BYTE, _LINK_BYTE = 55, 82, 60
"""Gas of a byte, that of call data included, as measured: within a tenth for whole proofs."""
MOST_GAS = 30_000_000
"""What one transaction may take on most chains, and so a proof or a link."""


@dataclass(frozen=True, slots=True)
class ContractGas:
    """What a contract takes to check a proof, about: `proof` where links are kept, and `links` for
    those of an epoch, once."""

    proof: int
    links: int


def contract_gas(verifying_key: bytes, proof: bytes) -> ContractGas:
    """What a proof of such lengths takes. Raises: NotFound NO_PROGRAM, also where it is more than a
    transaction may take."""
    program = contract_programs(verifying_key).proof
    call = call_of(verifying_key, (), (), b"", proof)  # lengths alone
    of_proof = _PROOF_BYTE * len(call.proof) + _PROGRAM_BYTE * len(program)
    of_links = [_LINK_BYTE * len(link.opening) for link in call.links]
    most = max(of_proof, *of_links)
    if most > MOST_GAS:
        why = f"one takes about {most:,} gas, and a transaction may take {MOST_GAS:,}"
        raise NotFound(Reason.NO_PROGRAM, why=why)
    return ContractGas(of_proof, sum(of_links))


def contract_programs(verifying_key: bytes) -> Programs:
    """What a contract runs to check proofs under the key.

    Raises: NotFound NO_PROGRAM, with the reason; ArtifactRejected MODE_ENDED.
    Soundness: they are the key's own, so whoever trusts the key trusts their digests.
    """
    refuse_ended(verifying_key)
    try:
        return programs_of(verifying_key)
    except Rejected as rejected:
        raise NotFound(Reason.NO_PROGRAM, why=rejected.why) from rejected


def contract_heads(bundle: VerifierBundle) -> list[bytes]:
    """What stands before the values of each output in its canonical encoding: name, shape, scale.

    Raises: ArtifactRejected ARTIFACT_SETTINGS.
    """
    outputs = decode_settings(bundle.settings).outputs
    if [(o.name, o.shape) for o in outputs] != [(s.name, s.shape) for s in bundle.outputs]:
        raise settings_fault("they name other outputs than the bundle")
    return [fixed_tensor_head(item.name, item.shape, item.scale) for item in outputs]


def contract_numbers(bundle: VerifierBundle, tensors: Tensors) -> bytes:
    """What a contract takes as the input: the numbers that these tensors are quantised to.

    Raises: as `read_facts` and `quantise_inputs`.
    """
    inputs = quantise_inputs(read_facts(bundle).settings, tensors)
    return words([values.reshape(-1).tolist() for values in inputs])


def contract_call(bundle: VerifierBundle, file: ProofFile) -> Call:
    """What a contract is asked of a proof, whose public values are derived here.

    Raises: NotFound NO_PROGRAM; as `read_facts` and `quantise_inputs`.
    Soundness: of a file that verify_proof has accepted for the bundle. What the contract says of it
    is said of these values.
    """
    contract_programs(bundle.verifying_key)
    if file.disclosed is None:
        raise NotFound(Reason.NO_PROGRAM, why="its input is private")
    settings = read_facts(bundle).settings
    inputs = quantise_inputs(settings, file.disclosed.tensors)
    return call_of(
        bundle.verifying_key,
        [values.reshape(-1).tolist() for values in inputs],
        [list(output.values) for output in file.outputs],
        statement_digest(file.statement).raw,
        file.proof,
    )
