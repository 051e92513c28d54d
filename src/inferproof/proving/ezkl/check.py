"""The checking half of ezkl: every public value is derived here, none is taken from the proof."""

import json
import tempfile
from pathlib import Path

from inferproof.errors import ProofRejected, Reason
from inferproof.protocol.proof_file import ProofFile
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.proving.ezkl.field import bytes_to_felt, felts, limbs, quantise
from inferproof.proving.ezkl.library import EzklFailed, ezkl_errors, library
from inferproof.proving.ezkl.settings import Facts, read_settings
from inferproof.types.digest import Digest
from inferproof.types.proof import Visibility
from inferproof.types.tensor import Tensors


def check(bundle: VerifierBundle, file: ProofFile, statement: Digest) -> None:
    """Returns when the proof holds for the statement and the values in the file.

    1  the bundle is of this version, and its settings describe a circuit that shows and binds what
       it should
    2  the outputs carry the circuit's scales
    3  public values: quantised or hashed input, outputs, statement digest
    4  the Halo2 proof holds for these values under the bundle's key and SRS

    Raises: ArtifactRejected ARTIFACT_SETTINGS; ProofRejected PROOF_OTHER_VERSION,
    PROOF_OUTPUTS_SCALE, PROOF_INPUT_RANGE, PROOF_INPUT_VISIBILITY, PROOF_INVALID; MissingPart
    MISSING_LIBRARY.
    Soundness: commitments in the statement are compared by inferproof.verify.proof.
    """
    # 1
    facts = read_settings(bundle)
    # 2
    if [o.scale for o in file.outputs] != [2.0**-s for s in facts.output_scales]:
        raise ProofRejected(Reason.PROOF_OUTPUTS_SCALE)
    # 3
    instances = public_values(bundle, facts, file, statement)
    # 4
    _verify(bundle, file.proof, instances)


def public_values(
    bundle: VerifierBundle, facts: Facts, file: ProofFile, statement: Digest
) -> list[str]:
    """All public values of the circuit, as field elements in ezkl's order.

    Raises: ProofRejected PROOF_INPUT_RANGE, PROOF_INPUT_VISIBILITY, PROOF_INVALID (a hash that
    is not a reduced field element).
    """
    binding = felts(limbs(statement.raw))
    outputs = felts([value for output in file.outputs for value in output.values])
    if bundle.parts.visibility is Visibility.PUBLIC:
        if file.disclosed is None:
            raise ProofRejected(Reason.PROOF_INPUT_VISIBILITY, expected="public")
        return [*input_values(bundle, facts, file.disclosed.tensors), *binding, *outputs]
    if file.input_hashes is None or len(file.input_hashes) != len(bundle.inputs):
        raise ProofRejected(Reason.PROOF_INPUT_VISIBILITY, expected="hashed")
    hashes = [bytes_to_felt(item) for item in file.input_hashes]
    if None in hashes:
        raise ProofRejected(Reason.PROOF_INVALID)
    return [*(h for h in hashes if h), poseidon(binding), *outputs, *binding]


def input_values(bundle: VerifierBundle, facts: Facts, tensors: Tensors) -> list[str]:
    """The public values of a disclosed input, as field elements in ezkl's order.

    Raises: ProofRejected PROOF_INPUT_RANGE.
    """
    inputs: list[str] = []
    for spec, scale in zip(bundle.inputs, facts.input_scales, strict=True):
        try:
            inputs += felts(quantise(tensors[spec.name], scale))
        except OverflowError:
            raise ProofRejected(Reason.PROOF_INPUT_RANGE, name=spec.name) from None
    return inputs


def poseidon(message: list[str]) -> str:
    """ezkl's Poseidon hash of field elements. Raises: MissingPart MISSING_LIBRARY."""
    (digest,) = library().poseidon_hash(message)
    return str(digest)


def _verify(bundle: VerifierBundle, proof: bytes, instances: list[str]) -> None:
    ezkl = library()
    with tempfile.TemporaryDirectory(prefix="inferproof-verify-") as name:
        folder = Path(name)
        files = {
            "settings.json": bundle.settings,
            "vk.key": bundle.verifying_key,
            "kzg.srs": bundle.srs,
            "proof.json": json.dumps(ezkl_proof(proof, instances)).encode(),
        }
        for file, data in files.items():
            (folder / file).write_bytes(data)
        try:
            with ezkl_errors():
                held = ezkl.verify(
                    str(folder / "proof.json"),
                    str(folder / "settings.json"),
                    str(folder / "vk.key"),
                    str(folder / "kzg.srs"),
                    True,
                )
        except EzklFailed:
            raise ProofRejected(Reason.PROOF_INVALID) from None
    if held is not True:
        raise ProofRejected(Reason.PROOF_INVALID)


def ezkl_proof(proof: bytes, instances: list[str]) -> dict[str, object]:
    """The proof as ezkl reads it, made anew from the bytes and our own public values."""
    return {
        "protocol": None,
        "instances": [instances],
        "proof": list(proof),
        "hex_proof": "0x" + proof.hex(),
        "split": None,
        "pretty_public_inputs": None,
        "timestamp": 0,
        "version": None,
    }


class Checker:
    """`check` as an inferproof.verify.proof.ProofChecker, without a proof system around it."""

    def check(self, bundle: VerifierBundle, file: ProofFile, statement: Digest) -> None:
        """See `check`."""
        check(bundle, file, statement)


CHECKER = Checker()
